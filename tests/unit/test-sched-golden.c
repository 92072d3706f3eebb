/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every case of tests/golden/sched: cluster.json is a list of steps, each with a time, facts [key,
 * mod_revision, value] and what is asked; expected.txt is what comes out, read by a person before
 * it was committed. The facts of the first step are also told in other orders: the plan must be the
 * same to the letter.
 */
#include <inttypes.h>

#include "tests/unit/golden.h"
#include "tests/unit/sched_feed.h"

enum { SHUFFLES = 12 };

/* --- one step --- */

static void feed_fact(struct model *model, const json_t *fact, int64_t now_ms)
{
    int64_t mod = json_integer_value(json_array_get(fact, 1));
    const json_t *create = json_array_get(fact, 3);
    feed(model, json_string_value(json_array_get(fact, 0)),
         create ? json_integer_value(create) : mod, mod, json_array_get(fact, 2), now_ms);
}

static void shuffle(size_t *order, size_t count, uint64_t *seed)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; *seed && i > 1; i--) {
        *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        size_t j = (size_t)(*seed >> 33) % i;
        size_t kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

/* seed 0: as they stand in the file. */
static void feed_facts(struct model *model, const json_t *facts, int64_t now_ms, uint64_t seed)
{
    size_t count = json_array_size(facts);
    autofree size_t *order = calloc(count + 1, sizeof(*order));
    assert_non_null(order);
    shuffle(order, count, &seed);
    for (size_t i = 0; i < count; i++)
        feed_fact(model, json_array_get(facts, order[i]), now_ms);
}

static void ask_why(struct model *model, const json_t *name, struct text *out)
{
    struct model_answer *answers = NULL;
    size_t count = 0;
    if (!name)
        return;
    assert_int_equal(model_why(model, json_string_value(name), &answers, &count, NULL), 0);
    for (size_t i = 0; i < count; i++)
        text_addf(out, "why %s on %.8s (%zu): %s\n", json_string_value(name), answers[i].machine,
                  answers[i].load, answers[i].refusal ? answers[i].refusal : answers[i].score);
    model_answers_free(answers, count);
}

static void ask_roles(const struct model *model, struct text *out)
{
    struct role_view *views = NULL;
    size_t count = 0;
    assert_int_equal(model_roles(model, &views, &count, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        text_addf(out, "role %s want %u have %u spare %u min %u %s:", views[i].role, views[i].want,
                  views[i].have, views[i].spare, views[i].min, role_status_name(views[i].status));
        for (unsigned int j = 0; j < views[i].have; j++)
            text_addf(out, " %c", views[i].holders[j][0]);
        text_add(out, "\n");
    }
    role_views_free(views, count);
}

static void ask_metadata(const struct model *model, const json_t *letter, struct text *out)
{
    struct metadata_rule *rules = NULL;
    size_t count = 0;
    char id[33] = "";
    if (!letter)
        return;
    memset(id, json_string_value(letter)[0], 32);
    assert_int_equal(model_effective_metadata(model, id, &rules, &count, NULL), 0);
    text_addf(out, "metadata of %c:", id[0]);
    for (size_t i = 0; i < count; i++)
        text_addf(out, " %s=%s", rules[i].key, rules[i].value);
    text_add(out, "\n");
    metadata_free(rules, count);
}

/* The last thing to ask: the model is as if it were done. */
static void ask_advice(struct model *model, const json_t *wanted, struct text *out)
{
    struct model_advice *advices = NULL;
    size_t count = 0;
    if (!wanted)
        return;
    assert_int_equal(model_advise(model, 8, &advices, &count, NULL), 0);
    for (size_t i = 0; i < count; i++)
        text_addf(out, "would move %s from %c to %c: %s\n", advices[i].unit, advices[i].from[0],
                  advices[i].to[0], advices[i].reason);
    model_advices_free(advices, count);
}

/* "contact": since when; "silence": [how long, until when] since then. */
static struct contact read_contact(const json_t *step, int64_t now_ms)
{
    const json_t *since = json_object_get(step, "contact");
    const json_t *silence = json_object_get(step, "silence");
    struct contact contact = { .since_ms = since ? json_integer_value(since) : 0,
                               .heard_ms = now_ms,
                               .silence_count = silence ? 1 : 0 };
    contact.silences[0].length_ms = json_integer_value(json_array_get(silence, 0));
    contact.silences[0].end_ms = json_integer_value(json_array_get(silence, 1));
    return contact;
}

static void run_step(struct model *model, const json_t *step, uint64_t seed, struct text *out)
{
    autoptr(plan) plan = NULL;
    int64_t now_ms = json_integer_value(json_object_get(step, "now"));
    const struct contact contact = read_contact(step, now_ms);
    const struct plan_clock clock = { now_ms, &contact, now_ms };
    feed_facts(model, json_object_get(step, "facts"), clock.now_ms, seed);
    text_addf(out, "at %" PRId64 "\n", clock.now_ms);
    ask_why(model, json_object_get(step, "why"), out);
    ask_metadata(model, json_object_get(step, "metadata"), out);
    assert_int_equal(plan_step(model, &clock, &plan, NULL), 0);
    print_plan(plan, out);
    ask_roles(model, out);
    ask_advice(model, json_object_get(step, "advise"), out);
}

/* --- one case --- */

static char *run_case(const json_t *steps, uint64_t seed)
{
    autoptr(model) model = NULL;
    autotext out = { 0 };
    size_t i = 0;
    json_t *step = NULL;
    assert_int_equal(model_new(&model, NULL), 0);
    json_array_foreach(steps, i, step)
        run_step(model, step, i == 0 ? seed : 0, &out);
    return text_take(&out);
}

static json_t *steps_of(const char *name, json_t **cluster)
{
    struct error err = { 0 };
    autofree char *text = golden_read("sched", name, "cluster.json", NULL);
    if (!text || json_read(text, strlen(text), cluster, &err) < 0)
        fail_msg("%s/cluster.json: %s", name, text ? err.text : "is absent");
    json_t *steps = json_object_get(*cluster, "steps");
    assert_true(json_array_size(steps) > 0);
    return steps;
}

static bool judge(const char *name)
{
    autojson cluster = NULL;
    const json_t *steps = steps_of(name, &cluster);
    autofree char *made = run_case(steps, 0);
    if (!golden_judge("sched", name, "expected.txt", made))
        return false;
    for (uint64_t seed = 1; seed <= SHUFFLES; seed++) {
        autofree char *shuffled = run_case(steps, seed);
        if (strcmp(shuffled, made) != 0) {
            print_error("%s: facts in another order give\n%s\nnot\n%s\n", name, shuffled, made);
            return false;
        }
    }
    return true;
}

static void every_case_comes_out_as_written_in_any_order(void **state)
{
    (void)state;
    golden_each("sched", 25, judge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_comes_out_as_written_in_any_order),
    };
    return cmocka_run_group_tests_name("scheduler/golden", tests, NULL, NULL);
}
