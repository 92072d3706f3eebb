/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/sim/sched.h"

#include "scheduler/index.h"
#include "scheduler/model_data.h"
#include "tests/unit/contact.h"

/* Who was told more than there is now knows more: what a destroyed unit asks for that still runs or
 * is told of, and that a role without holders has had some. */
static bool tells_more(struct sim *sim)
{
    char holders[MACHINES_MAX + 1];
    bool more = sim_count_holders(sim, holders) == 0;
    for (size_t i = 0; i < UNITS; i++)
        more = more || ((sim_homes_of(sim, sim_sorts[i].name, holders) > 0 ||
                         sim_findf(sim, "verdicts/%s", sim_sorts[i].name)) &&
                        !sim_findf(sim, "units/%s", sim_sorts[i].name));
    return more;
}

static struct model *told_all(struct sim *sim)
{
    struct model *model = NULL;
    assert_int_equal(model_new(&model, NULL), 0);
    for (size_t i = 0; i < sim->event_count; i++) {
        const struct event *e = &sim->events[i];
        feed(model, e->key, e->create, e->mod, e->value, sim->now_ms);
        assert_int_equal(index_refresh(model, NULL), 0); /* kept from then on, not built at last */
    }
    model_touch_all(model);
    return model;
}

static struct model *told_what_is(struct sim *sim)
{
    struct model *model = NULL;
    size_t start = sim_dice(sim, KEYS_MAX);
    assert_int_equal(model_new(&model, NULL), 0);
    for (size_t i = 0; i < KEYS_MAX; i++) {
        const struct entry *e = &sim->store[(start + i * 5) % KEYS_MAX];
        if (e->value)
            feed(model, e->key, e->create, e->mod, e->value, sim->now_ms);
    }
    model_touch_all(model);
    return model;
}

static char *plan_words(const struct plan *plan)
{
    autotext words = { 0 };
    print_plan(plan, &words);
    text_addf(&words, "wakes at %lld\n", (long long)plan->wake_ms);
    return text_take(&words);
}

void sim_check_forgetful(struct sim *sim, const struct plan *plan)
{
    autoptr(plan) anew = NULL;
    const struct plan_clock clock = { sim->now_ms, &contact_always, sim->now_ms };
    model_look_anew(sim->forgetful);
    assert_int_equal(plan_step(sim->forgetful, &clock, &anew, NULL), 0);
    autofree char *one = plan_words(plan);
    autofree char *other = plan_words(anew);
    if (strcmp(one, other) != 0)
        text_addf(&sim->story, "as noted:\n%sanew:\n%s", one, other);
    sim_require(sim, strcmp(one, other) == 0, "what was noted makes a plan differ", "");
}

static char *plan_at(struct model *model, int64_t now_ms)
{
    autoptr(plan) plan = NULL;
    autotext words = { 0 };
    const struct plan_clock clock = { now_ms, &contact_always, now_ms };
    assert_int_equal(plan_step(model, &clock, &plan, NULL), 0);
    print_plan(plan, &words);
    return text_take(&words);
}

void sim_check_twins(struct sim *sim)
{
    enum { TIMES = 3 };
    static const int64_t later_ms[TIMES] = { 0, 300, 70000 };
    if (tells_more(sim))
        return;
    autoptr(model) all = told_all(sim);
    autoptr(model) outcome = told_what_is(sim);
    for (size_t i = 0; i < TIMES; i++) {
        autofree char *one = plan_at(all, sim->now_ms + later_ms[i]);
        autofree char *other = plan_at(outcome, sim->now_ms + later_ms[i]);
        if (strcmp(one, other) != 0)
            text_addf(&sim->story, "told all:\n%stold the outcome:\n%s", one, other);
        sim_require(sim, strcmp(one, other) == 0, "how facts are told makes a plan differ", "");
    }
}
