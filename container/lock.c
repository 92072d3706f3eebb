/* SPDX-License-Identifier: Apache-2.0 */
#include "container/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static int lock_fd(int fd, int how, struct progress *progress)
{
    while (flock(fd, how) < 0) {
        if (errno == EWOULDBLOCK)
            return -EAGAIN;
        if (errno != EINTR)
            return -errno;
        progress_tick(progress);
    }
    return 0;
}

/* Its last holder removed it while we waited: what we have locked nobody else will ever see. */
static bool was_dropped(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static int take(const char *path, int how, int flags, struct progress *progress, struct error *err)
{
    for (;;) {
        autoclose int fd = open(path, O_RDWR | O_CREAT | flags, 0600);
        if (fd < 0)
            return error_errno(err, -errno, "%s", path);
        int r = lock_fd(fd, how, progress);
        if (r < 0)
            return error_errno(err, r, "%s", path);
        if (!was_dropped(fd))
            return take_fd(fd);
    }
}

int lock_take(const char *path, struct progress *progress, struct error *err)
{
    return take(path, LOCK_EX, 0, progress, err);
}

int lock_try(const char *path, struct error *err)
{
    return take(path, LOCK_EX | LOCK_NB, 0, NULL, err);
}

int lock_share(const char *path, struct error *err)
{
    return take(path, LOCK_SH, O_CLOEXEC, NULL, err);
}

void lock_drop(const char *path)
{
    (void)unlink(path);
}
