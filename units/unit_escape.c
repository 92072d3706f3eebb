/* SPDX-License-Identifier: Apache-2.0 */
#include "units/unit_escape.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr(":_.", c) != NULL);
}

char *unit_escape(const char *s)
{
    autotext t = { 0 };
    for (const char *c = s; *c; c++) {
        if (*c == '/')
            text_add(&t, "-");
        else if (is_plain(*c) && !(c == s && *c == '.'))
            text_add_bytes(&t, c, 1);
        else
            text_addf(&t, "\\x%02x", (unsigned char)*c);
    }
    return text_take(&t);
}

int unit_escape_path(const char *path, char **ret, struct error *err)
{
    autostrv parts = NULL;
    autotext t = { 0 };
    if (*path != '/')
        return error_set(err, -EINVAL, "\"%s\" is no absolute path", path);
    int r = strv_split(path, "/", &parts, err);
    if (r < 0)
        return r;
    for (char **part = parts; part && *part; part++) {
        if (strcmp(*part, "..") == 0)
            return error_set(err, -EINVAL, "\"%s\" has .. in it", path);
        if (strcmp(*part, ".") != 0)
            text_addf(&t, "%s%s", t.length ? "/" : "", *part);
    }
    autofree char *inner = text_take(&t);
    if (!inner)
        return error_oom(err);
    *ret = *inner ? unit_escape(inner) : strdup("-");
    return *ret ? 0 : error_oom(err);
}

/* The byte of \xNN at s; 0 if there is none. */
static char escaped_byte(const char *s)
{
    if (s[1] != 'x' || text_hex_digit(s[2]) < 0 || text_hex_digit(s[3]) < 0)
        return '\0';
    return (char)(text_hex_digit(s[2]) * 16 + text_hex_digit(s[3]));
}

int unit_unescape(const char *escaped, char **ret, struct error *err)
{
    autotext t = { 0 };
    for (const char *c = escaped; *c; c++) {
        char byte = *c == '-' ? '/' : *c;
        if (*c == '\\') {
            byte = escaped_byte(c);
            if (!byte)
                return error_set(err, -EINVAL,
                                 "\"%s\" cannot be unescaped: a backslash begins \\xNN", escaped);
            c += 3;
        }
        text_add_bytes(&t, &byte, 1);
    }
    *ret = text_take(&t);
    return *ret ? 0 : error_oom(err);
}

/* Each part is a name; the string neither begins nor ends with a slash. */
static bool is_inner_path(const char *s)
{
    for (const char *part = s;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && part[0] == '.') ||
            (length == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += length;
        if (!*part)
            return true;
    }
}

int unit_unescape_path(const char *escaped, char **ret, struct error *err)
{
    autofree char *inner = NULL;
    int r = unit_unescape(escaped, &inner, err);
    if (r < 0)
        return r;
    bool is_root = strcmp(escaped, "-") == 0;
    if (!is_root && !is_inner_path(inner))
        return error_set(err, -EINVAL, "\"%s\" is not what a path is escaped to", escaped);
    *ret = is_root ? strdup("/") : text_format("/%s", inner);
    return *ret ? 0 : error_oom(err);
}
