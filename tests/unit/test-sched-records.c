/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/records.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "tests/unit/harness.h"

#define MACHINE "4f2a1b3c4f2a1b3c4f2a1b3c4f2a1b3c"
#define BLOB    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void every_kind_of_key_is_read_back(void **state)
{
    (void)state;
    static const struct {
        enum store_key_kind kind;
        const char *machine, *name;
        unsigned int index;
        const char *key;
    } rows[] = {
        {STORE_KEY_CLUSTER,     NULL,    NULL,           0,  "/m/cluster"                     },
        { STORE_KEY_MEMBER,     MACHINE, NULL,           0,  "/m/members/" MACHINE            },
        { STORE_KEY_PRESENCE,   MACHINE, NULL,           0,  "/m/nodes/" MACHINE "/presence"  },
        { STORE_KEY_ASSIGNMENT, MACHINE, "a@1.service",  0,
         "/m/nodes/" MACHINE "/units/a@1.service"                                             },
        { STORE_KEY_STATE,      MACHINE, "a.service",    0,  "/m/states/" MACHINE "/a.service"},
        { STORE_KEY_LEADER,     NULL,    NULL,           0,  "/m/leader"                      },
        { STORE_KEY_UNIT,       NULL,    "a\\x2d.mount", 0,  "/m/units/a\\x2d.mount"          },
        { STORE_KEY_BLOB,       NULL,    BLOB,           0,  "/m/blobs/" BLOB                 },
        { STORE_KEY_VERDICT,    NULL,    "a.service",    0,  "/m/verdicts/a.service"          },
        { STORE_KEY_ROLE,       NULL,    "db",           0,  "/m/roles/db"                    },
        { STORE_KEY_SLOT,       NULL,    "db",           12, "/m/slots/db/12"                 },
        { STORE_KEY_CORDON,     MACHINE, NULL,           0,  "/m/cordons/" MACHINE            },
        { STORE_KEY_DRAIN,      MACHINE, NULL,           0,  "/m/ops/drain/" MACHINE          },
        { STORE_KEY_BRAKE,      NULL,    NULL,           0,  "/m/ops/brake"                   },
        { STORE_KEY_ROLLOUT,    NULL,    "a@.service",   0,  "/m/ops/rollout/a@.service"      },
        { STORE_KEY_REBALANCE,  NULL,    NULL,           0,  "/m/ops/rebalance"               },
        { STORE_KEY_UNITS_MARK, NULL,    NULL,           0,  "/m/units-written"               },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct store_key_parts parts;
        autofree char *key =
            store_key("/m/", rows[i].kind, rows[i].machine, rows[i].name, rows[i].index);
        assert_string_equal(key, rows[i].key);
        store_key_parse("/m/", key, &parts);
        assert_int_equal(parts.kind, rows[i].kind);
        assert_string_equal(parts.machine, rows[i].machine ? rows[i].machine : "");
        assert_string_equal(parts.name, rows[i].name ? rows[i].name : "");
        assert_int_equal(parts.index, rows[i].index);
    }
}

static void foreign_and_malformed_keys_are_ignored(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "/other/cluster",
        "/m/",
        "/m/cluster/",
        "/m/members/4f2a",
        "/m/members/4F2A1B3C4F2A1B3C4F2A1B3C4F2A1B3C",
        "/m/nodes/" MACHINE,
        "/m/nodes/" MACHINE "/presence/x",
        "/m/nodes/" MACHINE "/unit/a.service",
        "/m/nodes/" MACHINE "/units/",
        "/m/nodes/" MACHINE "/units/a/b",
        "/m/units/a b.service",
        "/m/blobs/0123",
        "/m/roles/Db",
        "/m/roles/-db",
        "/m/slots/db/01",
        "/m/slots/db/-1",
        "/m/slots/db/1024",
        "/m/slots/db/",
        "/m/slots/db",
        "/m/ops/drains/" MACHINE,
        "/m/ops/" MACHINE,
        "/m/ops/brake/x",
        "/m/ops/rollout",
        "/m/ops/rollout/a/b",
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct store_key_parts parts;
        store_key_parse("/m/", keys[i], &parts);
        assert_int_equal(parts.kind, STORE_KEY_INVALID);
        assert_string_equal(parts.machine, "");
        assert_string_equal(parts.name, "");
    }
}

static void name_of_257_letters_is_not_ours(void **state)
{
    (void)state;
    struct store_key_parts parts;
    char key[300] = "/m/units/";
    memset(key + 9, 'a', 256);
    store_key_parse("/m/", key, &parts);
    assert_int_equal(parts.kind, STORE_KEY_UNIT);
    assert_int_equal(strlen(parts.name), 256);
    key[9 + 256] = 'a';
    store_key_parse("/m/", key, &parts);
    assert_int_equal(parts.kind, STORE_KEY_INVALID);
}

/* A blank in front is for jansson to read: the same comes out, or the same is said to be wrong. */
#define ASSERT_READ_ALIKE(type, json)                                                             \
    do {                                                                                          \
        struct error one_err = { 0 };                                                             \
        struct error two_err = { 0 };                                                             \
        autorecord(type) one = { 0 };                                                             \
        autorecord(type) two = { 0 };                                                             \
        autofree char *blank = text_format(" %s", json);                                          \
        int one_code = record_##type##_decode(json, strlen(json), &one, &one_err);                \
        assert_int_equal(record_##type##_decode(blank, strlen(blank), &two, &two_err), one_code); \
        assert_true(record_##type##_equal(&one, &two));                                           \
        if (!strstr(one_err.text, "column")) /* which differs */                                  \
            assert_string_equal(one_err.text, two_err.text);                                      \
    } while (0)

/* The text is the one that encode gives: fields sorted, all of them there. */
#define ASSERT_ROUND_TRIP(type, json)                                       \
    do {                                                                    \
        struct error err = { 0 };                                           \
        autorecord(type) record = { 0 };                                    \
        autofree char *again = NULL;                                        \
        if (record_##type##_decode(json, strlen(json), &record, &err) < 0)  \
            fail_msg("%s", err.text);                                       \
        assert_int_equal(record_##type##_encode(&record, &again, NULL), 0); \
        assert_string_equal(again, json);                                   \
        ASSERT_READ_ALIKE(type, json);                                      \
    } while (0)

static void records_survive_a_round_trip(void **state)
{
    (void)state;
    ASSERT_ROUND_TRIP(cluster, "{\"schema\":1,\"uuid\":\"u\"}");
    ASSERT_ROUND_TRIP(
        member,
        "{\"capabilities\":[\"kvm\",\"x86-64\"],\"cpu_milli\":4000,\"marks_units\":true,"
        "\"may_lead\":true,"
        "\"memory_bytes\":8000000000,\"metadata\":{\"az\":\"1\",\"rack\":\"r1\"},"
        "\"name\":\"node1\",\"overcommit_cpu\":200,\"overcommit_memory\":100,"
        "\"public_ip\":\"10.0.0.1\",\"reserve_cpu_milli\":500,\"reserve_memory_bytes\":1000000,"
        "\"reserve_tasks\":100,\"role_priority\":\"*=5\",\"roles\":\"db=3\",\"tasks\":4096,"
        "\"ttl_ms\":10000,\"version\":\"0.1\"}");
    ASSERT_ROUND_TRIP(presence, "{\"address\":\"a\",\"boot_id\":\"b\",\"nonce\":\"n\","
                                "\"not_ready_reason\":\"disk full\",\"ready\":false}");
    ASSERT_ROUND_TRIP(rollout,
                      "{\"back\":true,\"blob\":\"b1\",\"changing\":[\"a@1.service\"],\"parallel\":"
                      "0,\"percent\":25,"
                      "\"previous\":\"b0\",\"reason\":\"r\",\"restart\":false,\"retry_revision\":9,"
                      "\"roll_back\":true,\"since_ms\":5,\"since_revision\":8,\"state\":\"paused\","
                      "\"timeout_ms\":7,\"version\":2,\"versions\":[{\"blob\":\"b0\",\"good\":true,"
                      "\"how\":\"found\","
                      "\"since_ms\":1,\"version\":1},{\"blob\":\"b1\",\"good\":false,\"how\":"
                      "\"start\",\"since_ms\":2,"
                      "\"version\":2}],\"wait_ms\":6}");
    ASSERT_ROUND_TRIP(unit, "{\"blob\":\"b\",\"desired\":\"launched\"}");
    ASSERT_ROUND_TRIP(unit, "{\"blob\":\"b\",\"desired\":\"launched\",\"restart_revision\":7}");
    ASSERT_ROUND_TRIP(
        assignment,
        "{\"blob\":\"b\",\"cause\":\"drain\",\"epoch\":7,\"failover\":\"never\",\"hold_ms\":5,"
        "\"reason\":\"only\",\"unit_revision\":5,\"want\":\"release\"}");
    ASSERT_ROUND_TRIP(assignment, "{\"blob\":\"b\",\"cause\":\"drain\",\"epoch\":7,\"moves_from\":"
                                  "\"" MACHINE "\",\"unit_revision\":5,\"want\":\"run\"}");
    ASSERT_ROUND_TRIP(
        state, "{\"active\":\"active\",\"addresses\":\"10.86.0.2\",\"assignment_revision\":3,"
               "\"health\":\"healthy\",\"health_reason\":\"h\",\"image\":\"sha256:0\","
               "\"invocation\":\"i\","
               "\"load\":\"loaded\",\"ports\":\"8080:80/tcp\",\"problem\":\"p\",\"registration\":9,"
               "\"released_revision\":4,\"result\":\"success\",\"since_ms\":1,"
               "\"sub\":\"running\"}");
    ASSERT_ROUND_TRIP(verdict,
                      "{\"attempts\":1,\"kind\":\"failing\",\"reason\":\"r\",\"since_ms\":1,"
                      "\"tried\":\"" MACHINE "\",\"unit_revision\":2}");
    ASSERT_ROUND_TRIP(verdict,
                      "{\"attempts\":0,\"kind\":\"nowhere\",\"reason\":\"r\",\"reserved\":"
                      "\"" MACHINE "\",\"since_ms\":1,\"tried\":\"\",\"unit_revision\":2}");
    ASSERT_ROUND_TRIP(cordon, "{\"reason\":\"r\",\"since_ms\":1}");
    ASSERT_ROUND_TRIP(drain, "{\"drained\":false,\"expired\":true,\"problem\":\"p\",\"since_ms\":1,"
                             "\"timeout_ms\":5000}");
    ASSERT_ROUND_TRIP(brake, "{\"hold\":true,\"since_ms\":1}");
    ASSERT_ROUND_TRIP(rebalance, "{\"mode\":\"auto\",\"since_ms\":1}");
    ASSERT_ROUND_TRIP(role,
                      "{\"conflicts\":[\"lb\"],\"fail_back\":true,\"fail_back_after_ms\":5000,"
                      "\"generation\":2,\"min_nodes\":1,\"nodes\":3,"
                      "\"promote_after_ms\":15000,\"require\":[\"disk=ssd\"],"
                      "\"spread\":\"rack\",\"when_short\":\"stop\"}");
    ASSERT_ROUND_TRIP(slot, "{\"machine\":\"" MACHINE "\",\"since_ms\":5}");
    ASSERT_ROUND_TRIP(leader, "{\"machine\":\"" MACHINE "\",\"nonce\":\"n\"}");
}

/* Jansson reads it and writes it. */
static void what_is_not_plain_survives_as_well(void **state)
{
    (void)state;
    ASSERT_ROUND_TRIP(verdict,
                      "{\"attempts\":0,\"kind\":\"\",\"reason\":\"\\\"\\\\\\n\xc3\xbc\x7f\","
                      "\"since_ms\":1,\"tried\":\"\",\"unit_revision\":2}");
    ASSERT_ROUND_TRIP(cordon, "{\"reason\":\"r\",\"since_ms\":9223372036854775807}");
}

/* Several bytes are looked at together: so each of them, at each place of these. */
static void every_byte_is_written_and_read_as_jansson_does_wherever_it_stands(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 19 * 255; i++) {
        char reason[] = "nineteen characters";
        const struct record_cordon cordon = { .reason = reason, .since_ms = 7 };
        reason[i / 255] = (char)(1 + i % 255);
        autofree char *raw = text_format("{\"reason\":\"%s\",\"since_ms\":7}", reason);
        autojson object = json_pack("{s:s, s:i}", "reason", reason, "since_ms", 7);
        autofree char *expected = NULL;
        autofree char *written = NULL;
        ASSERT_READ_ALIKE(cordon, raw);
        if (!object) { /* no UTF-8 */
            assert_true(record_cordon_encode(&cordon, &written, NULL) < 0);
            continue;
        }
        assert_int_equal(json_write(object, &expected, NULL), 0);
        assert_int_equal(record_cordon_encode(&cordon, &written, NULL), 0);
        assert_string_equal(written, expected);
        ASSERT_ROUND_TRIP(cordon, expected);
    }
}

static void plain_and_other_ways_to_write_a_record_are_read_alike(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "{}",
        "{}}",
        "{\"reason\"}",
        "{\"reason\":}",
        "{\"reason\":\"r\",}",
        "{\"reason\":\"r\"}x",
        "{\"reason\":\"r}",
        "{\"reason\":r}",
        "{\"reason\":7}",
        "{\"reason\":null}",
        "{\"reason\":\"r\",\"reason\":\"s\"}",
        "{\"since_ms\":1,\"reason\":\"r\"}",
        "{\"a\":1,\"reason\":\"r\",\"z\":true}",
        "{\"a\":x,\"reason\":\"r\"}",
        "{\"a\":,\"reason\":\"r\"}",
        "{\"a\":{\"b\":1},\"reason\":\"r\"}",
        "{\"reason\":\"r\",\"since_ms\":0}",
        "{\"reason\":\"r\",\"since_ms\":01}",
        "{\"reason\":\"r\",\"since_ms\":-1}",
        "{\"reason\":\"r\",\"since_ms\":1.5}",
        "{\"reason\":\"r\",\"since_ms\":1e3}",
        "{\"reason\":\"r\",\"since_ms\":true}",
        "{\"reason\":\"r\",\"since_ms\":\"1\"}",
        "{\"reason\":\"r\",\"since_ms\":1234567890123456789}",
        "{\"reason\":\"r\",\"since_ms\":12345678901234567890}",
        "{\"reason\":\"\\u0000\",\"since_ms\":1}",
        "{\"reason\":\"\xff\",\"since_ms\":1}",
        "{\"reason\":\"\t\",\"since_ms\":1}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ASSERT_READ_ALIKE(cordon, texts[i]);
    ASSERT_READ_ALIKE(brake, "{\"hold\":1}");
    ASSERT_READ_ALIKE(brake, "{\"hold\":\"true\"}");
    ASSERT_READ_ALIKE(unit, "{\"blob\":\"b\",\"desired\":\"sometimes\"}");
    ASSERT_READ_ALIKE(unit, "{\"blob\":\"b\",\"desired\":\"not at all or only on Sundays\"}");
}

/* An unknown field whose value is none would hide that the text is no JSON. */
static void text_that_is_no_json_is_refused_whoever_knows_the_field(void **state)
{
    (void)state;
    struct record_cordon record = { 0 };
    static const char text[] = "{\"a\":x,\"reason\":\"r\"}";
    assert_int_equal(record_cordon_decode(text, sizeof(text) - 1, &record, NULL), -EPROTO);
}

/* There is one of them for each unit. */
static void assignments_and_states_leave_out_what_says_nothing(void **state)
{
    (void)state;
    ASSERT_ROUND_TRIP(assignment,
                      "{\"blob\":\"b\",\"epoch\":7,\"unit_revision\":5,\"want\":\"run\"}");
    ASSERT_ROUND_TRIP(state, "{\"active\":\"active\",\"assignment_revision\":3,"
                             "\"registration\":9,\"since_ms\":1}");
}

static void unknown_fields_are_skipped_and_absent_ones_have_defaults(void **state)
{
    (void)state;
    static const char role[] = "{\"nodes\":3,\"who_knows\":\"hold\"}";
    static const char assignment[] =
        "{\"blob\":\"b\",\"want\":\"run\",\"unit_revision\":1,\"epoch\":1}";
    autorecord(role) r = { 0 };
    autorecord(assignment) a = { 0 };
    assert_int_equal(record_role_decode(role, sizeof(role) - 1, &r, NULL), 0);
    assert_int_equal(r.min_nodes, 1);
    assert_int_equal(r.generation, 1);
    assert_int_equal(record_assignment_decode(assignment, sizeof(assignment) - 1, &a, NULL), 0);
    assert_int_equal(a.failover, FAILOVER_AT_LEAST_ONCE);
    assert_string_equal(a.reason, "");
}

static void bad_values_are_refused_by_field(void **state)
{
    (void)state;
    static const struct {
        const char *text, *complaint;
    } rows[] = {
        {"{\"blob\":\"b\"}",                                                                      "field \"epoch\" is missing"    },
        { "{\"blob\":7}",                                                                         "field \"blob\" is not a string"},
        { "{\"blob\":\"b\",\"epoch\":1,\"unit_revision\":1,\"want\":\"go\"}",
         "field \"want\" has the unknown value \"go\""                                                                            },
        { "{\"blob\":\"b\",\"epoch\":1,\"want\":\"run\",\"unit_revision\":-1}",
         "field \"unit_revision\" is negative"                                                                                    },
        { "{\"blob\":\"b\",\"epoch\":1,\"want\":\"run\",\"unit_revision\":1,\"failover\":\"x\"}",
         "field \"failover\" has the unknown value \"x\""                                                                         },
        { "[]",                                                                                   "a record is not a JSON object" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error err = { 0 };
        struct record_assignment record = { 0 };
        assert_int_equal(
            record_assignment_decode(rows[i].text, strlen(rows[i].text), &record, &err), -EPROTO);
        assert_string_equal(err.text, rows[i].complaint);
        assert_null(record.blob);
    }
    struct error err = { 0 };
    struct record_role role = { 0 };
    assert_int_equal(record_role_decode("{\"nodes\":1025}", 14, &role, &err), -EPROTO);
    assert_string_equal(err.text, "field \"nodes\" is over 1024");
}

static void value_without_a_word_is_not_written(void **state)
{
    (void)state;
    char blob[] = "b";
    char *text = NULL;
    const struct record_unit unit = { .blob = blob };
    assert_int_equal(record_unit_encode(&unit, &text, NULL), -EINVAL);
    assert_null(text);
}

static void metadata_is_sorted_and_last_of_equal_keys_wins(void **state)
{
    (void)state;
    struct metadata_rule *rules = NULL;
    size_t count = 0;
    assert_int_equal(metadata_parse("rack=r1, disk=ssd,rack=r2,", &rules, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(rules[0].key, "disk");
    assert_string_equal(rules[0].value, "ssd");
    assert_string_equal(rules[1].key, "rack");
    assert_string_equal(rules[1].value, "r2");
    metadata_free(rules, count);
}

static void faulty_metadata_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *complaint;
    } rows[] = {
        {"a=1,ssd", "\"ssd\" is not KEY=VALUE"                         },
        { "a=b=c",  "\"a=b=c\" is not KEY=VALUE"                       },
        { "a=",     "\"a=\" is not KEY=VALUE"                          },
        { "=b",     "invalid key \"\" (want letters, digits, _ . -)"   },
        { "a b=c",  "invalid key \"a b\" (want letters, digits, _ . -)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error err = { 0 };
        struct metadata_rule *rules = NULL;
        size_t count = 0;
        assert_int_equal(metadata_parse(rows[i].text, &rules, &count, &err), -EINVAL);
        assert_string_equal(err.text, rows[i].complaint);
        assert_null(rules);
    }
}

static void role_numbers_are_read_in_order(void **state)
{
    (void)state;
    struct role_number *numbers = NULL;
    size_t count = 0;
    assert_int_equal(role_numbers_parse("web=2, db=1024,*=0", 1024, true, &numbers, &count, NULL),
                     0);
    assert_int_equal(count, 3);
    assert_string_equal(numbers[0].name, "web");
    assert_int_equal(numbers[0].number, 2);
    assert_int_equal(numbers[1].number, 1024);
    assert_string_equal(numbers[2].name, "*");
    free(numbers);
}

static void faulty_role_numbers_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *complaint;
    } rows[] = {
        {"db",         "\"db\" is not NAME=0..255"                                        },
        { "db=high",   "\"db=high\" is not NAME=0..255"                                   },
        { "db=256",    "\"db=256\" is not NAME=0..255"                                    },
        { "Db 1=2",    "invalid role name \"Db 1\" (want a-z 0-9 - _, 1 to 63 characters)"},
        { "*=2",       "invalid role name \"*\" (want a-z 0-9 - _, 1 to 63 characters)"   },
        { "db=1,db=2", "role \"db\" is given twice"                                       },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error err = { 0 };
        struct role_number *numbers = NULL;
        size_t count = 0;
        assert_int_equal(role_numbers_parse(rows[i].text, 255, false, &numbers, &count, &err),
                         -EINVAL);
        assert_string_equal(err.text, rows[i].complaint);
        assert_null(numbers);
    }
}

static void role_names_follow_the_grammar(void **state)
{
    (void)state;
    assert_true(role_name_is_valid("a"));
    assert_true(role_name_is_valid("web-front_1"));
    assert_false(role_name_is_valid(""));
    assert_false(role_name_is_valid("web-"));
    assert_false(role_name_is_valid("_web"));
    assert_true(
        role_name_is_valid("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"));
    assert_false(
        role_name_is_valid("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234"));
}

static void a_history_forgets_the_oldest_but_not_the_last_good_one(void **state)
{
    (void)state;
    autorecord(rollout) rollout = { 0 };
    assert_int_equal(rollout_add_version(&rollout, "good", "found", 1, NULL), 0);
    rollout.versions[0].good = true;
    for (int i = 0; i < 3 * ROLLOUT_VERSIONS_MAX; i++)
        assert_int_equal(rollout_add_version(&rollout, i % 2 ? "odd" : "even", "start", 2, NULL),
                         0);
    assert_int_equal(rollout.version_count, ROLLOUT_VERSIONS_MAX);
    assert_int_equal(rollout.version, 3 * ROLLOUT_VERSIONS_MAX + 1);
    assert_string_equal(rollout.blob, "odd");
    assert_string_equal(rollout_last_good(&rollout, "odd")->blob, "good");
    assert_null(rollout_last_good(&rollout, "good"));
    assert_non_null(rollout_version_find(&rollout, 1));
    assert_null(rollout_version_find(&rollout, 2));
    assert_non_null(rollout_version_find(&rollout, rollout.version));
}

static void a_rollout_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"blob\":\"b\",\"version\":1}",
        "{\"state\":\"walking\",\"blob\":\"b\",\"version\":1}",
        "{\"state\":\"running\",\"blob\":\"b\",\"version\":1,\"percent\":101}",
        "{\"state\":\"running\",\"blob\":\"b\",\"version\":1,\"versions\":[1]}",
        "{\"state\":\"done\",\"blob\":\"b\",\"version\":1,\"versions\":[{\"version\":2}]}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        autorecord(rollout) record = { 0 };
        assert_int_equal(record_rollout_decode(texts[i], strlen(texts[i]), &record, NULL), -EPROTO);
    }
}

static void a_copy_is_equal_and_its_own_until_either_changes(void **state)
{
    static const char text[] =
        "{\"state\":\"running\",\"blob\":\"b2\",\"version\":2,\"changing\":[\"p@1.service\"],"
        "\"versions\":[{\"version\":1,\"blob\":\"b1\",\"since_ms\":3,\"how\":\"found\","
        "\"good\":true}]}";
    (void)state;
    autorecord(rollout) record = { 0 };
    autorecord(rollout) copy = { 0 };
    assert_int_equal(record_rollout_decode(text, strlen(text), &record, NULL), 0);
    assert_int_equal(record_rollout_copy(&record, &copy, NULL), 0);
    assert_true(record_rollout_equal(&record, &copy));
    copy.versions[0].good = false;
    assert_false(record_rollout_equal(&record, &copy));
    copy.versions[0].good = true;
    assert_int_equal(strv_add(&copy.changing, "p@2.service", NULL), 0);
    assert_false(record_rollout_equal(&record, &copy));
    assert_int_equal(strv_length(record.changing), 1);
}

static void a_copy_has_a_turn_where_its_machine_is_there_or_went_in_it(void **state)
{
    (void)state;
    char *changing[] = { (char *)"g.service/b", NULL };
    struct record_rollout rollout = { .changing = changing };
    assert_true(rollout_has_copy(&rollout, "g.service", "a", WANT_RUN, true));
    assert_true(rollout_has_copy(&rollout, "g.service", "b", WANT_RUN, false));
    assert_false(rollout_has_copy(&rollout, "g.service", "a", WANT_RUN, false));
    assert_false(rollout_has_copy(&rollout, "g.service", "b", WANT_RELEASE, true));
}

static void a_copy_is_restarted_when_its_assignment_is_younger_than_the_order(void **state)
{
    (void)state;
    const struct record_rollout rollout = { .restart = true, .since_revision = 30 };
    struct record_unit unit = { .desired = DESIRED_LAUNCHED, .restart_revision = 29 };
    assert_false(rollout_has_reached_copy(&rollout, &unit, "b", 40)); /* the unit comes first */
    unit.restart_revision = 35;
    assert_false(rollout_has_reached_copy(&rollout, &unit, "b", 34));
    assert_true(rollout_has_reached_copy(&rollout, &unit, "b", 40));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_key_is_read_back),
        cmocka_unit_test(foreign_and_malformed_keys_are_ignored),
        cmocka_unit_test(name_of_257_letters_is_not_ours),
        cmocka_unit_test(records_survive_a_round_trip),
        cmocka_unit_test(a_copy_is_equal_and_its_own_until_either_changes),
        cmocka_unit_test(a_history_forgets_the_oldest_but_not_the_last_good_one),
        cmocka_unit_test(a_rollout_is_read_whole_or_not_at_all),
        cmocka_unit_test(what_is_not_plain_survives_as_well),
        cmocka_unit_test(every_byte_is_written_and_read_as_jansson_does_wherever_it_stands),
        cmocka_unit_test(plain_and_other_ways_to_write_a_record_are_read_alike),
        cmocka_unit_test(text_that_is_no_json_is_refused_whoever_knows_the_field),
        cmocka_unit_test(assignments_and_states_leave_out_what_says_nothing),
        cmocka_unit_test(unknown_fields_are_skipped_and_absent_ones_have_defaults),
        cmocka_unit_test(bad_values_are_refused_by_field),
        cmocka_unit_test(value_without_a_word_is_not_written),
        cmocka_unit_test(metadata_is_sorted_and_last_of_equal_keys_wins),
        cmocka_unit_test(faulty_metadata_is_named),
        cmocka_unit_test(role_numbers_are_read_in_order),
        cmocka_unit_test(faulty_role_numbers_are_named),
        cmocka_unit_test(a_copy_has_a_turn_where_its_machine_is_there_or_went_in_it),
        cmocka_unit_test(a_copy_is_restarted_when_its_assignment_is_younger_than_the_order),
        cmocka_unit_test(role_names_follow_the_grammar),
    };
    return cmocka_run_group_tests_name("scheduler/records", tests, NULL, NULL);
}
