/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/unit.h"
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
        bool good = unit_text_is_utf8(line);
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

static int take_file(char *path, struct source *source, struct error *err)
{
    autofree char *owned = path;
    if (!owned)
        return error_oom(err);
    int r = read_if_there(owned, &source->text, err);
    if (r < 0 || !source->text)
        return r;
    source->origin = take_ptr(owned);
    return 0;
}

/* The typed path, with the suffix that its name was given. */
static char *path_beside(const char *typed, const char *name)
{
    const char *slash = strrchr(typed, '/');
    return text_format("%.*s%s", slash ? (int)(slash - typed + 1) : 0, typed, name);
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

static int find_text(const char *typed, const struct source_store *store, struct source *source,
                     struct error *err)
{
    autofree char *template_name = unit_name_template(source->name);
    int r = take_file(path_beside(typed, source->name), source, err);
    if (r < 0 || source->text || !template_name)
        return r;
    if (!source->in_store) {
        r = take_template(template_name, store, source, err);
        if (r < 0 || source->text)
            return r;
    }
    return take_file(path_beside(typed, template_name), source, err);
}

static int find(const char *typed, const struct source_store *store, struct source *source,
                struct error *err)
{
    int r = unit_typed_name(typed, &source->name, err);
    if (r < 0)
        return r;
    const char *hash = store->hash(source->name, store->userdata);
    source->in_store = hash;
    r = find_text(typed, store, source, err);
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
