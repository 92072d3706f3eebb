/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/validate.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud-config/encoding.h"
#include "cloud-config/fleet.h"
#include "cloud-config/paths.h"
#include "cloud-config/schema.h"
#include "units/unit_name.h"

enum { QUOTE_MAX = 200 }; /* of a key or value that a message repeats */

static bool kind_fits(enum node_kind kind, enum field_type type)
{
    switch (type) {
    case FIELD_STRING:
        return kind >= NODE_BOOL && kind <= NODE_STRING;
    case FIELD_INT:
        return kind == NODE_INT;
    case FIELD_FLOAT:
        return kind == NODE_FLOAT || kind == NODE_INT;
    case FIELD_BOOL:
        return kind == NODE_BOOL;
    case FIELD_STRUCT:
        return kind == NODE_MAP;
    case FIELD_STRING_LIST:
    case FIELD_STRUCT_LIST:
        return kind == NODE_LIST;
    case FIELD_STRING_OR_LIST:
        return kind == NODE_LIST || (kind >= NODE_BOOL && kind <= NODE_STRING);
    case FIELD_INVALID:
        break;
    }
    return false;
}

static void check_struct(const struct schema_field *fields, const struct node *map,
                         struct report *report);

static void check_elements(const struct schema_field *field, const struct node *list,
                           struct report *report)
{
    bool structs = field->type == FIELD_STRUCT_LIST;
    enum field_type want = structs ? FIELD_STRUCT : FIELD_STRING;
    for (size_t i = 0; i < list->count; i++) {
        const struct node_entry *entry = &list->entries[i];
        if (!kind_fits(entry->value->kind, want))
            report_add(report, REPORT_WARNING, entry->line,
                       "incorrect type for \"%s[%zu]\" (want %s)", field->name, i,
                       schema_type_name(want));
        else if (structs)
            check_struct(field->fields, entry->value, report);
    }
}

static void check_scalar(const struct schema_field *field, const struct node_entry *entry,
                         struct report *report)
{
    const char *text = node_text(entry->value);
    if (!field->raw && strlen(text) != entry->value->length)
        report_add(report, REPORT_ERROR, entry->line, "\"%s\" holds a NUL byte", field->name);
    else if (field->accepts && *text && !field->accepts(text))
        report_add(report, REPORT_ERROR, entry->line, "invalid value %.*s", QUOTE_MAX, text);
}

static void check_field(const struct schema_field *field, const struct node_entry *entry,
                        struct report *report)
{
    if (field->deprecated)
        report_add(report, REPORT_WARNING, entry->line, "deprecated key \"%s\" (%s)", field->name,
                   field->deprecated);
    if (entry->repeats_line)
        report_add(report, REPORT_WARNING, entry->line, "duplicate key \"%s\" (first on line %d)",
                   field->name, entry->repeats_line);
    if (!kind_fits(entry->value->kind, field->type))
        report_add(report, REPORT_WARNING, entry->line, "incorrect type for \"%s\" (want %s)",
                   field->name, schema_type_name(field->type));
    else if (entry->value->kind == NODE_MAP)
        check_struct(field->fields, entry->value, report);
    else if (entry->value->kind == NODE_LIST)
        check_elements(field, entry->value, report);
    else
        check_scalar(field, entry, report);
}

static void report_unknown(const struct schema_field *fields, const struct node_entry *entry,
                           struct report *report)
{
    const char *nearest = strlen(entry->key) < 64 ? schema_nearest(fields, entry->key) : NULL;
    report_add(report, REPORT_WARNING, entry->line, "unrecognized key \"%.*s\"%s%s%s", QUOTE_MAX,
               entry->key, nearest ? " (did you mean \"" : "", nearest ? nearest : "",
               nearest ? "\"?)" : "");
}

static void check_struct(const struct schema_field *fields, const struct node *map,
                         struct report *report)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct schema_field *field = schema_find(fields, map->entries[i].key);
        if (field)
            check_field(field, &map->entries[i], report);
        else
            report_unknown(fields, &map->entries[i], report);
    }
}

/* fleet's tokens for etcd: an absolute path, or a URI with a scheme. */
static bool is_absolute_uri(const char *text)
{
    if (*text != '/') {
        size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789+-.");
        if (!scheme || !isalpha((unsigned char)*text) || text[scheme] != ':')
            return false;
    }
    for (; *text; text++) {
        if ((unsigned char)*text <= ' ')
            return false;
        if (*text == '%' &&
            (!isxdigit((unsigned char)text[1]) || !isxdigit((unsigned char)text[2])))
            return false;
    }
    return true;
}

static void check_discovery(const struct node *coreos, struct report *report)
{
    const struct node_entry *entry = node_find_entry(node_find(coreos, "etcd"), "discovery");
    if (entry && *node_text(entry->value) && !is_absolute_uri(node_text(entry->value)))
        report_add(report, REPORT_WARNING, entry->line, "discovery URL is not valid");
}

static int check_encoding(const struct node *file, struct report *report, struct error *err)
{
    const struct node_entry *encoding = node_find_entry(file, "encoding");
    const struct node_entry *content = node_find_entry(file, "content");
    const char *name = encoding ? node_text(encoding->value) : "";
    if (!*name)
        return 0;
    autofree char *decoded = NULL;
    size_t length;
    struct error why = { 0 };
    int r = -EINVAL; /* nothing cannot be decoded either */
    if (content && node_is_scalar(content->value))
        r = encoding_decode(name, content->value->text, content->value->length, &decoded, &length,
                            &why);
    if (r == -ENOMEM)
        return error_oom(err);
    if (r == -EOPNOTSUPP)
        report_add(report, REPORT_ERROR, encoding->line, "%s", why.text);
    else if (r < 0)
        report_add(report, REPORT_ERROR, content ? content->line : encoding->line,
                   "content cannot be decoded as \"%.*s\"", QUOTE_MAX, name);
    return 0;
}

/* A path below /usr: read-only where these files come from. It stays local, because elsewhere it
 * may be written, and the write itself will say so where not. */
static int check_read_only(const struct node *file, struct report *report, struct error *err)
{
    const struct node_entry *path = node_find_entry(file, "path");
    const char *text = path ? node_text(path->value) : "";
    if (*text != '/')
        return 0;
    autofree char *clean = path_clean(text);
    if (!clean)
        return error_oom(err);
    if (text_starts_with(clean, "/usr") && strchr(clean + 1, '/'))
        report_add(report, REPORT_LOCAL_ERROR, path->line,
                   "file cannot be written to a read-only filesystem");
    return 0;
}

static int check_files(const struct node *root, struct report *report, struct error *err)
{
    const struct node *files = node_find(root, "write_files");
    if (!files || files->kind != NODE_LIST)
        return 0;
    for (size_t i = 0; i < files->count; i++) {
        int r = check_encoding(files->entries[i].value, report, err);
        if (r == 0)
            r = check_read_only(files->entries[i].value, report, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static void check_file_name(const struct node *object, const char *what, struct report *report)
{
    const struct node_entry *name = node_find_entry(object, "name");
    const char *text = name ? node_text(name->value) : "";
    if (*text && !path_is_file_name(text))
        report_add(report, REPORT_ERROR, name->line, "invalid %s name \"%.*s\" (want a file name)",
                   what, QUOTE_MAX, text);
}

/* What is not for systemd-networkd is for systemd, which passes over a file whose name it does not
 * take. A name that still holds a variable is judged once that has a value. */
static void check_unit_name(const struct node *unit, struct report *report)
{
    const struct node_entry *name = node_find_entry(unit, "name");
    const char *text = name ? node_text(name->value) : "";
    struct error why;
    check_file_name(unit, "unit", report);
    if (!*text || !path_is_file_name(text) || path_is_network_unit(text) || strchr(text, '$'))
        return;
    if (unit_name_check(text, &why) < 0)
        report_add(report, REPORT_LOCAL_ERROR, name->line, "%s", why.text);
}

static void check_units(const struct node *coreos, struct report *report)
{
    const struct node *units = node_find(coreos, "units");
    for (size_t i = 0; units && units->kind == NODE_LIST && i < units->count; i++) {
        const struct node *unit = units->entries[i].value;
        check_unit_name(unit, report);
        const struct node *drop_ins = node_find(unit, "drop_ins");
        for (size_t j = 0; drop_ins && drop_ins->kind == NODE_LIST && j < drop_ins->count; j++)
            check_file_name(drop_ins->entries[j].value, "drop-in", report);
    }
}

static void check_misplaced(const struct node *coreos, struct report *report)
{
    const struct node_entry *entry = node_find_entry(coreos, "write_files");
    if (entry)
        report_add(report, REPORT_INFO, entry->line, "write_files doesn't belong under coreos");
}

/* The kernel takes 64 bytes. A name that still holds a variable is judged once that has a value. */
static void check_hostname(const struct node *root, struct report *report)
{
    const struct node_entry *entry = node_find_entry(root, "hostname");
    const char *text = entry ? node_text(entry->value) : "";
    size_t length = strlen(text);
    size_t good = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");
    if (strchr(text, '$') || (length <= 64 && good == length && *text != '-' && *text != '.'))
        return;
    report_add(report, REPORT_ERROR, entry->line,
               "invalid hostname \"%.*s\" (want letters, digits, - and ., at most 64)", QUOTE_MAX,
               text);
}

int validate_document(const struct node *root, struct report *report, struct error *err)
{
    if (root->kind != NODE_MAP)
        return 0;
    const struct node *coreos = node_find(root, "coreos");
    check_discovery(coreos, report);
    int r = check_files(root, report, err);
    if (r < 0)
        return r;
    check_struct(schema_root, root, report);
    check_misplaced(coreos, report);
    check_hostname(root, report);
    check_units(coreos, report);
    r = fleet_validate(node_find(coreos, "fleet"), report, err);
    return r == 0 && report->failed ? error_oom(err) : r;
}

static void warn_unapplied(const struct schema_field *fields, const struct node *map,
                           struct report *report)
{
    for (; fields->name; fields++) {
        const struct node_entry *entry = node_find_entry(map, fields->name);
        if (entry && fields->unapplied)
            report_add(report, REPORT_WARNING, entry->line, "\"%s\" is not applied by this version",
                       fields->name);
    }
}

/* coreos-cloudinit took it from "/" without a word, and so it is done. */
static void warn_relative(const struct node *root, struct report *report)
{
    const struct node *files = node_find(root, "write_files");
    for (size_t i = 0; files && files->kind == NODE_LIST && i < files->count; i++) {
        const struct node_entry *path = node_find_entry(files->entries[i].value, "path");
        const char *text = path ? node_text(path->value) : "";
        if (*text && *text != '/')
            report_add(report, REPORT_WARNING, path->line,
                       "path \"%.*s\" is relative and is taken from \"/\"; write \"/%.*s\"",
                       QUOTE_MAX, text, QUOTE_MAX, text);
    }
}

void validate_unapplied(const struct node *root, struct report *report)
{
    const struct node *coreos = node_find(root, "coreos");
    const struct node *units = node_find(coreos, "units");
    warn_unapplied(schema_root, root, report);
    warn_unapplied(schema_find(schema_root, "coreos")->fields, coreos, report);
    fleet_warn_unused(node_find(coreos, "fleet"), report);
    warn_relative(root, report);
    for (size_t i = 0; units && units->kind == NODE_LIST && i < units->count; i++)
        if (units->entries[i].value->kind == NODE_MAP &&
            !*node_text(node_find(units->entries[i].value, "name")))
            report_add(report, REPORT_WARNING, units->entries[i].line,
                       "units[%zu] has no name and is passed over", i);
}
