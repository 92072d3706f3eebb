/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "container/place.h"
#include "container/settings.h"
#include "container/store.h"
#include "container/store_gc.h"
#include "container/verbs.h"

static int bound_find(int64_t *ret, struct error *err)
{
    autoptr(container_settings) settings = NULL;
    struct statvfs st;
    int r = container_settings_read(NULL, &settings, err);
    if (r == 0)
        r = store_prepare(PLACE_IMAGE_STORE, err);
    if (r < 0)
        return r;
    if (statvfs(PLACE_IMAGE_STORE, &st) < 0)
        return error_errno(err, -errno, "%s", PLACE_IMAGE_STORE);
    const struct container_bound *bound = &settings->images_max_size;
    *ret =
        bound->percent ? (int64_t)(st.f_blocks / 100 * st.f_frsize) * bound->percent : bound->bytes;
    return 0;
}

int verb_gc(bool verbose, struct error *err)
{
    static const double mega = 1e6;
    struct store_gc gc = {
        .store = PLACE_IMAGE_STORE,
        .containers = PLACE_RUN_DIRECTORY "/containers",
        .now_s = clock_wall_ms() / 1000,
    };
    struct store_gc_result result = { 0 };
    int r = bound_find(&gc.max_bytes, err);
    if (r == 0)
        r = store_gc(&gc, &result, err);
    if (r < 0)
        return r;
    if (result.freed_bytes || result.images)
        log_info("images: removed %u that were not used lately, %.1f MB", result.images,
                 (double)result.freed_bytes / mega);
    if (verbose || result.bytes > gc.max_bytes)
        log_info("images: %.1f MB in the store, images_max_size is %.1f MB%s",
                 (double)result.bytes / mega, (double)gc.max_bytes / mega,
                 result.bytes > gc.max_bytes ? "; the rest is in use" : "");
    return 0;
}
