/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/failing.h"

#include <string.h>

#include "scheduler/failures.h"
#include "scheduler/party.h"
#include "scheduler/succession.h"

int64_t failing_wait_ms(int64_t attempts)
{
    int64_t wait_ms = FAILING_WAIT_MS;
    for (int64_t i = 1; i < attempts && wait_ms < FAILING_WAIT_MAX_MS; i++)
        wait_ms *= 2;
    return wait_ms < FAILING_WAIT_MAX_MS ? wait_ms : FAILING_WAIT_MAX_MS;
}

/* --- what the verdict says --- */

bool unit_is_failing(const struct unit *unit)
{
    return unit_verdict_holds(unit) && (unit->trouble->verdict_kind == VERDICT_FAILING ||
                                        unit->trouble->verdict_kind == VERDICT_FAILED);
}

/* The ids of the machines that its verdict counts, or NULL. */
static const char *tried_of(const struct unit *unit)
{
    return unit_is_failing(unit) || unit_moves_in_vain(unit) ? unit->trouble->tried : NULL;
}

bool unit_has_tried(const struct unit *unit, const struct machine *machine)
{
    const char *tried = tried_of(unit);
    return tried && strstr(tried, machine->id) != NULL;
}

/* Says its verdict. */
static bool failed_on(const struct unit *unit, const struct machine *machine)
{
    return unit_is_failing(unit) && unit_has_tried(unit, machine);
}

static int64_t attempts_of(const struct unit *unit)
{
    return unit_is_failing(unit) ? unit->trouble->attempts : 0;
}

/* --- where else --- */

/* The machines where it failed, and here. */
struct tried {
    struct machine *list[FAILING_MACHINES + 1];
    size_t count;
};

_Static_assert((int)FAILING_MACHINES >= (int)SUCCESSION_MACHINES,
               "whoever has tried has room in it");

static void add_tried(struct tried *tried, struct machine *machine)
{
    if (machine && tried->count < sizeof(tried->list) / sizeof(tried->list[0]))
        tried->list[tried->count++] = machine;
}

static struct tried list_tried(const struct model *model, const struct unit *unit,
                               struct machine *here)
{
    struct tried tried = { .list = { here }, .count = 1 };
    const char *id = tried_of(unit);
    while (id && *id) {
        char name[sizeof(here->id)] = "";
        size_t length = strcspn(id, ",");
        if (length < sizeof(name))
            memcpy(name, id, length);
        add_tried(&tried, model_machine(model, name));
        id += length + strspn(id + length, ",");
    }
    return tried;
}

static struct place find_untried(const struct step *step, const struct party *party,
                                 struct machine *here)
{
    const struct tried tried = list_tried(step->model, party->members[0], here);
    return place_find_party_but(step->model, party, tried.list, tried.count);
}

/* Before it is released: all of its party there come along. */
static struct machine *find_next(struct step *step, const struct placement *p,
                                 const struct party *here)
{
    struct party_lift lift;
    if (here->count == 1)
        return find_untried(step, here, p->key.machine).machine;
    party_lift(step->model, here, &lift);
    struct machine *next = find_untried(step, here, p->key.machine).machine;
    party_set_down(step->model, &lift);
    return next;
}

/* --- verdicts --- */

static char *tried_with(const struct unit *unit, const struct machine *machine,
                        enum verdict_kind kind)
{
    bool goes_on = kind == VERDICT_MOVING ? unit_moves_in_vain(unit) : unit_is_failing(unit);
    const char *before = goes_on && unit->trouble->tried ? unit->trouble->tried : "";
    if (strstr(before, machine->id))
        return text_format("%s", before);
    return text_format("%s%s%s", before, *before ? "," : "", machine->id);
}

void step_give_tried(struct step *step, const struct placement *p, enum verdict_kind kind,
                     int64_t attempts, char *reason)
{
    struct unit *unit = p->key.unit;
    char *tried = tried_with(unit, p->key.machine, kind);
    struct action *action = step_action(step, ACTION_VERDICT, unit, NULL, reason);
    if (!action || !tried) {
        step->failed = true;
        free(tried);
        return;
    }
    action->verdict = kind;
    action->more->attempts = attempts;
    action->more->tried = tried;
    action->unit_revision = unit->mod;
    action->more->unit_mod = unit->mod;
    action->more->verdict_mod = unit_verdict_mod(unit);
}

static void failure_words(const struct step *step, const struct placement *p, struct text *words)
{
    text_add(words, "failed on ");
    machine_words(p->key.machine, words);
    text_addf(words, ": %s", failure_of(step->model, p));
}

static void note_failure(struct step *step, const struct placement *p)
{
    autotext reason = { 0 };
    int64_t attempts = attempts_of(p->key.unit) + 1;
    failure_words(step, p, &reason);
    text_addf(&reason, "; another machine tries it in %lld s",
              (long long)(failing_wait_ms(attempts) / 1000));
    step_give_tried(step, p, VERDICT_FAILING, attempts, text_take(&reason));
}

static void leave_failed(struct step *step, const struct placement *p, int64_t attempts,
                         const char *why)
{
    autotext reason = { 0 };
    if (unit_is_failing(p->key.unit) && p->key.unit->trouble->verdict_kind == VERDICT_FAILED)
        return;
    failure_words(step, p, &reason);
    text_addf(&reason, "; %s: it is left as it is until it is started again", why);
    step_give_tried(step, p, VERDICT_FAILED, attempts, text_take(&reason));
}

/* --- what to do --- */

/* It is known what comes next, and only the wait is left. */
static bool waits(struct step *step, const struct placement *p)
{
    struct unit *unit = p->key.unit;
    return failed_on(unit, p->key.machine) && unit->trouble->verdict_kind == VERDICT_FAILING &&
           !step_has_waited(step, unit, failing_wait_ms(attempts_of(unit)));
}

/* Machines are asked once now, and once when the time has come. */
static void go_on(struct step *step, struct placement *p, const struct party *here)
{
    struct unit *unit = p->key.unit;
    int64_t attempts = attempts_of(unit);
    bool is_noted = failed_on(unit, p->key.machine);
    struct machine *next = find_next(step, p, here);
    if (unit->trouble)
        unit->trouble->lacks_machine = !next;
    if (!next)
        leave_failed(step, p, attempts + !is_noted, "no other machine may run it");
    else if (!is_noted)
        note_failure(step, p);
    else if (step_has_waited(step, unit, failing_wait_ms(attempts)))
        step_release_party(step, p, MOVE_CAUSE_FAILING, unit->trouble->verdict_reason);
}

/* Its turn here is over: the next machine, if there is one. */
static void decide_failed(struct step *step, struct placement *p)
{
    struct unit *unit = p->key.unit;
    struct party here;
    step_party_here(p, &here);
    int64_t attempts = attempts_of(unit) + !failed_on(unit, p->key.machine);
    if (attempts >= FAILING_MACHINES) {
        leave_failed(step, p, attempts, "enough machines have tried");
    } else if (here.members[0] != unit) {
        autofree char *why = text_format("it goes where %s goes", here.members[0]->name);
        leave_failed(step, p, attempts, why ? why : "");
    } else if (!waits(step, p)) {
        go_on(step, p, &here);
    }
}

/* --- whose fault it was --- */

static bool is_suspect(const struct machine *machine, int64_t now_ms)
{
    for (size_t i = 0; i < STRIKES; i++)
        if (machine->strikes[i].at_ms == 0 ||
            now_ms - machine->strikes[i].at_ms > SUSPECT_WITHIN_MS)
            return false;
    return true;
}

/* One template counts once. */
static void strike(struct step *step, struct machine *machine, const struct unit *unit)
{
    const struct family *family = unit->group->family;
    for (size_t i = 0; i < STRIKES; i++)
        if (machine->strikes[i].at_ms > 0 && machine->strikes[i].family == family)
            return;
    memmove(&machine->strikes[0], &machine->strikes[1],
            (STRIKES - 1) * sizeof(machine->strikes[0]));
    machine->strikes[STRIKES - 1] = (struct strike){ family, step->clock->now_ms };
    if (machine->cordoned || !is_suspect(machine, step->clock->now_ms))
        return;
    struct action *action = step_action(
        step, ACTION_CORDON, NULL, machine,
        text_format("suspect: %d different units failed here within ten minutes and run elsewhere, "
                    "%s the last of them",
                    STRIKES, unit->name));
    if (action)
        action->more->op_mod = 0;
    memset(machine->strikes, 0, sizeof(machine->strikes)); /* after uncordon it begins anew */
}

static void strike_all(struct step *step, const struct unit *unit, struct machine *here)
{
    const struct tried tried = list_tried(step->model, unit, here);
    for (size_t i = 0; i < tried.count; i++)
        if (tried.list[i] != here)
            strike(step, tried.list[i], unit);
}

/* It runs where it was moved to. The verdict stays for a while: should it fail again, it counts. */
static bool decide_up(struct step *step, struct placement *p)
{
    struct unit *unit = p->key.unit;
    if (!unit_is_failing(unit))
        return false;
    if (!step_has_waited(step, unit, FAILING_FORGIVEN_MS))
        return true;
    strike_all(step, unit, p->key.machine);
    return false;
}

bool step_failing(struct step *step, struct placement *p)
{
    struct unit *unit = p->key.unit;
    if (p->touched || p->want != WANT_RUN || p->answered_revision != p->assignment_mod ||
        p->state_registration != p->key.machine->registration)
        return unit_is_failing(unit);
    if (unit->trouble)
        unit->trouble->lacks_machine = false;
    if (p->health == COPY_UP)
        return decide_up(step, p);
    if (p->health != COPY_FAILED)
        return unit_is_failing(unit);
    if (unit_rules(unit)->ends)
        return false;
    decide_failed(step, p);
    return true;
}

struct place failing_place(const struct step *step, const struct party *party, struct machine *from)
{
    return find_untried(step, party, from);
}

struct place failing_place_alone(const struct step *step, const struct placement *p)
{
    struct party party;
    party_of_one(p->key.unit, &party);
    return failing_place(step, &party, p->key.machine);
}

bool failing_goes_on(const struct placement *p)
{
    struct party party;
    if (failed_on(p->key.unit, p->key.machine))
        return true;
    party_gather(p->key.unit, &party);
    return party.count > 0 && failed_on(party.members[0], p->key.machine);
}
