/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cloud-config/fleet.h"
#include "cloud-config/paths.h"

static void step_done(struct step *step)
{
    free(step->text);
    free(step->path);
    free(step->data);
    free(step->owner);
    strv_free(step->argv);
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->count; i++)
        step_done(&plan->steps[i]);
    free(plan->steps);
    free(plan);
}

/* A new step at the end, zero but for its kind; NULL if memory ran out. */
static struct step *add_step(struct plan *plan, enum step_kind kind)
{
    if ((plan->count & (plan->count - 1)) == 0) {
        size_t room = plan->count ? 2 * plan->count : 1;
        struct step *steps = reallocarray(plan->steps, room, sizeof(*steps));
        if (!steps)
            return NULL;
        plan->steps = steps;
    }
    struct step *step = &plan->steps[plan->count++];
    *step = (struct step){ .kind = kind };
    return step;
}

/* Takes path, which may be NULL (then memory had run out). */
static int add_write(struct plan *plan, char *path, const char *data, size_t length, mode_t mode,
                     const char *owner, struct error *err)
{
    struct step *step = path ? add_step(plan, STEP_WRITE) : NULL;
    if (!step) {
        free(path);
        return error_oom(err);
    }
    step->path = path;
    step->data = text_copy_bytes(data, length);
    step->owner = strdup(owner);
    if (!step->data || !step->owner)
        return error_oom(err);
    step->length = length;
    step->mode = mode;
    return 0;
}

static int add_unit_file(struct plan *plan, char *path, const char *content, struct error *err)
{
    return add_write(plan, path, content, strlen(content), 0644, "", err);
}

static int add_link(struct plan *plan, enum step_kind kind, char *path, struct error *err)
{
    struct step *step = path ? add_step(plan, kind) : NULL;
    if (!step) {
        free(path);
        return error_oom(err);
    }
    step->path = path;
    return 0;
}

/* Each word that is not NULL; name comes behind "--", so that it cannot be taken for an option. */
static int add_systemctl(struct plan *plan, const char *verb, const char *option,
                         const char *option2, const char *name, struct error *err)
{
    const char *words[] = { "systemctl", option, option2, verb, name ? "--" : NULL, name };
    struct step *step = add_step(plan, STEP_RUN);
    if (!step)
        return error_oom(err);
    int r = 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && r == 0; i++)
        if (words[i])
            r = strv_add(&step->argv, words[i], err);
    return r;
}

static int add_hostname(struct plan *plan, const struct model *model, struct error *err)
{
    if (!*model->hostname)
        return 0;
    struct step *step = add_step(plan, STEP_HOSTNAME);
    if (!step)
        return error_oom(err);
    step->text = strdup(model->hostname);
    return step->text ? 0 : error_oom(err);
}

static int add_files(struct plan *plan, const struct model *model, struct error *err)
{
    for (size_t i = 0; i < model->file_count; i++) {
        const struct model_file *file = &model->files[i];
        int r = add_write(plan, strdup(file->path), file->content, file->length, file->mode,
                          file->owner, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_drop_ins(struct plan *plan, const struct model_unit *unit, struct error *err)
{
    autofree char *path = path_of_unit(unit->name, unit->runtime);
    if (!path)
        return error_oom(err);
    for (size_t i = 0; i < unit->drop_in_count; i++) {
        char *file = text_format("%s.d/%s", path, unit->drop_ins[i].name);
        int r = add_unit_file(plan, file, unit->drop_ins[i].content, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* systemctl refuses to enable by an alias, and fleet.service is ours of musterd.service — unless
 * the file brings a fleet.service of its own. */
static const char *enable_name(const struct model_unit *unit)
{
    bool alias = strcmp(unit->name, FLEET_UNIT) == 0 && !*unit->content;
    return alias ? "musterd.service" : unit->name;
}

static int add_unit(struct plan *plan, const struct model_unit *unit, struct error *err)
{
    int r = 0;
    if (*unit->content)
        r = add_unit_file(plan, path_of_unit(unit->name, unit->runtime), unit->content, err);
    if (r == 0)
        r = add_drop_ins(plan, unit, err);
    if (r == 0 && (unit->mask || unit->runtime))
        r = add_link(plan, unit->mask ? STEP_MASK : STEP_UNMASK,
                     path_of_unit(unit->name, unit->runtime), err);
    if (r == 0 && unit->enable && !path_is_network_unit(unit->name))
        r = add_systemctl(plan, "enable", "--force", unit->runtime ? "--runtime" : NULL,
                          enable_name(unit), err);
    return r;
}

/* A mask left under /run by an earlier boot's file would keep the configured agent from starting.
 */
static int add_fleet(struct plan *plan, const struct model *model, struct error *err)
{
    if (!*model->fleet_drop_in)
        return 0;
    int r = add_write(plan, strdup(FLEET_DROP_IN), model->fleet_drop_in,
                      strlen(model->fleet_drop_in), model->fleet_is_secret ? 0600 : 0644, "", err);
    return r < 0 ? r : add_link(plan, STEP_UNMASK, path_of_unit(FLEET_UNIT, true), err);
}

static int add_units(struct plan *plan, const struct model *model, struct error *err)
{
    size_t before = plan->count;
    int r = 0;
    for (size_t i = 0; i < model->unit_count && r == 0; i++)
        r = add_unit(plan, &model->units[i], err);
    if (r == 0)
        r = add_fleet(plan, model, err);
    if (r == 0 && plan->count > before)
        r = add_systemctl(plan, "daemon-reload", NULL, NULL, NULL, err);
    return r;
}

static bool has_network_units(const struct model *model)
{
    for (size_t i = 0; i < model->unit_count; i++)
        if (path_is_network_unit(model->units[i].name))
            return true;
    return false;
}

static int add_commands(struct plan *plan, const struct model *model, struct error *err)
{
    int r = 0;
    if (has_network_units(model))
        r = add_systemctl(plan, "restart", "--no-block", NULL, "systemd-networkd.service", err);
    for (size_t i = 0; i < model->unit_count && r == 0; i++) {
        const struct model_unit *unit = &model->units[i];
        if (!*unit->command || path_is_network_unit(unit->name))
            continue;
        bool wait = strcmp(unit->command, "stop") == 0;
        r = add_systemctl(plan, unit->command, wait ? NULL : "--no-block", NULL, unit->name, err);
    }
    return r;
}

int plan_build(const struct model *model, struct plan **ret, struct error *err)
{
    autoptr(plan) plan = calloc(1, sizeof(*plan));
    if (!plan)
        return error_oom(err);
    int r = add_hostname(plan, model, err);
    if (r == 0)
        r = add_files(plan, model, err);
    if (r == 0)
        r = add_units(plan, model, err);
    if (r == 0)
        r = add_commands(plan, model, err);
    if (r < 0)
        return r;
    *ret = take_ptr(plan);
    return 0;
}

static void print_words(char *const *argv, struct text *text)
{
    text_add(text, "run");
    for (; *argv; argv++)
        text_addf(text, " %s", *argv);
}

void step_print(const struct step *step, struct text *text)
{
    switch (step->kind) {
    case STEP_HOSTNAME:
        text_addf(text, "set the hostname to %s", step->text);
        break;
    case STEP_WRITE:
        text_addf(text, "write %s (mode %04o, %zu bytes", step->path, (unsigned)step->mode,
                  step->length);
        text_addf(text, "%s%s)", *step->owner ? ", owner " : "", step->owner);
        break;
    case STEP_MASK:
        text_addf(text, "link %s to /dev/null", step->path);
        break;
    case STEP_UNMASK:
        text_addf(text, "remove %s if it is a mask", step->path);
        break;
    case STEP_RUN:
        print_words(step->argv, text);
        break;
    case STEP_INVALID:
        break;
    }
}

static bool is_printable(const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)data[i] < ' ' && !strchr("\n\t", data[i])) || !data[i])
            return false;
    return true;
}

static void print_content(const struct step *step, struct text *text)
{
    if (!is_printable(step->data, step->length)) {
        text_add(text, "    (not text)\n");
        return;
    }
    const char *line = step->data;
    while (*line) {
        size_t length = strcspn(line, "\n");
        text_addf(text, "    |%.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

void plan_print(const struct plan *plan, struct text *text)
{
    for (size_t i = 0; i < plan->count; i++) {
        step_print(&plan->steps[i], text);
        text_add(text, "\n");
        if (plan->steps[i].kind == STEP_WRITE)
            print_content(&plan->steps[i], text);
    }
}
