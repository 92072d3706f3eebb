/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unit_files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/unit_links.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "units/reference.h"
#include "units/unit_name.h"

enum {
    UNIT_FILE_MAX_BYTES = 4 * 1024 * 1024,
    UNIT_PATH_MAX = 600,
    NETWORK_MAX_BYTES = 1024 * 1024,
    IMAGE_MAX_BYTES = 256
};

struct unit_paths {
    char unit[UNIT_PATH_MAX];
    char container[UNIT_PATH_MAX];
    char spec[UNIT_PATH_MAX];
    char started[UNIT_PATH_MAX];
    char link[UNIT_PATH_MAX];
};

static void find_paths(const struct unit_dirs *dirs, const char *name, struct unit_paths *ret)
{
    (void)snprintf(ret->unit, sizeof(ret->unit), "%s/units/%s", dirs->run, name);
    (void)snprintf(ret->container, sizeof(ret->container), "%s/containers/%s", dirs->run, name);
    (void)snprintf(ret->spec, sizeof(ret->spec), "%s/containers/%s/spec.json", dirs->run, name);
    (void)snprintf(ret->started, sizeof(ret->started), "%s/started/%s", dirs->run, name);
    (void)snprintf(ret->link, sizeof(ret->link), "%s/%s", dirs->links, name);
}

int unit_files_prepare(const struct unit_dirs *dirs, struct error *err)
{
    static const char *const parts[] = { "units", "containers", "started", "links" };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char path[UNIT_PATH_MAX];
        (void)snprintf(path, sizeof(path), "%s/%s", dirs->run, parts[i]);
        int r = file_make_dirs(path, 0755, err);
        if (r < 0)
            return r;
    }
    return file_make_dirs(dirs->links, 0755, err);
}

int unit_files_list(const struct unit_dirs *dirs, char ***ret, struct error *err)
{
    char path[UNIT_PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/units", dirs->run);
    DIR *dir = opendir(path);
    if (!dir)
        return error_errno(err, -errno, "%s", path);
    autostrv names = NULL;
    int r = 0;
    for (struct dirent *entry = readdir(dir); entry && r == 0; entry = readdir(dir)) {
        /* file_write() leaves NAME.XXXXXX behind when it is killed: no suffix of a unit, so not one
         */
        bool is_unit = entry->d_name[0] != '.' && unit_name_check(entry->d_name, NULL) == 0;
        if (is_unit)
            r = strv_add(&names, entry->d_name, err);
    }
    (void)closedir(dir);
    if (r == 0)
        *ret = take_ptr(names);
    return r;
}

static int install_spec(const struct unit_paths *paths, const char *json, struct error *err)
{
    if (!json)
        return file_remove(paths->spec, err);
    if (mkdir(paths->container, 0700) < 0 && errno != EEXIST)
        return error_errno(err, -errno, "%s", paths->container);
    return file_write(paths->spec, json, strlen(json), 0600, err);
}

int unit_files_install(const struct unit_dirs *dirs, const char *name,
                       const struct translation *translation, char **ret_taken, struct error *err)
{
    struct unit_paths paths;
    find_paths(dirs, name, &paths);
    int r = install_spec(&paths, translation->container_json, err);
    if (r < 0)
        return r;
    r = file_write(paths.unit, translation->unit_text, strlen(translation->unit_text), 0644, err);
    if (r < 0)
        return r;
    if (symlink(paths.unit, paths.link) < 0 && errno != EEXIST)
        return error_errno(err, -errno, "%s", paths.link);
    return unit_links_make(dirs, name, translation->links, ret_taken, err);
}

int unit_files_remove(const struct unit_dirs *dirs, const char *name, struct error *err)
{
    struct unit_paths paths;
    find_paths(dirs, name, &paths);
    int r = unit_links_remove(dirs, name, err);
    if (r == 0)
        r = file_remove_link(paths.link, paths.unit, err); /* only what leads to our file is ours */
    if (r >= 0)
        r = file_remove(paths.started, err);
    if (r == 0)
        r = file_remove(paths.spec, err);
    if (r == 0)
        r = file_remove(paths.unit, err);
    (void)rmdir(
        paths.container); /* muster-container cleans its own; what it left is for the next clean */
    return r;
}

static bool file_is(const char *path, const char *wanted)
{
    autofree char *text = NULL;
    size_t length = 0;
    if (file_read(path, UNIT_FILE_MAX_BYTES, &text, &length, NULL) < 0)
        return !wanted;
    return wanted && length == strlen(wanted) && memcmp(text, wanted, length) == 0;
}

bool unit_files_are_current(const struct unit_dirs *dirs, const char *name,
                            const struct translation *translation)
{
    struct unit_paths paths;
    find_paths(dirs, name, &paths);
    return access(paths.link, F_OK) == 0 && file_is(paths.unit, translation->unit_text) &&
           file_is(paths.spec, translation->container_json);
}

bool unit_files_own_fragment(const struct unit_dirs *dirs, const char *name, const char *fragment)
{
    struct unit_paths paths;
    find_paths(dirs, name, &paths);
    return !*fragment || strcmp(fragment, paths.unit) == 0 || strcmp(fragment, paths.link) == 0;
}

int64_t unit_files_started(const struct unit_dirs *dirs, const char *name)
{
    struct unit_paths paths;
    autofree char *text = NULL;
    uint64_t revision = 0;
    find_paths(dirs, name, &paths);
    if (file_read(paths.started, 64, &text, NULL, NULL) < 0 ||
        text_parse_u64(text_trim(text), INT64_MAX, &revision, NULL) < 0)
        return 0;
    return (int64_t)revision;
}

int unit_files_note_started(const struct unit_dirs *dirs, const char *name,
                            int64_t assignment_revision, struct error *err)
{
    struct unit_paths paths;
    char text[32];
    find_paths(dirs, name, &paths);
    int length = snprintf(text, sizeof(text), "%" PRId64 "\n", assignment_revision);
    return file_write(paths.started, text, (size_t)length, 0644, err);
}

/* The strings of an array of the object, with spaces between. */
static char *join_field(const json_t *object, const char *field)
{
    autotext t = { 0 };
    size_t i = 0;
    const json_t *word = NULL;
    json_array_foreach(json_object_get(object, field), i, word)
        if (json_is_string(word))
            text_addf(&t, "%s%s", t.length ? " " : "", json_string_value(word));
    return text_take(&t);
}

int unit_files_network(const struct unit_dirs *dirs, const char *name, char **ret_addresses,
                       char **ret_ports, struct error *err)
{
    char path[UNIT_PATH_MAX];
    autofree char *text = NULL;
    autojson json = NULL;
    size_t length = 0;
    (void)snprintf(path, sizeof(path), "%s/containers/%s/network.json", dirs->run, name);
    int r = file_read(path, NETWORK_MAX_BYTES, &text, &length, NULL);
    bool absent = r == -ENOENT;
    if (r == 0)
        r = json_read(text, length, &json, NULL);
    autofree char *addresses = join_field(json, "addresses");
    autofree char *ports = join_field(json, "ports");
    if (!addresses || !ports)
        return error_oom(err);
    *ret_addresses = take_ptr(addresses);
    *ret_ports = take_ptr(ports);
    return r < 0 && !absent;
}

int unit_files_image(const struct unit_dirs *dirs, const char *name, char **ret, struct error *err)
{
    char path[UNIT_PATH_MAX];
    autofree char *text = NULL;
    (void)snprintf(path, sizeof(path), "%s/containers/%s/image", dirs->run, name);
    int r = file_read(path, IMAGE_MAX_BYTES, &text, NULL, NULL);
    bool known = r == 0 && reference_is_digest(text_trim(text));
    char *digest = strdup(known ? text_trim(text) : "");
    if (!digest)
        return error_oom(err);
    *ret = digest;
    return !known && r != -ENOENT;
}
