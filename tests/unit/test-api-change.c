/* SPDX-License-Identifier: Apache-2.0 */
#include "api/change.h"

#include <errno.h>
#include <string.h>

#include "api/route.h"
#include "base/text.h"
#include "tests/unit/harness.h"

#define M       "11111111111111111111111111111111"
#define RUNNING "[Service]\nExecStart=/bin/true\n"

/* A store written by hand: a pair a line, mod_revision and create_revision its place in it. */
struct line {
    const char *key;
    const char *value;
};

static struct view *view_of(const struct line *lines, size_t count)
{
    struct kv_pair pairs[16] = { 0 };
    struct view *view = NULL;
    for (size_t i = 0; i < count; i++) {
        pairs[i].key = text_format("/p/%s", lines[i].key);
        pairs[i].value = strdup(lines[i].value);
        pairs[i].value_length = strlen(lines[i].value);
        pairs[i].create_revision = pairs[i].mod_revision = (int64_t)i + 1;
    }
    assert_int_equal(view_new("/p/", pairs, count, (int64_t)count, &view, NULL), 0);
    assert_null(view_problems(view));
    for (size_t i = 0; i < count; i++)
        kv_pair_done(&pairs[i]);
    return view;
}

#define BLOB "1111111111111111111111111111111111111111111111111111111111111111"

static const struct line template_only[] = {
    {"blobs/" BLOB,       RUNNING                                           },
    { "units/t@.service", "{\"blob\":\"" BLOB "\",\"desired\":\"inactive\"}"},
};

static int plan(struct view *view, struct change *change, struct error *err)
{
    int r = change_plan(view, change, err);
    view_free(view);
    return r;
}

static void an_instance_is_made_from_its_template_in_the_store(void **state)
{
    __attribute__((cleanup(change_done))) struct change change = { .kind = CHANGE_DESIRED,
                                                                   .name = strdup("t@1.service"),
                                                                   .desired = DESIRED_LAUNCHED };
    (void)state;
    assert_int_equal(plan(view_of(template_only, 2), &change, NULL), 0);
    assert_int_equal(change.action, CHANGE_ACTION_CREATED);
    assert_string_equal(change.text, RUNNING);
    assert_string_equal(change.template_name, "t@.service");
    assert_int_equal(change.template_mod, 2);
    assert_int_equal(change.guard_mod, 0);
}

static void a_template_itself_is_not_started(void **state)
{
    __attribute__((cleanup(change_done))) struct change change = { .kind = CHANGE_DESIRED,
                                                                   .name = strdup("t@.service"),
                                                                   .desired = DESIRED_LAUNCHED };
    struct error err;
    (void)state;
    assert_int_equal(plan(view_of(template_only, 2), &change, &err), -EINVAL);
    assert_string_equal(err.text, "cannot activate template \"t@.service\"");
}

static void another_text_is_a_conflict_unless_replacing_is_asked_for(void **state)
{
    static const struct line lines[] = {
        {"blobs/" BLOB,      "[Service]\nExecStart=/bin/false\n"               },
        { "units/a.service", "{\"blob\":\"" BLOB "\",\"desired\":\"launched\"}"},
    };
    __attribute__((cleanup(change_done))) struct change change = { .kind = CHANGE_SUBMIT,
                                                                   .name = strdup("a.service"),
                                                                   .text = strdup(RUNNING) };
    struct error err;
    (void)state;
    assert_int_equal(plan(view_of(lines, 2), &change, &err), -EEXIST);
    assert_non_null(strstr(err.text, "there 1111111, given "));
    change.replace = true;
    assert_int_equal(plan(view_of(lines, 2), &change, NULL), 0);
    assert_int_equal(change.action, CHANGE_ACTION_REPLACED);
    assert_int_equal(change.new_desired, DESIRED_LAUNCHED);
    assert_int_equal(change.guard_mod, 2);
}

/* What starting a launched unit comes to when its machine says that it is active. */
static enum change_action start_again(const char *active)
{
    autofree char *unit_state = text_format(
        "{\"registration\":3,\"assignment_revision\":4,\"load\":\"loaded\",\"active\":\"%s\","
        "\"sub\":\"s\",\"result\":\"success\",\"problem\":\"\",\"invocation\":\"\","
        "\"released_revision\":0,\"since_ms\":0}",
        active);
    const struct line lines[] = {
        {"blobs/" BLOB,                  RUNNING                                                                               },
        { "units/a.service",             "{\"blob\":\"" BLOB "\",\"desired\":\"launched\"}"                                    },
        { "nodes/" M "/presence",        "{\"boot_id\":\"b\",\"nonce\":\"n\","
                                  "\"address\":\"\",\"ready\":true,\"not_ready_reason\":\"\"}"},
        { "nodes/" M "/units/a.service",
         "{\"blob\":\"" BLOB "\",\"want\":\"run\","
          "\"unit_revision\":2,\"failover\":\"at-least-once\",\"hold_ms\":0,\"epoch\":1,"
          "\"reason\":\"\"}"                                                                                                   },
        { "states/" M "/a.service",      unit_state                                                                            },
    };
    __attribute__((cleanup(change_done))) struct change change = { .kind = CHANGE_DESIRED,
                                                                   .name = strdup("a.service"),
                                                                   .desired = DESIRED_LAUNCHED };
    assert_int_equal(plan(view_of(lines, 5), &change, NULL), 0);
    return change.action;
}

static void starting_what_runs_writes_nothing_and_what_failed_is_started_again(void **state)
{
    (void)state;
    assert_int_equal(start_again("active"), CHANGE_ACTION_UNCHANGED);
    assert_int_equal(start_again("activating"), CHANGE_ACTION_UNCHANGED);
    assert_int_equal(start_again("failed"), CHANGE_ACTION_CHANGED);
    assert_int_equal(start_again("inactive"), CHANGE_ACTION_CHANGED);
}

static void a_text_that_does_not_parse_is_refused_by_name(void **state)
{
    __attribute__((cleanup(change_done))) struct change change = { .kind = CHANGE_SUBMIT,
                                                                   .name = strdup("a.service"),
                                                                   .text = strdup("[Service\n") };
    struct error err;
    (void)state;
    assert_int_equal(plan(view_of(template_only, 2), &change, &err), -EINVAL);
    assert_true(text_starts_with(err.text, "a.service: "));
}

static void routes_match_whole_paths_and_give_the_name(void **state)
{
    autofree char *name = NULL;
    (void)state;
    assert_int_equal(route_match("/v1/units/{name}/why", "/v1/units/a@1.service/why", &name), 0);
    assert_string_equal(name, "a@1.service");
    assert_int_equal(route_match("/v1/units/{name}", "/v1/units/", &name), -ENOENT);
    assert_int_equal(route_match("/v1/units/{name}", "/v1/units/a/b", &name), -ENOENT);
    assert_int_equal(route_match("/v1/units", "/v1/units/", &name), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instance_is_made_from_its_template_in_the_store),
        cmocka_unit_test(a_template_itself_is_not_started),
        cmocka_unit_test(another_text_is_a_conflict_unless_replacing_is_asked_for),
        cmocka_unit_test(starting_what_runs_writes_nothing_and_what_failed_is_started_again),
        cmocka_unit_test(a_text_that_does_not_parse_is_refused_by_name),
        cmocka_unit_test(routes_match_whole_paths_and_give_the_name),
    };
    return cmocka_run_group_tests_name("api/change", tests, NULL, NULL);
}
