/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define UNFINISHED ".XXXXXX" /* as mkostemp(3) wants it */

int file_read(const char *path, size_t max_bytes, char **ret, size_t *ret_length, struct error *err)
{
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, -errno, "%s", path);
    autotext t = { 0 };
    char piece[8192];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, -errno, "%s", path);
        if (n == 0)
            break;
        text_add_bytes(&t, piece, (size_t)n);
        if (t.length > max_bytes)
            return error_set(err, -EFBIG, "%s: more than %zu bytes", path, max_bytes);
    }
    size_t length = t.length;
    char *data = text_take(&t);
    if (!data)
        return error_oom(err);
    *ret = data;
    if (ret_length)
        *ret_length = length;
    return 0;
}

static int write_all(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        length -= (size_t)n;
    }
    return 0;
}

int file_write(const char *path, const void *data, size_t length, mode_t mode, struct error *err)
{
    autofree char *beside = text_format("%s" UNFINISHED, path);
    if (!beside)
        return error_oom(err);
    autoclose int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, -errno, "%s", path);
    int r = write_all(fd, data, length);
    if (r == 0 && fchmod(fd, mode) < 0)
        r = -errno;
    if (r == 0 && rename(beside, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(beside);
        return error_errno(err, r, "%s", path);
    }
    return 0;
}

bool file_is_unfinished(const char *name)
{
    size_t length = strlen(name);
    return length > strlen(UNFINISHED) && name[length - strlen(UNFINISHED)] == UNFINISHED[0];
}

int file_rewrite(const char *path, const char *text, struct error *err)
{
    autoclose int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t length = strlen(text);
    if (fd < 0)
        return error_errno(err, -errno, "%s", path);
    ssize_t written = pwrite(fd, text, length, 0);
    if (written < 0 || ftruncate(fd, (off_t)length) < 0)
        return error_errno(err, -errno, "%s", path);
    return (size_t)written == length ? 0 : error_set(err, -ENOSPC, "%s: no room", path);
}

int file_make_dirs(const char *path, mode_t mode, struct error *err)
{
    autofree char *copy = strdup(path);
    if (!copy)
        return error_oom(err);
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return error_errno(err, -errno, "%s", copy);
        *p = '/';
    }
    if (mkdir(copy, mode) < 0 && errno != EEXIST)
        return error_errno(err, -errno, "%s", path);
    return 0;
}

int file_remove(const char *path, struct error *err)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(err, -errno, "%s", path);
    return 0;
}

bool file_links_to(const char *path, const char *target)
{
    char found[PATH_MAX];
    ssize_t length = readlink(path, found, sizeof(found));
    return length > 0 && (size_t)length == strlen(target) &&
           memcmp(found, target, (size_t)length) == 0;
}

int file_remove_link(const char *path, const char *target, struct error *err)
{
    if (!file_links_to(path, target))
        return 0;
    int r = file_remove(path, err);
    return r < 0 ? r : 1;
}
