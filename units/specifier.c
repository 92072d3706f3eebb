/* SPDX-License-Identifier: Apache-2.0 */
#include "units/specifier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "units/unit_escape.h"

const struct specifier_machine specifier_any_machine = {
    .host_name = "machine",
    .id = "00000000000000000000000000000000",
};

/* The pieces of a unit's name, and whose unit it is. */
struct name_parts {
    const char *name;                        /* borrowed */
    const struct specifier_machine *machine; /* borrowed; NULL: any */
    char *prefix;
    char *instance;   /* "" if there is none */
    const char *tail; /* of the prefix, borrowed */
    char *stem;       /* prefix and instance */
};

static void name_parts_done(struct name_parts *parts)
{
    free(parts->prefix);
    free(parts->instance);
    free(parts->stem);
}

static int name_parts_init(struct name_parts *parts, struct error *err)
{
    const char *name = parts->name;
    const char *dot = strrchr(name, '.');
    size_t end = dot ? (size_t)(dot - name) : strlen(name);
    const char *at = memchr(name, '@', end);
    size_t prefix = at ? (size_t)(at - name) : end;
    parts->stem = strndup(name, end);
    parts->prefix = strndup(name, prefix);
    parts->instance = at ? strndup(at + 1, end - prefix - 1) : strdup("");
    if (!parts->stem || !parts->prefix || !parts->instance)
        return error_oom(err);
    const char *dash = strrchr(parts->prefix, '-');
    parts->tail = dash ? dash + 1 : parts->prefix;
    return 0;
}

/* What systemd's manager of the system has for everybody; NULL: none of these. */
static const char *constant(char c)
{
    static const struct {
        char letter;
        const char *meaning;
    } constants[] = {
        {'%',  "%"         },
        { 't', "/run"      },
        { 'S', "/var/lib"  },
        { 'C', "/var/cache"},
        { 'L', "/var/log"  },
        { 'E', "/etc"      },
        { 'T', "/tmp"      },
        { 'V', "/var/tmp"  },
        { 'u', "root"      },
        { 'g', "root"      },
        { 'U', "0"         },
        { 'G', "0"         },
        { 'h', "/root"     },
    };
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
        if (constants[i].letter == c)
            return constants[i].meaning;
    return NULL;
}

static int add_unescaped(struct text *t, const char *escaped, struct error *err)
{
    autofree char *plain = NULL;
    int r = unit_unescape(escaped, &plain, err);
    if (r == 0)
        text_add(t, plain);
    return r;
}

static int add_path(struct text *t, const struct name_parts *parts, struct error *err)
{
    autofree char *path = NULL;
    int r = unit_unescape_path(*parts->instance ? parts->instance : parts->prefix, &path, err);
    if (r == 0)
        text_add(t, path);
    return r;
}

static int add_of_machine(struct text *t, char c, const struct specifier_machine *machine,
                          struct error *err)
{
    if (!machine)
        return error_set(err, -EINVAL, "%%%c is not the same on every machine, and this has to be",
                         c);
    if (c == 'm')
        text_add(t, machine->id);
    else
        text_add_bytes(t, machine->host_name,
                       c == 'l' ? strcspn(machine->host_name, ".") : strlen(machine->host_name));
    return 0;
}

static int unknown(char c, struct error *err)
{
    return error_set(err, -EINVAL,
                     "%%%c is not expanded here; %%n, %%N, %%p, %%P, %%i, %%I, %%j, %%J, "
                     "%%f, %%H, %%l and %%m are, and what is the same on every machine (%%t, %%S, "
                     "%%h …); %%%% is a percent sign",
                     c > ' ' && c < 0x7f ? c : '?');
}

static int add_expansion(struct text *t, char c, const struct name_parts *parts, struct error *err)
{
    const char *fixed = constant(c);
    switch (c) {
    case 'n':
        fixed = parts->name;
        break;
    case 'N':
        fixed = parts->stem;
        break;
    case 'p':
        fixed = parts->prefix;
        break;
    case 'i':
        fixed = parts->instance;
        break;
    case 'j':
        fixed = parts->tail;
        break;
    case 'P':
        return add_unescaped(t, parts->prefix, err);
    case 'I':
        return add_unescaped(t, parts->instance, err);
    case 'J':
        return add_unescaped(t, parts->tail, err);
    case 'f':
        return add_path(t, parts, err);
    case 'H':
    case 'l':
    case 'm':
        return add_of_machine(t, c, parts->machine, err);
    default:
        break;
    }
    if (!fixed)
        return unknown(c, err);
    text_add(t, fixed);
    return 0;
}

int specifier_expand(const char *value, const char *unit_name,
                     const struct specifier_machine *machine, char **ret, struct error *err)
{
    __attribute__((cleanup(name_parts_done))) struct name_parts parts = { .name = unit_name,
                                                                          .machine = machine };
    autotext t = { 0 };
    int r = name_parts_init(&parts, err);
    for (const char *p = value; r == 0 && *p; p++) {
        if (*p != '%')
            text_add_bytes(&t, p, 1);
        else if (*++p)
            r = add_expansion(&t, *p, &parts, err);
        else
            return error_set(err, -EINVAL, "a single %% at the end; write %%%% for a percent sign");
    }
    if (r < 0)
        return r;
    *ret = text_take(&t);
    return *ret ? 0 : error_oom(err);
}

int specifier_expand_all(char **list, const char *unit_name,
                         const struct specifier_machine *machine, struct error *err)
{
    for (; list && *list; list++) {
        char *expanded = NULL;
        int r = specifier_expand(*list, unit_name, machine, &expanded, err);
        if (r < 0)
            return r;
        free(*list);
        *list = expanded;
    }
    return 0;
}
