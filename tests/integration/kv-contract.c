/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/kv-contract.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "kvclient/kv_batch.h"

static void keep_first(struct contract_answer *answer, const struct kv_pair *pairs, size_t count)
{
    answer->pair_count = count;
    if (count == 0)
        return;
    answer->first = pairs[0];
    (void)snprintf(answer->key, sizeof(answer->key), "%s", pairs[0].key);
    size_t room = sizeof(answer->value) - 1;
    size_t length = pairs[0].value_length < room ? pairs[0].value_length : room;
    memcpy(answer->value, pairs[0].value, length);
    answer->value[length] = '\0';
}

static void on_txn(const struct kv_txn_result *result, void *userdata)
{
    struct contract_answer *answer = userdata;
    answer->done++;
    answer->code = result->code;
    (void)snprintf(answer->reason, sizeof(answer->reason), "%s", result->reason);
    answer->succeeded = result->succeeded;
    answer->revision = result->revision;
    if (result->result_count == 0)
        return;
    assert_true(result->sent_boot_ms <= clock_boot_ms());
    answer->count = result->results[0].count;
    keep_first(answer, result->results[0].pairs, result->results[0].pair_count);
}

struct contract_answer contract_txn(struct contract *contract, const struct kv_txn *txn)
{
    struct contract_answer answer = { 0 };
    assert_int_equal(kv_txn(contract->kv, txn, on_txn, &answer, NULL), 0);
    assert_int_equal(answer.done, 0); /* never from inside */
    contract->wait(contract, &answer.done);
    assert_int_equal(answer.done, 1);
    return answer;
}

struct contract_answer contract_op(struct contract *contract, struct kv_op op)
{
    struct kv_txn txn = { .success = &op, .success_count = 1 };
    return contract_txn(contract, &txn);
}

static void on_range(const struct kv_range_result *result, void *userdata)
{
    struct contract_answer *answer = userdata;
    answer->done++;
    answer->code = result->code;
    (void)snprintf(answer->reason, sizeof(answer->reason), "%s", result->reason);
    answer->revision = result->revision;
    keep_first(answer, result->pairs, result->pair_count);
    for (size_t i = 1; i < result->pair_count; i++)
        assert_true(strcmp(result->pairs[i - 1].key, result->pairs[i].key) < 0);
}

struct contract_answer contract_range(struct contract *contract, const char *key, bool prefix)
{
    struct contract_answer answer = { 0 };
    assert_int_equal(kv_range(contract->kv, key, prefix, on_range, &answer, NULL), 0);
    contract->wait(contract, &answer.done);
    return answer;
}

static void on_lease(const struct kv_lease_result *result, void *userdata)
{
    struct contract_answer *answer = userdata;
    answer->done++;
    answer->code = result->code;
    (void)snprintf(answer->reason, sizeof(answer->reason), "%s", result->reason);
    answer->ttl_s = result->ttl_s;
    answer->left_s = result->left_s;
}

struct contract_answer contract_grant(struct contract *contract, int64_t id, int64_t ttl_s)
{
    struct contract_answer answer = { 0 };
    assert_int_equal(kv_lease_grant(contract->kv, id, ttl_s, on_lease, &answer, NULL), 0);
    contract->wait(contract, &answer.done);
    return answer;
}

struct contract_answer contract_keep_alive(struct contract *contract, int64_t id)
{
    struct contract_answer answer = { 0 };
    assert_int_equal(kv_lease_keep_alive(contract->kv, id, on_lease, &answer, NULL), 0);
    contract->wait(contract, &answer.done);
    return answer;
}

struct contract_answer contract_revoke(struct contract *contract, int64_t id)
{
    struct contract_answer answer = { 0 };
    assert_int_equal(kv_lease_revoke(contract->kv, id, on_lease, &answer, NULL), 0);
    contract->wait(contract, &answer.done);
    return answer;
}

static void a_put_is_read_back_with_its_revisions(void **state)
{
    struct contract_answer put = contract_op(*state, kv_op_put("a/put", "one"));
    assert_int_equal(put.code, 0);
    (void)contract_op(*state, kv_op_put("a/put", "tw\"o\n\xc3\xa9"));
    struct contract_answer get = contract_op(*state, kv_op_range("a/put"));
    assert_int_equal(get.code, 0);
    assert_int_equal(get.pair_count, 1);
    assert_string_equal(get.key, "a/put");
    assert_string_equal(get.value, "tw\"o\n\xc3\xa9");
    assert_int_equal(get.first.create_revision, put.revision);
    assert_int_equal(get.first.mod_revision, put.revision + 1);
    assert_int_equal(get.first.version, 2);
}

static struct contract_answer put_if(struct contract *contract, struct kv_compare compare)
{
    struct kv_op put = kv_op_put("a/compare", "x");
    struct kv_op get = kv_op_range("a/compare");
    struct kv_txn txn = { .compares = &compare,
                          .compare_count = 1,
                          .success = &put,
                          .success_count = 1,
                          .failure = &get,
                          .failure_count = 1 };
    return contract_txn(contract, &txn);
}

static void each_compare_holds_exactly_when_it_should(void **state)
{
    assert_false(put_if(*state, kv_if_exists("a/compare")).succeeded);
    assert_false(put_if(*state, kv_if_create("a/compare", 1)).succeeded);
    struct contract_answer made = put_if(*state, kv_if_absent("a/compare"));
    assert_true(made.succeeded);
    struct contract_answer refused = put_if(*state, kv_if_absent("a/compare"));
    assert_false(refused.succeeded);
    assert_int_equal(refused.code, 0);
    assert_int_equal(refused.first.mod_revision, made.revision);
    assert_true(put_if(*state, kv_if_mod("a/compare", made.revision)).succeeded);
    assert_false(put_if(*state, kv_if_mod("a/compare", made.revision)).succeeded);
    assert_true(put_if(*state, kv_if_create("a/compare", made.revision)).succeeded);
    assert_true(put_if(*state, kv_if_exists("a/compare")).succeeded);
}

static bool compares(struct contract *contract, struct kv_compare compare,
                     enum kv_relation relation)
{
    compare.relation = relation;
    struct kv_op get = kv_op_range(compare.key);
    struct kv_txn txn = {
        .compares = &compare, .compare_count = 1, .success = &get, .success_count = 1
    };
    struct contract_answer answer = contract_txn(contract, &txn);
    assert_int_equal(answer.code, 0);
    return answer.succeeded;
}

/* What the key has is as much as this compare's, more than low's and less than high's. */
static void expect_order(struct contract *contract, struct kv_compare low, struct kv_compare same,
                         struct kv_compare high)
{
    assert_true(compares(contract, same, KV_EQUAL));
    assert_false(compares(contract, same, KV_NOT_EQUAL));
    assert_false(compares(contract, same, KV_GREATER));
    assert_false(compares(contract, same, KV_LESS));
    assert_true(compares(contract, low, KV_GREATER));
    assert_true(compares(contract, low, KV_NOT_EQUAL));
    assert_false(compares(contract, low, KV_LESS));
    assert_true(compares(contract, high, KV_LESS));
    assert_false(compares(contract, high, KV_EQUAL));
    assert_false(compares(contract, high, KV_GREATER));
}

static struct kv_compare with_number(enum kv_target target, int64_t number)
{
    return (struct kv_compare){ .target = target, .key = "c/order", .number = number };
}

static void every_target_compares_in_every_relation(void **state)
{
    static const enum kv_target targets[] = { KV_TARGET_CREATE, KV_TARGET_MOD, KV_TARGET_VERSION,
                                              KV_TARGET_LEASE };
    int64_t lease = 1000;
    (void)contract_grant(*state, lease, 60);
    (void)contract_op(*state, kv_op_put("c/order", "b"));
    (void)contract_op(*state, kv_op_put_leased("c/order", "b", lease));
    struct kv_pair pair = contract_range(*state, "c/order", false).first;
    const int64_t numbers[] = { pair.create_revision, pair.mod_revision, 2, lease };
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        expect_order(*state, with_number(targets[i], numbers[i] - 1),
                     with_number(targets[i], numbers[i]), with_number(targets[i], numbers[i] + 1));
    expect_order(*state, kv_if_value("c/order", "ab"), kv_if_value("c/order", "b"),
                 kv_if_value("c/order", "ba"));
    assert_true(compares(*state, kv_if_lease("c/order", lease), KV_EQUAL));
    assert_int_equal(contract_revoke(*state, lease).code, 0);
}

static void an_absent_key_has_zeros_and_no_value(void **state)
{
    assert_true(compares(*state, kv_if_lease("c/absent", 0), KV_EQUAL));
    assert_true(compares(*state, kv_if_mod("c/absent", 1), KV_LESS));
    assert_false(compares(*state, kv_if_value("c/absent", ""), KV_EQUAL));
    assert_false(compares(*state, kv_if_value("c/absent", "x"), KV_NOT_EQUAL));
}

static void values_are_bytes(void **state)
{
    static const char bytes[] = "\0\xff\0b";
    struct kv_op put = kv_op_put_bytes("v/bytes", bytes, sizeof(bytes));
    assert_int_equal(contract_op(*state, put).code, 0);
    struct contract_answer got = contract_range(*state, "v/bytes", false);
    assert_int_equal(got.first.value_length, sizeof(bytes));
    assert_memory_equal(got.value, bytes, sizeof(bytes));
    struct kv_compare same = {
        .target = KV_TARGET_VALUE, .key = "v/bytes", .value = bytes, .value_length = sizeof(bytes)
    };
    assert_true(compares(*state, same, KV_EQUAL));
    assert_int_equal(contract_op(*state, kv_op_put_bytes("v/none", bytes, 0)).code, 0);
    assert_int_equal(contract_range(*state, "v/none", false).first.value_length, 0);
}

static void keys_are_text(void **state)
{
    const struct contract *contract = *state;
    const char *const wrong[] = { "", "\xff", "a\xc3" };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct kv_op put = kv_op_put(wrong[i], "x");
        struct kv_txn txn = { .success = &put, .success_count = 1 };
        struct error err = { 0 };
        assert_int_equal(kv_txn(contract->kv, &txn, on_txn, NULL, &err), -EINVAL);
        assert_true(*err.text);
    }
}

static struct contract_answer range_at(struct contract *contract, const char *key, int64_t revision)
{
    struct contract_answer answer = { 0 };
    assert_int_equal(kv_range_at(contract->kv, key, true, revision, on_range, &answer, NULL), 0);
    contract->wait(contract, &answer.done);
    return answer;
}

static void on_compacted(const struct kv_compact_result *result, void *userdata)
{
    struct contract_answer *answer = userdata;
    answer->done++;
    answer->code = result->code;
    answer->revision = result->revision;
}

static struct contract_answer compact(struct contract *contract, int64_t revision)
{
    struct contract_answer answer = { 0 };
    assert_int_equal(kv_compact(contract->kv, revision, on_compacted, &answer, NULL), 0);
    contract->wait(contract, &answer.done);
    return answer;
}

static void the_past_is_seen_until_it_is_compacted(void **state)
{
    int64_t first = contract_op(*state, kv_op_put("h/a", "1")).revision;
    int64_t second = contract_op(*state, kv_op_put("h/a", "2")).revision;
    (void)contract_op(*state, kv_op_delete("h/a"));
    int64_t last = contract_op(*state, kv_op_put("h/b", "3")).revision;
    struct contract_answer then = range_at(*state, "h/", first);
    assert_int_equal(then.code, 0);
    assert_int_equal(then.revision, first);
    assert_int_equal(then.pair_count, 1);
    assert_string_equal(then.value, "1");
    assert_string_equal(range_at(*state, "h/", second).value, "2");
    assert_int_equal(range_at(*state, "h/", last + 1).code, -EREMCHG);
    assert_int_equal(compact(*state, last + 1).code, -EREMCHG);
    assert_int_equal(compact(*state, second).code, 0);
    assert_int_equal(compact(*state, second).code, 0); /* again: as was wanted */
    assert_int_equal(range_at(*state, "h/", first).code, -ERANGE);
    assert_string_equal(range_at(*state, "h/", second).value, "2");
    assert_int_equal(range_at(*state, "h/", last).pair_count, 1);
}

static struct contract_answer time_to_live(struct contract *contract, int64_t id)
{
    struct contract_answer answer = { 0 };
    assert_int_equal(kv_lease_time_to_live(contract->kv, id, on_lease, &answer, NULL), 0);
    contract->wait(contract, &answer.done);
    return answer;
}

static void what_a_lease_has_left_is_told_and_not_renewed(void **state)
{
    int64_t id = kv_lease_new_id();
    struct contract *contract = *state;
    (void)contract_grant(contract, id, 20);
    contract->pass_ms(contract, 1100);
    struct contract_answer left = time_to_live(contract, id);
    assert_int_equal(left.code, 0);
    assert_int_equal(left.ttl_s, 20);
    assert_in_range(left.left_s, 16, 19);
    (void)contract_revoke(contract, id);
    assert_int_equal(time_to_live(contract, id).code, -ENOENT);
}

static void on_members(const struct kv_members_result *result, void *userdata)
{
    struct contract_answer *answer = userdata;
    answer->done++;
    answer->code = result->code;
    answer->count = (int64_t)result->member_count;
    if (result->member_count == 0)
        return;
    answer->id = result->members[0].id;
    (void)snprintf(answer->value, sizeof(answer->value), "%s", result->members[0].name);
}

static void on_status(const struct kv_status_result *result, void *userdata)
{
    struct contract_answer *answer = userdata;
    answer->done++;
    answer->code = result->code;
    answer->revision = result->revision;
    answer->id = result->leader;
    assert_true(result->leader == result->member);
    assert_true(result->size_bytes >= result->in_use_bytes && result->in_use_bytes > 0);
    assert_true(*result->version);
    assert_false(result->no_space || result->corrupt);
}

static void a_store_of_one_member_is_led_by_it(void **state)
{
    struct contract *contract = *state;
    struct contract_answer members = { 0 };
    struct contract_answer status = { 0 };
    assert_int_equal(kv_members(contract->kv, on_members, &members, NULL), 0);
    contract->wait(contract, &members.done);
    assert_int_equal(members.code, 0);
    assert_int_equal(members.count, 1);
    assert_true(*members.value);
    int64_t revision = contract_op(contract, kv_op_put("s/a", "1")).revision;
    assert_int_equal(kv_status(contract->kv, on_status, &status, NULL), 0);
    contract->wait(contract, &status.done);
    assert_int_equal(status.code, 0);
    assert_int_equal(status.revision, revision);
    assert_true(status.id == members.id);
}

static void delete_of_a_prefix_spares_its_neighbours(void **state)
{
    (void)contract_op(*state, kv_op_put("d/x", ""));
    (void)contract_op(*state, kv_op_put("d/y", ""));
    (void)contract_op(*state, kv_op_put("d0", ""));
    struct kv_op all = { .kind = KV_OP_DELETE, .key = "d/", .prefix = true };
    assert_int_equal(contract_op(*state, all).count, 2);
    assert_int_equal(contract_range(*state, "d", true).pair_count, 1);
    assert_int_equal(contract_op(*state, kv_op_delete("d/x")).count, 0);
}

static void put_pages(struct contract *contract, int count)
{
    char keys[KV_TXN_OPS_MAX][32];
    struct kv_op ops[KV_TXN_OPS_MAX];
    for (int i = 0; i < count;) {
        size_t n = 0;
        for (; n < KV_TXN_OPS_MAX && i < count; n++, i++) {
            (void)snprintf(keys[n], sizeof(keys[n]), "p/%05d", i);
            ops[n] = kv_op_put(keys[n], "page");
        }
        struct kv_txn txn = { .success = ops, .success_count = n };
        assert_int_equal(contract_txn(contract, &txn).code, 0);
    }
}

static void a_listing_longer_than_a_page_is_whole_and_ordered(void **state)
{
    put_pages(*state, 2100);
    struct contract_answer all = contract_range(*state, "p/", true);
    assert_int_equal(all.code, 0);
    assert_int_equal(all.pair_count, 2100);
    assert_string_equal(all.key, "p/00000");
}

static void a_listing_of_the_past_is_whole_too(void **state)
{
    put_pages(*state, 2100);
    int64_t then = contract_range(*state, "p/", true).revision;
    struct contract_answer gone = contract_op(*state, kv_op_delete_prefix("p/"));
    assert_int_equal(gone.count, 2100);
    assert_int_equal(contract_range(*state, "p/", true).pair_count, 0);
    assert_int_equal(range_at(*state, "p/", then).pair_count, 2100);
}

static void too_many_operations_are_refused_before_they_are_sent(void **state)
{
    const struct contract *contract = *state;
    struct kv_op ops[KV_TXN_OPS_MAX + 1];
    struct error err = { 0 };
    for (size_t i = 0; i < KV_TXN_OPS_MAX + 1; i++)
        ops[i] = kv_op_range("x");
    struct kv_txn txn = { .success = ops, .success_count = KV_TXN_OPS_MAX + 1 };
    assert_int_equal(kv_txn(contract->kv, &txn, on_txn, NULL, &err), -E2BIG);
}

static void one_key_put_twice_in_a_transaction_is_wrong(void **state)
{
    struct kv_op ops[] = { kv_op_put("twice", "1"), kv_op_put("twice", "2") };
    struct kv_txn txn = { .success = ops, .success_count = 2 };
    assert_int_equal(contract_txn(*state, &txn).code, -EINVAL);
    assert_int_equal(contract_range(*state, "twice", false).pair_count, 0);
}

static void a_lease_granted_twice_is_granted(void **state)
{
    int64_t id = kv_lease_new_id();
    assert_int_equal(contract_grant(*state, id, 5).ttl_s, 5);
    struct contract_answer again = contract_grant(*state, id, 5);
    assert_int_equal(again.code, 0);
    assert_int_equal(again.ttl_s, 5);
    assert_int_equal(contract_revoke(*state, id).code, 0);
}

static void a_revoked_lease_takes_its_keys_and_is_unknown(void **state)
{
    int64_t id = kv_lease_new_id();
    (void)contract_grant(*state, id, 5);
    assert_int_equal(contract_op(*state, kv_op_put_leased("l/a", "1", id)).code, 0);
    assert_int_equal(contract_range(*state, "l/a", false).first.lease, id);
    assert_int_equal(contract_revoke(*state, id).code, 0);
    assert_int_equal(contract_range(*state, "l/", true).pair_count, 0);
    assert_int_equal(contract_keep_alive(*state, id).code, -ENOENT);
    assert_int_equal(contract_revoke(*state, id).code, -ENOENT);
    assert_int_equal(contract_op(*state, kv_op_put_leased("l/a", "1", id)).code, -ENOENT);
}

static void a_lease_lives_by_keep_alives_and_dies_without(void **state)
{
    struct contract *contract = *state;
    int64_t id = kv_lease_new_id();
    (void)contract_grant(contract, id, 2);
    (void)contract_op(contract, kv_op_put_leased("e/kept", "1", id));
    for (int i = 0; i < 3; i++) {
        contract->pass_ms(contract, 900);
        struct contract_answer kept = contract_keep_alive(contract, id);
        assert_int_equal(kept.code, 0);
        assert_int_equal(kept.ttl_s, 2);
    }
    assert_int_equal(contract_range(contract, "e/kept", false).pair_count, 1);
    contract->pass_ms(contract, 2700);
    assert_int_equal(contract_range(contract, "e/kept", false).pair_count, 0);
    assert_int_equal(contract_keep_alive(contract, id).code, -ENOENT);
}

static void a_put_without_lease_detaches_unless_told_to_keep_it(void **state)
{
    int64_t id = kv_lease_new_id();
    (void)contract_grant(*state, id, 5);
    (void)contract_op(*state, kv_op_put_leased("k/kept", "1", id));
    (void)contract_op(*state, kv_op_put_leased("k/freed", "1", id));
    struct kv_op keep = kv_op_put("k/kept", "2");
    keep.keep_lease = true;
    (void)contract_op(*state, keep);
    (void)contract_op(*state, kv_op_put("k/freed", "2"));
    (void)contract_revoke(*state, id);
    struct contract_answer left = contract_range(*state, "k/", true);
    assert_int_equal(left.pair_count, 1);
    assert_string_equal(left.key, "k/freed");
}

struct watched {
    int standing;
    int events;
    int batches;
    int lost;
    int code;
    int wanted;
    int reached; /* events has come to wanted */
    int64_t revision;
    char story[512];
};

static void on_events(const struct kv_event *events, size_t count, int64_t revision, void *userdata)
{
    struct watched *watched = userdata;
    assert_true(revision > watched->revision);
    assert_int_equal(events[count - 1].pair.mod_revision, revision);
    for (size_t i = 0; i < count; i++) {
        size_t at = strlen(watched->story);
        assert_true(events[i].pair.mod_revision > watched->revision);
        (void)snprintf(watched->story + at, sizeof(watched->story) - at, "%s%s=%s;",
                       events[i].deleted ? "-" : "", events[i].pair.key,
                       events[i].deleted ? "" : events[i].pair.value);
    }
    watched->revision = revision;
    watched->batches++;
    watched->events += (int)count;
    watched->reached = watched->events >= watched->wanted;
}

static void on_lost(int code, const char *reason, void *userdata)
{
    struct watched *watched = userdata;
    assert_true(reason && *reason);
    watched->lost++;
    watched->code = code;
}

static void on_state(bool standing, void *userdata)
{
    ((struct watched *)userdata)->standing = standing;
}

static const struct kv_watch_callbacks watch_callbacks = { .on_events = on_events,
                                                           .on_lost = on_lost,
                                                           .on_state = on_state };

static void a_watch_tells_history_and_present_in_order(void **state)
{
    struct contract *contract = *state;
    struct watched watched = { .wanted = 5 };
    struct kv_watch *watch = NULL;
    struct contract_answer before = contract_op(contract, kv_op_put("w/a", "0"));
    (void)contract_op(contract, kv_op_put("w/a", "1"));
    (void)contract_op(contract, kv_op_put("v", "not watched"));
    assert_int_equal(kv_watch(contract->kv, "w/", true, before.revision + 1, &watch_callbacks,
                              &watched, &watch, NULL),
                     0);
    contract->wait(contract, &watched.standing);
    struct kv_op ops[] = { kv_op_put("w/b", "2"), kv_op_put("w/c", "3") };
    struct kv_txn txn = { .success = ops, .success_count = 2 };
    (void)contract_txn(contract, &txn);
    (void)contract_op(contract, kv_op_delete("w/a"));
    (void)contract_op(contract, kv_op_put("w/a", ""));
    contract->wait(contract, &watched.reached);
    kv_watch_stop(contract->kv, watch);
    assert_string_equal(watched.story, "w/a=1;w/b=2;w/c=3;-w/a=;w/a=;");
    assert_int_equal(watched.lost, 0);
}

static void a_paused_watch_tells_afterwards_and_all(void **state)
{
    struct contract *contract = *state;
    struct watched watched = { .wanted = 1 };
    struct kv_watch *watch = NULL;
    struct contract_answer before = contract_op(contract, kv_op_put("w/a", "0"));
    assert_int_equal(kv_watch(contract->kv, "w/", true, before.revision, &watch_callbacks, &watched,
                              &watch, NULL),
                     0);
    contract->wait(contract, &watched.reached);
    kv_watch_pause(contract->kv, watch, true);
    (void)contract_op(contract, kv_op_put("w/a", "1"));
    (void)contract_op(contract, kv_op_delete("w/a"));
    (void)contract_op(contract, kv_op_put("w/b", "2"));
    assert_string_equal(watched.story, "w/a=0;");
    kv_watch_pause(contract->kv, watch, false);
    (void)contract_op(contract, kv_op_put("w/c", "3"));
    watched.wanted = 5;
    watched.reached = watched.events >= watched.wanted;
    contract->wait(contract, &watched.reached);
    kv_watch_stop(contract->kv, watch);
    assert_string_equal(watched.story, "w/a=0;w/a=1;-w/a=;w/b=2;w/c=3;");
    assert_int_equal(watched.lost, 0);
}

/* What was deleted at that revision is gone from the history with what was before. */
static void a_watch_from_where_history_is_compacted_to_is_told_so(void **state)
{
    struct contract *contract = *state;
    struct watched watched = { .wanted = 1 };
    struct kv_watch *watch = NULL;
    (void)contract_op(contract, kv_op_put("d/a", "1"));
    struct contract_answer deleted = contract_op(contract, kv_op_delete("d/a"));
    assert_int_equal(compact(contract, deleted.revision).code, 0);
    assert_int_equal(kv_watch(contract->kv, "d/", true, deleted.revision, &watch_callbacks,
                              &watched, &watch, NULL),
                     0);
    (void)contract_op(contract, kv_op_put("d/b", "2"));
    contract->wait(contract, &watched.lost);
    kv_watch_stop(contract->kv, watch);
    assert_int_equal(watched.code, -ERANGE);
    assert_string_equal(watched.story, "");
}

static void the_end_of_a_lease_is_one_revision_for_a_watch(void **state)
{
    struct contract *contract = *state;
    struct watched watched = { .wanted = 2 };
    struct kv_watch *watch = NULL;
    int64_t id = kv_lease_new_id();
    (void)contract_grant(contract, id, 5);
    (void)contract_op(contract, kv_op_put_leased("o/a", "", id));
    struct contract_answer last = contract_op(contract, kv_op_put_leased("o/b", "", id));
    assert_int_equal(kv_watch(contract->kv, "o/", true, last.revision + 1, &watch_callbacks,
                              &watched, &watch, NULL),
                     0);
    (void)contract_revoke(contract, id);
    contract->wait(contract, &watched.reached);
    kv_watch_stop(contract->kv, watch);
    assert_int_equal(watched.batches, 1);
    assert_int_equal(watched.revision, last.revision + 1);
}

static void a_forgotten_request_is_not_answered(void **state)
{
    struct contract *contract = *state;
    struct contract_answer forgotten = { 0 };
    struct contract_answer kept = { 0 };
    assert_int_equal(kv_range(contract->kv, "x", false, on_range, &forgotten, NULL), 0);
    assert_int_equal(kv_range(contract->kv, "x", false, on_range, &kept, NULL), 0);
    kv_forget(contract->kv, &forgotten);
    contract->wait(contract, &kept.done);
    (void)contract_range(contract, "x", false);
    assert_int_equal(forgotten.done, 0);
}

static void count_range(const struct kv_range_result *result, void *userdata)
{
    (*(int *)userdata)++;
    assert_int_equal(result->code, 0);
}

static void hundreds_of_requests_in_flight_are_each_answered_once(void **state)
{
    enum { MANY = 300 };
    struct contract *contract = *state;
    int count = 0;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(kv_range(contract->kv, "x", false, count_range, &count, NULL), 0);
    while (count < MANY) {
        int seen = count;
        struct contract_answer turn = contract_range(contract, "x", false);
        assert_int_equal(turn.code, 0);
        assert_true(count >= seen);
    }
    assert_int_equal(count, MANY);
}

struct batched {
    int done;
    int code;
    int64_t revision;
};

static void on_batched(const struct kv_batch_result *result, void *userdata)
{
    struct batched *batched = userdata;
    batched->done++;
    batched->code = result->code;
    batched->revision = result->revision;
}

static void batch_put(struct kv_batch *batch, const char *key, const char *value,
                      const struct kv_compare *compare, struct batched *batched)
{
    const struct kv_batch_write write = { .op = kv_op_put(key, value),
                                          .compares = compare,
                                          .compare_count = compare ? 1 : 0,
                                          .fn = on_batched,
                                          .userdata = batched };
    assert_int_equal(kv_batch_add(batch, &write, NULL), 0);
}

static void a_batch_is_one_revision_without_the_refused(void **state)
{
    struct contract *contract = *state;
    autoptr(kv_batch) batch = NULL;
    struct batched refused = { 0 };
    struct batched written[3] = { { 0 } };
    const struct kv_compare held = kv_if_value("batch/held", "yes");
    const struct kv_compare unheld = kv_if_mod("batch/held", 1);
    struct contract_answer put = contract_op(contract, kv_op_put("batch/held", "yes"));
    const struct kv_compare guard = kv_if_mod("batch/held", put.revision);
    assert_int_equal(kv_batch_new(NULL, contract->kv, &guard, &batch, NULL), 0);
    batch_put(batch, "batch/a", "1", &held, &written[0]);
    batch_put(batch, "batch/b", "1", &unheld, &refused);
    batch_put(batch, "batch/c", "old", &unheld, &written[2]);
    batch_put(batch, "batch/d", "1", NULL, &written[1]);
    kv_batch_forget(batch, &written[2]);
    batch_put(batch, "batch/c", "1", NULL, &written[2]);
    kv_batch_flush(batch);
    for (int i = 0; i < 3; i++) {
        contract->wait(contract, &written[i].done);
        assert_int_equal(written[i].code, 0);
        assert_int_equal(written[i].revision, put.revision + 1);
    }
    assert_int_equal(refused.code, -EBADE);
    assert_int_equal(contract_range(contract, "batch/b", false).pair_count, 0);
    assert_int_equal(contract_range(contract, "batch/c", false).first.mod_revision,
                     put.revision + 1);
    (void)contract_op(contract, kv_op_delete_prefix("batch/"));
}

static void a_batch_without_its_guard_writes_nothing(void **state)
{
    struct contract *contract = *state;
    autoptr(kv_batch) batch = NULL;
    struct batched first = { 0 };
    struct batched second = { 0 };
    struct contract_answer put = contract_op(contract, kv_op_put("batch/leader", "me"));
    const struct kv_compare guard = kv_if_mod("batch/leader", put.revision);
    assert_int_equal(kv_batch_new(NULL, contract->kv, &guard, &batch, NULL), 0);
    put = contract_op(contract, kv_op_put("batch/leader", "me, again"));
    const struct kv_compare unheld = kv_if_exists("batch/nothing");
    batch_put(batch, "batch/a", "1", &unheld, &first);
    kv_batch_flush(batch);
    contract->wait(contract, &first.done);
    assert_int_equal(first.code, -ESTALE);

    const struct kv_compare renewed = kv_if_mod("batch/leader", put.revision);
    assert_int_equal(kv_batch_resume(batch, &renewed, NULL), 0);
    batch_put(batch, "batch/a", "2", NULL, &second);
    kv_batch_flush(batch);
    contract->wait(contract, &second.done);
    assert_int_equal(second.code, 0);
    assert_string_equal(contract_range(contract, "batch/a", false).value, "2");
    (void)contract_op(contract, kv_op_delete_prefix("batch/"));
}

static void a_batch_finds_the_put_whose_lease_is_unknown(void **state)
{
    enum { MANY = 9, BAD = 5 };
    struct contract *contract = *state;
    autoptr(kv_batch) batch = NULL;
    struct batched batched[MANY] = { { 0 } };
    const struct kv_compare guard = kv_if_absent("batch/nothing");
    assert_int_equal(kv_batch_new(NULL, contract->kv, &guard, &batch, NULL), 0);
    for (int i = 0; i < MANY; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "batch/%d", i);
        const struct kv_batch_write write = { .op = kv_op_put_leased(key, "1", i == BAD ? 4711 : 0),
                                              .fn = on_batched,
                                              .userdata = &batched[i] };
        assert_int_equal(kv_batch_add(batch, &write, NULL), 0);
    }
    kv_batch_flush(batch);
    for (int i = 0; i < MANY; i++) {
        contract->wait(contract, &batched[i].done);
        assert_int_equal(batched[i].code, i == BAD ? -ENOENT : 0);
    }
    (void)contract_op(contract, kv_op_delete_prefix("batch/"));
}

const struct CMUnitTest contract_tests[] = {
    cmocka_unit_test(a_put_is_read_back_with_its_revisions),
    cmocka_unit_test(each_compare_holds_exactly_when_it_should),
    cmocka_unit_test(delete_of_a_prefix_spares_its_neighbours),
    cmocka_unit_test(a_listing_longer_than_a_page_is_whole_and_ordered),
    cmocka_unit_test(a_listing_of_the_past_is_whole_too),
    cmocka_unit_test(every_target_compares_in_every_relation),
    cmocka_unit_test(an_absent_key_has_zeros_and_no_value),
    cmocka_unit_test(values_are_bytes),
    cmocka_unit_test(keys_are_text),
    cmocka_unit_test(the_past_is_seen_until_it_is_compacted),
    cmocka_unit_test(what_a_lease_has_left_is_told_and_not_renewed),
    cmocka_unit_test(a_store_of_one_member_is_led_by_it),
    cmocka_unit_test(too_many_operations_are_refused_before_they_are_sent),
    cmocka_unit_test(one_key_put_twice_in_a_transaction_is_wrong),
    cmocka_unit_test(a_lease_granted_twice_is_granted),
    cmocka_unit_test(a_revoked_lease_takes_its_keys_and_is_unknown),
    cmocka_unit_test(a_lease_lives_by_keep_alives_and_dies_without),
    cmocka_unit_test(a_put_without_lease_detaches_unless_told_to_keep_it),
    cmocka_unit_test(a_watch_tells_history_and_present_in_order),
    cmocka_unit_test(a_paused_watch_tells_afterwards_and_all),
    cmocka_unit_test(a_watch_from_where_history_is_compacted_to_is_told_so),
    cmocka_unit_test(the_end_of_a_lease_is_one_revision_for_a_watch),
    cmocka_unit_test(a_forgotten_request_is_not_answered),
    cmocka_unit_test(hundreds_of_requests_in_flight_are_each_answered_once),
    cmocka_unit_test(a_batch_is_one_revision_without_the_refused),
    cmocka_unit_test(a_batch_without_its_guard_writes_nothing),
    cmocka_unit_test(a_batch_finds_the_put_whose_lease_is_unknown),
};
const size_t contract_test_count = sizeof(contract_tests) / sizeof(contract_tests[0]);
