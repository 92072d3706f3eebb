/* SPDX-License-Identifier: Apache-2.0 */
#include "units/translate.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "units/auto_update.h"
#include "units/container.h"
#include "units/container_service.h"
#include "units/install.h"
#include "units/quadlet.h"
#include "units/requirements.h"
#include "units/unit_file.h"
#include "units/unit_name.h"
#include "units/unit_rules.h"

void translation_free(struct translation *translation)
{
    if (!translation)
        return;
    free(translation->unit_text);
    free(translation->container_json);
    strv_free(translation->links);
    free(translation);
}

/* --- reading --- */

/* The other sections of a unit with [Container]: what muster fills in, and what is Quadlet's. */
static int read_beside_container(struct unit_file *file, const char *name, struct error *err)
{
    bool waits = false;
    int r = unit_rules_check_container(file, name, err);
    if (r >= 0)
        r = quadlet_default_dependencies(file, &waits, err);
    return r < 0 ? r : quadlet_translate(file, err);
}

struct source {
    const char *name;
    const char *text;
    size_t length;
    const struct specifier_machine *machine;
};

/* Checks all that concerns running the unit. *ret_container NULL: it has no [Container]. */
static int read_unit(const struct source *source, struct unit_file **ret_file,
                     struct container **ret_container, struct error *err)
{
    const char *name = source->name;
    autoptr(unit_file) file = NULL;
    autoptr(container) container = NULL;
    int r = unit_rules_check_name(name, err);
    if (r >= 0)
        r = unit_file_parse(source->text, source->length, &file, err);
    if (r >= 0)
        r = unit_rules_check_sections(file, name, err);
    if (r >= 0)
        r = container_read(file, name, source->machine, &container, err);
    if (r >= 0)
        r = container ? read_beside_container(file, name, err)
                      : unit_rules_check_runs(file, name, err);
    if (r < 0)
        return r;
    *ret_file = take_ptr(file);
    *ret_container = take_ptr(container);
    return 0;
}

/* A template is checked as the instance "i" that it may become: with an empty %i, good values such
 * as MachineOf=web@%i.service would look bad. */
static char *name_to_check(const char *name)
{
    if (!unit_name_is_template(name))
        return strdup(name);
    const char *dot = strrchr(name, '.');
    return text_format("%.*si%s", (int)(dot - name), name, dot);
}

int unit_check(const char *name, const char *text, size_t length, struct error *err)
{
    int r = unit_name_check(name, err);
    if (r < 0)
        return r;
    autofree char *subject = name_to_check(name);
    if (!subject)
        return error_oom(err);
    autoptr(unit_file) file = NULL;
    autoptr(container) container = NULL;
    autoptr(requirements) requirements = NULL;
    const struct source source = { subject, text, length, &specifier_any_machine };
    autostrv links = NULL;
    r = read_unit(&source, &file, &container, err);
    if (r == 0)
        r = install_links(file, container, subject, source.machine, &links, err);
    return r < 0 ? r : requirements_read(file, subject, &requirements, err);
}

/* It runs all the same; musterctl auto-update would say so each time. */
static int warn_of_auto_update(const struct unit_file *file, struct container *container,
                               struct error *err)
{
    autoauto_update update = { 0 };
    struct error why = { 0 };
    return auto_update_read(file, &update, &why) < 0
               ? strv_addf(&container->warnings, err, "AutoUpdate=registry: %s", why.text)
               : 0;
}

static int warn_of_idle_rule(const struct unit_file *file, const char *key, char ***warnings,
                             struct error *err)
{
    const struct unit_option *option = unit_file_find(file, "X-Fleet", key);
    return option ? strv_addf(warnings, err,
                              "line %u: [X-Fleet] %s=: counts instances of a template, and this is "
                              "none: it does nothing",
                              option->line, key)
                  : 0;
}

/* Rules about the others of its template, of a unit that has none. That the rules are wrong
 * altogether is unit_check()'s to say. */
static int warn_of_idle_rules(const struct unit_file *file, const char *name, char ***warnings,
                              struct error *err)
{
    autofree char *template_name = unit_name_template(name);
    autoptr(requirements) requirements = NULL;
    int r = requirements_read(file, name, &requirements, NULL);
    if (r == -ENOMEM)
        return error_oom(err);
    if (r < 0 || template_name)
        return 0;
    if (requirements->max_per_machine > 0)
        r = warn_of_idle_rule(file, "MaxPerMachine", warnings, err);
    if (r == 0 && requirements->spread)
        r = warn_of_idle_rule(file, "Spread", warnings, err);
    return r;
}

int unit_warnings(const char *name, const char *text, size_t length, char ***ret, struct error *err)
{
    autofree char *subject = name_to_check(name);
    if (!subject)
        return error_oom(err);
    autoptr(unit_file) file = NULL;
    autoptr(container) container = NULL;
    autostrv warnings = NULL;
    const struct source source = { subject, text, length, &specifier_any_machine };
    int r = read_unit(&source, &file, &container, err);
    if (r == 0 && container)
        r = warn_of_auto_update(file, container, err);
    if (r == 0 && container)
        warnings = take_ptr(container->warnings);
    if (r == 0)
        r = warn_of_idle_rules(file, subject, &warnings, err);
    if (r == 0 && warnings)
        *ret = take_ptr(warnings);
    return r;
}

/* --- writing --- */

/* Where the text came from, for whoever finds the file on a machine. */
static void add_origin(struct text *t, const char *name)
{
    text_addf(t,
              "# Generated by muster from %s as it was submitted to the cluster.\n"
              "# Changes made here are lost; \"musterctl cat %s\" shows the original.\n",
              name, name);
}

/* At shutdown systemd stops in reverse order, so what is ordered after musterd is gone before it.
 * Sockets, paths, mounts and swaps come before basic.target, which musterd comes after: for them
 * the same line would close a circle, and systemd would break it by leaving out a stop. */
static bool may_follow_musterd(const char *type)
{
    static const char *const types[] = { "service", "timer", "target" };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

static bool has_cgroup(const char *type)
{
    static const char *const types[] = { "service", "socket", "mount", "swap" };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

static void add_plain_unit(struct text *t, const struct unit_file *file, const char *name,
                           const char *text, size_t length)
{
    static const char bom[] = "\xef\xbb\xbf";
    const char *type = unit_name_type(name);
    const char *section = unit_rules_own_section(type);
    size_t skipped = length >= 3 && memcmp(text, bom, 3) == 0 ? 3 : 0;
    add_origin(t, name);
    if (may_follow_musterd(type))
        text_add(t, "[Unit]\nAfter=musterd.service\n");
    if (has_cgroup(type) && !unit_file_has_value(file, section, "Slice"))
        text_addf(t, "[%s]\nSlice=muster.slice\n", section);
    text_add(t, "\n");
    text_add_bytes(t, text + skipped, length - skipped);
}

/* [Quadlet] speaks to Podman's generator only. */
static bool is_ours(const char *section)
{
    return strcmp(section, "Container") == 0 || strcmp(section, "Pod") == 0 ||
           strcmp(section, "X-Fleet") == 0 || strcmp(section, "Quadlet") == 0;
}

/* As they were written, comments and all, but for names of units that were translated. */
static void add_user_sections(struct text *t, const struct unit_file *file)
{
    bool wanted = true;
    text_add(t, "\n");
    for (size_t i = 0; i < file->piece_count; i++) {
        const struct unit_piece *piece = &file->pieces[i];
        if (piece->kind == UNIT_PIECE_SECTION)
            wanted = !is_ours(file->sections[piece->index].name);
        if (wanted)
            unit_file_write_piece(file, piece, t);
    }
    unit_text_end_line(t);
}

/* systemd's own limit would block the sixth start within ten seconds, for good: a restart policy is
 * the user's, and giving up on a machine is the scheduler's. Any limit that he sets is his. */
static void add_start_limit(struct text *t, const struct unit_file *file)
{
    static const char *const keys[] = { "StartLimitIntervalSec", "StartLimitInterval",
                                        "StartLimitBurst" };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (unit_file_has_value(file, "Unit", keys[i]) ||
            unit_file_has_value(file, "Service", keys[i]))
            return;
    text_add(t, "StartLimitIntervalSec=0\n");
}

/* A path as a word of ExecStart=, between quotes with what is special to systemd undone. */
static char *quote_path(const char *path)
{
    autotext t = { 0 };
    for (; *path; path++) {
        if (*path == '"' || *path == '\\')
            text_add(&t, "\\");
        text_add_bytes(&t, path, 1);
        if (*path == '%')
            text_add(&t, "%");
    }
    bool plain = t.data && !strpbrk(t.data, " \t'\"\\");
    autofree char *inner = text_take(&t);
    return inner ? text_format("%s%s%s", plain ? "" : "\"", inner, plain ? "" : "\"") : NULL;
}

/* Quadlet's default, on which files of its users rely. */
static void add_network_dependency(struct text *t, const struct unit_file *file)
{
    bool wanted = false;
    if (quadlet_default_dependencies(file, &wanted, NULL) == 0 && wanted)
        text_add(t, "Wants=network-online.target\nAfter=network-online.target\n");
}

/* What muster-container relies on stands last, so that no list reset before it can drop it. */
static void add_container_unit(struct text *t, const struct unit_file *file,
                               const struct container *container, const char *name,
                               const char *helper)
{
    add_origin(t, name);
    text_add(t, "[Unit]\nAfter=musterd.service\n");
    container_service_dependencies(t, container);
    add_network_dependency(t, file);
    add_start_limit(t, file);
    text_add(t, "\n[Service]\n");
    container_service_defaults(t, file, container);
    add_user_sections(t, file);
    text_add(t, "[Service]\n");
    container_service_fixed(t, container, helper);
}

static int add_container(struct text *t, const struct unit_file *file,
                         const struct container *container, const char *name, const char *helper,
                         struct error *err)
{
    if (*helper != '/' || strpbrk(helper, "\n\r"))
        return error_set(err, -EINVAL, "the helper's path \"%s\" is not absolute", helper);
    autofree char *quoted = quote_path(helper);
    if (!quoted)
        return error_oom(err);
    add_container_unit(t, file, container, name, quoted);
    return 0;
}

static int write_container_json(const struct container *container, char **ret, struct error *err)
{
    autojson json = NULL;
    int r = container_to_json(container, &json, err);
    return r < 0 ? r : json_write(json, ret, err);
}

int unit_translate(const char *name, const char *text, size_t length, const struct unit_host *host,
                   struct translation **ret, struct error *err)
{
    if (unit_name_is_template(name))
        return error_set(err, -EINVAL, "%s is a template; only its instances run", name);
    autoptr(unit_file) file = NULL;
    autoptr(container) container = NULL;
    const struct source source = { name, text, length, &host->machine };
    int r = read_unit(&source, &file, &container, err);
    if (r < 0)
        return r;
    autoptr(translation) translation = calloc(1, sizeof(*translation));
    if (!translation)
        return error_oom(err);
    r = install_links(file, container, name, source.machine, &translation->links, err);
    if (r < 0)
        return r;
    autotext t = { 0 };
    if (container) {
        r = add_container(&t, file, container, name, host->helper, err);
        if (r >= 0)
            r = write_container_json(container, &translation->container_json, err);
        if (r < 0)
            return r;
    } else {
        add_plain_unit(&t, file, name, text, length);
    }
    translation->unit_text = text_take(&t);
    if (!translation->unit_text)
        return error_oom(err);
    *ret = take_ptr(translation);
    return 0;
}
