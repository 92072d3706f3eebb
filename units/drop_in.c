/* SPDX-License-Identifier: Apache-2.0 */
#include "units/drop_in.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "units/unit_file.h"
#include "units/unit_name.h"

#define UTF8_BOM "\xef\xbb\xbf"

void drop_ins_done(struct drop_ins *drop_ins)
{
    for (size_t i = 0; i < drop_ins->count; i++) {
        free(drop_ins->items[i].folder);
        free(drop_ins->items[i].file);
        free(drop_ins->items[i].text);
    }
    free(drop_ins->items);
    *drop_ins = (struct drop_ins){ 0 };
}

/* --- folders --- */

static int add_folder(char ***folders, const char *name, struct error *err)
{
    autofree char *folder = text_format("%s.d", name);
    if (!folder)
        return error_oom(err);
    return strv_contains(*folders, folder) ? 0 : strv_add(folders, folder, err);
}

/* "a-b-c@1.service" to "a-b-@1.service": up to the last dash that something follows. NULL if there
 * is none left, or memory ran out (*failed). */
static char *shorter_prefix(const char *name, bool *failed)
{
    size_t end = strcspn(name, "@");
    const char *rest = name + end;
    if (!*rest) {
        rest = strrchr(name, '.');
        end = (size_t)(rest - name);
    }
    size_t dash = end;
    while (dash > 1 && !(dash < end && name[dash - 1] == '-'))
        dash--;
    if (dash <= 1)
        return NULL;
    char *shorter = text_format("%.*s%s", (int)dash, name, rest);
    *failed = !shorter;
    return shorter;
}

/* A template's shorter prefixes are no templates: systemd asks foo-.service.d for foo-bar@.service.
 */
static char *without_at(const char *name)
{
    const char *at = strchr(name, '@');
    return text_format("%.*s%s", (int)(at - name), name, at + 1);
}

static int add_folders(char ***folders, const char *name, struct error *err)
{
    bool failed = false;
    int r = add_folder(folders, name, err);
    if (r < 0)
        return r;
    autofree char *template_name = unit_name_template(name);
    if (template_name)
        r = add_folders(folders, template_name, err);
    if (r < 0)
        return r;
    autofree char *shorter = shorter_prefix(name, &failed);
    if (shorter && unit_name_is_template(shorter)) {
        char *plain = without_at(shorter);
        free(shorter);
        shorter = plain;
        failed = !plain;
    }
    if (failed)
        return error_oom(err);
    return shorter ? add_folders(folders, shorter, err) : 0;
}

int drop_in_folders(const char *name, char ***ret, struct error *err)
{
    autostrv folders = NULL;
    int r = add_folders(&folders, name, err);
    if (r == 0)
        r = add_folder(&folders, unit_name_type(name), err);
    if (r < 0)
        return r;
    *ret = take_ptr(folders);
    return 0;
}

bool drop_in_is_file_name(const char *file)
{
    return file[0] != '.' && text_ends_with(file, ".conf");
}

/* --- the list --- */

static bool has_file(const struct drop_ins *drop_ins, const char *file)
{
    for (size_t i = 0; i < drop_ins->count; i++)
        if (strcmp(drop_ins->items[i].file, file) == 0)
            return true;
    return false;
}

int drop_ins_add(struct drop_ins *drop_ins, const char *folder, const char *file, const char *text,
                 struct error *err)
{
    if (has_file(drop_ins, file))
        return 0;
    struct drop_in *grown = reallocarray(drop_ins->items, drop_ins->count + 1, sizeof(*grown));
    if (!grown)
        return error_oom(err);
    drop_ins->items = grown;
    struct drop_in *added = &grown[drop_ins->count++];
    *added = (struct drop_in){ strdup(folder), strdup(file), strdup(text) };
    return added->folder && added->file && added->text ? 0 : error_oom(err);
}

/* --- one text --- */

static int compare_files(const void *a, const void *b)
{
    const struct drop_in *first = a;
    const struct drop_in *second = b;
    return strcmp(first->file, second->file);
}

static bool has_line(const char *text, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = strstr(text, line); at; at = strstr(at + 1, line))
        if ((at == text || strchr("\r\n", at[-1])) && (!at[length] || strchr("\r\n", at[length])))
            return true;
    return false;
}

/* systemd drops the first mark of a file wherever a line begins; the main text may have had it. */
static bool has_later_mark(const char *text)
{
    for (const char *at = strstr(text, UTF8_BOM); at; at = strstr(at + 1, UTF8_BOM))
        if (at > text && strchr("\r\n", at[-1]))
            return true;
    return false;
}

/* What does not parse alone could parse, and mean something else, behind another text. */
static int check(const struct drop_in *drop_in, const char *main_text, const char *heading,
                 struct error *err)
{
    autoptr(unit_file) file = NULL;
    int r = unit_file_parse(drop_in->text, strlen(drop_in->text), &file, err);
    if (r < 0)
        return error_prefix(err, r, "%s/%s", drop_in->folder, drop_in->file);
    if (has_later_mark(drop_in->text))
        return error_set(err, -EINVAL, "%s/%s: a byte order mark that is not at the start",
                         drop_in->folder, drop_in->file);
    if (has_line(main_text, heading))
        return error_set(err, -EINVAL,
                         "%s/%s is in the unit's text already, as \"musterctl cat\" prints it: "
                         "remove the one or the other",
                         drop_in->folder, drop_in->file);
    return 0;
}

static int add_drop_in(struct text *t, const struct drop_in *drop_in, const char *main_text,
                       struct error *err)
{
    autofree char *heading = text_format("# %s/%s", drop_in->folder, drop_in->file);
    if (!heading)
        return error_oom(err);
    int r = check(drop_in, main_text, heading, err);
    if (r < 0)
        return r;
    const char *text = drop_in->text;
    unit_text_end_line(t);
    text_addf(t, "%s\n", heading);
    text_add(t, text_starts_with(text, UTF8_BOM) ? text + strlen(UTF8_BOM) : text);
    return 0;
}

int drop_ins_assemble(const struct drop_ins *drop_ins, const char *main_text, char **ret,
                      struct error *err)
{
    /* Copies that own nothing. */
    autofree struct drop_in *sorted = calloc(drop_ins->count + 1, sizeof(*sorted));
    autotext t = { 0 };
    if (!sorted)
        return error_oom(err);
    for (size_t i = 0; i < drop_ins->count; i++)
        sorted[i] = drop_ins->items[i];
    qsort(sorted, drop_ins->count, sizeof(*sorted), compare_files);
    text_add(&t, main_text);
    for (size_t i = 0; i < drop_ins->count; i++) {
        int r = *sorted[i].text ? add_drop_in(&t, &sorted[i], main_text, err) : 0;
        if (r < 0)
            return r;
    }
    *ret = text_take(&t);
    return *ret ? 0 : error_oom(err);
}
