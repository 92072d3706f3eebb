/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_mirror.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "kvclient/kv_memory.h"
#include "tests/unit/harness.h"

struct fixture {
    struct kv_memory *store;
    struct kv *writer;
    struct kv *kv;
    struct kv_mirror *mirror;
    struct text story;
    int revisions;
    int lost;          /* the code */
    int expected_loss; /* 0: none */
    bool free_in_callback;
};

static void on_change(const struct kv_pair *old, const struct kv_pair *pair, void *userdata)
{
    struct fixture *fixture = userdata;
    text_addf(&fixture->story, "%s:%s>%s ", old ? old->key : pair->key, old ? old->value : "",
              pair ? pair->value : "");
    if (!fixture->free_in_callback)
        return;
    kv_mirror_free(fixture->mirror);
    fixture->mirror = NULL;
}

static void on_revision(int64_t revision, void *userdata)
{
    struct fixture *fixture = userdata;
    assert_int_equal(kv_mirror_revision(fixture->mirror), revision);
    fixture->revisions++;
}

static void on_lost(int code, const char *reason, void *userdata)
{
    struct fixture *fixture = userdata;
    if (code != fixture->expected_loss)
        fail_msg("lost: %d %s", code, reason);
    fixture->lost = code;
}

static const struct kv_mirror_callbacks callbacks = { .on_change = on_change,
                                                      .on_revision = on_revision,
                                                      .on_lost = on_lost };

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){ 0 };
    assert_int_equal(kv_memory_new(&fixture.store, NULL), 0);
    assert_int_equal(kv_memory_connect(fixture.store, &fixture.writer, NULL), 0);
    assert_int_equal(kv_memory_connect(fixture.store, &fixture.kv, NULL), 0);
    assert_int_equal(
        kv_mirror_new(NULL, fixture.kv, "m/", &callbacks, &fixture, &fixture.mirror, NULL), 0);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    kv_mirror_free(fixture->mirror);
    kv_free(fixture->kv);
    kv_free(fixture->writer);
    kv_memory_free(fixture->store);
    text_done(&fixture->story);
    return 0;
}

static void on_done(const struct kv_txn_result *result, void *userdata)
{
    (void)userdata;
    assert_int_equal(result->code, 0);
}

static void run(struct fixture *fixture, struct kv_op op)
{
    struct kv_txn txn = { .success = &op, .success_count = 1 };
    assert_int_equal(kv_txn(fixture->writer, &txn, on_done, NULL, NULL), 0);
    (void)kv_memory_deliver(fixture->store);
}

static void expect(struct fixture *fixture, const char *story)
{
    text_add(&fixture->story, "");
    assert_string_equal(fixture->story.data, story);
    text_done(&fixture->story);
}

static void changes_are_told_once_with_what_they_replaced(void **state)
{
    struct fixture *fixture = *state;
    (void)kv_memory_deliver(fixture->store);
    assert_int_equal(fixture->revisions, 1); /* an empty listing is a listing */
    run(fixture, kv_op_put("m/a", "1"));
    run(fixture, kv_op_put("other", "1"));
    run(fixture, kv_op_put("m/a", "2"));
    run(fixture, kv_op_delete("m/a"));
    expect(fixture, "m/a:>1 m/a:1>2 m/a:2> ");
    assert_null(kv_mirror_get(fixture->mirror, "m/a"));
}

static void a_cut_without_compaction_resumes(void **state)
{
    struct fixture *fixture = *state;
    (void)kv_memory_deliver(fixture->store);
    kv_memory_cut(fixture->kv, true);
    run(fixture, kv_op_put("m/a", "1"));
    run(fixture, kv_op_put("m/a", "2"));
    expect(fixture, "");
    kv_memory_cut(fixture->kv, false);
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "m/a:>1 m/a:1>2 ");
}

static void compaction_under_a_cut_tells_the_difference(void **state)
{
    struct fixture *fixture = *state;
    (void)kv_memory_deliver(fixture->store);
    run(fixture, kv_op_put("m/gone", "1"));
    run(fixture, kv_op_put("m/new", "1"));
    run(fixture, kv_op_put("m/same", "1"));
    text_done(&fixture->story);
    kv_memory_cut(fixture->kv, true);
    run(fixture, kv_op_delete("m/gone"));
    run(fixture, kv_op_put("m/new", "2"));
    run(fixture, kv_op_put("m/new", "3"));
    kv_memory_compact(fixture->store);
    kv_memory_cut(fixture->kv, false);
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "m/gone:1> m/new:1>3 ");
    assert_int_equal(kv_mirror_revision(fixture->mirror), kv_memory_revision(fixture->store));
    run(fixture, kv_op_put("m/same", "2"));
    expect(fixture, "m/same:1>2 ");
}

static void a_listing_that_failed_is_made_again_when_told(void **state)
{
    struct fixture *fixture = *state;
    kv_memory_cut(fixture->kv, true);
    (void)kv_memory_deliver(fixture->store);
    assert_int_equal(kv_mirror_revision(fixture->mirror), 0);
    run(fixture, kv_op_put("m/a", "1"));
    kv_memory_cut(fixture->kv, false);
    kv_mirror_retry(fixture->mirror);
    kv_mirror_retry(fixture->mirror); /* one is under way: does nothing */
    (void)kv_memory_deliver(fixture->store);
    kv_mirror_retry(fixture->mirror);
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "m/a:>1 ");
    assert_int_equal(fixture->revisions, 1);
}

static void it_may_be_freed_in_its_own_callback(void **state)
{
    struct fixture *fixture = *state;
    (void)kv_memory_deliver(fixture->store);
    fixture->free_in_callback = true;
    run(fixture, kv_op_put("m/a", "1"));
    run(fixture, kv_op_put("m/a", "2"));
    expect(fixture, "m/a:>1 ");
}

static int stop_at_b(const struct kv_pair *pair, void *userdata)
{
    (*(int *)userdata)++;
    return strcmp(pair->key, "m/b/1") == 0 ? 7 : 0;
}

static void visits_are_in_key_order_below_a_prefix_and_can_stop(void **state)
{
    struct fixture *fixture = *state;
    int visits = 0;
    (void)kv_memory_deliver(fixture->store);
    run(fixture, kv_op_put("m/b/2", ""));
    run(fixture, kv_op_put("m/c", ""));
    run(fixture, kv_op_put("m/b/1", ""));
    run(fixture, kv_op_put("m/a", ""));
    assert_int_equal(kv_mirror_each(fixture->mirror, "m/", stop_at_b, &visits), 7);
    assert_int_equal(visits, 2);
    visits = 0;
    assert_int_equal(kv_mirror_each(fixture->mirror, "m/c", stop_at_b, &visits), 0);
    assert_int_equal(visits, 1);
}

enum { MANY = 100000 };

/* The keys from first on, every step-th of MANY, in transactions of as many as one takes. */
static void put_many(struct fixture *fixture, int first, int step, const char *value)
{
    char keys[KV_TXN_OPS_MAX][16];
    struct kv_op ops[KV_TXN_OPS_MAX];
    for (int i = first; i < MANY;) {
        struct kv_txn txn = { .success = ops };
        for (; txn.success_count < KV_TXN_OPS_MAX && i < MANY; i += step) {
            char *key = keys[txn.success_count];
            (void)snprintf(key, sizeof(keys[0]), "m/%06d", i);
            ops[txn.success_count++] = kv_op_put(key, value);
        }
        assert_int_equal(kv_txn(fixture->writer, &txn, on_done, NULL, NULL), 0);
    }
}

static int count_pair(const struct kv_pair *pair, void *userdata)
{
    (void)pair;
    ++*(int *)userdata;
    return 0;
}

/* Listed while cut off, so that the listing after it tells the difference of half of them. */
static void a_hundred_thousand_keys_are_mirrored(void **state)
{
    struct fixture *fixture = *state;
    int count = 0;
    (void)kv_memory_deliver(fixture->store);
    put_many(fixture, 0, 1, "");
    (void)kv_memory_deliver(fixture->store);
    kv_memory_cut(fixture->kv, true);
    (void)kv_memory_deliver(fixture->store);
    text_done(&fixture->story);
    run(fixture, kv_op_delete_prefix("m/00"));
    put_many(fixture, 50000, 10000, "1");
    kv_memory_compact(fixture->store);
    (void)kv_memory_deliver(fixture->store);
    kv_memory_cut(fixture->kv, false);
    (void)kv_memory_deliver(fixture->store);
    assert_int_equal(kv_mirror_each(fixture->mirror, "m/", count_pair, &count), 0);
    assert_int_equal(count, MANY - 10000);
    const char *last = strstr(fixture->story.data, "m/009999:> m/050000:>1");
    assert_non_null(last);
    assert_string_equal(last, "m/009999:> m/050000:>1 m/060000:>1 m/070000:>1 m/080000:>1 "
                              "m/090000:>1 ");
}

static void a_store_that_went_back_is_told_as_such(void **state)
{
    struct fixture *fixture = *state;
    fixture->expected_loss = -EREMCHG;
    run(fixture, kv_op_put("m/a", "1"));
    run(fixture, kv_op_put("m/a", "2"));
    (void)kv_memory_deliver(fixture->store);
    assert_int_equal(fixture->lost, 0);
    kv_memory_turn_back(fixture->store, 1);
    (void)kv_memory_deliver(fixture->store);
    assert_int_equal(fixture->lost, -EREMCHG);
}

#define mirror_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        mirror_test(changes_are_told_once_with_what_they_replaced),
        mirror_test(a_cut_without_compaction_resumes),
        mirror_test(compaction_under_a_cut_tells_the_difference),
        mirror_test(a_listing_that_failed_is_made_again_when_told),
        mirror_test(it_may_be_freed_in_its_own_callback),
        mirror_test(a_hundred_thousand_keys_are_mirrored),
        mirror_test(a_store_that_went_back_is_told_as_such),
        mirror_test(visits_are_in_key_order_below_a_prefix_and_can_stop),
    };
    return cmocka_run_group_tests_name("kv-mirror", tests, NULL, NULL);
}
