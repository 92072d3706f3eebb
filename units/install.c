/* SPDX-License-Identifier: Apache-2.0 */
#include "units/install.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/text.h"
#include "units/quadlet.h"
#include "units/unit_name.h"

/* The folder of links of the other unit; NULL: the value is another name of this one. */
static const struct install_key {
    const char *key;
    const char *folder;
} keys[] = {
    {"Alias",       NULL      },
    { "RequiredBy", "requires"},
    { "UpheldBy",   "upholds" },
    { "WantedBy",   "wants"   },
};

static const struct install_key *find_key(const struct unit_option *option)
{
    if (strcmp(option->section, "Install") != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(keys[i].key, option->key) == 0)
            return &keys[i];
    return NULL;
}

static int add_link(char ***links, const struct install_key *key, const char *other,
                    const char *unit_name, struct error *err)
{
    if (key->folder)
        return strv_addf(links, err, "%s.%s/%s", other, key->folder, unit_name);
    int r = unit_name_check(other, err);
    if (r < 0)
        return r;
    if (unit_name_is_template(other))
        return 0; /* whose instance this one would be nobody says */
    if (strcmp(unit_name_type(other), unit_name_type(unit_name)) != 0)
        return error_set(err, -EINVAL, "%s is no .%s, as this unit is", other,
                         unit_name_type(unit_name));
    return strcmp(other, unit_name) == 0 ? 0 : strv_add(links, other, err);
}

/* Of any type, also of those that no file has, such as a device; what becomes a path is safe. */
static bool may_be_unit(const char *name)
{
    return *name != '.' && strchr(name, '.') && !strchr(name, '/') && strlen(name) < NAME_MAX / 2;
}

/* Quadlet's names are those of the services that they become, as in [Unit]. */
static int add_word(char ***links, const struct install_key *key, const char *word,
                    const char *unit_name, struct error *err)
{
    autofree char *other = NULL;
    int r = 0;
    if (quadlet_is_name(word))
        r = quadlet_service(word, NULL, &other, err);
    else if (!(other = strdup(word)))
        r = error_oom(err);
    if (r == 0 && !may_be_unit(other))
        r = error_set(err, -EINVAL, "\"%s\" is no name of a unit", other);
    return r < 0 ? r : add_link(links, key, other, unit_name, err);
}

static int add_option(char ***links, const struct unit_option *option, const char *unit_name,
                      const struct specifier_machine *machine, struct error *err)
{
    const struct install_key *key = find_key(option);
    autostrv words = NULL;
    struct error reason = { 0 };
    int r = key ? unit_words_split(option->value, &words, &reason) : 0;
    if (r >= 0)
        r = specifier_expand_all(words, unit_name, machine, &reason);
    for (char **word = words; r >= 0 && word && *word; word++)
        r = add_word(links, key, *word, unit_name, &reason);
    if (r == -EINVAL)
        return unit_option_error(err, option, "%s", reason.text);
    return r < 0 ? error_set(err, r, "%s", reason.text) : 0;
}

int install_links(const struct unit_file *file, const struct container *container,
                  const char *unit_name, const struct specifier_machine *machine, char ***ret,
                  struct error *err)
{
    autostrv links = NULL;
    int r = 0;
    if (container && container->pod && !container->starts_without_pod)
        r = strv_addf(&links, err, "%s.wants/%s", container->pod, unit_name);
    for (size_t i = 0; r == 0 && i < file->count; i++)
        r = add_option(&links, &file->options[i], unit_name, machine, err);
    if (r < 0)
        return r;
    if (links)
        *ret = take_ptr(links);
    return 0;
}
