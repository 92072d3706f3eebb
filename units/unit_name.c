/* SPDX-License-Identifier: Apache-2.0 */
#include "units/unit_name.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "units/quadlet.h"

static const char *const types[] = {
    "automount", "busname", "device",   "mount",  "path", "scope", "service",
    "slice",     "socket",  "snapshot", "target", "swap", "timer", NULL,
};
static const char *const template_types[] = {
    "path", "service", "socket", "target", "timer", NULL,
};

static bool is_among(const char *const *list, const char *word)
{
    for (; *list; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

/* isalnum() would ask the locale. */
static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_character(char c)
{
    return is_alphanumeric(c) || (c != '\0' && strchr(":-_.\\@", c) != NULL);
}

const char *unit_name_type(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : "";
}

static int check_characters(const char *name, struct error *err)
{
    for (const char *c = name; *c; c++) {
        if (is_name_character(*c))
            continue;
        if (*c > ' ' && *c < 0x7f)
            return error_set(err, -EINVAL,
                             "unit name \"%s\": '%c' is not allowed; letters, digits and :-_.\\@ "
                             "are",
                             name, *c);
        return error_set(err, -EINVAL,
                         "unit name has a byte 0x%02x; only letters, digits and :-_.\\@ are "
                         "allowed",
                         (unsigned char)*c);
    }
    return 0;
}

static int check_type(const char *name, const char *type, struct error *err)
{
    if (strcmp(type, "container") == 0)
        return error_set(err, -EINVAL,
                         "unit name \"%s\": name it %.*s.service; a file with [Container] becomes "
                         "a service",
                         name, (int)(type - name - 1), name);
    if (strcmp(type, "pod") == 0)
        return error_set(err, -EINVAL,
                         "unit name \"%s\": name it %.*s-pod.service; a file with [Pod] becomes a "
                         "service",
                         name, (int)(type - name - 1), name);
    if (quadlet_advice(type))
        return error_set(err, -EINVAL, "unit name \"%s\": a .%s is no unit of muster; %s", name,
                         type, quadlet_advice(type));
    if (!is_among(types, type)) {
        const char *nearest = text_nearest(type, types);
        return error_set(err, -EINVAL, "unit name \"%s\": \"%s\" is no type of unit%s%s%s", name,
                         type, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                         nearest ? "\"?" : "");
    }
    if (strchr(name, '@') && !is_among(template_types, type))
        return error_set(err, -EINVAL, "unit name \"%s\": a %s has no templates and instances",
                         name, type);
    return 0;
}

int unit_name_check(const char *name, struct error *err)
{
    if (!*name)
        return error_set(err, -EINVAL, "unit name is empty");
    if (strlen(name) > UNIT_NAME_MAX_BYTES)
        return error_set(err, -EINVAL, "unit name is %zu bytes long; %d are allowed", strlen(name),
                         UNIT_NAME_MAX_BYTES);
    int r = check_characters(name, err);
    if (r < 0)
        return r;
    const char *dot = strrchr(name, '.');
    if (!dot || !dot[1])
        return error_set(err, -EINVAL, "unit name \"%s\" does not end in a type such as .service",
                         name);
    if (dot == name || *name == '@')
        return error_set(err, -EINVAL, "unit name \"%s\" begins with '%c'", name, *name);
    return check_type(name, dot + 1, err);
}

bool unit_name_is_template(const char *name)
{
    const char *at = strchr(name, '@');
    return at && at + 1 == strrchr(name, '.');
}

bool unit_name_is_instance(const char *name)
{
    const char *at = strchr(name, '@');
    const char *dot = strrchr(name, '.');
    return at && dot && dot > at + 1;
}

char *unit_name_template(const char *name)
{
    if (!unit_name_is_instance(name))
        return NULL;
    return text_format("%.*s%s", (int)(strchr(name, '@') - name + 1), name, strrchr(name, '.'));
}

bool unit_name_is_instance_of(const char *name, const char *template_name)
{
    if (!unit_name_is_instance(name))
        return false;
    size_t prefix = (size_t)(strchr(name, '@') - name) + 1;
    return strncmp(name, template_name, prefix) == 0 &&
           strcmp(strrchr(name, '.'), template_name + prefix) == 0;
}

char *unit_name_mangle(const char *typed)
{
    const char *slash = strrchr(typed, '/');
    const char *name = slash ? slash + 1 : typed;
    bool complete = is_among(types, unit_name_type(name));
    return text_format("%s%s", name, complete ? "" : ".service");
}

char *unit_name_escape(const char *name)
{
    autotext t = { 0 };
    for (const char *c = name; *c; c++) {
        if (is_name_character(*c) && *c != '@' && *c != '\\')
            text_add_bytes(&t, c, 1);
        else
            text_addf(&t, "\\x%02x", (unsigned char)*c);
    }
    return text_take(&t);
}
