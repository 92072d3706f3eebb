/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/role_settings.h"

#include "base/text.h"
#include "tests/unit/harness.h"

/* As the store would have it after the settings, which end with NULL. */
static char *written(struct record_role *role, const char *const *settings)
{
    char *text = NULL;
    assert_int_equal(role_settings_apply(role, "db", (char *const *)settings, NULL), 0);
    assert_int_equal(record_role_encode(role, &text, NULL), 0);
    return text;
}

static void new_role_has_defaults(void **state)
{
    (void)state;
    autorecord(role) role = { 0 };
    autofree char *text = written(&role, (const char *const[]){ "nodes=3", NULL });
    assert_string_equal(text, "{\"conflicts\":[],\"fail_back\":false,\"fail_back_after_ms\":60000,"
                              "\"generation\":1,\"min_nodes\":1,\"nodes\":3,"
                              "\"promote_after_ms\":0,\"require\":[],\"spread\":\"\","
                              "\"when_short\":\"\"}");
}

static void every_setting_is_taken(void **state)
{
    (void)state;
    autorecord(role) role = { 0 };
    autofree char *text =
        written(&role, (const char *const[]){
                           "nodes=5", "min-nodes=2", "require=disk=ssd,disk=nvme", "spread=rack",
                           "conflicts=lb,web", "when-short=stop", "fail-back=yes",
                           "fail-back-after=1m30s", "promote-after=15s", NULL });
    assert_string_equal(text, "{\"conflicts\":[\"lb\",\"web\"],\"fail_back\":true,"
                              "\"fail_back_after_ms\":90000,\"generation\":1,\"min_nodes\":2,"
                              "\"nodes\":5,\"promote_after_ms\":15000,"
                              "\"require\":[\"disk=ssd\",\"disk=nvme\"],\"spread\":\"rack\","
                              "\"when_short\":\"stop\"}");
}

static void what_is_not_named_stays_and_an_empty_value_resets(void **state)
{
    (void)state;
    autorecord(role) role = { 0 };
    char *first[] = { (char *)"nodes=3",          (char *)"min-nodes=2",   (char *)"spread=rack",
                      (char *)"require=disk=ssd", (char *)"fail-back=yes", NULL };
    char *second[] = { (char *)"min-nodes=", (char *)"require=", (char *)"fail-back=",
                       (char *)"nodes=4", NULL };
    assert_int_equal(role_settings_apply(&role, "db", first, NULL), 0);
    assert_int_equal(role_settings_apply(&role, "db", second, NULL), 0);
    assert_int_equal(role.nodes, 4);
    assert_int_equal(role.min_nodes, 1);
    assert_string_equal(role.spread, "rack");
    assert_int_equal(strv_length(role.require), 0);
    assert_false(role.fail_back);
}

static void faulty_setting_is_named_and_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *setting;
        const char *complaint;
    } rows[] = {
        {"node=3",             "a role has no setting \"node\" (did you mean \"nodes\"?)"},
        { "nodes",             "\"nodes\" is not KEY=VALUE"                              },
        { "nodes=many",        "nodes: \"many\" is not a number"                         },
        { "nodes=1025",        "nodes: 1025 is more than 1024"                           },
        { "min-nodes=4",       "role \"db\": min-nodes 4 is more than nodes 3"           },
        { "spread=rack=r1",    "spread: \"rack=r1\" is not one metadata key"             },
        { "conflicts=db",      "role \"db\" conflicts with itself"                       },
        { "conflicts=L B",     "conflicts: invalid role name \"L\" (want a-z 0-9 - _, 1 to 63 "
                           "characters)"                       },
        { "when-short=maybe",  "when-short: \"maybe\" is none of run, hold, stop"        },
        { "fail-back=perhaps", "fail-back: \"perhaps\" is neither yes nor no"            },
    };
    autorecord(role) role = { 0 };
    autofree char *before = written(&role, (const char *const[]){ "nodes=3", "spread=rack", NULL });
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error err = { 0 };
        autofree char *after = NULL;
        char *settings[] = { (char *)"spread=zone", (char *)rows[i].setting, NULL };
        assert_int_equal(role_settings_apply(&role, "db", settings, &err), -EINVAL);
        assert_string_equal(err.text, rows[i].complaint);
        assert_int_equal(record_role_encode(&role, &after, NULL), 0);
        assert_string_equal(after, before);
    }
}

static void role_without_a_number_is_refused(void **state)
{
    (void)state;
    struct error err = { 0 };
    autorecord(role) role = { 0 };
    char *settings[] = { (char *)"spread=rack", NULL };
    assert_int_equal(role_settings_apply(&role, "db", settings, &err), -EINVAL);
    assert_string_equal(err.text, "role \"db\" has no \"nodes\": say nodes=N");
    assert_int_equal(role_settings_apply(&role, "Db", settings, &err), -EINVAL);
    assert_string_equal(err.text,
                        "invalid role name \"Db\" (want a-z 0-9 - _, 1 to 63 characters)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_role_has_defaults),
        cmocka_unit_test(every_setting_is_taken),
        cmocka_unit_test(what_is_not_named_stays_and_an_empty_value_resets),
        cmocka_unit_test(faulty_setting_is_named_and_changes_nothing),
        cmocka_unit_test(role_without_a_number_is_refused),
    };
    return cmocka_run_group_tests_name("scheduler/role_settings", tests, NULL, NULL);
}
