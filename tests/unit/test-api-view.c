/* SPDX-License-Identifier: Apache-2.0 */
#include "api/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/assembly.h"
#include "base/chance.h"
#include "base/text.h"
#include "kvclient/kv_memory.h"
#include "tests/unit/harness.h"

enum { MACHINES = 3, UNITS = 6, TEXTS = 4, ROUNDS = 300, CHANGES = 8 };

/* --- a store, and who follows it --- */

struct world {
    struct loop *loop;
    struct kv_memory *store;
    struct kv *kv;
    struct kv_mirror *mirror;
    struct assembly *assembly;
    uint64_t lots;
};

static void on_change(const struct kv_pair *old, const struct kv_pair *pair, void *userdata)
{
    const struct world *world = userdata;
    if (world->assembly)
        assert_int_equal(assembly_change(world->assembly, pair ? pair->key : old->key, pair), 0);
}

static void on_revision(int64_t revision, void *userdata)
{
    const struct world *world = userdata;
    if (world->assembly)
        assembly_stand(world->assembly, revision);
}

static void on_lost(int code, const char *reason, void *userdata)
{
    (void)userdata;
    fail_msg("lost: %d %s", code, reason);
}

static void on_ready(int code, void *userdata)
{
    (void)userdata;
    assert_int_equal(code, 0);
}

static void deliver(struct world *world)
{
    while (kv_memory_deliver(world->store) > 0)
        continue;
}

static int setup(void **state)
{
    static const struct kv_mirror_callbacks callbacks = { .on_change = on_change,
                                                          .on_revision = on_revision,
                                                          .on_lost = on_lost };
    static struct world world;
    world = (struct world){ .lots = 7 };
    assert_int_equal(loop_new(&world.loop, NULL), 0);
    assert_int_equal(kv_memory_new(&world.store, NULL), 0);
    assert_int_equal(kv_memory_connect(world.store, &world.kv, NULL), 0);
    assert_int_equal(kv_mirror_new(NULL, world.kv, "/p/", &callbacks, &world, &world.mirror, NULL),
                     0);
    deliver(&world);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    assembly_free(world->assembly);
    kv_mirror_free(world->mirror);
    kv_free(world->kv);
    kv_memory_free(world->store);
    loop_free(world->loop);
    return 0;
}

static void on_done(const struct kv_txn_result *result, void *userdata)
{
    (void)userdata;
    assert_int_equal(result->code, 0);
}

static void run(struct world *world, struct kv_op op)
{
    const struct kv_txn txn = { .success = &op, .success_count = 1 };
    assert_int_equal(kv_txn(world->kv, &txn, on_done, world, NULL), 0);
    deliver(world);
}

/* value NULL: it is deleted. */
static void put(struct world *world, enum store_key_kind kind, const char *machine,
                const char *name, const char *value)
{
    autofree char *key = store_key("/p/", kind, machine, name, 0);
    run(world, value ? kv_op_put(key, value) : kv_op_delete(key));
}

static void follow(struct world *world)
{
    assert_int_equal(assembly_from_mirror(world->loop, "/p/", world->mirror, on_ready, world,
                                          &world->assembly, NULL),
                     0);
}

static const struct view *wait_for_view(struct world *world)
{
    const struct view *view = assembly_view(world->assembly, true);
    while (!view) {
        loop_run_once(world->loop, true);
        view = assembly_view(world->assembly, true);
    }
    return view;
}

/* --- what comes by lot --- */

static uint64_t throw(struct world * world, uint64_t sides)
{
    return chance_below(&world->lots, sides);
}

static const char *machine_of(uint64_t i)
{
    static const char *const machines[MACHINES] = { "11111111111111111111111111111111",
                                                    "22222222222222222222222222222222",
                                                    "33333333333333333333333333333333" };
    return machines[i];
}

static const char *text_of(uint64_t i)
{
    static const char *const texts[TEXTS] = {
        "[Unit]\nDescription=One %i\n[Service]\nExecStart=/bin/true\n",
        "[Service]\nExecStart=/bin/true\nMemoryMax=100M\n[X-Fleet]\nConflicts=a@*.service\n",
        "[Service]\nExecStart=/bin/true\n[X-Fleet]\nGlobal=true\n",
        "[Service]\nExecStart=/bin/true\n[X-Fleet]\nNonsense=1\n",
    };
    return texts[i];
}

/* Names which text it is; who checks digests is not here. */
static const char *blob_of(uint64_t i)
{
    static char blob[65];
    memset(blob, '0' + (char)i, 64);
    return blob;
}

static void change_machine(struct world *world)
{
    const char *machine = machine_of(throw(world, MACHINES));
    switch (throw(world, 4)) {
    case 0:
        put(world, STORE_KEY_MEMBER, machine, NULL,
            throw(world, 3) ? "{\"name\":\"n\",\"public_ip\":\"\",\"metadata\":{},\"ttl_ms\":30000,"
                              "\"may_lead\":true,\"version\":\"0\",\"roles\":\"\","
                              "\"role_priority\":\"\",\"memory_bytes\":1000000000}"
                            : NULL);
        break;
    case 1:
        put(world, STORE_KEY_CORDON, machine, NULL, throw(world, 2) ? "{}" : NULL);
        break;
    default:
        put(world, STORE_KEY_PRESENCE, machine, NULL,
            throw(world, 4) ? "{\"boot_id\":\"b\",\"nonce\":\"n\",\"address\":\"\",\"ready\":true,"
                              "\"not_ready_reason\":\"\"}"
                            : NULL);
        break;
    }
}

static void drop_copies(struct world *world, const char *unit)
{
    for (uint64_t i = 0; i < MACHINES; i++) {
        put(world, STORE_KEY_ASSIGNMENT, machine_of(i), unit, NULL);
        put(world, STORE_KEY_STATE, machine_of(i), unit, NULL);
    }
}

static void assign(struct world *world, const char *unit, uint64_t text)
{
    autofree char *value =
        text_format("{\"blob\":\"%s\",\"want\":\"run\",\"unit_revision\":1,\"failover\":\"at-least-"
                    "once\",\"hold_ms\":0,\"epoch\":1,\"reason\":\"\"}",
                    blob_of(text));
    put(world, STORE_KEY_ASSIGNMENT, machine_of(throw(world, MACHINES)), unit,
        throw(world, 4) ? value : NULL);
}

static bool is_readable(const struct world *world, const char *unit)
{
    autofree char *key = store_key("/p/", STORE_KEY_UNIT, NULL, unit, 0);
    const struct kv_pair *pair = kv_memory_peek(world->store, key);
    return pair && pair->value[0] == '{';
}

/* Of a unit that is destroyed while copies remain, only who was there remembers the rules: so its
 * copies go first. */
static void change_unit(struct world *world)
{
    autofree char *unit = text_format("a@%d.service", (int) throw(world, UNITS));
    uint64_t text = throw(world, TEXTS);
    autofree char *value = text_format("{\"blob\":\"%s\",\"desired\":\"launched\"}", blob_of(text));
    if (throw(world, 5) == 0) {
        drop_copies(world, unit);
        put(world, STORE_KEY_UNIT, NULL, unit, throw(world, 2) ? "nonsense" : NULL);
    } else if (throw(world, 2) && is_readable(world, unit)) {
        assign(world, unit, text);
    } else {
        put(world, STORE_KEY_UNIT, NULL, unit, value);
    }
}

/* Texts are put again, go while units need them, and come back. */
static void change_text(struct world *world)
{
    uint64_t i = throw(world, TEXTS);
    put(world, STORE_KEY_BLOB, NULL, blob_of(i), throw(world, 3) ? text_of(i) : NULL);
}

static void change(struct world *world)
{
    switch (throw(world, 6)) {
    case 0:
        change_machine(world);
        break;
    case 1:
        change_text(world);
        break;
    default:
        change_unit(world);
        break;
    }
}

/* --- the same --- */

static int gather(const struct kv_pair *pair, void *userdata)
{
    struct kv_pair **at = userdata;
    *(*at)++ = *pair;
    return 0;
}

static struct view *view_anew(const struct world *world)
{
    struct kv_pair pairs[128];
    struct kv_pair *end = pairs;
    struct view *view = NULL;
    assert_int_equal(kv_mirror_each(world->mirror, "/p/", gather, &end), 0);
    assert_int_equal(view_new("/p/", pairs, (size_t)(end - pairs),
                              kv_mirror_revision(world->mirror), &view, NULL),
                     0);
    return view;
}

static void describe_unit(const struct view *view, const struct view_entry *unit, struct text *text)
{
    const struct requirements *requirements = NULL;
    struct error err = { 0 };
    int r = view_requirements(view, unit, &requirements, &err);
    text_addf(text, " says %d %s \"%s\" %d", r, err.text, view_description(view, unit),
              view_is_global(view, unit));
}

static void describe_lists(const struct view *view, struct text *text)
{
    for (int kind = STORE_KEY_CLUSTER; kind <= STORE_KEY_LAST; kind++) {
        size_t count = 0;
        struct view_entry *const *list = view_list(view, (enum store_key_kind)kind, &count);
        for (size_t i = 0; i < count; i++) {
            text_addf(text, "%d %s %s %lld %lld", kind, list[i]->machine, list[i]->name,
                      (long long)list[i]->create, (long long)list[i]->mod);
            if (kind == STORE_KEY_UNIT)
                describe_unit(view, list[i], text);
            text_add(text, "\n");
        }
    }
}

static void describe_why(struct model *model, const char *unit, struct text *text)
{
    struct model_answer *answers = NULL;
    size_t count = 0;
    if (model_why(model, unit, &answers, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        text_addf(text, "%s on %.1s: %s, %s, %zu of %zu\n", unit, answers[i].machine,
                  answers[i].refusal ? answers[i].refusal : "may",
                  answers[i].score ? answers[i].score : "no score", answers[i].rank,
                  answers[i].load);
    model_answers_free(answers, count);
}

static void describe_model(const struct view *view, struct text *text)
{
    struct model *model = NULL;
    assert_int_equal(view_model(view, &model, NULL), 0);
    for (uint64_t i = 0; i < MACHINES; i++) {
        struct model_room room;
        model_room(model, machine_of(i), &room);
        text_addf(text, "%.1s: %zu units, %lld of %lld\n", machine_of(i), room.units,
                  (long long)room.promised[RESOURCE_MEMORY],
                  (long long)room.capacity[RESOURCE_MEMORY]);
    }
    for (int i = 0; i < UNITS; i++) {
        autofree char *unit = text_format("a@%d.service", i);
        describe_why(model, unit, text);
    }
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *description_of(const struct view *view)
{
    struct text text = { 0 };
    char *const *problems = view_problems(view);
    size_t count = strv_length(problems);
    const char *sorted[UNITS + 1];
    text_addf(&text, "at %lld\n", (long long)view_revision(view));
    for (size_t i = 0; i < count; i++)
        sorted[i] = problems[i];
    qsort(sorted, count, sizeof(sorted[0]), compare_words);
    for (size_t i = 0; i < count; i++)
        text_addf(&text, "%s\n", sorted[i]);
    describe_lists(view, &text);
    describe_model(view, &text);
    return text_take(&text);
}

static void assert_same(struct world *world)
{
    autoptr(view) anew = view_anew(world);
    autofree char *expected = description_of(anew);
    autofree char *followed = description_of(wait_for_view(world));
    assert_string_equal(followed, expected);
}

/* --- claims --- */

static void a_view_that_followed_is_the_one_that_is_made_anew(void **state)
{
    struct world *world = *state;
    follow(world);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CHANGES; i++)
            change(world);
        assert_same(world);
    }
}

/* Whether that takes one turn of the loop or many is the machine's business. */
static void what_changes_while_it_is_put_together_is_in_it(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 3000; i++) {
        autofree char *name = text_format("x%d.service", i);
        put(world, STORE_KEY_VERDICT, NULL, name,
            "{\"unit_revision\":1,\"reason\":\"r\",\"since_ms\":0,\"kind\":\"nowhere\"}");
    }
    for (uint64_t i = 0; i < TEXTS; i++)
        put(world, STORE_KEY_BLOB, NULL, blob_of(i), text_of(i));
    follow(world);
    while (!assembly_view(world->assembly, true)) {
        change(world);
        put(world, STORE_KEY_VERDICT, NULL, "x7.service", NULL);
        loop_run_once(world->loop, true);
    }
    size_t count = 0;
    const struct view *view = wait_for_view(world);
    (void)view_list(view, STORE_KEY_VERDICT, &count);
    assert_int_equal(count, 2999);
    assert_null(view_find(view, STORE_KEY_VERDICT, "", "x7.service"));
    for (int i = 0; i < 3000; i++) {
        autofree char *name = text_format("x%d.service", i);
        put(world, STORE_KEY_VERDICT, NULL, name, NULL);
    }
    assert_same(world);
}

static void a_text_is_parsed_once_for_all_its_instances_and_wishes(void **state)
{
    struct world *world = *state;
    autofree char *launched = text_format("{\"blob\":\"%s\",\"desired\":\"launched\"}", blob_of(1));
    autofree char *loaded = text_format("{\"blob\":\"%s\",\"desired\":\"loaded\"}", blob_of(1));
    autofree char *other = text_format("{\"blob\":\"%s\",\"desired\":\"loaded\"}", blob_of(0));
    put(world, STORE_KEY_BLOB, NULL, blob_of(0), text_of(0));
    put(world, STORE_KEY_BLOB, NULL, blob_of(1), text_of(1));
    put(world, STORE_KEY_UNIT, NULL, "a@1.service", launched);
    put(world, STORE_KEY_UNIT, NULL, "a@2.service", launched);
    put(world, STORE_KEY_UNIT, NULL, "a@3.service", launched);
    follow(world);
    assert_int_equal(view_parsed_texts(wait_for_view(world)), 1);
    put(world, STORE_KEY_UNIT, NULL, "a@2.service", loaded);
    put(world, STORE_KEY_BLOB, NULL, blob_of(1), text_of(1));
    assert_int_equal(view_parsed_texts(wait_for_view(world)), 1);
    put(world, STORE_KEY_UNIT, NULL, "a@2.service", other);
    assert_int_equal(view_parsed_texts(wait_for_view(world)), 2);
    assert_same(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_view_that_followed_is_the_one_that_is_made_anew, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_changes_while_it_is_put_together_is_in_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_text_is_parsed_once_for_all_its_instances_and_wishes,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
