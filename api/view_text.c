/* SPDX-License-Identifier: Apache-2.0 */
/* What the texts of units say. */
#include "api/view_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "units/specifier.h"
#include "units/unit_file.h"
#include "units/unit_name.h"

static void view_text_reset(struct view_text *said)
{
    requirements_free(said->requirements);
    free(said->problem);
    free(said->description);
    *said = (struct view_text){ .is_read = false };
}

void view_text_free(struct view_text *said)
{
    if (said)
        view_text_reset(said);
    free(said);
}

void view_text_done(struct view_known *known)
{
    unit_file_free(take_ptr(known->parsed));
    free(take_ptr(known->parsed_blob));
}

/* --- reading --- */

static struct view_entry *find_blob(const struct view *view, const struct view_entry *unit)
{
    return (struct view_entry *)view_find(view, STORE_KEY_BLOB, "", unit->record.unit.blob);
}

const char *view_unit_text(const struct view *view, const struct view_entry *unit,
                           size_t *ret_length)
{
    const struct view_entry *blob = find_blob(view, unit);
    if (!blob)
        return NULL;
    *ret_length = blob->text_length;
    return blob->text;
}

/* Borrowed until the next. */
static int parse(struct view_known *known, const struct view_entry *blob,
                 const struct unit_file **ret, struct error *err)
{
    autoptr(unit_file) file = NULL;
    autofree char *name = NULL;
    if (!text_equal(known->parsed_blob, blob->name)) {
        known->parsed_count++;
        int r = unit_file_parse(blob->text, blob->text_length, &file, err);
        if (r < 0)
            return r;
        name = strdup(blob->name);
        if (!name)
            return error_oom(err);
        view_text_done(known);
        known->parsed = take_ptr(file);
        known->parsed_blob = take_ptr(name);
    }
    *ret = known->parsed;
    return 0;
}

/* With specifiers that only the machine knows, and of a template, as it was written. Caller frees;
 * NULL if memory ran out. */
static char *describe(const struct unit_file *file, const char *unit)
{
    const char *written = NULL;
    char *expanded = NULL;
    for (size_t i = 0; !written && i < file->count; i++)
        if (text_equal(file->options[i].section, "Unit") &&
            text_equal(file->options[i].key, "Description"))
            written = file->options[i].value;
    if (!written || unit_name_is_template(unit) ||
        specifier_expand(written, unit, NULL, &expanded, NULL) < 0)
        return strdup(written ? written : "");
    return expanded;
}

/* Into said, which is empty. -ENOMEM leaves it so. */
static int read_said(struct view_known *known, const struct view_entry *blob, const char *unit,
                     struct view_text *said)
{
    struct error why;
    const struct unit_file *file = NULL;
    autofree char *description = NULL;
    autofree char *problem = NULL;
    autoptr(requirements) requirements = NULL;
    int r = parse(known, blob, &file, &why);
    if (r == -ENOMEM)
        return r;
    description = r == 0 ? describe(file, unit) : strdup("");
    if (r == 0)
        r = requirements_read(file, unit, &requirements, &why);
    problem = r < 0 ? strdup(why.text) : NULL;
    if (r == -ENOMEM || !description || (r < 0 && !problem))
        return -ENOMEM;
    *said = (struct view_text){ .is_read = true,
                                .code = r,
                                .requirements = take_ptr(requirements),
                                .problem = take_ptr(problem),
                                .description = take_ptr(description) };
    return 0;
}

static int read_missing(const struct view_entry *unit, struct view_text *said)
{
    char *problem = text_format("the text of %s (blob %.12s…) is not in the store", unit->name,
                                unit->record.unit.blob);
    char *description = strdup("");
    if (!problem || !description) {
        free(problem);
        free(description);
        return -ENOMEM;
    }
    *said = (struct view_text){
        .is_read = true,
        .is_missing = true,
        .code = -ENOENT,
        .problem = problem,
        .description = description,
    };
    return 0;
}

/* Each unit is in one of three counts. */
static void count(const struct view *view, const struct view_entry *unit, bool more)
{
    struct view_entry *blob = NULL;
    size_t *counter = &view->known->unread;
    if (unit->said->is_read && unit->said->is_missing) {
        counter = &view->known->textless;
    } else if (unit->said->is_read) {
        blob = find_blob(view, unit);
        counter = blob ? &blob->readers : NULL;
    }
    if (counter)
        *counter += more ? 1 : -(size_t)1;
}

static int read_text(const struct view *view, const struct view_entry *unit)
{
    struct view_text said = { 0 };
    const struct view_entry *blob = find_blob(view, unit);
    if (unit->said->is_read)
        return 0;
    int r = blob ? read_said(view->known, blob, unit->name, &said) : read_missing(unit, &said);
    if (r < 0)
        return r;
    count(view, unit, false);
    *unit->said = said;
    count(view, unit, true);
    return 0;
}

int view_requirements(const struct view *view, const struct view_entry *unit,
                      const struct requirements **ret, struct error *err)
{
    const struct view_text *said = unit->said;
    if (read_text(view, unit) < 0)
        return error_oom(err);
    if (said->code < 0)
        return error_set(err, said->code, "%s", said->problem);
    *ret = said->requirements;
    return 0;
}

bool view_is_global(const struct view *view, const struct view_entry *unit)
{
    const struct requirements *requirements = NULL;
    return view_requirements(view, unit, &requirements, NULL) == 0 && requirements->global;
}

const char *view_description(const struct view *view, const struct view_entry *unit)
{
    return read_text(view, unit) < 0 ? "" : unit->said->description;
}

bool view_text_is_global(const char *name, const char *text)
{
    autoptr(unit_file) file = NULL;
    autoptr(requirements) requirements = NULL;
    return unit_file_parse(text, strlen(text), &file, NULL) == 0 &&
           requirements_read(file, name, &requirements, NULL) == 0 && requirements->global;
}

/* --- reading ahead --- */

size_t view_unread_texts(const struct view *view)
{
    return view->known->unread;
}

int view_read_text(struct view *view, struct error *err)
{
    struct view_known *known = view->known;
    const struct view_list *units = &view->lists[STORE_KEY_UNIT];
    for (size_t seen = 0; seen < units->count; seen++) {
        if (known->read_to >= units->count)
            known->read_to = 0;
        const struct view_entry *unit = units->items[known->read_to++];
        if (unit->said->is_read)
            continue;
        return read_text(view, unit) < 0 ? error_oom(err) : 0;
    }
    return 0;
}

size_t view_parsed_texts(const struct view *view)
{
    return view->known->parsed_count;
}

/* --- changes --- */

void view_text_unit_came(const struct view *view, const struct view_entry *unit)
{
    count(view, unit, true);
}

void view_text_unit_goes(const struct view *view, struct view_entry *unit,
                         struct view_entry *successor)
{
    count(view, unit, false);
    if (!successor || !text_equal(unit->record.unit.blob, successor->record.unit.blob))
        return;
    struct view_text *fresh = successor->said;
    successor->said = unit->said;
    unit->said = fresh;
}

static void forget(const struct view *view, const struct view_entry *unit)
{
    count(view, unit, false);
    view_text_reset(unit->said);
    count(view, unit, true);
}

bool view_text_blob_replaced(const struct view_entry *old, struct view_entry *blob)
{
    blob->readers = old->readers;
    return old->text_length != blob->text_length ||
           memcmp(old->text, blob->text, old->text_length) != 0;
}

int view_text_forget(struct view *view, const char *blob, view_text_fn fn, struct error *err)
{
    const struct view_list *units = &view->lists[STORE_KEY_UNIT];
    int r = 0;
    for (size_t i = 0; r == 0 && i < units->count; i++) {
        const struct view_entry *unit = units->items[i];
        if (!unit->said->is_read || !text_equal(unit->record.unit.blob, blob))
            continue;
        forget(view, unit);
        r = fn(view, unit, err);
    }
    return r;
}
