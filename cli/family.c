/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/family.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"
#include "cli/unit.h"
#include "units/unit_name.h"

char *family_name(const char *unit)
{
    return unit_name_is_instance(unit) ? unit_name_template(unit) : strdup(unit);
}

static json_t *members_of(json_t *families, const char *name)
{
    if (!json_object_get(families, name))
        (void)json_object_set_new(families, name, json_array());
    return json_object_get(families, name);
}

json_t *families_of(const json_t *units)
{
    autojson families = json_object();
    for (size_t i = 0; i < json_array_size(units); i++) {
        json_t *unit = json_array_get(units, i);
        autofree char *name = family_name(row_string(unit, "name"));
        if (!name || json_array_append(members_of(families, name), unit) < 0)
            return NULL;
    }
    return take_ptr(families);
}

void family_done(struct family *family)
{
    unit_file_free(family->file);
    auto_update_done(&family->update);
    free(family->text);
}

/* Instances count, if there are any: the template itself runs nowhere. */
static const json_t *find_model(const struct family *family)
{
    for (size_t i = 0; i < json_array_size(family->members); i++) {
        const json_t *member = json_array_get(family->members, i);
        if (!text_equal(row_string(member, "name"), family->name))
            return member;
    }
    return json_array_get(family->members, 0);
}

const char *family_model(const struct family *family)
{
    return row_string(find_model(family), "name");
}

static int read_file(const struct cli *cli, const char *unit, struct unit_file **ret,
                     struct error *err)
{
    autojson answer = NULL;
    int r = unit_fetch(cli, unit, &answer, err);
    if (r < 0)
        return r;
    const char *text = row_string(answer, "text");
    return unit_file_parse(text, strlen(text), ret, err);
}

int family_read(const struct cli *cli, struct family *family, struct error *err)
{
    int r = read_file(cli, family_model(family), &family->file, err);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return auto_update_read(family->file, &family->update, err);
}

int family_running(const struct family *family, char ***ret, struct error *err)
{
    autostrv running = NULL;
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(family->members); i++) {
        const json_t *copies = json_object_get(json_array_get(family->members, i), "copies");
        for (size_t j = 0; r == 0 && j < json_array_size(copies); j++) {
            const char *image = row_string(json_array_get(copies, j), "image");
            if (*image)
                r = strv_add(&running, image, err);
        }
    }
    if (r == 0)
        *ret = take_ptr(running);
    return r;
}

/* --- texts --- */

static bool is_same(const struct family *family, const json_t *member)
{
    return text_equal(row_string(member, "hash"), row_string(find_model(family), "hash")) ||
           text_equal(row_string(member, "name"), family->name);
}

bool family_is_uniform(const struct family *family)
{
    for (size_t i = 0; i < json_array_size(family->members); i++)
        if (!is_same(family, json_array_get(family->members, i)))
            return false;
    return true;
}

static int pin(struct unit_file *file, const char *digest, char **ret_text, struct error *err)
{
    int r = auto_update_pin(file, digest, err);
    return r < 0 ? r : unit_file_write(file, ret_text, err);
}

int family_pin(struct family *family, const char *digest, struct error *err)
{
    int r = pin(family->file, digest, &family->text, err);
    if (r == 0)
        digest_sha256_hex(family->text, strlen(family->text), family->hash);
    return r;
}

/* What cannot be read is not known to be the same. */
static bool becomes_the_same(const struct cli *cli, const struct family *family, const char *member,
                             const char *digest)
{
    autoptr(unit_file) file = NULL;
    autofree char *text = NULL;
    return read_file(cli, member, &file, NULL) == 0 && pin(file, digest, &text, NULL) == 0 &&
           text_equal(text, family->text);
}

const char *family_find_stranger(const struct cli *cli, const struct family *family,
                                 const char *digest)
{
    for (size_t i = 0; i < json_array_size(family->members); i++) {
        const json_t *member = json_array_get(family->members, i);
        const char *name = row_string(member, "name");
        if (!is_same(family, member) && !becomes_the_same(cli, family, name, digest))
            return name;
    }
    return NULL;
}
