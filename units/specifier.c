/* SPDX-License-Identifier: Apache-2.0 */
#include "units/specifier.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* Adds what %c stands for; false if it is unknown. */
static bool add_expansion(struct text *t, char c, const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *end = dot ? dot : name + strlen(name);
    const char *at = memchr(name, '@', (size_t)(end - name));
    switch (c) {
    case '%':
        text_add(t, "%");
        return true;
    case 'n':
        text_add(t, name);
        return true;
    case 'N':
        text_add_bytes(t, name, (size_t)(end - name));
        return true;
    case 'p':
        text_add_bytes(t, name, (size_t)((at ? at : end) - name));
        return true;
    case 'i':
        if (at)
            text_add_bytes(t, at + 1, (size_t)(end - at - 1));
        return true;
    default:
        return false;
    }
}

int specifier_expand(const char *value, const char *unit_name, char **ret, struct error *err)
{
    autotext t = { 0 };
    for (const char *p = value; *p; p++) {
        if (*p != '%') {
            text_add_bytes(&t, p, 1);
            continue;
        }
        p++;
        if (!*p)
            return error_set(err, -EINVAL, "a single %% at the end; write %%%% for a percent sign");
        if (!add_expansion(&t, *p, unit_name))
            return error_set(err, -EINVAL,
                             "%%%c is not expanded here; %%n, %%N, %%p and %%i are, and %%%% is a "
                             "percent sign",
                             *p > ' ' && *p < 0x7f ? *p : '?');
    }
    *ret = text_take(&t);
    return *ret ? 0 : error_oom(err);
}

int specifier_expand_all(char **list, const char *unit_name, struct error *err)
{
    for (; list && *list; list++) {
        char *expanded = NULL;
        int r = specifier_expand(*list, unit_name, &expanded, err);
        if (r < 0)
            return r;
        free(*list);
        *list = expanded;
    }
    return 0;
}
