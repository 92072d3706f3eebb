/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rollout_order.h"

#include <errno.h>
#include <string.h>

#include "api/change.h"
#include "base/digest.h"
#include "base/text.h"
#include "tests/unit/harness.h"

#define OLD    "[Service]\nExecStart=/bin/true\n"
#define NEW    "[Service]\nExecStart=/bin/false\n"
#define GLOBAL NEW "[X-Fleet]\nGlobal=true\n"

struct line {
    const char *key;
    char *value;
};

static char *digest(const char *text)
{
    static char hex[4][DIGEST_HEX_SIZE];
    static size_t next;
    next = (next + 1) % 4;
    digest_sha256_hex(text, strlen(text), hex[next]);
    return hex[next];
}

static char *unit_of(const char *text, const char *desired)
{
    return text_format("{\"blob\":\"%s\",\"desired\":\"%s\"}", digest(text), desired);
}

/* Three instances, one of them with a text of its own, one unit that runs everywhere, and two
 * instances of which the second does; record NULL: no rollout yet. */
static struct view *store_with_rollout(const char *name, const struct record_rollout *record)
{
    struct kv_pair pairs[10] = { 0 };
    struct view *view = NULL;
    char *rollout = NULL;
    size_t count = 0;
    if (record)
        assert_int_equal(record_rollout_encode(record, &rollout, NULL), 0);
    const struct line lines[] = {
        {"units/t@.service",   unit_of(NEW,           "inactive") },
        { "units/t@1.service",                   unit_of(OLD,                     "launched") },
        { "units/t@2.service",         unit_of(OLD,         "launched") },
        { "units/t@3.service", unit_of(NEW,   "launched") },
        { "units/global.service", unit_of(GLOBAL,           "launched") },
        { "units/mixed@1.service",                   unit_of(NEW,                  "launched") },
        { "units/mixed@2.service",         unit_of(GLOBAL,                   "launched") },
        { NULL,NULL},
    };
    for (; lines[count].key; count++)
        pairs[count] = (struct kv_pair){ .key = text_format("/p/%s", lines[count].key),
                                         .value = lines[count].value };
    pairs[count++] = (struct kv_pair){ .key = text_format("/p/blobs/%s", digest(GLOBAL)),
                                       .value = strdup(GLOBAL) };
    if (rollout)
        pairs[count++] =
            (struct kv_pair){ .key = text_format("/p/ops/rollout/%s", name), .value = rollout };
    for (size_t i = 0; i < count; i++) {
        pairs[i].value_length = strlen(pairs[i].value);
        pairs[i].create_revision = pairs[i].mod_revision = (int64_t)i + 1;
    }
    assert_int_equal(view_new("/p/", pairs, count, 50, &view, NULL), 0);
    assert_null(view_problems(view));
    for (size_t i = 0; i < count; i++)
        kv_pair_done(&pairs[i]);
    return view;
}

static struct view *store_with(const struct record_rollout *record)
{
    return store_with_rollout("t@.service", record);
}

static const struct rollout_order start = { .kind = ROLLOUT_ORDER_START,
                                            .name = "t@.service",
                                            .text = NEW,
                                            .wait_ms = -1,
                                            .timeout_ms = -1,
                                            .wall_ms = 7 };

static int order_with(const struct rollout_order *order, const struct record_rollout *known,
                      struct record_rollout *ret, struct error *err)
{
    struct view *view = store_with(known);
    int r = rollout_order_plan(view, order, ret, err);
    view_free(view);
    return r;
}

static void the_first_rollout_begins_its_history_with_what_most_instances_have(void **state)
{
    (void)state;
    autorecord(rollout) record = { 0 };
    assert_int_equal(order_with(&start, NULL, &record, NULL), 0);
    assert_int_equal(record.state, ROLLOUT_RUNNING);
    assert_int_equal(record.version_count, 2);
    assert_string_equal(record.versions[0].blob, digest(OLD));
    assert_string_equal(record.previous, digest(OLD));
    assert_string_equal(record.blob, digest(NEW));
    assert_int_equal(record.version, 2);
    assert_int_equal(record.parallel, 1);
    assert_int_equal(record.wait_ms, ROLLOUT_WAIT_DEFAULT_MS);
    assert_int_equal(record.since_revision, 50);
}

static void no_second_one_begins_while_one_runs_and_texts_are_refused(void **state)
{
    (void)state;
    autorecord(rollout) record = { 0 };
    autorecord(rollout) second = { 0 };
    struct error err = { 0 };
    assert_int_equal(order_with(&start, NULL, &record, NULL), 0);
    assert_int_equal(order_with(&start, &record, &second, &err), -EEXIST);
    assert_non_null(strstr(err.text, "under way"));
    struct view *view = store_with(&record);
    struct change change = {
        .kind = CHANGE_SUBMIT, .name = strdup("t@1.service"), .text = strdup(NEW), .replace = true
    };
    assert_int_equal(change_plan(view, &change, &err), -EEXIST);
    change_done(&change);
    view_free(view);
}

static void what_failed_before_a_resume_is_tried_again(void **state)
{
    (void)state;
    autorecord(rollout) record = { 0 };
    autorecord(rollout) resumed = { 0 };
    struct rollout_order order = { .kind = ROLLOUT_ORDER_RESUME, .name = "t@.service" };
    assert_int_equal(order_with(&start, NULL, &record, NULL), 0);
    assert_int_equal(order_with(&order, &record, &resumed, NULL), -EEXIST);
    record.state = ROLLOUT_PAUSED;
    record.retry_revision = 3;
    assert_int_equal(order_with(&order, &record, &resumed, NULL), 0);
    assert_int_equal(resumed.state, ROLLOUT_RUNNING);
    assert_int_equal(resumed.retry_revision, 50);
    assert_int_equal(resumed.since_revision, record.since_revision);
}

static void undo_goes_to_a_version_whose_text_is_there(void **state)
{
    (void)state;
    autorecord(rollout) record = { 0 };
    autorecord(rollout) undone = { 0 };
    struct error err = { 0 };
    struct rollout_order order = { .kind = ROLLOUT_ORDER_UNDO, .name = "t@.service" };
    assert_int_equal(order_with(&order, NULL, &undone, &err), -ENOENT);
    assert_int_equal(order_with(&start, NULL, &record, NULL), 0);
    assert_int_equal(order_with(&order, &record, &undone, &err), -ENOENT);
    assert_non_null(strstr(err.text, "not in the store any more"));
    free(record.versions[0].blob);
    record.versions[0].blob = strdup(digest(GLOBAL)); /* the one that is */
    assert_int_equal(order_with(&order, &record, &undone, NULL), 0);
    assert_string_equal(undone.blob, digest(GLOBAL));
    assert_string_equal(undone.versions[2].how, "undo to 1");
    assert_int_equal(undone.version, 3);
}

static void a_text_cannot_be_replaced_while_machines_have_two(void **state)
{
    (void)state;
    static const char other[] = NEW "Nice=1\n[X-Fleet]\nGlobal=true\n";
    const struct rollout_order order = { .kind = ROLLOUT_ORDER_START,
                                         .name = "global.service",
                                         .text = other,
                                         .wait_ms = -1,
                                         .timeout_ms = -1 };
    autorecord(rollout) record = { 0 };
    struct error err = { 0 };
    struct change change = { .kind = CHANGE_SUBMIT,
                             .name = strdup("global.service"),
                             .text = strdup(other),
                             .replace = true };
    assert_int_equal(order_with(&order, NULL, &record, NULL), 0);
    assert_string_equal(record.versions[0].blob, digest(GLOBAL));
    assert_string_equal(record.blob, digest(other));
    record.state = ROLLOUT_PAUSED;
    struct view *view = store_with_rollout("global.service", &record);
    assert_int_equal(change_plan(view, &change, &err), -EEXIST);
    assert_non_null(strstr(err.text, "different texts"));
    change_done(&change);
    view_free(view);
}

static void what_runs_everywhere_is_restarted_unless_machines_have_two_texts(void **state)
{
    (void)state;
    const struct rollout_order order = {
        .kind = ROLLOUT_ORDER_RESTART, .name = "global.service", .wait_ms = -1, .timeout_ms = -1
    };
    autorecord(rollout) record = { 0 };
    autorecord(rollout) again = { 0 };
    assert_int_equal(order_with(&order, NULL, &record, NULL), 0);
    assert_true(record.restart);
    record.state = ROLLOUT_PAUSED;
    struct view *restarted = store_with_rollout("global.service", &record);
    assert_int_equal(rollout_order_plan(restarted, &order, &again, NULL), 0);
    record.restart = false;
    struct view *mixed = store_with_rollout("global.service", &record);
    assert_int_equal(rollout_order_plan(mixed, &order, &again, NULL), -EEXIST);
    view_free(restarted);
    view_free(mixed);
}

static void orders_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct rollout_order order;
        int code;
    } rows[] = {
        {{ .kind = ROLLOUT_ORDER_START, .name = "t@1.service", .text = NEW },         -EINVAL},
        { { .kind = ROLLOUT_ORDER_START, .name = "t@.service", .text = "x" },         -EINVAL},
        { { .kind = ROLLOUT_ORDER_START, .name = "t@.service", .text = GLOBAL },      -EINVAL},
        { { .kind = ROLLOUT_ORDER_START, .name = "global.service", .text = NEW },     -EINVAL},
        { { .kind = ROLLOUT_ORDER_START, .name = "other@.service", .text = NEW },     -ENOENT},
        { { .kind = ROLLOUT_ORDER_START, .name = "mixed@.service", .text = NEW },     -EINVAL},
        { { .kind = ROLLOUT_ORDER_START, .name = "mixed@.service", .text = GLOBAL },  -EINVAL},
        { { .kind = ROLLOUT_ORDER_RESTART, .name = "t@.service", .roll_back = true }, -EINVAL},
        { { .kind = ROLLOUT_ORDER_PAUSE, .name = "t@.service" },                      -ENOENT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        autorecord(rollout) record = { 0 };
        assert_int_equal(order_with(&rows[i].order, NULL, &record, NULL), rows[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rollout_begins_its_history_with_what_most_instances_have),
        cmocka_unit_test(no_second_one_begins_while_one_runs_and_texts_are_refused),
        cmocka_unit_test(what_failed_before_a_resume_is_tried_again),
        cmocka_unit_test(undo_goes_to_a_version_whose_text_is_there),
        cmocka_unit_test(a_text_cannot_be_replaced_while_machines_have_two),
        cmocka_unit_test(what_runs_everywhere_is_restarted_unless_machines_have_two_texts),
        cmocka_unit_test(orders_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests_name("api/rollout", tests, NULL, NULL);
}
