/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_memory.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "tests/integration/kv-contract.h"

struct fixture {
    struct contract contract;
    struct kv_memory *store;
    int64_t now_ms;
};

static void wait_memory(struct contract *contract, const int *done)
{
    struct fixture *fixture = (struct fixture *)contract;
    (void)kv_memory_deliver(fixture->store);
    assert_true(*done);
}

static void pass_memory(struct contract *contract, int64_t ms)
{
    struct fixture *fixture = (struct fixture *)contract;
    fixture->now_ms += ms;
    clock_fake_set(fixture->now_ms);
    kv_memory_expire(fixture->store);
}

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){
        .now_ms = 1000000, .contract = {.wait = wait_memory, .pass_ms = pass_memory}
    };
    clock_fake_set(fixture.now_ms);
    assert_int_equal(kv_memory_new(&fixture.store, NULL), 0);
    assert_int_equal(kv_memory_connect(fixture.store, &fixture.contract.kv, NULL), 0);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    kv_free(fixture->contract.kv);
    kv_memory_free(fixture->store);
    clock_fake_set(-1);
    return 0;
}

static void a_cut_connection_reaches_nothing(void **state)
{
    struct fixture *fixture = *state;
    kv_memory_cut(fixture->contract.kv, true);
    assert_int_equal(contract_op(*state, kv_op_put("x", "1")).code, -EAGAIN);
    kv_memory_cut(fixture->contract.kv, false);
    assert_int_equal(contract_range(*state, "x", false).pair_count, 0);
}

static void a_lost_answer_may_or_may_not_have_been_done(void **state)
{
    struct fixture *fixture = *state;
    kv_memory_lose_answers(fixture->contract.kv, 1, true);
    assert_int_equal(contract_op(*state, kv_op_put("done", "1")).code, -ETIMEDOUT);
    kv_memory_lose_answers(fixture->contract.kv, 1, false);
    assert_int_equal(contract_op(*state, kv_op_put("not", "1")).code, -ETIMEDOUT);
    assert_int_equal(contract_op(*state, kv_op_put("after", "1")).code, 0);
    assert_non_null(kv_memory_peek(fixture->store, "done"));
    assert_null(kv_memory_peek(fixture->store, "not"));
}

static void keep_code(const struct kv_txn_result *result, void *userdata)
{
    *(int *)userdata = result->code;
}

static void what_lands_late_is_done_when_its_client_has_given_up(void **state)
{
    struct fixture *fixture = *state;
    const struct kv_compare guards[] = { kv_if_absent("late"), kv_if_value("there", "1") };
    const struct kv_op put = kv_op_put("late", "1");
    const struct kv_txn txn = {
        .compares = guards, .compare_count = 2, .success = &put, .success_count = 1
    };
    int code = 0;
    (void)contract_op(*state, kv_op_put("there", "1"));
    kv_memory_land_late(fixture->contract.kv, 1, 500);
    assert_int_equal(kv_txn(fixture->contract.kv, &txn, keep_code, &code, NULL), 0);
    (void)kv_memory_deliver(fixture->store);
    assert_int_equal(code, -ETIMEDOUT);
    assert_null(kv_memory_peek(fixture->store, "late"));
    assert_int_equal(kv_memory_next_ms(fixture->store), fixture->now_ms + 500);
    pass_memory(*state, 499);
    assert_null(kv_memory_peek(fixture->store, "late"));
    pass_memory(*state, 1);
    assert_string_equal(kv_memory_peek(fixture->store, "late")->value, "1");
    assert_int_equal(kv_memory_next_ms(fixture->store), INT64_MAX);
}

static void be_quicker(const struct kv_txn *txn, void *userdata)
{
    assert_int_equal(txn->success_count, 1);
    (void)contract_op(userdata, kv_op_put("there", "2"));
}

static void who_is_overtaken_finds_what_the_other_wrote(void **state)
{
    struct fixture *fixture = *state;
    const struct kv_compare guard = kv_if_value("there", "1");
    const struct kv_op put = kv_op_put("mine", "1");
    const struct kv_txn txn = {
        .compares = &guard, .compare_count = 1, .success = &put, .success_count = 1
    };
    struct kv *slow = NULL;
    int code = -1;
    (void)contract_op(*state, kv_op_put("there", "1"));
    assert_int_equal(kv_memory_connect(fixture->store, &slow, NULL), 0);
    kv_memory_overtake(slow, be_quicker, fixture);
    assert_int_equal(kv_txn(slow, &txn, keep_code, &code, NULL), 0);
    (void)kv_memory_deliver(fixture->store);
    assert_int_equal(code, 0);
    assert_null(kv_memory_peek(fixture->store, "mine"));
    kv_memory_overtake(slow, NULL, NULL);
    kv_free(slow);
}

struct seen {
    int events;
    int code;
};

static void on_events(const struct kv_event *events, size_t count, int64_t revision, void *userdata)
{
    (void)events;
    (void)revision;
    ((struct seen *)userdata)->events += (int)count;
}

static void on_lost(int code, const char *reason, void *userdata)
{
    (void)reason;
    ((struct seen *)userdata)->code = code;
}

static void a_watch_resumes_after_a_cut_and_ends_behind_compaction(void **state)
{
    static const struct kv_watch_callbacks callbacks = { .on_events = on_events,
                                                         .on_lost = on_lost };
    struct fixture *fixture = *state;
    struct kv *other = NULL;
    struct kv_watch *watch = NULL;
    struct seen seen = { 0 };
    assert_int_equal(kv_memory_connect(fixture->store, &other, NULL), 0);
    assert_int_equal(kv_watch(other, "", true, 2, &callbacks, &seen, &watch, NULL), 0);
    kv_memory_cut(other, true);
    (void)contract_op(*state, kv_op_put("x", "1"));
    assert_int_equal(seen.events, 0);
    kv_memory_cut(other, false);
    (void)kv_memory_deliver(fixture->store);
    assert_int_equal(seen.events, 1);
    kv_memory_cut(other, true);
    (void)contract_op(*state, kv_op_put("x", "2"));
    kv_memory_compact(fixture->store);
    kv_memory_cut(other, false);
    (void)kv_memory_deliver(fixture->store);
    assert_int_equal(seen.events, 1);
    assert_int_equal(seen.code, -ERANGE);
    kv_watch_stop(other, watch);
    kv_free(other);
}

static void on_answer(const struct kv_txn_result *result, void *userdata)
{
    (void)result;
    ++*(int *)userdata;
}

static void one_connection_is_served_without_the_others(void **state)
{
    static const struct kv_watch_callbacks callbacks = { .on_events = on_events,
                                                         .on_lost = on_lost };
    struct fixture *fixture = *state;
    const struct kv_op op = kv_op_put("x", "1");
    const struct kv_txn txn = { .success = &op, .success_count = 1 };
    struct kv *other = NULL;
    struct kv_watch *watch = NULL;
    struct seen seen = { 0 };
    int answers = 0;
    assert_int_equal(kv_memory_connect(fixture->store, &other, NULL), 0);
    assert_int_equal(kv_watch(other, "", true, 2, &callbacks, &seen, &watch, NULL), 0);
    assert_int_equal(kv_txn(fixture->contract.kv, &txn, on_answer, &answers, NULL), 0);
    assert_int_equal(kv_txn(other, &txn, on_answer, &answers, NULL), 0);
    (void)kv_memory_deliver_to(other, true, false);
    assert_int_equal(answers, 1);
    assert_int_equal(seen.events, 0);
    assert_true(kv_memory_is_due(other));
    (void)kv_memory_deliver_to(other, false, true);
    assert_int_equal(answers, 1);
    assert_int_equal(seen.events, 2);
    assert_false(kv_memory_is_due(other));
    assert_true(kv_memory_is_due(fixture->contract.kv));
    kv_watch_stop(other, watch);
    kv_free(other);
    (void)kv_memory_deliver(fixture->store);
    assert_int_equal(answers, 2);
}

int main(void)
{
    static const struct CMUnitTest own[] = {
        cmocka_unit_test(a_cut_connection_reaches_nothing),
        cmocka_unit_test(a_lost_answer_may_or_may_not_have_been_done),
        cmocka_unit_test(what_lands_late_is_done_when_its_client_has_given_up),
        cmocka_unit_test(who_is_overtaken_finds_what_the_other_wrote),
        cmocka_unit_test(one_connection_is_served_without_the_others),
        cmocka_unit_test(a_watch_resumes_after_a_cut_and_ends_behind_compaction),
    };
    static struct CMUnitTest tests[64];
    size_t count = 0;
    for (size_t i = 0; i < contract_test_count; i++)
        tests[count++] = contract_tests[i];
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        tests[count++] = own[i];
    for (size_t i = 0; i < count; i++) {
        tests[i].setup_func = setup;
        tests[i].teardown_func = teardown;
    }
    return _cmocka_run_group_tests("kv-memory", tests, count, NULL, NULL);
}
