/* SPDX-License-Identifier: Apache-2.0 */
#include "units/quadlet.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "units/unit_file.h"
#include "units/unit_name.h"

static const struct kind {
    const char *type;
    const char *advice; /* NULL: it is a unit here */
    const char *suffix; /* of the service's name; NULL: none */
} kinds[] = {
    {.type = "container"                                                                    },
    {  .type = "pod",                                                                       .suffix = "-pod" },
    { .type = "volume",                  .advice = "name the volume in Volume= of the .container that uses it" },
    { .type = "network",                .advice = "name the network in Network= of the .container that uses it" },
    { .type = "image",                    .advice = "name the image in Image= of the .container that uses it" },
    { .type = "kube",
     .advice =
          "write a .container for each of its containers, and a .pod that they name in Pod=" },
    { .type = "build",
     .advice = "build the image elsewhere, push it to a registry, and name it in Image= of the "
                ".container" },
    {                                                                 .type = "artifact",
     .advice = "put its content on the machines, and name the folder in Volume= of the "
                ".container" },
};

static const struct kind *find_kind(const char *type)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    return NULL;
}

bool quadlet_is_name(const char *name)
{
    return find_kind(unit_name_type(name)) != NULL;
}

const char *quadlet_advice(const char *type)
{
    const struct kind *kind = find_kind(type);
    return kind ? kind->advice : NULL;
}

/* "web-pod@1.service" for "web@1.pod". */
static char *service_of(const struct kind *kind, const char *name, const char *service_name)
{
    size_t stem = (size_t)(unit_name_type(name) - name) - 1;
    size_t at = strcspn(name, "@");
    size_t prefix = at < stem ? at : stem;
    const char *suffix = kind->suffix ? kind->suffix : "";
    return service_name
               ? text_format("%s%.*s.service", service_name, (int)(stem - prefix), name + prefix)
               : text_format("%.*s%s%.*s.service", (int)prefix, name, suffix, (int)(stem - prefix),
                             name + prefix);
}

int quadlet_service(const char *name, const char *service_name, char **ret, struct error *err)
{
    const char *type = unit_name_type(name);
    const struct kind *kind = find_kind(type);
    assert(kind);
    if (kind->advice)
        return error_set(err, -EINVAL, "%s: a .%s is no unit of muster; %s", name, type,
                         kind->advice);
    autofree char *service = service_of(kind, name, service_name);
    if (!service)
        return error_oom(err);
    int r = unit_name_check(service, err);
    if (r < 0)
        return error_prefix(err, r, "%s", name);
    *ret = take_ptr(service);
    return 0;
}

/* --- [Unit] --- */

static bool names_units(const char *key)
{
    static const char *const keys[] = {
        "After",     "Before",           "BindsTo",  "Conflicts",          "OnFailure",
        "OnSuccess", "PartOf",           "Requires", "PropagatesReloadTo", "Requisite",
        "Upholds",   "PropagatesStopTo", "Wants",    "StopPropagatedFrom", "ReloadPropagatedFrom",
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static int add_word(struct text *t, const struct unit_option *option, const char *word,
                    struct error *err)
{
    const struct kind *kind = find_kind(unit_name_type(word));
    if (kind && kind->advice)
        return unit_option_error(err, option, "a .%s is no unit of muster; %s", kind->type,
                                 kind->advice);
    autofree char *service = kind ? service_of(kind, word, NULL) : strdup(word);
    if (!service)
        return error_oom(err);
    text_addf(t, "%s%s", t->length ? " " : "", service);
    return 0;
}

static int translate_option(struct unit_option *option, struct error *err)
{
    autotext t = { 0 };
    autostrv words = NULL;
    int r = strv_split(option->value, " \t", &words, err);
    for (size_t i = 0; r == 0 && words && words[i]; i++)
        r = add_word(&t, option, words[i], err);
    if (r < 0)
        return r;
    autofree char *value = text_take(&t);
    return value ? unit_option_set(option, value, err) : error_oom(err);
}

static bool holds_quadlet_name(const char *value)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t length = strlen(kinds[i].type);
        for (const char *dot = strchr(value, '.'); dot; dot = strchr(dot + 1, '.'))
            if (strncmp(dot + 1, kinds[i].type, length) == 0 &&
                (!dot[length + 1] || strchr(" \t", dot[length + 1])))
                return true;
    }
    return false;
}

int quadlet_translate(struct unit_file *file, struct error *err)
{
    for (size_t i = 0; i < file->count; i++) {
        struct unit_option *option = &file->options[i];
        if (strcmp(option->section, "Unit") != 0 || !names_units(option->key) ||
            !holds_quadlet_name(option->value))
            continue;
        int r = translate_option(option, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- [Quadlet] --- */

int quadlet_default_dependencies(const struct unit_file *file, bool *ret, struct error *err)
{
    static const char key[] = "DefaultDependencies";
    bool value = true;
    for (size_t i = 0; i < file->count; i++) {
        const struct unit_option *option = &file->options[i];
        if (strcmp(option->section, "Quadlet") != 0)
            continue;
        if (strcmp(option->key, key) != 0)
            return unit_option_error(err, option, "[Quadlet] has one key, %s=", key);
        struct error reason;
        if (unit_boolean_parse(option->value, &value, &reason) < 0)
            return unit_option_error(err, option, "%s", reason.text);
    }
    *ret = value;
    return 0;
}
