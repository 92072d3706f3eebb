/* SPDX-License-Identifier: Apache-2.0 */
#include "container/idmapped.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

/* A namespace needs a process to be made by. It waits to be killed: our descriptor keeps what it
 * made. */
static _Noreturn void hold_namespace(int ready)
{
    char made = unshare(CLONE_NEWUSER) == 0;
    int saved = made ? 0 : errno;
    if (write(ready, &saved, sizeof(saved)) == (ssize_t)sizeof(saved) && made)
        for (;;)
            (void)pause();
    _exit(1);
}

static int wait_until_made(int ready, struct error *err)
{
    int failure = EIO;
    ssize_t n = 0;
    do
        n = read(ready, &failure, sizeof(failure));
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(failure))
        failure = EIO;
    if (failure == ENOSPC || failure == EPERM)
        return error_errno(err, -failure,
                           "a user namespace (see sysctl user.max_user_namespaces and "
                           "kernel.unprivileged_userns_clone)");
    return failure ? error_errno(err, -failure, "a user namespace") : 0;
}

/* The kernel takes a map in one write. */
static int write_map(pid_t pid, const char *file, const struct container_id_map *maps, size_t count,
                     struct error *err)
{
    autotext t = { 0 };
    for (size_t i = 0; i < count; i++)
        text_addf(&t, "%lld %lld %lld\n", (long long)maps[i].inside, (long long)maps[i].host,
                  (long long)maps[i].count);
    autofree char *path = text_format("/proc/%d/%s", (int)pid, file);
    autofree char *text = text_take(&t);
    if (!path || !text)
        return error_oom(err);
    autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return error_errno(err, -errno, "%s", path);
    return 0;
}

static int map_namespace(pid_t pid, const struct id_maps *maps, struct error *err)
{
    autofree char *path = text_format("/proc/%d/ns/user", (int)pid);
    int r = path ? write_map(pid, "uid_map", maps->uids, maps->uid_count, err) : error_oom(err);
    if (r == 0)
        r = write_map(pid, "gid_map", maps->gids, maps->gid_count, err);
    if (r < 0)
        return r;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? error_errno(err, -errno, "%s", path) : fd;
}

int idmapped_namespace(const struct id_maps *maps, struct error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, -errno, "a pipe");
    autoclose int reader = ends[0];
    autoclose int writer = ends[1];
    pid_t pid = fork();
    if (pid < 0)
        return error_errno(err, -errno, "a process for a user namespace");
    if (pid == 0)
        hold_namespace(writer);
    (void)close(take_fd(writer));
    int r = wait_until_made(reader, err);
    if (r == 0)
        r = map_namespace(pid, maps, err);
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return r;
}

int idmapped_bind(int namespace, const char *source, const char *target, struct error *err)
{
    struct mount_attr attributes = { .attr_set = MOUNT_ATTR_IDMAP,
                                     .userns_fd = (uint64_t) namespace };
    autoclose int tree =
        open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0)
        return error_errno(err, -errno, "%s", source);
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof(attributes)) < 0)
        return errno == EINVAL
                   ? error_set(err, -EOPNOTSUPP,
                               "%s: its file system, or one mounted below it, cannot be shown "
                               "under other ids; ext4, xfs, btrfs and tmpfs can",
                               source)
                   : error_errno(err, -errno, "showing %s under other ids", source);
    if (move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return error_errno(err, -errno, "mounting %s on %s", source, target);
    return 0;
}
