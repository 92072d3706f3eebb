/* SPDX-License-Identifier: Apache-2.0 */
#include "container/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "container/idmapped.h"
#include "container/tree.h"

/* A fresh /proc is refused inside a user namespace unless one that nothing covers can be seen
 * there, and where we are a container ourselves none can. The runtime's namespace begins as a copy
 * of ours, and leaves this behind with the rest. */
static int show_proc(const struct place *place, struct error *err)
{
    autofree char *proc = text_format("%s/proc", place->stage);
    if (!proc)
        return error_oom(err);
    int r = file_make_dirs(proc, 0700, err);
    if (r == 0 && mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        r = error_errno(err, -errno, "mounting %s", proc);
    return r;
}

/* The container's root must get to its own files by paths through here; nobody can list it. */
static int open_paths(const struct place *place, struct error *err)
{
    if (chmod(place->directory, 0711) < 0)
        return error_errno(err, -errno, "%s", place->directory);
    return 0;
}

/* The pod that runs is asked, not its text: that may have changed since it started. A pod that has
 * no user namespace of its own is in ours, and its containers need no more. */
static int join(const struct place *place, pid_t owner, struct userns *userns, struct error *err)
{
    struct stat own;
    struct stat theirs;
    autofree char *path = text_format("/proc/%d/ns/user", (int)owner);
    if (!path)
        return error_oom(err);
    if (stat("/proc/self/ns/user", &own) < 0 || stat(path, &theirs) < 0)
        return error_errno(err, -errno, "user namespace of the pod: %s", path);
    if (own.st_dev == theirs.st_dev && own.st_ino == theirs.st_ino)
        return 0;
    int r = id_maps_join(place, owner, &userns->maps, err);
    if (r < 0)
        return error_prefix(err, r, "user namespace of the pod");
    userns->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (userns->fd < 0)
        return error_errno(err, -errno, "%s", path);
    userns->path = take_ptr(path);
    return 0;
}

static int make(const struct place *place, const struct container *container, struct userns *userns,
                struct error *err)
{
    int r = id_maps_make(place, container, &userns->maps, err);
    if (r < 0 || !userns->maps)
        return r;
    r = idmapped_namespace(userns->maps, err);
    userns->fd = r;
    return r < 0 ? r : 0;
}

int userns_make(const struct place *place, const struct container *container, pid_t owner,
                struct userns *ret, struct error *err)
{
    __attribute__((cleanup(userns_done))) struct userns userns = { .fd = -1 };
    int r = owner > 0 ? join(place, owner, &userns, err) : make(place, container, &userns, err);
    if (r == 0 && userns.maps)
        r = open_paths(place, err);
    if (r == 0 && userns.maps)
        r = show_proc(place, err);
    if (r < 0)
        return r;
    *ret = userns;
    userns = (struct userns){ .fd = -1 };
    return 0;
}

void userns_done(struct userns *userns)
{
    if (userns->maps && userns->fd >= 0)
        (void)close(userns->fd);
    id_maps_free(userns->maps);
    free(userns->path);
    *userns = (struct userns){ .fd = -1 };
}

/* A bind mount wants a target of the same kind. */
static int make_target(const char *source, const char *target, struct error *err)
{
    struct stat st;
    if (stat(source, &st) < 0)
        return error_errno(err, -errno, "%s", source);
    if (S_ISDIR(st.st_mode))
        return file_make_dirs(target, 0700, err);
    autoclose int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 ? error_errno(err, -errno, "%s", target) : 0;
}

/* Exchanges *source for an idmapped mount of it at place->stage/KIND-NUMBER. */
static int show(const struct userns *userns, const struct place *place, const char *kind,
                size_t number, char **source, struct error *err)
{
    autofree char *target = text_format("%s/%s-%zu", place->stage, kind, number);
    if (!target)
        return error_oom(err);
    int r = file_make_dirs(place->stage, 0711, err);
    if (r == 0)
        r = make_target(*source, target, err);
    if (r == 0)
        r = idmapped_bind(userns->fd, *source, target, err);
    if (r < 0)
        return r;
    free(*source);
    *source = take_ptr(target);
    return 0;
}

int userns_show_layers(const struct userns *userns, const struct place *place, char **directories,
                       struct error *err)
{
    int r = 0;
    for (size_t i = 0; userns->maps && r == 0 && directories[i]; i++)
        r = show(userns, place, "layer", i, &directories[i], err);
    return r < 0 ? error_prefix(err, r, "user namespace") : 0;
}

int64_t userns_uid_outside(const struct userns *userns, int64_t uid)
{
    return userns->maps ? id_maps_outside(userns->maps->uids, userns->maps->uid_count, uid) : uid;
}

int64_t userns_gid_outside(const struct userns *userns, int64_t gid)
{
    return userns->maps ? id_maps_outside(userns->maps->gids, userns->maps->gid_count, gid) : gid;
}

int userns_check_user(const struct userns *userns, const struct oci_user *user, struct error *err)
{
    if (userns_uid_outside(userns, user->uid) < 0)
        return error_set(err, -EINVAL,
                         "the user's number %u is none of the container's own; say "
                         "UserNS=auto:size=N, or map it by UIDMap=",
                         user->uid);
    if (userns_gid_outside(userns, user->gid) < 0)
        return error_set(err, -EINVAL,
                         "the group's number %u is none of the container's own; say "
                         "UserNS=auto:size=N, or map it by GIDMap=",
                         user->gid);
    return 0;
}

static int show_mount(const struct userns *userns, const struct place *place, size_t number,
                      struct container_mount *mount, const struct oci_user *user, struct error *err)
{
    int r = 0;
    if (!mount->source || *mount->source != '/')
        return 0;
    bool is_shown = mount->idmap && userns->maps; /* files bear the ids that they have inside */
    if (mount->chown)
        r = tree_give(mount->source,
                      is_shown ? user->uid : (uid_t)userns_uid_outside(userns, user->uid),
                      is_shown ? user->gid : (gid_t)userns_gid_outside(userns, user->gid), err);
    if (r == 0 && is_shown)
        r = show(userns, place, "mount", number, &mount->source, err);
    return r < 0 ? error_prefix(err, r, "mount on %s", mount->destination) : 0;
}

int userns_show_mounts(const struct userns *userns, const struct place *place,
                       struct container *container, const struct oci_user *user, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < container->mount_count; i++)
        r = show_mount(userns, place, i, &container->mounts[i], user, err);
    return r;
}
