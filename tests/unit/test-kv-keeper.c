/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/keeper.h"

#include "tests/unit/harness.h"

enum { TTL_MS = 10000, HARMLESS_MS = 6000, START_MS = 1000000 };

static struct keeper_actions step(struct keeper *keeper, enum keeper_event_kind kind,
                                  int64_t sent_ms, int64_t now_ms)
{
    struct keeper_event event = { .kind = kind, .sent_ms = sent_ms };
    return keeper_step(keeper, &event, now_ms);
}

static struct keeper registered(void)
{
    struct keeper keeper;
    keeper_init(&keeper, TTL_MS);
    (void)step(&keeper, KEEPER_EVENT_REGISTERED, START_MS, START_MS + 20);
    (void)step(&keeper, KEEPER_EVENT_KEEPALIVE_OK, START_MS, START_MS);
    return keeper;
}

static void nothing_is_sent_before_registration(void **state)
{
    struct keeper keeper;
    (void)state;
    keeper_init(&keeper, TTL_MS);
    struct keeper_actions actions = step(&keeper, KEEPER_EVENT_TICK, 0, START_MS);
    assert_false(actions.send_keepalive || actions.send_proof || actions.register_again);
    assert_int_equal(actions.wake_ms, -1);
    assert_int_equal(keeper.contact.since_ms, -1);
}

static void keep_alives_and_proofs_are_due_each_third(void **state)
{
    struct keeper keeper = registered();
    int keepalives = 0;
    int proofs = 0;
    (void)state;
    for (int64_t now = START_MS; now <= START_MS + 6 * TTL_MS;) {
        struct keeper_actions actions = step(&keeper, KEEPER_EVENT_TICK, 0, now);
        keepalives += actions.send_keepalive;
        proofs += actions.send_proof;
        if (actions.send_keepalive)
            actions = step(&keeper, KEEPER_EVENT_KEEPALIVE_OK, now, now);
        if (keeper.proof_in_flight)
            actions = step(&keeper, KEEPER_EVENT_PROOF_OK, now, now);
        assert_true(actions.wake_ms > now);
        now = actions.wake_ms;
    }
    assert_int_equal(keepalives, 17); /* and one went out with the registration */
    assert_int_equal(proofs, 18);
    assert_int_equal(keeper.state, KEEPER_HELD);
    assert_int_equal(contact_since(&keeper.contact, HARMLESS_MS, START_MS + 6 * TTL_MS),
                     START_MS + 20);
}

static void proofs_are_as_frequent_as_the_shortest_lease_asks(void **state)
{
    struct keeper keeper = registered();
    (void)state;
    keeper_judge(&keeper, 3000);
    for (int64_t now = START_MS; now < START_MS + 3000; now += 1000) {
        assert_false(step(&keeper, KEEPER_EVENT_TICK, 0, now + 999).send_proof);
        assert_true(step(&keeper, KEEPER_EVENT_TICK, 0, now + 1000).send_proof);
        (void)step(&keeper, KEEPER_EVENT_PROOF_OK, now + 1000, now + 1010);
    }
    keeper_judge(&keeper, 0); /* it judges nobody any more */
    assert_int_equal(keeper.judged_ttl_ms, TTL_MS);
    keeper_judge(&keeper, 60000); /* its own lease ends sooner */
    assert_int_equal(keeper.judged_ttl_ms, TTL_MS);
    keeper_judge(&keeper, 1); /* nobody's does so soon */
    assert_int_equal(keeper.judged_ttl_ms, 2000);
}

static void a_shorter_lease_to_judge_is_proved_by_the_next_tick_if_it_was_not_just(void **state)
{
    struct keeper keeper = registered();
    (void)state;
    assert_false(step(&keeper, KEEPER_EVENT_TICK, 0, START_MS + 2000).send_proof);
    keeper_judge(&keeper, 6000);
    assert_true(step(&keeper, KEEPER_EVENT_TICK, 0, START_MS + 2000).send_proof);
    (void)step(&keeper, KEEPER_EVENT_PROOF_OK, START_MS + 2000, START_MS + 2010);
    keeper_judge(&keeper, 0); /* what was promised to the shorter one is not put off */
    assert_true(step(&keeper, KEEPER_EVENT_TICK, 0, START_MS + 4000).send_proof);
}

static void keep_alives_alone_prove_nothing(void **state)
{
    struct keeper keeper = registered();
    (void)state;
    for (int64_t now = START_MS; now <= START_MS + TTL_MS + 1; now += 1)
        if (step(&keeper, KEEPER_EVENT_TICK, 0, now).send_keepalive)
            (void)step(&keeper, KEEPER_EVENT_KEEPALIVE_OK, now, now);
    assert_int_equal(keeper.state, KEEPER_DOUBT);
}

static void doubt_ends_with_a_proof_and_is_no_loss(void **state)
{
    struct keeper keeper = registered();
    (void)state;
    struct keeper_actions actions = step(&keeper, KEEPER_EVENT_TICK, 0, START_MS + TTL_MS + 1);
    assert_int_equal(keeper.state, KEEPER_DOUBT);
    assert_false(actions.register_again);
    (void)step(&keeper, KEEPER_EVENT_PROOF_OK, START_MS + TTL_MS + 50, START_MS + TTL_MS + 60);
    assert_int_equal(keeper.state, KEEPER_HELD);
}

static void a_proof_counts_from_when_it_was_sent(void **state)
{
    struct keeper keeper = registered();
    (void)state;
    (void)step(&keeper, KEEPER_EVENT_PROOF_OK, START_MS + 100, START_MS + TTL_MS + 101);
    assert_int_equal(keeper.state, KEEPER_DOUBT);
    assert_int_equal(keeper.contact.heard_ms, START_MS + 100);
}

static void answers_out_of_order_do_not_go_back(void **state)
{
    struct keeper keeper = registered();
    (void)state;
    (void)step(&keeper, KEEPER_EVENT_PROOF_OK, START_MS + 200, START_MS + 300);
    (void)step(&keeper, KEEPER_EVENT_PROOF_OK, START_MS + 100, START_MS + 310);
    assert_int_equal(keeper.contact.heard_ms, START_MS + 200);
}

static void a_silence_begins_contact_anew_and_says_so(void **state)
{
    struct keeper keeper = registered();
    int64_t now = START_MS + HARMLESS_MS;
    (void)state;
    assert_false(step(&keeper, KEEPER_EVENT_PROOF_OK, now, now).contact_is_new);
    assert_int_equal(contact_since(&keeper.contact, HARMLESS_MS, now), START_MS + 20);
    now += HARMLESS_MS + 1;
    assert_int_equal(contact_since(&keeper.contact, HARMLESS_MS, now), -1);
    assert_true(step(&keeper, KEEPER_EVENT_PROOF_OK, now - 10, now).contact_is_new);
    assert_int_equal(contact_since(&keeper.contact, HARMLESS_MS, now), now);
}

static void failures_are_tried_again_after_a_tenth(void **state)
{
    struct keeper keeper = registered();
    int64_t now = START_MS + TTL_MS / 3;
    (void)state;
    assert_true(step(&keeper, KEEPER_EVENT_TICK, 0, now).send_proof);
    assert_false(step(&keeper, KEEPER_EVENT_TICK, 0, now + 100).send_proof); /* in flight */
    (void)step(&keeper, KEEPER_EVENT_PROOF_FAILED, now, now + 200);
    (void)step(&keeper, KEEPER_EVENT_KEEPALIVE_FAILED, now, now + 200);
    struct keeper_actions actions = step(&keeper, KEEPER_EVENT_TICK, 0, now + 1199);
    assert_false(actions.send_proof || actions.send_keepalive);
    actions = step(&keeper, KEEPER_EVENT_TICK, 0, now + 1200);
    assert_true(actions.send_proof && actions.send_keepalive);
}

static void a_failed_proof_is_tried_again_as_soon_as_the_shortest_lease_asks(void **state)
{
    struct keeper keeper = registered();
    int64_t now = START_MS + TTL_MS / 3;
    (void)state;
    keeper_judge(&keeper, 3000);
    assert_true(step(&keeper, KEEPER_EVENT_TICK, 0, now).send_proof);
    (void)step(&keeper, KEEPER_EVENT_PROOF_FAILED, now, now);
    (void)step(&keeper, KEEPER_EVENT_KEEPALIVE_FAILED, now, now);
    assert_false(step(&keeper, KEEPER_EVENT_TICK, 0, now + 299).send_proof);
    struct keeper_actions actions = step(&keeper, KEEPER_EVENT_TICK, 0, now + 300);
    assert_true(actions.send_proof);
    assert_false(actions.send_keepalive); /* its own lease is in no such hurry */
    assert_true(step(&keeper, KEEPER_EVENT_TICK, 0, now + 1000).send_keepalive);
}

static void each_way_of_losing_the_registration_registers_again_once(void **state)
{
    static const enum keeper_event_kind kinds[] = { KEEPER_EVENT_KEEPALIVE_GONE,
                                                    KEEPER_EVENT_PROOF_GONE, KEEPER_EVENT_DELETED };
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct keeper keeper = registered();
        assert_true(step(&keeper, kinds[i], 0, START_MS + 50).register_again);
        assert_int_equal(keeper.state, KEEPER_UNREGISTERED);
        assert_int_equal(keeper.contact.since_ms, -1);
        assert_false(step(&keeper, KEEPER_EVENT_DELETED, 0, START_MS + 51).register_again);
        (void)step(&keeper, KEEPER_EVENT_REGISTERED, START_MS + 60, START_MS + 70);
        assert_int_equal(keeper.state, KEEPER_HELD);
        assert_int_equal(keeper.contact.since_ms, START_MS + 70);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_sent_before_registration),
        cmocka_unit_test(keep_alives_and_proofs_are_due_each_third),
        cmocka_unit_test(proofs_are_as_frequent_as_the_shortest_lease_asks),
        cmocka_unit_test(a_shorter_lease_to_judge_is_proved_by_the_next_tick_if_it_was_not_just),
        cmocka_unit_test(keep_alives_alone_prove_nothing),
        cmocka_unit_test(doubt_ends_with_a_proof_and_is_no_loss),
        cmocka_unit_test(a_proof_counts_from_when_it_was_sent),
        cmocka_unit_test(answers_out_of_order_do_not_go_back),
        cmocka_unit_test(a_silence_begins_contact_anew_and_says_so),
        cmocka_unit_test(failures_are_tried_again_after_a_tenth),
        cmocka_unit_test(a_failed_proof_is_tried_again_as_soon_as_the_shortest_lease_asks),
        cmocka_unit_test(each_way_of_losing_the_registration_registers_again_once),
    };
    return cmocka_run_group_tests_name("kv-keeper", tests, NULL, NULL);
}
