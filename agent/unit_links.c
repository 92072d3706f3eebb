/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unit_links.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

enum { LINK_PATH_MAX = 1024, NOTE_MAX_BYTES = 1024 * 1024 };

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

/* "multi-user.target.wants/x.service": what starts at boot is the cluster's to say. */
static bool is_left_out(const char *link)
{
    char other[LINK_PATH_MAX];
    const char *slash = strchr(link, '/');
    if (!slash)
        return false;
    (void)snprintf(other, sizeof(other), "%.*s", (int)(slash - link), link);
    *strrchr(other, '.') = '\0';
    return text_ends_with(other, ".target") && is_of_machine(other);
}

static int choose(char *const *links, char ***ret, struct error *err)
{
    autostrv chosen = NULL;
    int r = 0;
    for (; r == 0 && links && *links; links++)
        if (!is_left_out(*links))
            r = strv_add(&chosen, *links, err);
    if (r == 0)
        *ret = take_ptr(chosen);
    return r;
}

/* --- the note of those of a unit --- */

static void note_path(const struct unit_dirs *dirs, const char *name, char ret[LINK_PATH_MAX])
{
    (void)snprintf(ret, LINK_PATH_MAX, "%s/links/%s", dirs->run, name);
}

/* Before the first is made: whoever is killed in between leaves none that nobody knows. */
static int note_write(const struct unit_dirs *dirs, const char *name, char *const *links,
                      struct error *err)
{
    char path[LINK_PATH_MAX];
    autotext t = { 0 };
    if (!links)
        return 0;
    for (; *links; links++)
        text_addf(&t, "%s\n", *links);
    autofree char *text = text_take(&t);
    note_path(dirs, name, path);
    return text ? file_write(path, text, strlen(text), 0644, err) : error_oom(err);
}

static int note_read(const struct unit_dirs *dirs, const char *name, char ***ret, struct error *err)
{
    char path[LINK_PATH_MAX];
    autofree char *text = NULL;
    struct error why = { 0 };
    note_path(dirs, name, path);
    int r = file_read(path, NOTE_MAX_BYTES, &text, NULL, &why);
    if (r == -ENOENT)
        return 0;
    return r < 0 ? error_set(err, r, "%s", why.text) : strv_split(text, "\n", ret, err);
}

/* --- links --- */

/* What is there and is not ours stays: a name that another unit has, or somebody's own link. Gives
 * whether it is ours. */
static int make(const struct unit_dirs *dirs, const char *link, const char *target,
                struct error *err)
{
    char path[LINK_PATH_MAX];
    char folder[LINK_PATH_MAX];
    if (!strchr(link, '/') && is_of_machine(link))
        return 0;
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
                    char **ret_taken, struct error *err)
{
    char target[LINK_PATH_MAX];
    autotext taken = { 0 };
    autostrv chosen = NULL;
    int count = 0;
    (void)snprintf(target, sizeof(target), "%s/%s", dirs->links, name);
    int r = unit_links_remove(dirs, name, err);
    if (r == 0)
        r = choose(links, &chosen, err);
    if (r == 0)
        r = note_write(dirs, name, chosen, err);
    for (char **link = chosen; r >= 0 && link && *link; link++) {
        r = make(dirs, *link, target, err);
        count += r > 0;
        if (r == 0)
            text_addf(&taken, "%s%s", taken.length ? ", " : "", *link);
    }
    if (r < 0)
        return r;
    *ret_taken = taken.length ? text_take(&taken) : NULL;
    return count;
}

static int remove_one(const struct unit_dirs *dirs, const char *link, const char *target,
                      struct error *err)
{
    char path[LINK_PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", dirs->links, link) >= (int)sizeof(path))
        return 0;
    int r = file_remove_link(path, target, err);
    if (r <= 0 || !strchr(link, '/'))
        return r;
    *strrchr(path, '/') = '\0';
    (void)rmdir(path); /* if it was the last */
    return 0;
}

int unit_links_remove(const struct unit_dirs *dirs, const char *name, struct error *err)
{
    char target[LINK_PATH_MAX];
    char note[LINK_PATH_MAX];
    autostrv links = NULL;
    (void)snprintf(target, sizeof(target), "%s/%s", dirs->links, name);
    note_path(dirs, name, note);
    int r = note_read(dirs, name, &links, err);
    for (char **link = links; r >= 0 && link && *link; link++)
        r = remove_one(dirs, *link, target, err);
    return r < 0 ? r : file_remove(note, err);
}
