/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unit_links.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

enum { LINK_PATH_MAX = 1024 };

/* --- what the machine has itself --- */

static bool is_of_machine(const char *unit)
{
    static const char *const folders[] = { "/etc/systemd/system", "/usr/local/lib/systemd/system",
                                           "/usr/lib/systemd/system", "/lib/systemd/system" };
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        autofree char *path = text_format("%s/%s", folders[i], unit);
        if (path && access(path, F_OK) == 0)
            return true;
    }
    return false;
}

/* "multi-user.target.wants/x.service", or an alias. */
static bool is_left_out(const char *link)
{
    char other[LINK_PATH_MAX];
    const char *slash = strchr(link, '/');
    if (!slash)
        return is_of_machine(link);
    (void)snprintf(other, sizeof(other), "%.*s", (int)(slash - link), link);
    *strrchr(other, '.') = '\0';
    return text_ends_with(other, ".target") && is_of_machine(other);
}

/* --- links --- */

/* What is there and is not ours stays: an alias that another unit has, or somebody's own link. */
static int make(const struct unit_dirs *dirs, const char *link, const char *target,
                struct error *err)
{
    char path[LINK_PATH_MAX];
    char folder[LINK_PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", dirs->links, link);
    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
    int r = file_make_dirs(folder, 0755, err);
    if (r < 0)
        return r;
    if (symlink(target, path) < 0 && errno != EEXIST)
        return error_errno(err, -errno, "%s", path);
    return file_links_to(path, target);
}

int unit_links_make(const struct unit_dirs *dirs, const char *name, char *const *links,
                    struct error *err)
{
    char target[LINK_PATH_MAX];
    int count = 0;
    (void)snprintf(target, sizeof(target), "%s/%s", dirs->links, name);
    int r = unit_links_remove(dirs, name, err);
    for (; r >= 0 && links && *links; links++) {
        r = is_left_out(*links) ? 0 : make(dirs, *links, target, err);
        count += r > 0;
    }
    return r < 0 ? r : count;
}

/* --- removing --- */

/* An entry of systemd's folder: a folder of links, or a link itself. */
static int remove_at(const char *path, const char *name, const char *target, struct error *err)
{
    static const char *const suffixes[] = { ".requires", ".upholds", ".wants" };
    int r = file_remove_link(path, target, err);
    for (size_t i = 0; r == 0 && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char below[LINK_PATH_MAX];
        if (!text_ends_with(path, suffixes[i]) ||
            snprintf(below, sizeof(below), "%s/%s", path, name) >= (int)sizeof(below))
            continue;
        r = file_remove_link(below, target, err);
        if (r > 0)
            (void)rmdir(path); /* if it was the last */
    }
    return r < 0 ? r : 0;
}

int unit_links_remove(const struct unit_dirs *dirs, const char *name, struct error *err)
{
    char target[LINK_PATH_MAX];
    (void)snprintf(target, sizeof(target), "%s/%s", dirs->links, name);
    DIR *dir = opendir(dirs->links);
    if (!dir)
        return errno == ENOENT ? 0 : error_errno(err, -errno, "%s", dirs->links);
    int r = 0;
    for (struct dirent *entry = readdir(dir); entry && r == 0; entry = readdir(dir)) {
        char path[LINK_PATH_MAX];
        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof(path), "%s/%s", dirs->links, entry->d_name) >= (int)sizeof(path))
            continue;
        r = remove_at(path, name, target, err);
    }
    (void)closedir(dir);
    return r;
}
