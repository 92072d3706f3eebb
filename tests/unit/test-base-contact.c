/* SPDX-License-Identifier: Apache-2.0 */
#include "base/contact.h"

#include "tests/unit/harness.h"

enum { TTL_MS = 5000, HARMLESS_MS = 3000 };

static struct contact begun(void)
{
    struct contact contact;
    contact_begin(&contact, 900, 1000);
    return contact;
}

static void a_silence_is_counted_from_a_question_to_an_answer(void **state)
{
    struct contact contact = begun();
    (void)state;
    contact_hear(&contact, 2000, 900 + HARMLESS_MS); /* it was asked soon, and answered late */
    assert_int_equal(contact_since(&contact, HARMLESS_MS, 4000), 1000);
    contact = begun();
    contact_hear(&contact, 2000, 900 + HARMLESS_MS + 1);
    assert_int_equal(contact_since(&contact, HARMLESS_MS, 4000), 900 + HARMLESS_MS + 1);
}

static void who_is_silent_is_not_in_contact(void **state)
{
    struct contact contact = begun();
    (void)state;
    assert_int_equal(contact_since(&contact, HARMLESS_MS, 900 + HARMLESS_MS), 1000);
    assert_int_equal(contact_since(&contact, HARMLESS_MS, 900 + HARMLESS_MS + 1), -1);
    contact_end(&contact);
    assert_int_equal(contact_since(&contact, HARMLESS_MS, 1000), -1);
}

/* A silence of 4 s: no lease of 10 s ended in it, and one of 5 s may have. */
static void a_silence_means_something_to_short_leases_only(void **state)
{
    struct contact contact = begun();
    (void)state;
    contact_hear(&contact, 4900, 4900);
    assert_int_equal(contact_since(&contact, contact_harmless_ms(10000), 5000), 1000);
    assert_int_equal(contact_since(&contact, contact_harmless_ms(TTL_MS), 5000), 4900);
}

/* A holder keeps its lease alive each third, so the silence that ends it takes two thirds. */
static void no_lease_ends_in_a_harmless_silence(void **state)
{
    (void)state;
    for (int64_t ttl_ms = 2000; ttl_ms <= 60000; ttl_ms += 1000)
        assert_true(contact_harmless_ms(ttl_ms) < ttl_ms * 2 / 3);
    assert_int_equal(contact_harmless_ms(1), contact_harmless_ms(2000));
}

static void shorter_silences_do_not_hide_a_longer_one(void **state)
{
    struct contact contact = begun();
    int64_t now = 900;
    (void)state;
    for (int64_t length = 9000; length > 1000; length -= 500) {
        now += length;
        contact_hear(&contact, now, now);
    }
    assert_int_equal(contact_since(&contact, 20000, now), 1000);
    assert_true(contact_since(&contact, 8900, now) >= 900 + 9000); /* never too early */
    assert_true(contact_since(&contact, 8900, now) < now);
    assert_int_equal(contact_since(&contact, 1400, now), now);
    now += 8000;
    contact_hear(&contact, now, now); /* which all of the shorter ones are forgotten for */
    assert_int_equal(contact.silence_count, 2);
    assert_int_equal(contact_since(&contact, 1400, now), now);
}

static void answers_out_of_order_tell_nothing_new(void **state)
{
    struct contact contact = begun();
    (void)state;
    contact_hear(&contact, 2000, 2100);
    contact_hear(&contact, 1500, 5500);
    assert_int_equal(contact.heard_ms, 2000);
    assert_int_equal(contact_since(&contact, HARMLESS_MS, 4000), 1000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silence_is_counted_from_a_question_to_an_answer),
        cmocka_unit_test(who_is_silent_is_not_in_contact),
        cmocka_unit_test(a_silence_means_something_to_short_leases_only),
        cmocka_unit_test(no_lease_ends_in_a_harmless_silence),
        cmocka_unit_test(shorter_silences_do_not_hide_a_longer_one),
        cmocka_unit_test(answers_out_of_order_tell_nothing_new),
    };
    return cmocka_run_group_tests_name("base/contact", tests, NULL, NULL);
}
