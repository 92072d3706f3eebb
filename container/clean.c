/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "container/id_maps.h"
#include "container/network.h"
#include "container/place.h"
#include "container/rootfs.h"
#include "container/runtime.h"
#include "container/scope.h"
#include "container/store.h"
#include "container/tree.h"
#include "container/verbs.h"

/* Everything is tried, and the first failure told: one thing that will not go must not keep the
 * rest. */
int verb_clean(const char *unit, struct error *err)
{
    autoptr(place) place = NULL;
    int r = place_new(unit, &place, err);
    if (r < 0)
        return r;
    int isolated = rootfs_isolate(err);
    r = isolated;
    int ended = scope_end(place, r < 0 ? NULL : err);
    if (r == 0)
        r = ended;
    int deleted = isolated < 0 ? 0 : runtime_delete(place, environ, r < 0 ? NULL : err);
    if (r == 0)
        r = deleted;
    int detached = network_detach(place, r < 0 ? NULL : err);
    if (r == 0)
        r = detached;
    const char *const leftovers[] = { place->root,    place->layer,  place->fallback, place->stage,
                                      place->secrets, place->config, place->pid,      place->log,
                                      place->scope,   place->health };
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
        int failed = tree_remove(leftovers[i], r < 0 ? NULL : err);
        if (r == 0)
            r = failed;
    }
    int forgotten = id_maps_forget(place, r < 0 ? NULL : err);
    if (r == 0)
        r = forgotten;
    /* The last: until now the images were in use. */
    int unpinned = store_unpin(PLACE_IMAGE_STORE, place->images, r < 0 ? NULL : err);
    if (r == 0)
        r = unpinned;
    return r < 0 ? error_prefix(err, r, "%s: cleaning up", unit) : 0;
}
