/* SPDX-License-Identifier: Apache-2.0 */
#include "container/pod.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"
#include "base/shape.h"
#include "base/text.h"

/* --- the pod's specification --- */

/* The pod's mounts change hands; what a container says itself for the same place is left. */
static int take_mounts(struct container *container, struct container *pod, struct error *err)
{
    for (size_t i = 0; i < pod->mount_count; i++) {
        if (container_mount_at(container, pod->mounts[i].destination))
            continue;
        struct container_mount *mount =
            shape_list_add(&container->mounts, &container->mount_count, sizeof(*mount));
        if (!mount)
            return error_oom(err);
        *mount = pod->mounts[i];
        memset(&pod->mounts[i], 0, sizeof(pod->mounts[i]));
    }
    return 0;
}

int pod_complete(struct container *container, struct error *err)
{
    autoptr(place) place = NULL;
    autoptr(container) pod = NULL;
    int r = place_new(container->pod, &place, err);
    if (r == 0)
        r = place_read_spec(place, &pod, err);
    if (r == -ENOENT)
        return error_set(err, -ENOENT,
                         "its pod %s is not on this machine; submit and start the .pod file too",
                         container->pod);
    if (r < 0)
        return r;
    if (!pod->is_pod)
        return error_set(err, -EINVAL, "%s is no pod: it has no [Pod]", container->pod);
    free(container->host_name);
    container->host_name = take_ptr(pod->host_name);
    return take_mounts(container, pod, err);
}

/* --- its namespaces --- */

void pod_done(struct pod *pod)
{
    free(pod->ipc_namespace);
    free(pod->uts_namespace);
    free(pod->shared_memory);
}

/* A mount can be copied by those in its own mount namespace only, and put anywhere. */
static int copy_tree(pid_t owner, const char *path, struct error *err)
{
    autofree char *of_owner = text_format("/proc/%d/ns/mnt", (int)owner);
    if (!of_owner)
        return error_oom(err);
    autoclose int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    autoclose int theirs = open(of_owner, O_RDONLY | O_CLOEXEC);
    if (own < 0 || theirs < 0 || setns(theirs, CLONE_NEWNS) < 0)
        return error_errno(err, -errno, "mount namespace of the pod");
    int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int r = tree < 0 ? -errno : 0;
    if (setns(own, CLONE_NEWNS) < 0)
        r = -errno;
    if (r == 0)
        return tree;
    if (tree >= 0)
        (void)close(tree);
    return error_errno(err, r, "%s of the pod", path);
}

static int show_shared_memory(const struct place *place, pid_t owner, char **ret, struct error *err)
{
    autofree char *target = text_format("%s/shm", place->stage);
    if (!target)
        return error_oom(err);
    int r = file_make_dirs(target, 0700, err);
    if (r < 0)
        return r;
    autoclose int tree = copy_tree(owner, "/dev/shm", err);
    if (tree < 0)
        return tree;
    if (move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return error_errno(err, -errno, "putting the pod's /dev/shm at %s", target);
    *ret = take_ptr(target);
    return 0;
}

int pod_join(const struct place *place, pid_t owner, struct pod *ret, struct error *err)
{
    ret->ipc_namespace = text_format("/proc/%d/ns/ipc", (int)owner);
    ret->uts_namespace = text_format("/proc/%d/ns/uts", (int)owner);
    if (!ret->ipc_namespace || !ret->uts_namespace)
        return error_oom(err);
    return show_shared_memory(place, owner, &ret->shared_memory, err);
}
