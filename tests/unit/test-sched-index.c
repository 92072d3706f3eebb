/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index against its definition, in random worlds: it finds the machine that asking every one of
 * them finds, and what it became by events is what building it anew gives. So is what is counted
 * for the budget.
 *
 * WORLDS=n plays n of them; WORLD=n that one.
 */
#include "scheduler/index.h"

#include <string.h>

#include "scheduler/bits.h"
#include "scheduler/budget.h"
#include "scheduler/model_data.h"
#include "scheduler/place.h"
#include "tests/unit/contact.h"
#include "tests/unit/harness.h"
#include "tests/unit/sched_feed.h"

enum { MACHINES = 9, UNITS = 24, EVENTS = 120, WORLDS = 60 };

struct world {
    struct model *model;
    uint64_t seed, random;
    int64_t revision;
};

static unsigned int dice(struct world *world, unsigned int sides)
{
    world->random = world->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (unsigned int)(world->random >> 33) % sides;
}

static const char *pick(struct world *world, const char *const *words, unsigned int count)
{
    return words[dice(world, count)];
}
#define PICK(world, words) pick(world, words, sizeof(words) / sizeof((words)[0]))

/* --- what can happen --- */

static void tellf(struct world *world, const char *key, const char *value)
{
    autojson json = NULL;
    if (value)
        assert_int_equal(json_read(value, strlen(value), &json, NULL), 0);
    else
        json = json_null();
    world->revision++;
    feed(world->model, key, world->revision, world->revision, json, 1000);
}

static char letter(unsigned int i)
{
    return "abcdef012"[i];
}

static char *unit_name(unsigned int i)
{
    static const char *const templates[] = { "web", "db", "log" };
    if (i % 4 == 3)
        return text_format("one%u.service", i);
    return text_format("%s@%u.service", templates[i % 4], i);
}

static void change_member(struct world *world)
{
    static const char *const racks[] = { "r1", "r2", "r3" };
    static const char *const priorities[] = { "", "db=0" };
    autofree char *key = text_format("members/%c", letter(dice(world, MACHINES)));
    autofree char *value =
        text_format("{\"name\":\"n\",\"ttl_ms\":1000,\"metadata\":{\"rack\":\"%s\"},"
                    "\"role_priority\":\"%s\",\"memory_bytes\":%u,\"cpu_milli\":%u,"
                    "\"capabilities\":[%s]}",
                    PICK(world, racks), PICK(world, priorities), dice(world, 3) * 1000,
                    dice(world, 2) * 4000, dice(world, 2) ? "\"kvm\"" : "");
    tellf(world, key, dice(world, 6) ? value : NULL);
}

static void change_presence(struct world *world)
{
    autofree char *key = text_format("nodes/%c/presence", letter(dice(world, MACHINES)));
    autofree char *value =
        text_format("{\"nonce\":\"n\",\"ready\":%s}", dice(world, 5) ? "true" : "false");
    tellf(world, key, dice(world, 4) ? value : NULL);
}

static void change_cordon(struct world *world)
{
    autofree char *key = text_format("cordons/%c", letter(dice(world, MACHINES)));
    tellf(world, key, dice(world, 3) ? NULL : "{}");
}

static void change_unit(struct world *world)
{
    static const char *const rules[] = {
        "{}",
        "{}",
        "{\"conflicts\":[\"web@*\"]}",
        "{\"conflicts\":[\"db@*.service\",\"one3.service\"]}",
        "{\"conflicts\":[\"*1*\"]}",
        "{\"metadata\":[\"rack=r1\",\"rack=r2\"]}",
        "{\"metadata\":[\"rack=r3\"],\"conflicts\":[\"log@*\"]}",
        "{\"metadata\":[\"role.db=active\"]}",
        "{\"machine_of\":[\"web@0.service\"]}",
        "{\"machine_of\":[\"log@2.service\"],\"memory\":400,\"ports\":[\"82\"]}",
        "{\"machine_of\":[\"one3.service\",\"db@1.service\"],\"metadata\":[\"rack=r1\"]}",
        "{\"machine_of\":[\"one7.service\"],\"max_per_machine\":2}",
        "{\"machine_id\":\"bbbbbbbb\"}",
        "{\"spread\":\"rack\"}",
        "{\"spread\":\"rack\",\"memory\":300,\"conflicts\":[\"web@*\"]}",
        "{\"prefer\":[\"rack=r1\"],\"spread\":\"zone\",\"cpu\":1500}",
        "{\"prefer\":[\"rack=r2\"],\"replaces\":[\"db@*\",\"one3.service\"]}",
        "{\"replaces\":[\"log@*.service\"],\"spread\":\"rack\"}",
        "{\"max_per_machine\":1,\"capabilities\":[\"kvm\"]}",
        "{\"max_per_machine\":2,\"memory\":700}",
        "{\"ports\":[\"80\",\"10.0.0.1:81\"]}",
        "{\"ports\":[\"10.0.0.1:80\",\"10.0.0.2:81\"]}",
        "{\"ports\":[\"81\"],\"memory\":100}",
        "{\"global\":true,\"metadata\":[\"rack=r2\"]}",
    };
    autofree char *name = unit_name(dice(world, UNITS));
    autofree char *key = text_format("units/%s", name);
    autofree char *value =
        text_format("{\"blob\":\"b\",\"desired\":\"%s\",\"x-fleet\":%s}",
                    dice(world, 6) ? "launched" : "inactive", PICK(world, rules));
    tellf(world, key, dice(world, 8) ? value : NULL);
}

static void change_assignment(struct world *world)
{
    static const char *const values[] = {
        "{\"blob\":\"b\",\"want\":\"run\",\"unit_revision\":1,\"epoch\":1}",
        "{\"blob\":\"b\",\"want\":\"run\",\"unit_revision\":1,\"epoch\":1}",
        "{\"blob\":\"b\",\"want\":\"release\",\"unit_revision\":1,\"epoch\":1,\"cause\":\"drain\"}",
        "{\"blob\":\"b\",\"want\":\"run\",\"unit_revision\":1,\"epoch\":1,\"cause\":\"drain\","
        "\"moves_from\":\"a\"}",
        NULL,
        NULL,
        NULL,
    };
    autofree char *name = unit_name(dice(world, UNITS));
    autofree char *key = text_format("nodes/%c/units/%s", letter(dice(world, MACHINES)), name);
    tellf(world, key, PICK(world, values));
}

/* Of a copy that is assigned, as a rule: only then it counts. */
static void change_state(struct world *world)
{
    static const char *const words[] = { "active", "active", "failed", "activating" };
    autofree char *name = unit_name(dice(world, UNITS));
    const struct unit *unit = model_unit(world->model, name);
    const struct placement *p = unit ? unit->placements : NULL;
    if (!p)
        return;
    autofree char *key = text_format("states/%s/%s", p->key.machine->id, name);
    autofree char *value = text_format(
        "{\"registration\":%lld,\"assignment_revision\":%lld,\"active\":\"%s\"}",
        (long long)p->key.machine->registration, (long long)p->assignment_mod, PICK(world, words));
    tellf(world, key, dice(world, 6) ? value : NULL);
}

static void change_role(struct world *world)
{
    autofree char *key = text_format("slots/db/%u", dice(world, 2));
    autofree char *value = text_format("{\"machine\":\"%c\"}", letter(dice(world, MACHINES)));
    if (dice(world, 4) == 0)
        tellf(world, "roles/db", dice(world, 4) ? "{\"nodes\":2}" : NULL);
    else
        tellf(world, key, dice(world, 3) ? value : NULL);
}

static void (*const changes[])(struct world *) = {
    change_member,     change_presence,   change_cordon, change_unit,  change_unit,  change_unit,
    change_assignment, change_assignment, change_role,   change_state, change_state,
};

/* What the leader decides comes back as events. */
static void plan(struct world *world)
{
    autoptr(plan) plan = NULL;
    const struct plan_clock clock = { world->revision * 10, &contact_always, world->revision * 10 };
    assert_int_equal(plan_step(world->model, &clock, &plan, NULL), 0);
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *a = &plan->actions[i];
        const struct record_assignment record = { .blob = (char *)a->blob,
                                                  .want = a->want,
                                                  .unit_revision = a->unit_revision,
                                                  .failover = a->failover };
        if (a->kind == ACTION_MOVE || a->kind == ACTION_DROP) {
            const char *from =
                action_more(a)->from_machine ? action_more(a)->from_machine : a->machine;
            model_drop_assignment(world->model, from, a->unit);
        }
        if (a->kind == ACTION_MOVE || a->kind == ACTION_ASSIGN)
            assert_int_equal(model_put_assignment(world->model, a->machine, a->unit,
                                                  ++world->revision, &record, NULL),
                             0);
    }
}

/* --- what must hold --- */

static void dump_bag(const char *what, const char *name, const struct bag *bag, char ***lines)
{
    autotext line = { 0 };
    text_addf(&line, "%s %s:", what, name);
    for (uint32_t i = 0; i < MACHINES; i++)
        text_addf(&line, " %u", bag_count(bag, i));
    assert_int_equal(strv_add(lines, line.data, NULL), 0);
}

static void dump_matching(const struct pattern *pattern, char ***lines)
{
    autotext line = { 0 };
    text_addf(&line, "matching %s:", pattern->glob);
    for (uint32_t i = 0; i < MACHINES; i++)
        text_addf(&line, " %u", pattern_count_on(pattern, i));
    assert_int_equal(strv_add(lines, line.data, NULL), 0);
}

static void dump_bits(const char *what, const char *name, const uint64_t *bits, size_t words,
                      char ***lines)
{
    autotext line = { 0 };
    text_addf(&line, "%s %s:", what, name);
    for (size_t i = 0; i < words; i++)
        text_addf(&line, " %016llx", (unsigned long long)bits[i]);
    assert_int_equal(strv_add(lines, line.data, NULL), 0);
}

static void dump_tables(const struct index *index, char ***lines)
{
    for (size_t i = 0; i < index->families.room; i++) {
        const struct family *family = index->families.slots[i];
        if (family)
            dump_bag("family", family->name, bag_sum(&family->here), lines);
    }
    for (size_t i = 0; i < index->patterns.room; i++) {
        const struct pattern *pattern = index->patterns.slots[i];
        if (!pattern)
            continue;
        dump_matching(pattern, lines);
        dump_bag("conflicting", pattern->glob, bag_sum(&pattern->conflicting), lines);
        dump_bag("replacing", pattern->glob, bag_sum(&pattern->replacing), lines);
    }
    for (size_t i = 0; i < index->ports.room; i++) {
        const struct port_set *port = index->ports.slots[i];
        if (port)
            dump_bag("port", port->key, bag_sum(&port->taken), lines);
    }
    for (size_t i = 0; i < index->classes.room; i++) {
        const struct machine_class *class = index->classes.slots[i];
        if (class)
            dump_bits("class", class->key, class->bits, index->words, lines);
    }
}

static void dump_tallies(const struct index *index, char ***lines)
{
    for (size_t i = 0; i < index->families.room; i++) {
        const struct family *family = index->families.slots[i];
        for (size_t t = 0; family && t < family->tally_count; t++) {
            const struct tally *tally = family->tallies[t];
            autotext line = { 0 };
            text_addf(&line, "tally %s of %s:", tally->spread->key, family->name);
            for (size_t d = 0; d < tally->spread->domain_count; d++)
                text_addf(&line, " %s %u", tally->spread->domains[d].value, tally->counts[d]);
            assert_int_equal(strv_add(lines, line.data, NULL), 0);
        }
    }
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *dump(const struct index *index)
{
    autostrv lines = NULL;
    autotext text = { 0 };
    dump_bits("open", "", index->open, index->words, &lines);
    dump_bag("strange", "", &index->strange, &lines);
    for (size_t i = index->lowest; i < index->top; i++) {
        autofree char *name = text_format("%zu (%zu)", i, index->levels[i].count);
        if (index->levels[i].count > 0)
            dump_bits("level", name, index->levels[i].bits, index->words, &lines);
    }
    dump_tables(index, &lines);
    dump_tallies(index, &lines);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted */
    qsort(lines, strv_length(lines), sizeof(*lines), compare_lines);
    for (char **line = lines; *line; line++)
        text_addf(&text, "%s\n", *line);
    return text_take(&text);
}

static void check_anew(struct world *world)
{
    struct index *index = &world->model->index;
    assert_int_equal(index_refresh(world->model, NULL), 0);
    autofree char *before = dump(index);
    index->stale = true;
    assert_int_equal(index_refresh(world->model, NULL), 0);
    autofree char *anew = dump(index);
    if (strcmp(before, anew) != 0)
        fail_msg("WORLD=%llu: by events\n%sanew\n%s", (unsigned long long)world->seed, before,
                 anew);
}

static char *dump_budget(const struct model *model)
{
    autotext text = { 0 };
    text_addf(&text, "%zu wanted, %zu on the move\n", model->wanted_count, model->moves_known);
    for (size_t i = 0; i < model->index.families.room; i++) {
        const struct family *family = model->index.families.slots[i];
        if (family)
            text_addf(&text, "%s: %zu wanted, %zu down, %zu to follow\n", family->name,
                      family->wanted, family->down, family->succeeding);
    }
    return text_take(&text);
}

static void check_budget(struct world *world)
{
    autofree char *before = dump_budget(world->model);
    budget_count_anew(world->model);
    autofree char *anew = dump_budget(world->model);
    if (strcmp(before, anew) != 0)
        fail_msg("WORLD=%llu: by events\n%sanew\n%s", (unsigned long long)world->seed, before,
                 anew);
}

static void check_place(struct world *world, const struct unit *unit)
{
    const struct place fast = place_find(world->model, unit);
    const struct place slow = place_find_slowly(world->model, unit);
    if (fast.machine != slow.machine ||
        (fast.machine && (fast.eligible != slow.eligible || fast.load != slow.load)))
        fail_msg("WORLD=%llu: %s: %s of %zu, asking all %s of %zu", (unsigned long long)world->seed,
                 unit->name, fast.machine ? fast.machine->id : "none", fast.eligible,
                 slow.machine ? slow.machine->id : "none", slow.eligible);
}

/* As if all of it were to go elsewhere. */
static void check_party(struct world *world, struct unit *unit)
{
    struct party party;
    struct party_lift lift;
    party_gather(unit, &party);
    if (party.count < 2 || unit != party.members[0])
        return;
    for (size_t i = 0; i < party.count; i++)
        if (party.members[i]->placements && party.members[i]->placements->unit_next)
            return;
    party_lift(world->model, &party, &lift);
    const struct place fast = place_find_party(world->model, &party);
    const struct place slow = place_find_party_slowly(world->model, &party);
    party_set_down(world->model, &lift);
    if (fast.machine != slow.machine ||
        (fast.machine && (fast.eligible != slow.eligible || fast.load != slow.load)))
        fail_msg("WORLD=%llu: the %zu of %s: %s of %zu, asking all %s of %zu",
                 (unsigned long long)world->seed, party.count, unit->name,
                 fast.machine ? fast.machine->id : "none", fast.eligible,
                 slow.machine ? slow.machine->id : "none", slow.eligible);
}

/* Units that are somewhere would see themselves. */
static void check_places(struct world *world)
{
    assert_int_equal(index_refresh(world->model, NULL), 0);
    for (unsigned int i = 0; i < UNITS; i++) {
        autofree char *name = unit_name(i);
        struct unit *unit = model_unit(world->model, name);
        if (!unit || !unit_rules(unit))
            continue;
        if (!unit->placements && !unit->follows)
            check_place(world, unit);
        check_party(world, unit);
    }
}

static void play(uint64_t seed)
{
    struct world world = { .seed = seed, .random = seed * 77 + 1 };
    assert_int_equal(model_new(&world.model, NULL), 0);
    for (int i = 0; i < EVENTS; i++) {
        changes[dice(&world, sizeof(changes) / sizeof(changes[0]))](&world);
        check_places(&world);
        if (dice(&world, 3) == 0)
            plan(&world);
        check_places(&world);
        check_anew(&world);
        check_budget(&world);
    }
    model_free(world.model);
}

static void add_crowd(struct world *world, unsigned int from, unsigned int to)
{
    for (unsigned int i = from; i < to; i++) {
        autofree char *key = text_format("units/crowd@%u.service", i);
        tellf(world, key, "{\"blob\":\"b\",\"desired\":\"launched\"}");
    }
}

static void step_in_vain(struct world *world)
{
    autoptr(plan) plan = NULL;
    const struct plan_clock clock = { world->revision * 10, &contact_always, 0 };
    assert_int_equal(plan_step(world->model, &clock, &plan, NULL), 0);
    assert_true(plan->count > 0);
    check_anew(world);
}

static uint64_t number_from(const char *name)
{
    uint64_t number = 0;
    const char *text = getenv(name);
    if (text && text_parse_u64(text, UINT32_MAX, &number, NULL) < 0)
        fail_msg("%s=%s is not a number", name, text);
    return number;
}

/* In as many machines as make it pass through everything that it can be made of. */
enum { BAG_WORDS = 12, BAG_MACHINES = BAG_WORDS * BITS_PER_WORD, BAG_EVENTS = 4000 };

static void check_bag(const struct bag *bag, const uint32_t *counts)
{
    uint64_t once[BAG_WORDS] = { 0 };
    uint64_t twice[BAG_WORDS] = { 0 };
    uint32_t walked[BAG_MACHINES] = { 0 };
    uint32_t zeros[BAG_MACHINES] = { 0 };
    struct bag_walk walk = { 0 };
    bag_unite(bag, once, BAG_WORDS);
    bag_unite_from(bag, 2, twice, BAG_WORDS, zeros);
    while (bag_next(bag, &walk))
        walked[walk.machine]++;
    for (uint32_t i = 0; i < BAG_MACHINES; i++) {
        assert_int_equal(bag_count(bag, i), counts[i]);
        assert_int_equal(bag_has(bag, i), counts[i] > 0);
        assert_int_equal(bits_test(once, i), counts[i] > 0);
        assert_int_equal(bits_test(twice, i), counts[i] > 1);
        assert_int_equal(walked[i], counts[i]);
        assert_int_equal(zeros[i], 0);
    }
}

static void a_bag_counts_whatever_it_is_made_of(void **state)
{
    struct world world = { .random = 77 };
    struct bag bag = { 0 };
    uint32_t counts[BAG_MACHINES] = { 0 };
    (void)state;
    for (unsigned int i = 0; i < BAG_EVENTS; i++) {
        uint32_t machine = dice(&world, BAG_MACHINES);
        bool is_rising = i / 500 % 2 == 0; /* it grows large, and empties again */
        if (dice(&world, 10) < (is_rising ? 8U : 2U)) {
            assert_true(bag_add(&bag, machine, BAG_WORDS));
            counts[machine]++;
        } else {
            bag_remove(&bag, machine);
            counts[machine] -= counts[machine] > 0;
        }
        if (i % 16 == 0)
            check_bag(&bag, counts);
    }
    bag_done(&bag);
}

enum { BAG_PARTS = 3, SUM_EVENTS = 600 };

/* One by one, none of which need be empty when it comes. */
static void a_sum_has_what_its_parts_have(void **state)
{
    struct world world = { .random = 78 };
    struct bag parts[BAG_PARTS] = { { 0 } };
    struct bag_sum sum = { 0 };
    uint32_t counts[BAG_MACHINES] = { 0 };
    (void)state;
    for (size_t joined = 0; joined < BAG_PARTS; joined++) {
        uint32_t first = dice(&world, BAG_MACHINES);
        assert_true(bag_add(&parts[joined], first, BAG_WORDS));
        assert_true(bag_sum_join(&sum, &parts[joined], BAG_WORDS));
        counts[first]++;
        for (unsigned int i = 0; i < SUM_EVENTS; i++) {
            struct bag *part = &parts[dice(&world, (unsigned int)joined + 1)];
            uint32_t machine = dice(&world, BAG_MACHINES);
            if (bag_has(part, machine)) {
                bag_remove(part, machine);
                bag_sum_remove(&sum, machine);
                counts[machine]--;
            } else {
                assert_true(bag_add(part, machine, BAG_WORDS));
                assert_true(bag_sum_add(&sum, machine, BAG_WORDS));
                counts[machine]++;
            }
        }
        check_bag(bag_sum(&sum), counts);
    }
    for (size_t i = 0; i < BAG_PARTS; i++) {
        bag_done(&parts[i]);
        bag_sum_quit(&sum, &parts[i]);
    }
    assert_int_equal(bag_sum(&sum)->size, 0);
}

static void index_is_what_its_definition_says(void **state)
{
    (void)state;
    uint64_t one = number_from("WORLD");
    uint64_t count = number_from("WORLDS");
    if (one > 0) {
        play(one);
        return;
    }
    for (uint64_t seed = 1; seed <= (count ? count : WORLDS); seed++)
        play(seed);
}

/* So many that their bag is a list, or counts, or becomes counts while they are placed. */
static void what_a_step_decides_of_newcomers_is_taken_back(void **state)
{
    enum { FEW = 10, MANY = 60 };
    struct world world = { 0 };
    (void)state;
    assert_int_equal(model_new(&world.model, NULL), 0);
    for (unsigned int i = 0; i < MACHINES; i++) {
        autofree char *member = text_format("members/%c", letter(i));
        autofree char *presence = text_format("nodes/%c/presence", letter(i));
        tellf(&world, member, "{\"name\":\"n\",\"ttl_ms\":1000}");
        tellf(&world, presence, "{\"nonce\":\"n\",\"ready\":true}");
    }
    add_crowd(&world, 0, FEW);
    step_in_vain(&world);
    add_crowd(&world, FEW, MANY);
    model_touch_all(world.model);
    step_in_vain(&world);
    model_touch_all(world.model);
    plan(&world);
    add_crowd(&world, MANY, MANY + FEW);
    step_in_vain(&world);
    model_free(world.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bag_counts_whatever_it_is_made_of),
        cmocka_unit_test(a_sum_has_what_its_parts_have),
        cmocka_unit_test(index_is_what_its_definition_says),
        cmocka_unit_test(what_a_step_decides_of_newcomers_is_taken_back),
    };
    return cmocka_run_group_tests_name("scheduler/index", tests, NULL, NULL);
}
