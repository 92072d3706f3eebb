/* SPDX-License-Identifier: Apache-2.0 */
#include "container/devices.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/shape.h"
#include "base/text.h"

void devices_done(struct devices *devices)
{
    free(devices->list);
    strv_free(devices->paths);
}

static int add_node(struct devices *devices, const struct stat *st, const char *inside,
                    struct error *err)
{
    int r = strv_add(&devices->paths, inside, err);
    if (r < 0)
        return r;
    struct oci_device *device = shape_list_add(&devices->list, &devices->count, sizeof(*device));
    if (!device)
        return error_oom(err);
    *device = (struct oci_device){
        .path = devices->paths[strv_length(devices->paths) - 1],
        .type = S_ISCHR(st->st_mode) ? 'c' : 'b',
        .major = major(st->st_rdev),
        .minor = minor(st->st_rdev),
        .mode = st->st_mode & 07777,
        .uid = st->st_uid,
        .gid = st->st_gid,
    };
    return 0;
}

static int add_below(struct devices *devices, const char *host, const char *inside, bool all,
                     struct error *err);

/* What the runtime mounts or makes itself in each container. */
static bool is_of_runtime(const char *inside)
{
    static const char *const names[] = { "/dev/null", "/dev/zero",    "/dev/full",
                                         "/dev/tty",  "/dev/random",  "/dev/urandom",
                                         "/dev/ptmx", "/dev/console", "/dev/pts",
                                         "/dev/shm",  "/dev/mqueue",  NULL };
    for (const char *const *name = names; *name; name++)
        if (strcmp(*name, inside) == 0)
            return true;
    return false;
}

/* all: of the whole of /dev, where links and sockets lie about as well. */
static int add_path(struct devices *devices, const char *host, const char *inside, bool all,
                    struct error *err)
{
    struct stat st;
    if ((all ? lstat(host, &st) : stat(host, &st)) < 0)
        return all && errno == ENOENT ? 0 : error_errno(err, -errno, "%s", host);
    if (S_ISDIR(st.st_mode))
        return add_below(devices, host, inside, all, err);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return all ? 0 : error_set(err, -EINVAL, "%s is no device", host);
    return all && is_of_runtime(inside) ? 0 : add_node(devices, &st, inside, err);
}

static int add_below(struct devices *devices, const char *host, const char *inside, bool all,
                     struct error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(host, &entries, NULL, alphasort);
    int r = count < 0 ? error_errno(err, -errno, "%s", host) : 0;
    for (int i = 0; i < count; i++) {
        autofree char *below = text_format("%s/%s", host, entries[i]->d_name);
        autofree char *below_inside = text_format("%s/%s", inside, entries[i]->d_name);
        if (r == 0 && (!below || !below_inside))
            r = error_oom(err);
        if (r == 0 && entries[i]->d_name[0] != '.' && !(all && is_of_runtime(below_inside)))
            r = add_path(devices, below, below_inside, all, err);
        free(entries[i]);
    }
    free(entries);
    return r;
}

int devices_find(const struct container *container, struct devices *ret, struct error *err)
{
    struct devices devices = { 0 };
    int r = container->privileged ? add_path(&devices, "/dev", "/dev", true, err) : 0;
    for (size_t i = 0; r == 0 && i < container->device_count; i++) {
        const struct container_device *device = &container->devices[i];
        struct error why = { 0 };
        r = add_path(&devices, device->host, device->inside, false, &why);
        if (r == -ENOENT && device->optional)
            r = 0;
        if (r < 0)
            r = error_set(err, r, "AddDevice=: %s", why.text);
    }
    if (r < 0) {
        devices_done(&devices);
        return r;
    }
    *ret = devices;
    return 0;
}
