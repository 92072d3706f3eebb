/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/place.h"

enum { REFUSALS_SHOWN = 8 };

static size_t load_of(const struct machine *machine)
{
    return machine->load + machine->planned;
}

struct place place_find(const struct model *model, const struct unit *unit)
{
    struct place best = { 0 };
    for (size_t i = 0; i < model->machine_count; i++) {
        struct machine *m = model->machines_by_id[i];
        if (match(model, unit, m, MATCH_ARRIVE).kind != REFUSAL_NONE)
            continue;
        best.eligible++;
        if (!best.machine || load_of(m) < load_of(best.machine))
            best.machine = m;
    }
    best.load = best.machine ? load_of(best.machine) : 0;
    return best;
}

void place_words(const struct place *place, struct text *words)
{
    const char *plural = place->load == 1 ? "" : "s";
    if (place->eligible == 1)
        text_addf(words, "the only eligible machine (%zu unit%s)", place->load, plural);
    else
        text_addf(words, "least loaded of %zu eligible machines (%zu unit%s)", place->eligible,
                  place->load, plural);
}

/* A machine that left for good and holds nothing is not worth a word. */
static bool is_worth_a_word(const struct machine *machine)
{
    return machine->is_member || machine->registration > 0;
}

static void one_refusal(const struct model *model, const struct unit *unit,
                        const struct machine *machine, struct text *words)
{
    const struct refusal refusal = match(model, unit, machine, MATCH_ARRIVE);
    machine_words(machine, words);
    text_add(words, ": ");
    refusal_words(model, unit, machine, &refusal, words);
}

/* A peer that is nowhere is the same answer on every machine: one sentence says it. */
static const char *missing_peer(const struct model *model, const struct unit *unit)
{
    const char *peer = NULL;
    for (size_t i = 0; i < model->machine_count; i++) {
        const struct refusal refusal = match(model, unit, model->machines_by_id[i], MATCH_ARRIVE);
        if (refusal.kind == REFUSAL_PEER_UNASSIGNED)
            peer = refusal.subject;
    }
    return peer;
}

void place_refusals(const struct model *model, const struct unit *unit, struct text *words)
{
    const char *peer = missing_peer(model, unit);
    size_t said = 0;
    size_t unsaid = 0;
    if (peer) {
        text_addf(words, "waits for %s, which is on no machine", peer);
        return;
    }
    for (size_t i = 0; i < model->machine_count; i++) {
        if (!is_worth_a_word(model->machines_by_id[i]))
            continue;
        if (said == REFUSALS_SHOWN) {
            unsaid++;
            continue;
        }
        text_add(words, said++ == 0 ? "no machine may run it: " : "; ");
        one_refusal(model, unit, model->machines_by_id[i], words);
    }
    if (unsaid > 0)
        text_addf(words, "; and %zu more", unsaid);
    if (said == 0)
        text_add(words, "no machine may run it: the cluster has no machines");
}
