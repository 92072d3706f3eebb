/* SPDX-License-Identifier: Apache-2.0 */
/* What the leader has said of units, which may reserve machines: facts in, marks on what they
 * touch. */
#include <errno.h>
#include <string.h>

#include "scheduler/askers.h"
#include "scheduler/model.h"
#include "scheduler/model_data.h"

static void note_verdict(struct model *model, struct unit *unit)
{
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        p->key.machine->drain_rests = false;
    model_mark_unit(model, unit);
    asker_forget(model, unit);
}

/* Of two for which one machine is reserved, which no leader does, the first by name has it. */
static int note_reserved(struct model *model, struct unit *unit, const char *id, struct error *err)
{
    bool is_any = id && *id;
    struct machine *machine = is_any ? model_machine_get(model, id, err) : NULL;
    struct machine *before = unit->trouble->kept;
    if (is_any && !machine)
        return -ENOMEM;
    if (before && before->is_reserved && before != machine)
        model_let_go(model, before);
    if (!machine || (machine->kept_for && machine->is_reserved &&
                     strcmp(machine->kept_for->name, unit->name) <= 0))
        return 0;
    return model_keep(model, machine, unit, PRIORITY_UNKNOWN, true) ? 0 : error_oom(err);
}

int model_put_verdict(struct model *model, const char *name, int64_t mod,
                      const struct record_verdict *verdict, struct error *err)
{
    struct unit *u = model_unit_get(model, name, err);
    struct trouble *trouble = u ? model_trouble_get(u) : NULL;
    autofree char *tried = trouble ? strdup(verdict->tried ? verdict->tried : "") : NULL;
    char *reason = tried ? strdup(verdict->reason) : NULL;
    if (!reason)
        return error_oom(err);
    free(trouble->verdict_reason);
    trouble->verdict_reason = reason;
    trouble->verdict_mod = mod;
    trouble->verdict_unit_revision = verdict->unit_revision;
    trouble->verdict_kind = verdict_kind_from_name(verdict->kind);
    trouble->attempts = verdict->attempts;
    free(trouble->tried);
    trouble->tried = take_ptr(tried);
    trouble->asked_since_ms = 0;
    trouble->says_reserved = verdict->reserved && *verdict->reserved;
    note_verdict(model, u);
    return note_reserved(model, u, verdict->reserved, err);
}

void model_drop_verdict(struct model *model, const char *name)
{
    struct unit *u = model_unit(model, name);
    const struct placement *p = NULL;
    if (!u)
        return;
    LL_FOREACH2(u->placements, p, unit_next)
        rebalance_note(model, p->key.machine); /* it may go now */
    if (u->trouble) {
        u->trouble->verdict_mod = 0;
        u->trouble->says_reserved = false;
        free(take_ptr(u->trouble->tried));
        free(take_ptr(u->trouble->verdict_reason));
        if (u->trouble->kept && u->trouble->kept->is_reserved)
            model_let_go(model, u->trouble->kept);
        model_trouble_trim(u);
    }
    note_verdict(model, u);
}
