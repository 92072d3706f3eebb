/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/refusals.h"

#include "scheduler/match.h"

/* --- which machines --- */

void refusals_begin(struct model *model)
{
    struct told *told = &model->told;
    if (!told->is_stale)
        return;
    *told = (struct told){ .changes = told->changes + 1 };
    for (size_t i = 0; i < model->machine_count; i++) {
        struct machine *m = model->machines_by_id[i];
        m->is_told = machine_is_known(m) && told->count < REFUSALS_TOLD;
        if (m->is_told)
            told->machines[told->count++] = m;
        else
            told->others += machine_is_known(m);
    }
}

/* --- words --- */

static void one_refusal(struct model *model, const struct party *party,
                        const struct machine *machine, struct text *words)
{
    const struct unit *unit = NULL;
    const struct refusal refusal = match_party(model, party, machine, MATCH_ARRIVE, &unit);
    model->effort.worded++;
    machine_words(machine, words);
    text_add(words, ": ");
    match_party_words(model, party, unit, machine, &refusal, words);
}

void refusals_peer_words(const struct unit *peer, struct text *words)
{
    text_addf(words, "waits for %s, which is on no machine", peer->name);
}

/* What is the same answer on every machine: one sentence says it. */
static bool hopeless_words(const struct party *party, struct text *words)
{
    const struct unit *a = NULL;
    const struct unit *b = NULL;
    for (size_t i = 0; i < party->count; i++)
        for (size_t f = 0; f < unit_follow_count(party->members[i]); f++) {
            const struct unit *peer = party->members[i]->follows->links[f].peer;
            if (party_has(party, peer) || unit_is_held_anywhere(peer))
                continue;
            refusals_peer_words(peer, words);
            return true;
        }
    if (!party_clash(party, &a, &b))
        return false;
    text_addf(words, "no machine may run it: %s and %s of its group cannot be on one machine",
              a->name, b->name);
    return true;
}

void refusals_words(struct model *model, const struct party *party, struct text *words)
{
    const struct told *told = &model->told;
    if (hopeless_words(party, words))
        return;
    for (size_t i = 0; i < told->count; i++) {
        text_add(words, i == 0 ? "no machine may run it: " : "; ");
        one_refusal(model, party, told->machines[i], words);
    }
    if (told->others > 0)
        text_addf(words, "; and %zu more", told->others);
    if (told->count == 0)
        text_add(words, "no machine may run it: the cluster has no machines");
}

/* --- what is told already --- */

/* Nobody else has a say in what is told of it. */
static bool is_alone(const struct unit *unit)
{
    return !unit->follows && !unit->trouble->kept && !unit->trouble->says_reserved;
}

/* What is kept depends on whom it is kept for, which may be anywhere. */
static bool is_any_kept(const struct model *model)
{
    for (size_t i = 0; i < model->told.count; i++)
        if (model->told.machines[i]->kept_for)
            return true;
    return false;
}

bool refusals_are_told(const struct model *model, const struct unit *unit,
                       const struct machine *lost)
{
    const struct trouble *trouble = unit->trouble;
    return unit_verdict_holds(unit) && trouble->told_mod == trouble->verdict_mod &&
           trouble->told_at == model->told.changes && trouble->told_lost == lost &&
           is_alone(unit) && !is_any_kept(model);
}

void refusals_note_told(const struct model *model, const struct unit *unit,
                        const struct machine *lost, const char *reason)
{
    struct trouble *trouble = unit->trouble;
    if (!reason || !unit_verdict_holds(unit) || !text_equal(trouble->verdict_reason, reason))
        return;
    trouble->told_mod = trouble->verdict_mod;
    trouble->told_at = model->told.changes;
    trouble->told_lost = lost;
}
