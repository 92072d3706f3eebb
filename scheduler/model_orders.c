/* SPDX-License-Identifier: Apache-2.0 */
/* What people ask of the leader: drains, the brake, rebalancing, rollouts. Facts in, marks on what
 * they touch. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "scheduler/askers.h"
#include "scheduler/model.h"
#include "scheduler/model_data.h"
#include "scheduler/rollout_list.h"

/* --- drains --- */

int model_put_drain(struct model *model, const char *machine, int64_t mod,
                    const struct record_drain *drain, struct error *err)
{
    struct machine *m = model_machine_get(model, machine, err);
    if (!m)
        return -ENOMEM;
    char *problem = strdup(drain->problem ? drain->problem : "");
    if (!problem)
        return error_oom(err);
    if (m->drain_mod == 0)
        DL_APPEND2(model->draining, m, drain_prev, drain_next);
    record_drain_done(&m->drain);
    m->drain = *drain;
    m->drain.problem = problem;
    m->drain_mod = mod;
    model_mark_machine(model, m);
    return 0;
}

void model_drop_drain(struct model *model, const char *machine)
{
    struct machine *m = model_machine(model, machine);
    if (!m || m->drain_mod == 0)
        return;
    DL_DELETE2(model->draining, m, drain_prev, drain_next);
    record_drain_done(&m->drain);
    m->drain_mod = 0;
    m->drain_stuck_since_ms = -1;
    model_mark_machine(model, m);
}

/* --- the brake, and rebalancing --- */

void model_put_brake(struct model *model, int64_t mod, const struct record_brake *brake)
{
    model->brake_mod = mod;
    model->brake_hold = brake->hold;
}

void model_drop_brake(struct model *model)
{
    model->brake_mod = 0;
    model->brake_hold = false;
}

void model_put_rebalance(struct model *model, const struct record_rebalance *rebalance)
{
    enum rebalance_mode mode = REBALANCE_ADVISE;
    (void)rebalance_mode_from_name(rebalance->mode, &mode);
    rebalance_set_mode(model, mode);
}

void model_drop_rebalance(struct model *model)
{
    rebalance_set_mode(model, REBALANCE_ADVISE);
}

/* --- rollouts --- */

static struct rollout *rollout_named(const struct model *model, const char *name)
{
    struct rollout *rollout = NULL;
    HASH_FIND_STR(model->rollouts, name, rollout);
    return rollout;
}

static struct rollout *rollout_make(struct model *model, const char *name)
{
    struct rollout *rollout = calloc(1, sizeof(*rollout));
    if (!rollout)
        return NULL;
    memcpy(rollout->name, name, strnlen(name, sizeof(rollout->name) - 1));
    rollout->stuck_since_ms = -1;
    HASH_ADD_STR(model->rollouts, name, rollout);
    return rollout;
}

/* What has been seen under an order says nothing of the next one. */
static bool is_other_order(const struct record_rollout *a, const struct record_rollout *b)
{
    return a->state != b->state || a->back != b->back || a->retry_revision != b->retry_revision ||
           !text_equal(a->blob, b->blob);
}

static bool holds_copies(const struct record_rollout *rollout)
{
    return rollout->state == ROLLOUT_RUNNING || rollout->state == ROLLOUT_PAUSED;
}

/* What was let off gets what the others have. */
static void mark_let_off(struct model *model, const struct rollout *rollout)
{
    for (size_t i = 0; rollout->units && i < rollout->unit_count; i++)
        if (unit_is_global(rollout->units[i]))
            model_mark_unit(model, rollout->units[i]);
}

int model_put_rollout(struct model *model, const char *name, int64_t mod,
                      const struct record_rollout *rollout, struct error *err)
{
    autorecord(rollout) copy = { 0 };
    struct rollout *known = rollout_named(model, name);
    int r = record_rollout_copy(rollout, &copy, err);
    if (r < 0)
        return r;
    if (!known && !(known = rollout_make(model, name)))
        return error_oom(err);
    rollout_note_record(known, &copy);
    if (is_other_order(&known->record, &copy))
        rollout_forget_watches(known);
    if (holds_copies(&known->record) && !holds_copies(&copy))
        mark_let_off(model, known);
    if (holds_copies(&known->record) != holds_copies(&copy))
        askers_forget(model);
    record_rollout_done(&known->record);
    known->record = copy;
    copy = (struct record_rollout){ 0 };
    known->mod = mod;
    return 0;
}

void model_drop_rollout(struct model *model, const char *name)
{
    struct rollout *rollout = rollout_named(model, name);
    if (!rollout)
        return;
    model_free_rollout(model, rollout);
    askers_forget(model);
}
