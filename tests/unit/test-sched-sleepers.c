/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units that wait, of which one looks for many. Whatever happens, by lots drawn from a seed, a
 * second leader wakes all of them before each plan, and plans the same.
 */
#include "scheduler/sleepers.h"

#include <string.h>

#include "base/chance.h"
#include "base/text.h"
#include "scheduler/match.h"
#include "scheduler/plan.h"
#include "tests/unit/contact.h"
#include "tests/unit/harness.h"
#include "tests/unit/sched_feed.h"

enum { MACHINES = 16, EACH = 9, SEEDS = 100, STEPS = 30 };

/* --- two leaders who are told the same --- */

struct pair {
    struct model *noting, *waking;
    uint64_t chance;
    int64_t revision, now_ms;
    size_t turns_noting, turns_waking; /* of all steps */
    size_t asleep;                     /* of all plans: who slept before it */
    size_t lucky_steps;                /* where some slept, and several of a family got a place */
    struct text story;
};

static uint32_t dice(struct pair *pair, uint32_t sides)
{
    return (uint32_t)chance_below(&pair->chance, sides);
}

/* Of units alone it counts when they were made. */
static int64_t create_of(const struct pair *pair, const char *key)
{
    const struct unit *unit = strncmp(key, "units/", strlen("units/")) == 0
                                  ? model_unit(pair->noting, key + strlen("units/"))
                                  : NULL;
    return unit && unit->exists ? unit->create : pair->revision;
}

/* json "": it is deleted. */
static void tell(struct pair *pair, const char *json, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void tell(struct pair *pair, const char *json, const char *format, ...)
{
    struct model *const models[] = { pair->noting, pair->waking };
    char key[128];
    autojson value = NULL;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(key, sizeof(key), format, args);
    va_end(args);
    if (*json)
        assert_int_equal(json_read(json, strlen(json), &value, NULL), 0);
    pair->revision++;
    text_addf(&pair->story, "%s %s\n", key, json);
    const int64_t create = create_of(pair, key);
    for (size_t i = 0; i < 2; i++)
        feed(models[i], key, create, pair->revision, value ? value : json_null(), pair->now_ms);
}

/* --- what there is --- */

struct sort {
    const char *family, *rules;
};

static const struct sort sorts[] = {
    {"replaces",     "{\"replaces\":[\"old@*\"],\"conflicts\":[\"old@*\"]}"            },
    { "makes-leave", "{\"replaces\":[\"old@*\"],\"metadata\":[\"zone=x\"]}"            },
    { "zoned",       "{\"metadata\":[\"zone=x\"],\"max_per_machine\":1}"               },
    { "prior",       "{\"metadata\":[\"zone=x\"],\"max_per_machine\":1,\"priority\":5}"},
    { "shy",         "{\"conflicts\":[\"zoned@*\",\"old@*\"]}"                         },
    { "port",        "{\"ports\":[\"80\"]}"                                            },
    { "large",       "{\"memory\":60}"                                                 },
    { "named",       "{\"conflicts\":[\"port@2.service\",\"replaces@1.service\"]}"     },
    { "old",         "{}"                                                              },
};
enum { SORTS = sizeof(sorts) / sizeof(sorts[0]), OLD = SORTS - 1 };

static void put_unit(struct pair *pair, uint32_t sort, uint32_t i, const char *desired)
{
    autofree char *unit = text_format("{\"blob\":\"b\",\"desired\":\"%s\",\"x-fleet\":%s}", desired,
                                      sorts[sort].rules);
    tell(pair, unit, "units/%s@%u.service", sorts[sort].family, i);
}

/* Nobody may stop it. */
static void put_unreadable(struct pair *pair, uint32_t i)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "old@%u.service", i);
    tell(pair, "{\"blob\":\"b\",\"desired\":\"launched\",\"problem\":\"unreadable\"}", "units/%s",
         name);
    const struct unit *unit = model_unit(pair->noting, name);
    if (unit->placements)
        return;
    autofree char *assignment =
        text_format("{\"blob\":\"b\",\"want\":\"run\",\"unit_revision\":%lld,\"epoch\":1}",
                    (long long)unit->mod);
    tell(pair, assignment, "nodes/%032u/units/%s", i % MACHINES, name);
}

static void put_metadata(struct pair *pair, uint32_t machine, const char *metadata)
{
    autofree char *member = text_format(
        "{\"name\":\"n\",\"ttl_ms\":1000,\"memory_bytes\":100,\"metadata\":%s}", metadata);
    tell(pair, member, "members/%032u", machine);
}

static void put_machine(struct pair *pair, uint32_t machine, const char *zone)
{
    autofree char *metadata = text_format("{\"zone\":\"%s\"}", zone);
    put_metadata(pair, machine, metadata);
}

static void begin(struct pair *pair, uint64_t seed, uint32_t machines)
{
    *pair = (struct pair){ .now_ms = 1000, .chance = seed };
    assert_int_equal(model_new(&pair->noting, NULL), 0);
    assert_int_equal(model_new(&pair->waking, NULL), 0);
    for (uint32_t i = 0; i < machines; i++) {
        put_machine(pair, i, "y");
        tell(pair, "{\"nonce\":\"n\",\"ready\":true}", "nodes/%032u/presence", i);
    }
}

static void fill(struct pair *pair)
{
    for (uint32_t i = 0; i < MACHINES; i++)
        put_unreadable(pair, i);
    for (uint32_t sort = 0; sort < OLD; sort++)
        for (uint32_t i = 0; i < EACH; i++)
            put_unit(pair, sort, i, "launched");
}

static void end(struct pair *pair)
{
    model_free(pair->noting);
    model_free(pair->waking);
    text_done(&pair->story);
}

/* --- what happens --- */

static void change_unit(struct pair *pair, uint32_t sort, uint32_t i)
{
    static const char *const wishes[] = { "launched", "launched", "inactive", "loaded" };
    if (sort == OLD)
        put_unreadable(pair, i);
    else if (dice(pair, 6) == 0)
        tell(pair, "", "units/%s@%u.service", sorts[sort].family, i);
    else
        put_unit(pair, sort, i, wishes[dice(pair, 4)]);
}

static void free_machine(struct pair *pair, uint32_t i)
{
    tell(pair, "", "units/old@%u.service", i);
    tell(pair, "", "nodes/%032u/units/old@%u.service", i % MACHINES, i);
}

static void disturb(struct pair *pair)
{
    /* Verdicts speak of the first ones. */
    uint32_t machine =
        dice(pair, 8) ? REFUSALS_TOLD + dice(pair, MACHINES - REFUSALS_TOLD) : dice(pair, MACHINES);
    switch (dice(pair, 8)) {
    case 0:
        change_unit(pair, dice(pair, SORTS), dice(pair, EACH));
        return;
    case 1:
    case 2:
        for (uint32_t i = machine; i < MACHINES && i < machine + 3; i++)
            put_machine(pair, i, dice(pair, 3) ? "y" : "x");
        return;
    case 3:
    case 4:
        free_machine(pair, machine);
        return;
    case 5:
        put_unreadable(pair, machine);
        return;
    case 6:
        tell(pair, dice(pair, 3) ? "" : "{}", "cordons/%032u", machine);
        return;
    default:
        pair->now_ms += dice(pair, 2) ? 100 : 20000;
        return;
    }
}

/* --- what is done of a plan --- */

static void stop_released(struct pair *pair, const struct placement *p)
{
    autofree char *state = text_format(
        "{\"registration\":%lld,\"assignment_revision\":%lld,\"released_revision\":%lld}",
        (long long)p->key.machine->registration, (long long)p->assignment_mod,
        (long long)p->assignment_mod);
    tell(pair, state, "states/%s/%s", p->key.machine->id, p->key.unit->name);
}

static void write_assignment(struct pair *pair, const struct action *action)
{
    autofree char *assignment = text_format(
        "{\"blob\":\"b\",\"want\":\"%s\",\"cause\":\"%s\",\"unit_revision\":%lld,\"epoch\":1}",
        want_name(action->want), move_cause_name(action->cause), (long long)action->unit_revision);
    tell(pair, assignment, "nodes/%s/units/%s", action->machine, action->unit);
}

static void write_verdict(struct pair *pair, const struct action *action)
{
    autofree char *reason = action_reason(action);
    autofree char *verdict = text_format(
        "{\"kind\":\"%s\",\"reason\":\"%s\",\"unit_revision\":%lld,\"reserved\":\"%s\"}",
        verdict_kind_name(action->verdict), reason, (long long)action->unit_revision,
        action->machine ? action->machine : "");
    tell(pair, verdict, "verdicts/%s", action->unit);
}

static void drop(struct pair *pair, const char *machine, const char *unit)
{
    tell(pair, "", "nodes/%s/units/%s", machine, unit);
    tell(pair, "", "states/%s/%s", machine, unit);
}

static void perform(struct pair *pair, const struct action *action)
{
    if (action->kind == ACTION_MOVE)
        drop(pair, action_more(action)->from_machine, action->unit);
    if (action->kind == ACTION_MOVE || action->kind == ACTION_ASSIGN)
        write_assignment(pair, action);
    else if (action->kind == ACTION_VERDICT)
        write_verdict(pair, action);
    else if (action->kind == ACTION_CLEAR_VERDICT)
        tell(pair, "", "verdicts/%s", action->unit);
    else if (action->kind == ACTION_DROP)
        drop(pair, action->machine, action->unit);
}

static bool is_of_family(const struct action *action, const char *family)
{
    return action->kind == ACTION_ASSIGN && action->want == WANT_RUN &&
           strncmp(action->unit, family, strlen(family)) == 0;
}

static bool are_several_placed(const struct plan *plan, const char *family)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        count += is_of_family(&plan->actions[i], family);
    return count > 1;
}

static char *words_of(const struct plan *plan)
{
    autotext words = { 0 };
    print_plan(plan, &words);
    return text_take(&words);
}

/* Each action is written, but for one in refused. */
static void step(struct pair *pair, uint32_t refused)
{
    autoptr(plan) noted = NULL;
    autoptr(plan) woken = NULL;
    const struct plan_clock clock = { pair->now_ms, &contact_always, pair->now_ms };
    const size_t slept = pair->noting->sleep.count;
    pair->asleep += slept;
    model_look_anew(pair->waking);
    assert_int_equal(plan_step(pair->noting, &clock, &noted, NULL), 0);
    assert_int_equal(plan_step(pair->waking, &clock, &woken, NULL), 0);
    autofree char *one = words_of(noted);
    autofree char *other = words_of(woken);
    if (strcmp(one, other) != 0)
        print_error("%sthe one who lets them sleep:\n%sthe other:\n%s", pair->story.data, one,
                    other);
    assert_string_equal(one, other);
    text_addf(&pair->story, "--- %lld: %s", (long long)pair->now_ms, one);
    pair->turns_noting += pair->noting->effort.turns;
    pair->turns_waking += pair->waking->effort.turns;
    for (size_t i = 0; i < OLD; i++)
        pair->lucky_steps += slept > 0 && are_several_placed(noted, sorts[i].family);
    for (size_t i = 0; i < noted->count; i++)
        if (refused == 0 || dice(pair, refused) > 0)
            perform(pair, &noted->actions[i]);
}

static void stop_some(struct pair *pair)
{
    for (uint32_t i = 0; i < MACHINES; i++) {
        char id[33];
        (void)snprintf(id, sizeof(id), "%032u", i);
        const struct machine *machine = model_machine(pair->noting, id);
        const struct placement *p = NULL;
        struct placement *released = NULL;
        DL_FOREACH2(machine->placements, p, machine_next)
            if (p->want == WANT_RELEASE && p->released_revision != p->assignment_mod)
                released = model_placement(pair->noting, machine, p->key.unit);
        if (released)
            stop_released(pair, released);
    }
}

static void run(struct pair *pair, uint64_t seed)
{
    begin(pair, seed, MACHINES);
    fill(pair);
    for (size_t i = 0; i < STEPS; i++) {
        for (uint32_t left = dice(pair, 4); left > 0; left--)
            disturb(pair);
        if (dice(pair, 2))
            stop_some(pair);
        step(pair, 8);
    }
}

static void who_sleeps_gets_what_it_would_have_got_awake(void **state)
{
    size_t turns_noting = 0;
    size_t turns_waking = 0;
    size_t asleep = 0;
    size_t lucky_steps = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct pair pair;
        run(&pair, seed);
        turns_noting += pair.turns_noting;
        turns_waking += pair.turns_waking;
        asleep += pair.asleep;
        lucky_steps += pair.lucky_steps;
        end(&pair);
    }
    /* Or nothing was tried. */
    assert_true(turns_noting < turns_waking);
    assert_true(asleep > (size_t)5 * SEEDS * STEPS);
    assert_true(lucky_steps > SEEDS);
}

/* --- what happens within a step --- */

static void put(struct pair *pair, const char *name, const char *desired, const char *rules)
{
    autofree char *unit =
        text_format("{\"blob\":\"b\",\"desired\":\"%s\",\"x-fleet\":%s}", desired, rules);
    tell(pair, unit, "units/%s", name);
}

static void launch(struct pair *pair, const char *name, const char *rules)
{
    put(pair, name, "launched", rules);
}

/* From the second to the last of those that are alike. */
static void launch_others(struct pair *pair, const char *family, const char *rules)
{
    for (uint32_t i = 1; i < EACH; i++) {
        autofree char *name = text_format("%s@%u.service", family, i);
        launch(pair, name, rules);
    }
}

/* Until all is written, and nothing is to be said any more. */
static void settle(struct pair *pair)
{
    for (int i = 0; i < 5; i++)
        step(pair, 0);
}

static const char *verdict_on(const struct pair *pair, const char *unit)
{
    return model_unit(pair->noting, unit)->trouble->verdict_reason;
}

/* Of those that are alike the oldest would have their turn before that one, the others later. */
static void who_sleeps_is_told_what_an_earlier_turn_has_changed(void **state)
{
    static const char rules[] = "{\"ports\":[\"80\"],\"conflicts\":[\"late@*\"]}";
    struct pair pair;
    (void)state;
    begin(&pair, 1, 2);
    launch(&pair, "taker@1.service", "{\"ports\":[\"80\"]}");
    launch(&pair, "taker@2.service", "{\"ports\":[\"80\"]}");
    settle(&pair);
    launch(&pair, "waits@0.service", rules);
    put(&pair, "late@1.service", "inactive", "{}");
    launch_others(&pair, "waits", rules);
    settle(&pair);
    assert_int_equal(pair.noting->sleep.count, EACH);
    launch(&pair, "late@1.service", "{}");
    step(&pair, 0);
    assert_null(strstr(verdict_on(&pair, "waits@0.service"), "late@1.service"));
    assert_non_null(strstr(verdict_on(&pair, "waits@8.service"), "late@1.service"));
    end(&pair);
}

/* One machine is kept for a unit, and that takes another. */
static void who_sleeps_gets_what_an_earlier_turn_gives_up(void **state)
{
    enum { KEPT = REFUSALS_TOLD, OTHER };
    static const char rules[] = "{\"metadata\":[\"disk=d\"]}";
    struct pair pair;
    (void)state;
    begin(&pair, 1, OTHER + 1);
    put_metadata(&pair, KEPT, "{\"zone\":\"x\",\"disk\":\"d\"}");
    put_metadata(&pair, OTHER, "{\"rack\":\"r\"}");
    launch(&pair, "old@90.service", rules);
    launch(&pair, "old@91.service", "{\"metadata\":[\"rack=r\"]}");
    put(&pair, "old@0.service", "inactive", rules);
    put(&pair, "old@10.service", "inactive", rules);
    settle(&pair);
    launch(&pair, "new.service", "{\"replaces\":[\"old@*\"],\"metadata\":[\"zone=x\"]}");
    settle(&pair);
    launch(&pair, "old@0.service", rules);
    launch(&pair, "old@10.service", rules);
    launch_others(&pair, "old", rules);
    settle(&pair);
    assert_int_equal(pair.noting->sleep.count, EACH + 1);
    put_metadata(&pair, OTHER, "{\"zone\":\"x\",\"rack\":\"r\"}");
    put_metadata(&pair, KEPT, "{\"zone\":\"y\",\"disk\":\"d\"}");
    step(&pair, 0);
    assert_null(model_unit(pair.noting, "old@0.service")->placements);
    assert_null(model_unit(pair.noting, "old@10.service")->placements);
    assert_non_null(model_unit(pair.noting, "old@8.service")->placements);
    end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_sleeps_gets_what_it_would_have_got_awake),
        cmocka_unit_test(who_sleeps_is_told_what_an_earlier_turn_has_changed),
        cmocka_unit_test(who_sleeps_gets_what_an_earlier_turn_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
