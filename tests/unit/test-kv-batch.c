/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_batch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "kvclient/kv_memory.h"
#include "tests/unit/harness.h"

enum { WRITERS = 3 };

struct fixture {
    struct kv_memory *store;
    struct kv *other; /* somebody else's connection */
    struct kv *kv;
    struct kv_batch *batch;
    struct text story;
    struct writer {
        struct fixture *fixture;
        char name;
    } writers[WRITERS];
    unsigned int written; /* writes told as such */
    char last_reason[256];
    void (*in_callback)(struct fixture *fixture);
};

/* Tells "a+ " for written, "a- " superseded, "a! " refused, "a# " fenced, "a? " unknown. */
static char mark_of(int code)
{
    switch (code) {
    case 0:
        return '+';
    case -ECANCELED:
        return '-';
    case -EBADE:
        return '!';
    case -ESTALE:
        return '#';
    case -ETIMEDOUT:
        return '?';
    default:
        return '*';
    }
}

static void on_told(const struct kv_batch_result *result, void *userdata)
{
    const struct writer *writer = userdata;
    struct fixture *fixture = writer->fixture;
    assert_true((result->code == 0) == (result->revision > 0));
    assert_true((result->code < 0) == (*result->reason != '\0'));
    text_addf(&fixture->story, "%c%c ", writer->name, mark_of(result->code));
    (void)snprintf(fixture->last_reason, sizeof(fixture->last_reason), "%s", result->reason);
    if (fixture->in_callback)
        fixture->in_callback(fixture);
}

static void on_counted(const struct kv_batch_result *result, void *userdata)
{
    struct fixture *fixture = userdata;
    assert_int_equal(result->code, 0);
    fixture->written++;
}

static void on_done(const struct kv_txn_result *result, void *userdata)
{
    (void)userdata;
    assert_int_equal(result->code, 0);
}

/* As somebody else, at once. */
static void run(struct fixture *fixture, struct kv_op op)
{
    struct kv_txn txn = { .success = &op, .success_count = 1 };
    assert_int_equal(kv_txn(fixture->other, &txn, on_done, NULL, NULL), 0);
    (void)kv_memory_deliver(fixture->store);
}

static struct kv_compare present_guard(const struct fixture *fixture)
{
    return kv_if_mod("leader", kv_memory_peek(fixture->store, "leader")->mod_revision);
}

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){ 0 };
    for (int i = 0; i < WRITERS; i++)
        fixture.writers[i] = (struct writer){ .fixture = &fixture, .name = (char)('a' + i) };
    assert_int_equal(kv_memory_new(&fixture.store, NULL), 0);
    assert_int_equal(kv_memory_connect(fixture.store, &fixture.other, NULL), 0);
    assert_int_equal(kv_memory_connect(fixture.store, &fixture.kv, NULL), 0);
    run(&fixture, kv_op_put("leader", "me"));
    const struct kv_compare guard = present_guard(&fixture);
    assert_int_equal(kv_batch_new(NULL, fixture.kv, &guard, &fixture.batch, NULL), 0);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    kv_batch_free(fixture->batch);
    kv_free(fixture->kv);
    kv_free(fixture->other);
    kv_memory_free(fixture->store);
    text_done(&fixture->story);
    return 0;
}

static void add_if(struct fixture *fixture, int writer, struct kv_op op, struct kv_compare compare)
{
    const struct kv_batch_write write = { .op = op,
                                          .compares = &compare,
                                          .compare_count = compare.key ? 1 : 0,
                                          .fn = on_told,
                                          .userdata = &fixture->writers[writer] };
    assert_int_equal(kv_batch_add(fixture->batch, &write, NULL), 0);
}

static void add(struct fixture *fixture, int writer, struct kv_op op)
{
    add_if(fixture, writer, op, (struct kv_compare){ 0 });
}

static void flush(struct fixture *fixture)
{
    kv_batch_flush(fixture->batch);
    (void)kv_memory_deliver(fixture->store);
}

static void expect(struct fixture *fixture, const char *story)
{
    text_add(&fixture->story, "");
    assert_string_equal(fixture->story.data, story);
    text_done(&fixture->story);
}

static void expect_stored(const struct fixture *fixture, const char *key, const char *value)
{
    const struct kv_pair *pair = kv_memory_peek(fixture->store, key);
    if (!value) {
        assert_null(pair);
        return;
    }
    assert_non_null(pair);
    assert_string_equal(pair->value, value);
}

static int64_t revision(const struct fixture *fixture)
{
    return kv_memory_revision(fixture->store);
}

static void writes_of_a_turn_are_one_revision(void **state)
{
    struct fixture *fixture = *state;
    int64_t before = revision(fixture);
    add(fixture, 0, kv_op_put("k/a", "1"));
    add(fixture, 1, kv_op_put_bytes("k/b", "x\0y", 3));
    assert_int_equal(revision(fixture), before); /* nothing is sent by adding */
    flush(fixture);
    expect(fixture, "a+ b+ ");
    assert_int_equal(revision(fixture), before + 1);
    assert_int_equal(kv_memory_peek(fixture->store, "k/b")->value_length, 3);
    flush(fixture); /* nothing is queued: nothing is sent */
    assert_int_equal(revision(fixture), before + 1);
}

static void a_rewrite_supersedes_what_is_queued(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, 0, kv_op_put("k", "old"));
    add(fixture, 1, kv_op_put("other", "1"));
    add(fixture, 2, kv_op_delete("k"));
    expect(fixture, ""); /* not from inside kv_batch_add() */
    run(fixture, kv_op_put("k", "before"));
    flush(fixture);
    expect(fixture, "a- b+ c+ ");
    expect_stored(fixture, "k", NULL);
}

static void what_is_under_way_is_not_superseded(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, 0, kv_op_put("k", "1"));
    kv_batch_flush(fixture->batch);
    add(fixture, 1, kv_op_put("k", "2"));
    kv_batch_flush(fixture->batch); /* one transaction at a time */
    expect_stored(fixture, "k", "1");
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "a+ b+ ");
    expect_stored(fixture, "k", "2");
    assert_int_equal(kv_memory_peek(fixture->store, "k")->version, 2);
}

static void add_numbered(struct fixture *fixture, unsigned int i, const char *value,
                         size_t compare_count)
{
    struct kv_compare compares[KV_TXN_OPS_MAX];
    char key[32];
    (void)snprintf(key, sizeof(key), "n/%04u", i);
    for (size_t j = 0; j < compare_count; j++)
        compares[j] = kv_if_absent(key);
    const struct kv_batch_write write = { .op = kv_op_put(key, value),
                                          .compares = compares,
                                          .compare_count = compare_count,
                                          .fn = on_counted,
                                          .userdata = fixture };
    assert_int_equal(kv_batch_add(fixture->batch, &write, NULL), 0);
}

static void transactions_are_cut_by_operations_in_order(void **state)
{
    struct fixture *fixture = *state;
    int64_t before = revision(fixture);
    for (unsigned int i = 0; i < 2 * KV_TXN_OPS_MAX + 1; i++)
        add_numbered(fixture, i, "v", 0);
    flush(fixture);
    assert_int_equal(fixture->written, 2 * KV_TXN_OPS_MAX + 1);
    assert_int_equal(revision(fixture), before + 3);
    assert_int_equal(kv_memory_peek(fixture->store, "n/0127")->mod_revision, before + 1);
    assert_int_equal(kv_memory_peek(fixture->store, "n/0128")->mod_revision, before + 2);
    assert_int_equal(kv_memory_peek(fixture->store, "n/0256")->mod_revision, before + 3);
}

static void transactions_are_cut_by_compares(void **state)
{
    struct fixture *fixture = *state;
    int64_t before = revision(fixture);
    for (unsigned int i = 0; i < 4; i++)
        add_numbered(fixture, i, "v", 63); /* two and the guard are 127 */
    flush(fixture);
    assert_int_equal(fixture->written, 4);
    assert_int_equal(revision(fixture), before + 2);
}

static void transactions_are_cut_by_bytes(void **state)
{
    struct fixture *fixture = *state;
    autofree char *big = malloc(KV_BATCH_BYTES_MAX / 3 + 1);
    assert_non_null(big);
    memset(big, 'x', KV_BATCH_BYTES_MAX / 3);
    big[KV_BATCH_BYTES_MAX / 3] = '\0';
    int64_t before = revision(fixture);
    for (unsigned int i = 0; i < 4; i++)
        add_numbered(fixture, i, big, 0);
    flush(fixture);
    assert_int_equal(fixture->written, 4);
    assert_int_equal(revision(fixture), before + 2);
    assert_int_equal(kv_memory_peek(fixture->store, "n/0001")->mod_revision, before + 1);
}

static void what_fits_into_no_transaction_is_not_queued(void **state)
{
    struct fixture *fixture = *state;
    autofree char *big = calloc(1, KV_BATCH_BYTES_MAX);
    struct kv_compare compares[KV_TXN_OPS_MAX];
    struct error err = { 0 };
    assert_non_null(big);
    for (size_t i = 0; i < KV_TXN_OPS_MAX; i++)
        compares[i] = kv_if_absent("k");
    struct kv_batch_write write = { .op = kv_op_put_bytes("k", big, KV_BATCH_BYTES_MAX) };
    assert_int_equal(kv_batch_add(fixture->batch, &write, &err), -E2BIG);
    write = (struct kv_batch_write){ .op = kv_op_delete("k"), .compares = compares };
    write.compare_count = KV_TXN_OPS_MAX;
    assert_int_equal(kv_batch_add(fixture->batch, &write, &err), -E2BIG);
    write.compare_count = KV_TXN_OPS_MAX - 1;
    assert_int_equal(kv_batch_add(fixture->batch, &write, &err), 0);
    write.op = kv_op_delete_prefix("k");
    assert_int_equal(kv_batch_add(fixture->batch, &write, &err), -EINVAL);
    write.op = kv_op_range("k");
    assert_int_equal(kv_batch_add(fixture->batch, &write, &err), -EINVAL);
}

static void without_its_guard_nothing_is_written(void **state)
{
    struct fixture *fixture = *state;
    const struct kv_batch_write write = { .op = kv_op_put("k/d", "1") };
    add(fixture, 0, kv_op_put("k/a", "1"));
    run(fixture, kv_op_put("leader", "you"));
    kv_batch_flush(fixture->batch);
    add(fixture, 1, kv_op_put("k/b", "1")); /* queued while it was under way */
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "a# b# ");
    expect_stored(fixture, "k/a", NULL);
    expect_stored(fixture, "k/b", NULL);
    assert_int_equal(kv_batch_state(fixture->batch), -ESTALE);
    assert_int_equal(kv_batch_add(fixture->batch, &write, NULL), -ESTALE);
}

static void a_new_guard_ends_the_fencing(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, kv_op_put("leader", "me, again"));
    add(fixture, 0, kv_op_put("k", "1"));
    flush(fixture);
    const struct kv_compare guard = present_guard(fixture);
    assert_int_equal(kv_batch_resume(fixture->batch, &guard, NULL), 0);
    add(fixture, 1, kv_op_put("k", "2"));
    flush(fixture);
    expect(fixture, "a# b+ ");
    expect_stored(fixture, "k", "2");
}

static void what_failed_under_the_earlier_guard_is_sent_anew(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, 0, kv_op_put("k", "1"));
    run(fixture, kv_op_put("leader", "me, again"));
    kv_batch_flush(fixture->batch);
    const struct kv_compare guard = present_guard(fixture);
    assert_int_equal(kv_batch_resume(fixture->batch, &guard, NULL), 0);
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "a+ ");
    expect_stored(fixture, "k", "1");
}

static void only_the_refused_ones_are_refused(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, kv_op_put("taken", "t"));
    for (unsigned int i = 0; i < 50; i++)
        add_numbered(fixture, i, "v", 1);
    add_if(fixture, 0, kv_op_put("k/a", "1"), kv_if_absent("taken"));
    add_if(fixture, 1, kv_op_put("k/b", "1"), kv_if_value("taken", "t"));
    add_if(fixture, 2, kv_op_put("k/c", "1"), kv_if_value("taken", "u"));
    for (unsigned int i = 50; i < 100; i++)
        add_numbered(fixture, i, "v", 1);
    int64_t before = revision(fixture);
    flush(fixture);
    expect(fixture, "a! c! b+ ");
    assert_int_equal(fixture->written, 100);
    assert_int_equal(revision(fixture), before + 1); /* all the others, in one */
    expect_stored(fixture, "k/a", NULL);
    expect_stored(fixture, "k/b", "1");
    expect_stored(fixture, "k/c", NULL);
}

static void a_refusal_names_what_stood_in_the_way(void **state)
{
    struct fixture *fixture = *state;
    add_if(fixture, 0, kv_op_put("k/a", "1"), kv_if_exists("wanted"));
    flush(fixture);
    assert_non_null(strstr(fixture->last_reason, "wanted"));
    assert_non_null(strstr(fixture->last_reason, "k/a"));
}

static void what_the_store_does_not_take_is_found(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned int i = 0; i < 20; i++)
        add_numbered(fixture, i, "v", 0);
    add(fixture, 0, kv_op_put_leased("k/a", "1", 4711)); /* there is no such lease */
    for (unsigned int i = 20; i < 40; i++)
        add_numbered(fixture, i, "v", 0);
    add(fixture, 1, kv_op_put("not UTF-8: \xff", "1")); /* not even sent */
    flush(fixture);
    expect(fixture, "a* b* ");
    assert_int_equal(fixture->written, 40);
    assert_int_equal(kv_batch_state(fixture->batch), 0);
}

/* The rule of the epoch: nothing more until there is a new guard, which the lost one cannot pass.
 */
static void lose_one_answer(struct fixture *fixture, bool applied)
{
    kv_memory_lose_answers(fixture->kv, 1, applied);
    add(fixture, 0, kv_op_put("k/a", "1"));
    kv_batch_flush(fixture->batch);
    add(fixture, 1, kv_op_put("k/b", "1"));
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "a? ");
    assert_int_equal(kv_batch_state(fixture->batch), -ETIMEDOUT);
    flush(fixture);
    expect(fixture, "");
    expect_stored(fixture, "k/a", applied ? "1" : NULL);
    expect_stored(fixture, "k/b", NULL);

    run(fixture, kv_op_put("leader", "me, again"));
    const struct kv_compare guard = present_guard(fixture);
    assert_int_equal(kv_batch_resume(fixture->batch, &guard, NULL), 0);
    flush(fixture);
    expect(fixture, "b+ ");
    expect_stored(fixture, "k/b", "1");
}

static void a_lost_answer_stops_the_batch_if_it_was_applied(void **state)
{
    lose_one_answer(*state, true);
}

static void a_lost_answer_stops_the_batch_if_it_was_not(void **state)
{
    lose_one_answer(*state, false);
}

static void superseded_writes_are_told_while_it_waits(void **state)
{
    struct fixture *fixture = *state;
    kv_memory_lose_answers(fixture->kv, 1, true);
    add(fixture, 0, kv_op_put("k", "1"));
    flush(fixture);
    add(fixture, 1, kv_op_put("k", "2"));
    add(fixture, 2, kv_op_put("k", "3"));
    flush(fixture);
    expect(fixture, "a? b- ");
}

static void what_did_not_happen_is_sent_again(void **state)
{
    struct fixture *fixture = *state;
    kv_memory_cut(fixture->kv, true);
    add(fixture, 0, kv_op_put("k/a", "1"));
    add(fixture, 1, kv_op_put("k/b", "1"));
    flush(fixture);
    expect(fixture, "");
    add(fixture, 2, kv_op_put("k/a", "2"));
    kv_memory_cut(fixture->kv, false);
    flush(fixture);
    expect(fixture, "a- b+ c+ ");
    expect_stored(fixture, "k/a", "2");
}

/* Sent, not yet answered, when a newer one came: the newer one is what is sent again. */
static void what_comes_back_does_not_undo_a_newer_write(void **state)
{
    struct fixture *fixture = *state;
    kv_memory_cut(fixture->kv, true);
    add(fixture, 0, kv_op_put("k", "1"));
    add(fixture, 2, kv_op_put("other", "1"));
    kv_batch_flush(fixture->batch);
    add(fixture, 1, kv_op_put("k", "2"));
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "a- ");
    kv_memory_cut(fixture->kv, false);
    flush(fixture);
    expect(fixture, "c+ b+ ");
    assert_int_equal(kv_memory_peek(fixture->store, "k")->version, 1);
    expect_stored(fixture, "k", "2");
}

static void a_forgotten_write_is_not_sent(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, 0, kv_op_put("k/a", "1"));
    add(fixture, 1, kv_op_put("k/b", "1"));
    kv_batch_forget(fixture->batch, &fixture->writers[0]);
    kv_batch_flush(fixture->batch);
    kv_batch_forget(fixture->batch, &fixture->writers[1]); /* too late, but nobody is told */
    add(fixture, 2, kv_op_put("k/a", "2"));
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "c+ ");
    expect_stored(fixture, "k/a", "2");
    expect_stored(fixture, "k/b", "1");
}

static void forget_b(struct fixture *fixture)
{
    kv_batch_forget(fixture->batch, &fixture->writers[1]);
}

static void a_callback_may_forget_the_next(void **state)
{
    struct fixture *fixture = *state;
    fixture->in_callback = forget_b;
    for (int i = 0; i < WRITERS; i++)
        add(fixture, i, kv_op_put((const char *[]){ "k/a", "k/b", "k/c" }[i], "1"));
    flush(fixture);
    expect(fixture, "a+ c+ ");
}

static void free_batch(struct fixture *fixture)
{
    kv_batch_free(take_ptr(fixture->batch));
}

static void a_callback_may_free_the_batch(void **state)
{
    struct fixture *fixture = *state;
    fixture->in_callback = free_batch;
    add(fixture, 0, kv_op_put("k/a", "1"));
    add(fixture, 1, kv_op_put("k/b", "1"));
    flush(fixture);
    expect(fixture, "a+ ");
}

static void a_superseded_one_may_free_the_batch_from_inside_the_flush(void **state)
{
    struct fixture *fixture = *state;
    fixture->in_callback = free_batch;
    add(fixture, 0, kv_op_put("k/a", "1"));
    add(fixture, 1, kv_op_put("k/a", "2"));
    flush(fixture);
    expect(fixture, "a- ");
    expect_stored(fixture, "k/a", NULL);
}

static void add_more(struct fixture *fixture)
{
    fixture->in_callback = NULL;
    add(fixture, 2, kv_op_put("k/a", "more"));
    kv_batch_flush(fixture->batch);
}

static void a_callback_may_add_and_flush(void **state)
{
    struct fixture *fixture = *state;
    fixture->in_callback = add_more;
    add(fixture, 0, kv_op_put("k/a", "1"));
    add(fixture, 1, kv_op_put("k/b", "1"));
    flush(fixture);
    expect(fixture, "a+ b+ c+ ");
    expect_stored(fixture, "k/a", "more");
}

static void freeing_tells_nobody(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, 0, kv_op_put("k/a", "1"));
    kv_batch_flush(fixture->batch);
    add(fixture, 1, kv_op_put("k/b", "1"));
    free_batch(fixture);
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "");
}

static void with_a_loop_the_turn_ends_with_a_flush(void **state)
{
    struct fixture *fixture = *state;
    autoptr(loop) loop = NULL;
    const struct kv_compare guard = present_guard(fixture);
    free_batch(fixture);
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(kv_batch_new(loop, fixture->kv, &guard, &fixture->batch, NULL), 0);
    int64_t before = revision(fixture);
    add(fixture, 0, kv_op_put("k/a", "1"));
    add(fixture, 1, kv_op_put("k/b", "1"));
    loop_run_once(loop, true);
    assert_int_equal(revision(fixture), before + 1);
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "a+ b+ ");

    kv_memory_cut(fixture->kv, true);
    add(fixture, 2, kv_op_put("k/a", "2"));
    loop_run_once(loop, true);
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "");
    kv_memory_cut(fixture->kv, false);
    loop_run_once(loop, true); /* the pause */
    (void)kv_memory_deliver(fixture->store);
    expect(fixture, "c+ ");
    free_batch(fixture);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(writes_of_a_turn_are_one_revision),
        test(a_rewrite_supersedes_what_is_queued),
        test(what_is_under_way_is_not_superseded),
        test(transactions_are_cut_by_operations_in_order),
        test(transactions_are_cut_by_compares),
        test(transactions_are_cut_by_bytes),
        test(what_fits_into_no_transaction_is_not_queued),
        test(without_its_guard_nothing_is_written),
        test(a_new_guard_ends_the_fencing),
        test(what_failed_under_the_earlier_guard_is_sent_anew),
        test(only_the_refused_ones_are_refused),
        test(a_refusal_names_what_stood_in_the_way),
        test(what_the_store_does_not_take_is_found),
        test(a_lost_answer_stops_the_batch_if_it_was_applied),
        test(a_lost_answer_stops_the_batch_if_it_was_not),
        test(superseded_writes_are_told_while_it_waits),
        test(what_did_not_happen_is_sent_again),
        test(what_comes_back_does_not_undo_a_newer_write),
        test(a_forgotten_write_is_not_sent),
        test(a_callback_may_forget_the_next),
        test(a_callback_may_free_the_batch),
        test(a_superseded_one_may_free_the_batch_from_inside_the_flush),
        test(a_callback_may_add_and_flush),
        test(freeing_tells_nobody),
        test(with_a_loop_the_turn_ends_with_a_flush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
