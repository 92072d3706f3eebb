/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about the model: why, roles, metadata. They change nothing. */
#include <string.h>

#include "scheduler/match.h"
#include "scheduler/model.h"
#include "scheduler/party.h"
#include "scheduler/role_choice.h"
#include "scheduler/step.h"
#include "scheduler/succession.h"

/* --- room --- */

void model_room(const struct model *model, const char *machine, struct model_room *ret)
{
    const struct machine *m = model_machine(model, machine);
    const struct placement *p = NULL;
    *ret = (struct model_room){ .units = m ? m->load : 0 };
    if (!m)
        return;
    memcpy(ret->capacity, m->capacity, sizeof(ret->capacity));
    DL_FOREACH2(m->placements, p, machine_next)
        for (size_t i = 0; placement_occupies(p) && i < RESOURCES; i++)
            ret->promised[i] += p->key.unit->group->requests[i];
}

/* --- why --- */

bool model_is_global(const struct model *model, const char *unit)
{
    const struct unit *u = model_unit(model, unit);
    return u && unit_is_global(u);
}

void model_answers_free(struct model_answer *answers, size_t count)
{
    for (size_t i = 0; answers && i < count; i++) {
        free(answers[i].refusal);
        free(answers[i].score);
    }
    free(answers);
}

struct choice {
    struct model_answer *answer;
    struct merit merit;
};

static int compare_choices(const void *a, const void *b)
{
    return merit_compare(&((const struct choice *)a)->merit, &((const struct choice *)b)->merit);
}

static void rank_choices(struct choice *choices, size_t count)
{
    qsort(choices, count, sizeof(*choices), compare_choices);
    for (size_t i = 0; i < count; i++)
        choices[i].answer->rank = i + 1;
}

static bool is_here(const struct model *model, const struct unit *unit,
                    const struct machine *machine)
{
    const struct placement *p = model_placement(model, machine, unit);
    return p && placement_holds(p) && machine->registration > 0;
}

/* Those that would be placed with it: all of its party, if none of that is anywhere. */
static void gather_comers(struct unit *unit, struct party *ret)
{
    party_gather(unit, ret);
    for (size_t i = 0; i < ret->count; i++)
        if (unit_is_held_anywhere(ret->members[i])) {
            party_of_one(unit, ret);
            return;
        }
    if (ret->count == 0)
        party_of_one(unit, ret);
}

/* Why a unit is still where it may not be. */
static void linger_words(struct model *model, const struct unit *unit,
                         const struct machine *machine, const struct refusal *refusal,
                         struct text *words)
{
    autotext why = { 0 };
    struct party leaving;
    const struct placement *p = model_placement(model, machine, unit);
    if (!match_may_linger(model, p, refusal))
        return;
    step_party_leaving(p, &leaving);
    budget_begin(model, NULL, 0);
    if (!(succession_applies(p) ? budget_allows_beside(model, &why)
                                : budget_allows_all(model, &leaving, &why)))
        text_addf(words, "; it waits until it may leave: %s", why.data ? why.data : "");
}

static struct refusal ask(struct model *model, const struct party *comers,
                          const struct machine *machine, bool here, const struct unit **who)
{
    *who = comers->members[0];
    return here ? match(model, *who, machine, MATCH_STAY)
                : match_party(model, comers, machine, MATCH_ARRIVE, who);
}

/* The score of one that may, or why it may not. */
static int answer_for(struct model *model, const struct party *comers,
                      const struct machine *machine, struct model_answer *answer,
                      struct choice *ret_choice, struct error *err)
{
    autotext words = { 0 };
    const struct unit *who = NULL;
    bool here = is_here(model, comers->members[0], machine);
    const struct refusal refusal = ask(model, comers, machine, here, &who);
    memset(ret_choice, 0, sizeof(*ret_choice));
    if (refusal.kind == REFUSAL_NONE) {
        const struct merit merit = place_merit(model, comers->members[0], machine);
        if (comers->count > 1)
            text_addf(&words, "as a group of %zu, %s first: ", comers->count,
                      comers->members[0]->name);
        merit_words(&merit, comers->members[0], &words);
        answer->score = text_take(&words);
        if (!here)
            *ret_choice = (struct choice){ answer, merit };
        return answer->score ? 0 : error_oom(err);
    }
    match_party_words(model, comers, who, machine, &refusal, &words);
    if (here)
        linger_words(model, who, machine, &refusal, &words);
    answer->refusal = text_take(&words);
    return answer->refusal ? 0 : error_oom(err);
}

static int fill_answers(struct model *model, struct unit *unit, struct model_answer *answers,
                        size_t *count, struct error *err)
{
    struct party comers = { 0 };
    struct party_lift lift = { .count = 0 };
    autofree struct choice *choices = calloc(model->machine_count + 1, sizeof(*choices));
    size_t choice_count = 0;
    int r = choices ? 0 : error_oom(err);
    if (unit_rules(unit))
        gather_comers(unit, &comers);
    if (comers.count > 1)
        party_lift(model, &comers, &lift);
    for (size_t i = 0; r == 0 && i < model->machine_count; i++) {
        const struct machine *m = model->machines_by_id[i];
        if (!machine_is_known(m))
            continue;
        struct model_answer *answer = &answers[(*count)++];
        memcpy(answer->machine, m->id, sizeof(answer->machine));
        answer->load = m->load;
        if (unit_rules(unit))
            r = answer_for(model, &comers, m, answer, &choices[choice_count], err);
        else if (!(answer->refusal = strdup(unit_problem(unit))))
            r = error_oom(err);
        choice_count += choices[choice_count].answer != NULL;
    }
    party_set_down(model, &lift);
    if (r == 0)
        rank_choices(choices, choice_count);
    return r;
}

int model_why(struct model *model, const char *unit, struct model_answer **ret, size_t *ret_count,
              struct error *err)
{
    struct unit *u = model_unit(model, unit);
    if (!u || !u->exists)
        return error_set(err, -ENOENT, "there is no unit %s", unit);
    size_t count = 0;
    struct model_answer *answers = calloc(HASH_COUNT(model->machines) + 1, sizeof(*answers));
    int r = answers ? index_refresh(model, err) : error_oom(err);
    if (r == 0)
        r = fill_answers(model, u, answers, &count, err);
    if (r < 0) {
        model_answers_free(answers, count);
        return r;
    }
    *ret = answers;
    *ret_count = count;
    return 0;
}

/* --- roles --- */

static const char *const status_names[] = {
    [ROLE_STATUS_OK] = "ok",
    [ROLE_STATUS_SHORT] = "short",
    [ROLE_STATUS_CRITICAL] = "critical",
    [ROLE_STATUS_STOPPED] = "stopped",
    [ROLE_STATUS_EMPTY] = "empty",
    [ROLE_STATUS_OFF] = "off",
};

const char *role_status_name(enum role_status status)
{
    return status >= ROLE_STATUS_OK && status <= ROLE_STATUS_OFF ? status_names[status] : NULL;
}

void role_views_free(struct role_view *views, size_t count)
{
    for (size_t i = 0; views && i < count; i++)
        free(views[i].holders);
    free(views);
}

static enum role_status status_of(const struct role_view *view, enum role_short when_short)
{
    if (view->want == 0)
        return ROLE_STATUS_OFF;
    if (when_short == ROLE_SHORT_STOP && view->have + view->spare < view->min)
        return ROLE_STATUS_STOPPED;
    if (view->have == 0)
        return ROLE_STATUS_EMPTY;
    if (view->have < view->min)
        return ROLE_STATUS_CRITICAL;
    return view->have < view->want ? ROLE_STATUS_SHORT : ROLE_STATUS_OK;
}

/* A holder counts while it is registered: what is absent does not do the role's work. */
static int view_role(const struct model *model, const struct role *role, struct role_view *ret,
                     struct error *err)
{
    const struct slot *slot = NULL;
    size_t slots = 0;
    DL_COUNT(role->slots, slot, slots);
    memcpy(ret->role, role->name, sizeof(ret->role));
    ret->want = (unsigned int)role->def.nodes;
    ret->min = (unsigned int)role->def.min_nodes;
    ret->spare = role_count_spares(model, role);
    ret->holders = calloc(slots + 1, sizeof(*ret->holders));
    if (!ret->holders)
        return error_oom(err);
    DL_FOREACH(role->slots, slot)
        if (slot->machine->registration > 0)
            memcpy(ret->holders[ret->have++], slot->machine->id, sizeof(slot->machine->id));
    ret->status = status_of(ret, role_short_from_name(role->def.when_short));
    return 0;
}

static int compare_views(const void *a, const void *b)
{
    return strcmp(((const struct role_view *)a)->role, ((const struct role_view *)b)->role);
}

int model_roles(const struct model *model, struct role_view **ret, size_t *ret_count,
                struct error *err)
{
    size_t count = 0;
    struct role_view *views = calloc(HASH_COUNT(model->roles) + 1, sizeof(*views));
    int r = views ? model_sort_machines((struct model *)model, err) : error_oom(err);
    for (const struct role *role = model->roles; r == 0 && role; role = role->hh.next)
        if (role->defined)
            r = view_role(model, role, &views[count++], err);
    if (r < 0) {
        role_views_free(views, count);
        return r;
    }
    qsort(views, count, sizeof(*views), compare_views);
    *ret = views;
    *ret_count = count;
    return 0;
}

/* --- metadata --- */

static int set_role(const struct role *role, const struct machine *machine,
                    struct metadata_rule **rules, size_t *count, struct error *err)
{
    const char *word = machine_role_word(role, machine);
    if (!word)
        return 0;
    autofree char *key = text_format("role.%s", role->name);
    return key ? metadata_set(rules, count, key, word, err) : error_oom(err);
}

int model_effective_metadata(const struct model *model, const char *machine,
                             struct metadata_rule **ret, size_t *ret_count, struct error *err)
{
    struct metadata_rule *rules = NULL;
    size_t count = 0;
    int r = 0;
    const struct machine *m = model_machine(model, machine);
    if (!m)
        return error_set(err, -ENOENT, "there is no machine %s", machine);
    for (size_t i = 0; r == 0 && i < m->member.metadata_count; i++)
        r = metadata_set(&rules, &count, m->member.metadata[i].key, m->member.metadata[i].value,
                         err);
    /* A machine that is absent neither does a role's work nor stands by for it. */
    for (const struct role *role = m->registration > 0 ? model->roles : NULL; r == 0 && role;
         role = role->hh.next)
        r = set_role(role, m, &rules, &count, err);
    if (r < 0) {
        metadata_free(rules, count);
        return r;
    }
    metadata_sort(rules, count);
    *ret = rules;
    *ret_count = count;
    return 0;
}
