/* SPDX-License-Identifier: Apache-2.0 */
#include "api/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/rollout_order.h"
#include "base/digest.h"
#include "base/text.h"
#include "units/translate.h"
#include "units/unit_name.h"

const char *change_action_name(enum change_action action)
{
    switch (action) {
    case CHANGE_ACTION_UNCHANGED:
        return "unchanged";
    case CHANGE_ACTION_CREATED:
        return "created";
    case CHANGE_ACTION_REPLACED:
        return "replaced";
    case CHANGE_ACTION_CHANGED:
        return "changed";
    case CHANGE_ACTION_DESTROYED:
        return "destroyed";
    case CHANGE_ACTION_INVALID:
        break;
    }
    return "invalid";
}

bool change_writes(const struct change *change)
{
    return change->action != CHANGE_ACTION_UNCHANGED;
}

void change_done(struct change *change)
{
    free(change->name);
    free(change->text);
    free(change->template_name);
}

/* A unit that was started, answered, and does not run: asking again must start it again. */
static bool lies_still(const struct view *view, const struct view_entry *unit)
{
    autofree struct view_copy *copies = NULL;
    size_t count = 0;
    if (view_copies(view, unit->name, &copies, &count, NULL) < 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct view_copy *copy = &copies[i];
        if (!copy->assignment || !copy->known ||
            copy->assignment->record.assignment.unit_revision < unit->mod ||
            copy->state->record.state.assignment_revision < copy->assignment->mod)
            continue;
        const struct record_state *state = &copy->state->record.state;
        if (*state->problem || text_equal(state->active, "failed") ||
            text_equal(state->active, "inactive"))
            return true;
    }
    return false;
}

static int refuse_template(const char *name, enum desired desired, struct error *err)
{
    if (unit_name_is_template(name) && desired != DESIRED_INACTIVE)
        return error_set(err, -EINVAL, "cannot activate template \"%s\"", name);
    return 0;
}

static void plan_unchanged(struct change *change, const struct view_entry *unit)
{
    change->action = CHANGE_ACTION_UNCHANGED;
    change->revision = unit->mod;
}

/* The blob stays the unit's own. */
static void plan_desired(const struct view *view, struct change *change,
                         const struct view_entry *unit)
{
    (void)snprintf(change->blob, sizeof(change->blob), "%s", unit->record.unit.blob);
    change->global = view_is_global(view, unit);
    change->new_desired = change->desired;
    bool again = change->desired == DESIRED_LAUNCHED && lies_still(view, unit);
    if (unit->record.unit.desired == change->desired && !again)
        plan_unchanged(change, unit);
    else
        change->action = CHANGE_ACTION_CHANGED;
}

static int plan_existing(struct change *change, const struct view_entry *unit, struct error *err)
{
    bool same = text_equal(change->blob, unit->record.unit.blob);
    if (!same && !change->replace)
        return error_set(err, -EEXIST,
                         "unit %s is in the store with another text (there %.7s, given %.7s); "
                         "replacing it has to be asked for",
                         change->name, unit->record.unit.blob, change->blob);
    change->new_desired =
        change->desired == DESIRED_INVALID ? unit->record.unit.desired : change->desired;
    if (!same)
        change->action = CHANGE_ACTION_REPLACED;
    else if (change->desired == DESIRED_INVALID || change->desired == unit->record.unit.desired)
        plan_unchanged(change, unit);
    else
        change->action = CHANGE_ACTION_CHANGED;
    return 0;
}

static int plan_submit(const struct view *view, struct change *change, struct error *err)
{
    const struct view_entry *unit = view_find(view, STORE_KEY_UNIT, "", change->name);
    int r = unit_check(change->name, change->text, strlen(change->text), err);
    if (r < 0)
        return error_prefix(err, r, "%s", change->name);
    r = refuse_template(
        change->name, change->desired == DESIRED_INVALID ? DESIRED_INACTIVE : change->desired, err);
    if (r < 0)
        return r;
    digest_sha256_hex(change->text, strlen(change->text), change->blob);
    change->global = view_text_is_global(change->name, change->text);
    r = unit ? plan_existing(change, unit, err) : 0;
    if (unit)
        return r == 0 && change->action == CHANGE_ACTION_REPLACED
                   ? rollout_refuse_text(view, change->name, err)
                   : r;
    change->action = CHANGE_ACTION_CREATED;
    change->new_desired = change->desired == DESIRED_INVALID ? DESIRED_INACTIVE : change->desired;
    return 0;
}

/* p@i.service, where only p@.service is in the store: a unit of its own with the template's text.
 */
static int plan_instance(const struct view *view, struct change *change, struct error *err)
{
    autofree char *template_name = unit_name_template(change->name);
    const struct view_entry *template =
        template_name ? view_find(view, STORE_KEY_UNIT, "", template_name) : NULL;
    size_t length = 0;
    const char *text = template ? view_unit_text(view, template, &length) : NULL;
    if (template && !text)
        return error_set(err, -EIO, "the text of template %s is not in the store", template_name);
    if (!text || change->desired == DESIRED_INACTIVE)
        return error_set(err, -ENOENT, "unit %s does not exist%s%s", change->name,
                         template_name && !template ? ", nor does its template " : "",
                         template_name && !template ? template_name : "");
    int r = unit_check(change->name, text, length, err);
    if (r < 0)
        return error_prefix(err, r, "%s from %s", change->name, template_name);
    free(change->text);
    change->text = strndup(text, length);
    if (!change->text)
        return error_oom(err);
    (void)snprintf(change->blob, sizeof(change->blob), "%s", template->record.unit.blob);
    change->global = view_text_is_global(change->name, change->text);
    change->action = CHANGE_ACTION_CREATED;
    change->new_desired = change->desired;
    change->template_mod = template->mod;
    change->template_name = take_ptr(template_name);
    return 0;
}

int change_plan(const struct view *view, struct change *change, struct error *err)
{
    const struct view_entry *unit = view_find(view, STORE_KEY_UNIT, "", change->name);
    free(take_ptr(change->template_name));
    change->action = CHANGE_ACTION_INVALID;
    change->guard_mod = unit ? unit->mod : 0;
    change->restart_revision = unit ? unit->record.unit.restart_revision : 0;
    change->template_mod = 0;
    switch (change->kind) {
    case CHANGE_SUBMIT:
        return plan_submit(view, change, err);
    case CHANGE_DESIRED: {
        int r = refuse_template(change->name, change->desired, err);
        if (r < 0)
            return r;
        if (!unit)
            return plan_instance(view, change, err);
        plan_desired(view, change, unit);
        return 0;
    }
    case CHANGE_DESTROY:
        if (!unit)
            return error_set(err, -ENOENT, "unit %s does not exist", change->name);
        change->global = view_is_global(view, unit);
        change->action = CHANGE_ACTION_DESTROYED;
        return 0;
    case CHANGE_INVALID:
        break;
    }
    return error_set(err, -EINVAL, "no such change");
}
