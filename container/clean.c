/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "container/id_maps.h"
#include "container/network.h"
#include "container/place.h"
#include "container/rootfs.h"
#include "container/runtime.h"
#include "container/scope.h"
#include "container/store.h"
#include "container/tree.h"
#include "container/verbs.h"

/* The agent writes the spec by itself, perhaps just now. */
static bool is_unfinished(const char *name)
{
    return file_is_unfinished(name) && !text_starts_with(name, "spec.json.");
}

static int remove_unfinished(const struct place *place, struct error *err)
{
    int r = 0;
    DIR *directory = opendir(place->directory);
    if (!directory)
        return errno == ENOENT ? 0 : error_errno(err, -errno, "%s", place->directory);
    for (const struct dirent *entry = readdir(directory); entry && r == 0;
         entry = readdir(directory)) {
        autofree char *path = text_format("%s/%s", place->directory, entry->d_name);
        if (is_unfinished(entry->d_name))
            r = path ? file_remove(path, err) : error_oom(err);
    }
    (void)closedir(directory);
    return r;
}

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
                                      place->health,  place->image };
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
        int failed = tree_remove(leftovers[i], r < 0 ? NULL : err);
        if (r == 0)
            r = failed;
    }
    int unfinished = remove_unfinished(place, r < 0 ? NULL : err);
    if (r == 0)
        r = unfinished;
    int forgotten = id_maps_forget(place, r < 0 ? NULL : err);
    if (r == 0)
        r = forgotten;
    /* The last: until now the images were in use. */
    int unpinned = store_unpin(PLACE_IMAGE_STORE, place->images, r < 0 ? NULL : err);
    if (r == 0)
        r = unpinned;
    return r < 0 ? error_prefix(err, r, "%s: cleaning up", unit) : 0;
}
