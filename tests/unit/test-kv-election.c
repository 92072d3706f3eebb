/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/election.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "kvclient/kv_memory.h"
#include "tests/unit/harness.h"

enum { TTL_S = 6 };
static const char key[] = "leader";

/* One process that may lead. */
struct runner {
    struct kv *kv;
    struct election *election;
    int elected;
    int lost;
    int code;
    int resigned;
    int64_t epoch;
    char leader[64];
};

struct fixture {
    struct kv_memory *store;
    struct runner a;
    struct runner b;
    int64_t now_ms;
};

static void on_elected(int64_t epoch, void *userdata)
{
    struct runner *runner = userdata;
    assert_true(epoch > runner->epoch);
    assert_int_equal(election_epoch(runner->election), epoch);
    runner->elected++;
    runner->epoch = epoch;
}

static void on_lost(int code, const char *reason, void *userdata)
{
    struct runner *runner = userdata;
    assert_true(*reason);
    runner->lost++;
    runner->code = code;
}

static void on_leader(const char *value, void *userdata)
{
    struct runner *runner = userdata;
    (void)strncpy(runner->leader, value ? value : "", sizeof(runner->leader) - 1);
}

static void on_resigned(int code, void *userdata)
{
    assert_int_equal(code, 0);
    ((struct runner *)userdata)->resigned++;
}

static const char value_a[] = "{\"machine\":\"a\",\"nonce\":\"1\"}";
static const char value_b[] = "{\"machine\":\"b\",\"nonce\":\"2\"}";

static void join(struct fixture *fixture, struct runner *runner, const char *value)
{
    static const struct election_callbacks callbacks = { .on_elected = on_elected,
                                                         .on_lost = on_lost,
                                                         .on_leader = on_leader };
    assert_int_equal(kv_memory_connect(fixture->store, &runner->kv, NULL), 0);
    assert_int_equal(election_new(NULL, runner->kv, key, value, TTL_S, &callbacks, runner,
                                  &runner->election, NULL),
                     0);
}

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){ .now_ms = 1000000 };
    clock_fake_set(fixture.now_ms);
    assert_int_equal(kv_memory_new(&fixture.store, NULL), 0);
    join(&fixture, &fixture.a, value_a);
    join(&fixture, &fixture.b, value_b);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    election_free(fixture->a.election);
    election_free(fixture->b.election);
    kv_free(fixture->a.kv);
    kv_free(fixture->b.kv);
    kv_memory_free(fixture->store);
    clock_fake_set(-1);
    return 0;
}

/* So much time, in small steps, with the ticks of those that are not cut in it. */
static void pass(struct fixture *fixture, int64_t ms)
{
    (void)kv_memory_deliver(fixture->store);
    for (int64_t end_ms = fixture->now_ms + ms; fixture->now_ms < end_ms;) {
        fixture->now_ms += 100;
        clock_fake_set(fixture->now_ms);
        kv_memory_expire(fixture->store);
        election_tick(fixture->a.election, fixture->now_ms);
        election_tick(fixture->b.election, fixture->now_ms);
        (void)kv_memory_deliver(fixture->store);
    }
}

static void lead_with_a(struct fixture *fixture)
{
    election_set_candidate(fixture->a.election, true);
    pass(fixture, 100);
    election_set_candidate(fixture->b.election, true);
    pass(fixture, 1000);
    assert_int_equal(fixture->a.elected, 1);
    assert_int_equal(fixture->b.elected, 0);
    assert_string_equal(fixture->b.leader, value_a);
}

static void the_first_candidate_leads_with_the_keys_revision(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(election_epoch(fixture->a.election), 0);
    lead_with_a(fixture);
    assert_int_equal(kv_memory_peek(fixture->store, key)->mod_revision, fixture->a.epoch);
}

static void a_leader_that_ticks_leads_on(void **state)
{
    struct fixture *fixture = *state;
    lead_with_a(fixture);
    int64_t revision = kv_memory_revision(fixture->store);
    pass(fixture, 10 * TTL_S * 1000);
    assert_true(election_is_leading(fixture->a.election));
    assert_int_equal(kv_memory_revision(fixture->store), revision);
}

static void a_cut_leader_is_followed_and_learns_it(void **state)
{
    struct fixture *fixture = *state;
    lead_with_a(fixture);
    kv_memory_cut(fixture->a.kv, true);
    pass(fixture, TTL_S * 1000 + 200);
    assert_int_equal(fixture->b.elected, 1);
    assert_true(fixture->b.epoch > fixture->a.epoch);
    assert_int_equal(fixture->a.lost, 0); /* it cannot know */
    kv_memory_cut(fixture->a.kv, false);
    pass(fixture, 2000);
    assert_int_equal(fixture->a.lost, 1);
    assert_int_equal(election_epoch(fixture->a.election), 0);
    assert_true(election_is_leading(fixture->b.election));
    assert_string_equal(fixture->a.leader, value_b);
}

static void the_delay_by_rank_is_kept(void **state)
{
    struct fixture *fixture = *state;
    lead_with_a(fixture);
    election_set_delay(fixture->b.election, 1000);
    assert_true(election_resign(fixture->a.election, on_resigned));
    pass(fixture, 900);
    assert_int_equal(fixture->a.resigned, 1);
    assert_int_equal(fixture->a.lost, 0);
    assert_int_equal(fixture->b.elected, 0);
    pass(fixture, 200);
    assert_int_equal(fixture->b.elected, 1);
}

static void who_resigns_in_mid_campaign_leaves_no_key(void **state)
{
    struct fixture *fixture = *state;
    for (int turns = 0; turns < 6; turns++) {
        election_set_candidate(fixture->a.election, true);
        for (int i = 0; i < turns; i++)
            election_tick(fixture->a.election, fixture->now_ms);
        (void)election_resign(fixture->a.election, NULL);
        pass(fixture, 100);
        assert_null(kv_memory_peek(fixture->store, key));
        assert_false(election_is_leading(fixture->a.election));
    }
}

static void a_renewed_epoch_is_newer_and_shuts_the_old_one_out(void **state)
{
    struct fixture *fixture = *state;
    lead_with_a(fixture);
    int64_t old = fixture->a.epoch;
    election_renew_epoch(fixture->a.election);
    assert_int_equal(election_epoch(fixture->a.election), 0);
    pass(fixture, 100);
    assert_int_equal(fixture->a.elected, 2);
    assert_true(election_epoch(fixture->a.election) > old);
    assert_int_equal(fixture->a.lost, 0);
    assert_int_equal(fixture->b.elected, 0);
}

static void an_unknown_outcome_of_the_renewal_is_renewed(void **state)
{
    for (int applied = 0; applied < 2; applied++) {
        struct fixture *fixture = *state;
        if (!election_is_leading(fixture->a.election))
            lead_with_a(fixture);
        int elected = fixture->a.elected;
        kv_memory_lose_answers(fixture->a.kv, 1, applied);
        election_renew_epoch(fixture->a.election);
        pass(fixture, 3000);
        assert_int_equal(fixture->a.elected, elected + 1);
        assert_int_equal(kv_memory_peek(fixture->store, key)->mod_revision,
                         election_epoch(fixture->a.election));
        assert_int_equal(fixture->a.lost, 0);
    }
}

static void an_unknown_outcome_of_the_campaign_elects_once(void **state)
{
    for (int applied = 0; applied < 2; applied++) {
        struct fixture *fixture = *state;
        int elected = fixture->a.elected;
        kv_memory_lose_answers(fixture->a.kv, 1, applied);
        election_set_candidate(fixture->a.election, true);
        pass(fixture, 3000);
        assert_int_equal(fixture->a.elected, elected + 1);
        assert_int_equal(kv_memory_peek(fixture->store, key)->mod_revision,
                         election_epoch(fixture->a.election));
        (void)election_resign(fixture->a.election, NULL);
        pass(fixture, 100);
    }
}

static void on_put(const struct kv_txn_result *result, void *userdata)
{
    (void)userdata;
    assert_int_equal(result->code, 0);
}

static void the_key_of_a_dead_process_of_this_machine_is_not_adopted(void **state)
{
    struct fixture *fixture = *state;
    struct kv_op put = kv_op_put(key, "{\"machine\":\"a\",\"nonce\":\"0\"}");
    struct kv_txn txn = { .success = &put, .success_count = 1 };
    assert_int_equal(kv_txn(fixture->b.kv, &txn, on_put, NULL, NULL), 0);
    pass(fixture, 100);
    int64_t left = kv_memory_peek(fixture->store, key)->mod_revision;
    election_set_candidate(fixture->a.election, true);
    pass(fixture, 200);
    assert_int_equal(fixture->a.elected, 1);
    assert_true(fixture->a.epoch > left + 1); /* deleted, then put */
    assert_int_equal(kv_memory_peek(fixture->store, key)->version, 1);
}

static void a_revoked_lease_ends_leadership_once_and_it_is_won_again(void **state)
{
    struct fixture *fixture = *state;
    lead_with_a(fixture);
    election_set_delay(fixture->b.election, 5000);
    kv_memory_revoke_all(fixture->store);
    pass(fixture, 3000);
    assert_int_equal(fixture->a.lost, 1);
    assert_int_equal(fixture->a.elected, 2);
    assert_int_equal(fixture->b.elected, 0);
}

static void compaction_under_a_cut_follower_loses_no_election(void **state)
{
    struct fixture *fixture = *state;
    lead_with_a(fixture);
    kv_memory_cut(fixture->b.kv, true);
    (void)election_resign(fixture->a.election, NULL);
    pass(fixture, 100);
    kv_memory_compact(fixture->store);
    kv_memory_cut(fixture->b.kv, false);
    pass(fixture, 1000);
    assert_int_equal(fixture->b.elected, 1);
}

static void a_store_that_went_back_is_told_as_such_and_ends_it(void **state)
{
    struct fixture *fixture = *state;
    lead_with_a(fixture);
    kv_memory_turn_back(fixture->store, 1);
    pass(fixture, 1000);
    assert_int_equal(fixture->b.code, -EREMCHG);
    assert_true(election_is_stopped(fixture->b.election));
}

static void a_value_without_identity_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct election_callbacks callbacks = { .on_elected = on_elected,
                                                         .on_lost = on_lost };
    struct election *election = NULL;
    struct error err = { 0 };
    assert_int_equal(election_new(NULL, fixture->a.kv, key, "{\"machine\":\"a\"}", TTL_S,
                                  &callbacks, NULL, &election, &err),
                     -EINVAL);
    assert_non_null(strstr(err.text, "nonce"));
}

#define election_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        election_test(the_first_candidate_leads_with_the_keys_revision),
        election_test(a_leader_that_ticks_leads_on),
        election_test(a_cut_leader_is_followed_and_learns_it),
        election_test(the_delay_by_rank_is_kept),
        election_test(who_resigns_in_mid_campaign_leaves_no_key),
        election_test(a_renewed_epoch_is_newer_and_shuts_the_old_one_out),
        election_test(an_unknown_outcome_of_the_renewal_is_renewed),
        election_test(an_unknown_outcome_of_the_campaign_elects_once),
        election_test(the_key_of_a_dead_process_of_this_machine_is_not_adopted),
        election_test(a_revoked_lease_ends_leadership_once_and_it_is_won_again),
        election_test(compaction_under_a_cut_follower_loses_no_election),
        election_test(a_store_that_went_back_is_told_as_such_and_ends_it),
        election_test(a_value_without_identity_is_refused),
    };
    return cmocka_run_group_tests_name("kv-election", tests, NULL, NULL);
}
