/* SPDX-License-Identifier: Apache-2.0 */
#include "container/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

enum { LINES_MAX_BYTES = 64 * 1024, EVENTS_MAX_BYTES = 256 };

int cgroup_of(pid_t pid, char **ret, struct error *err)
{
    autofree char *path =
        pid ? text_format("/proc/%d/cgroup", (int)pid) : strdup("/proc/self/cgroup");
    autofree char *text = NULL;
    if (!path)
        return error_oom(err);
    int r = file_read(path, LINES_MAX_BYTES, &text, NULL, err);
    if (r < 0)
        return r;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (!text_starts_with(line, "0::/"))
            continue;
        *ret = strdup(line + strlen("0::"));
        return *ret ? 0 : error_oom(err);
    }
    return error_set(err, -EINVAL, "%s: this takes a machine with cgroup v2, and it has none",
                     path);
}

int cgroup_write(const char *cgroup, const char *file, const char *value, struct error *err)
{
    autofree char *path = text_format(CGROUP_ROOT "%s/%s", cgroup, file);
    if (!path)
        return error_oom(err);
    autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, value, strlen(value)) < 0 ? error_errno(err, -errno, "%s", path) : 0;
}

int cgroup_enter(const char *cgroup, struct error *err)
{
    return cgroup_write(cgroup, "cgroup.procs", "0", err);
}

static bool has_others(const char *path)
{
    autofree char *procs = text_format("%s/cgroup.procs", path);
    autofree char *ours = text_format("%d\n", (int)getpid());
    autofree char *text = NULL;
    if (!procs || !ours || file_read(procs, LINES_MAX_BYTES, &text, NULL, NULL) < 0)
        return true;
    return *text && strcmp(text, ours) != 0;
}

static bool is_self_or_parent(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool tree_has_others(const char *path)
{
    DIR *directory = has_others(path) ? NULL : opendir(path);
    bool others = !directory;
    for (const struct dirent *entry; !others && (entry = readdir(directory));) {
        if (entry->d_type != DT_DIR || is_self_or_parent(entry->d_name))
            continue;
        autofree char *below = text_format("%s/%s", path, entry->d_name);
        others = !below || tree_has_others(below);
    }
    if (directory)
        (void)closedir(directory);
    return others;
}

bool cgroup_is_ours_alone(const char *cgroup)
{
    autofree char *path = text_format(CGROUP_ROOT "%s", cgroup);
    return path && !tree_has_others(path);
}

static bool is_gone(int code)
{
    return code == -ENOENT || code == -ENODEV;
}

/* Reading tells poll() from which event on to wait. */
static int read_populated(int fd, bool *ret)
{
    char text[EVENTS_MAX_BYTES] = "";
    if (pread(fd, text, sizeof(text) - 1, 0) < 0)
        return -errno;
    *ret = strstr(text, "populated 1") != NULL;
    return 0;
}

static int wait_until_empty(int fd)
{
    for (;;) {
        struct pollfd events = { .fd = fd, .events = POLLPRI };
        bool populated = false;
        int r = read_populated(fd, &populated);
        if (r < 0 || !populated)
            return r;
        if (poll(&events, 1, -1) < 0 && errno != EINTR)
            return -errno;
    }
}

int cgroup_kill(const char *cgroup, struct error *err)
{
    autofree char *path = text_format(CGROUP_ROOT "%s/cgroup.events", cgroup);
    if (!path)
        return error_oom(err);
    autoclose int events = open(path, O_RDONLY | O_CLOEXEC);
    int r = events < 0 ? error_errno(err, -errno, "%s", path)
                       : cgroup_write(cgroup, "cgroup.kill", "1", err);
    if (r < 0)
        return is_gone(r) ? 0 : r;
    r = wait_until_empty(events);
    return r < 0 && !is_gone(r) ? error_errno(err, r, "%s", path) : 0;
}
