/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/source.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/unit.h"
#include "units/drop_in.h"
#include "units/quadlet.h"
#include "units/unit_file.h"
#include "units/unit_name.h"

void source_done(struct source *source)
{
    free(source->name);
    free(source->text);
    free(source->origin);
}

/* What is not UTF-8 could not be sent, and systemd would not read it. */
static int check_utf8(const char *path, char *text, struct error *err)
{
    unsigned int number = 1;
    for (char *line = text; line; number++) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        bool good = text_is_utf8(line);
        if (end)
            *end = '\n';
        if (!good)
            return error_set(err, -EINVAL, "%s: line %u: not UTF-8", path, number);
        line = end ? end + 1 : NULL;
    }
    return 0;
}

/* Absent is not an error: *ret stays NULL. A text with NUL bytes is. */
static int read_if_there(const char *path, char **ret, struct error *err)
{
    autofree char *text = NULL;
    size_t length = 0;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    int r = file_read(path, UNIT_FILE_MAX_BYTES, &text, &length, err);
    if (r < 0)
        return r;
    if (strlen(text) != length)
        return error_set(err, -EINVAL, "%s is not a text", path);
    r = check_utf8(path, text, err);
    if (r < 0)
        return r;
    *ret = take_ptr(text);
    return 0;
}

/* --- drop-ins --- */

/* A link to /dev/null masks, as an empty file does. */
static int read_drop_in(const char *path, char **ret, struct error *err)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return error_errno(err, -errno, "%s", path);
    if (!S_ISCHR(info.st_mode))
        return read_if_there(path, ret, err);
    *ret = strdup("");
    return *ret ? 0 : error_oom(err);
}

static int add_drop_in(struct drop_ins *drop_ins, const char *path, const char *folder,
                       const char *file, struct error *err)
{
    autofree char *text = NULL;
    autofree char *whole = text_format("%s/%s", path, file);
    int r = whole ? read_drop_in(whole, &text, err) : error_oom(err);
    return r < 0 || !text ? r : drop_ins_add(drop_ins, folder, file, text, err);
}

static int add_folder(struct drop_ins *drop_ins, const char *path, const char *folder,
                      struct error *err)
{
    DIR *directory = opendir(path);
    if (!directory)
        return errno == ENOENT || errno == ENOTDIR ? 0 : error_errno(err, -errno, "%s", path);
    int r = 0;
    for (struct dirent *entry = readdir(directory); entry && r == 0; entry = readdir(directory))
        if (entry->d_type != DT_DIR && drop_in_is_file_name(entry->d_name))
            r = add_drop_in(drop_ins, path, folder, entry->d_name, err);
    (void)closedir(directory);
    return r;
}

/* What was typed, up to its name. */
static int folder_length(const char *typed)
{
    const char *slash = strrchr(typed, '/');
    return slash ? (int)(slash - typed + 1) : 0;
}

/* Adds the drop-ins of these folders, but for those of a template that has them in it already, to
 * the source's text. */
static int add_drop_ins(const char *typed, char *const *folders, char *const *not_those,
                        struct source *source, struct error *err)
{
    __attribute__((cleanup(drop_ins_done))) struct drop_ins drop_ins = { 0 };
    char *whole = NULL;
    int r = 0;
    for (; r == 0 && *folders; folders++) {
        autofree char *path = text_format("%.*s%s", folder_length(typed), typed, *folders);
        if (!path)
            return error_oom(err);
        if (!strv_contains(not_those, *folders))
            r = add_folder(&drop_ins, path, *folders, err);
    }
    if (r == 0)
        r = drop_ins_assemble(&drop_ins, source->text, &whole, err);
    if (r < 0)
        return r;
    free(source->text);
    source->text = whole;
    return 0;
}

/* --- where the text is from --- */

static int take_file(const char *typed, const char *file, struct source *source, struct error *err)
{
    source->origin = text_format("%.*s%s", folder_length(typed), typed, file);
    int r = source->origin ? read_if_there(source->origin, &source->text, err) : error_oom(err);
    if (r == 0 && !source->text)
        free(take_ptr(source->origin));
    return r;
}

static int take_template(const char *template_name, const struct source_store *store,
                         struct source *source, struct error *err)
{
    if (!store->hash(template_name, store->userdata))
        return 0;
    source->origin = strdup(template_name);
    if (!source->origin)
        return error_oom(err);
    return store->text(template_name, &source->text, err, store->userdata);
}

/* file: the name of the file that would hold the unit. *ret_stored: the text is the store's. */
static int find_text(const char *typed, const char *file, const struct source_store *store,
                     struct source *source, bool *ret_stored, struct error *err)
{
    autofree char *template_name = unit_name_template(source->name);
    autofree char *template_file = unit_name_template(file);
    int r = take_file(typed, file, source, err);
    if (r < 0 || source->text || !template_name || !template_file)
        return r;
    if (!source->in_store) {
        r = take_template(template_name, store, source, err);
        *ret_stored = source->text;
        if (r < 0 || source->text)
            return r;
    }
    return take_file(typed, template_file, source, err);
}

static int find_whole_text(const char *typed, const struct source_store *store,
                           struct source *source, struct error *err)
{
    const char *base = typed + folder_length(typed);
    const char *file = quadlet_is_name(base) ? base : source->name;
    autofree char *template_file = unit_name_template(file);
    autostrv folders = NULL;
    autostrv templates = NULL;
    bool stored = false;
    int r = find_text(typed, file, store, source, &stored, err);
    if (r < 0 || !source->text)
        return r;
    r = drop_in_folders(file, &folders, err);
    if (r == 0 && stored)
        r = drop_in_folders(template_file, &templates, err);
    return r < 0 ? r : add_drop_ins(typed, folders, templates, source, err);
}

static int find(const char *typed, const struct source_store *store, struct source *source,
                struct error *err)
{
    int r = unit_typed_name(typed, &source->name, err);
    if (r < 0)
        return r;
    const char *hash = store->hash(source->name, store->userdata);
    source->in_store = hash;
    r = find_whole_text(typed, store, source, err);
    if (r < 0)
        return r;
    if (!source->text && !source->in_store)
        return error_set(err, -ENOENT, "unit %s is neither in the store nor a file here%s",
                         source->name,
                         unit_name_is_instance(source->name) ? ", nor is its template" : "");
    if (source->text && hash) {
        char ours[DIGEST_HEX_SIZE];
        digest_sha256_hex(source->text, strlen(source->text), ours);
        source->differs = !text_equal(ours, hash);
    }
    return 0;
}

int source_find(const char *typed, const struct source_store *store, struct source *ret,
                struct error *err)
{
    struct source source = { 0 };
    int r = find(typed, store, &source, err);
    if (r < 0) {
        source_done(&source);
        return r;
    }
    *ret = source;
    return 0;
}
