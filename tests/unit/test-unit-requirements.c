/* SPDX-License-Identifier: Apache-2.0 */
#include "units/requirements.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"
#include "units/translate.h"
#include "units/unit_file.h"

static const char name[] = "web@2.service";

/* Reads the lines of an [X-Fleet] section. */
static int read_section(const char *lines, struct requirements **ret, struct error *err)
{
    autofree char *text = text_format("[X-Fleet]\n%s", lines);
    autoptr(unit_file) file = NULL;
    assert_int_equal(unit_file_parse(text, strlen(text), &file, NULL), 0);
    return requirements_read(file, name, ret, err);
}

static struct requirements *read_good(const char *lines)
{
    struct requirements *requirements = NULL;
    struct error err = { 0 };
    if (read_section(lines, &requirements, &err) < 0)
        fail_msg("%s: %s", lines, err.text);
    return requirements;
}

static void assert_list(char *const *list, const char *wanted)
{
    autotext t = { 0 };
    for (; list && *list; list++)
        text_addf(&t, "%s|", *list);
    autofree char *joined = text_take(&t);
    assert_string_equal(joined, wanted);
}

static void assert_metadata(const struct requirements *requirements, const char *wanted)
{
    autotext t = { 0 };
    for (size_t i = 0; i < requirements->metadata_count; i++)
        text_addf(&t, "%s=%s|", requirements->metadata[i].key, requirements->metadata[i].value);
    autofree char *joined = text_take(&t);
    assert_string_equal(joined, wanted);
}

static void no_section_asks_for_nothing(void **state)
{
    (void)state;
    autoptr(requirements) q = read_good("");
    assert_null(q->machine_id);
    assert_null(q->machine_of);
    assert_null(q->conflicts);
    assert_int_equal(q->metadata_count, 0);
    assert_false(q->global);
    assert_int_equal(q->failover, FAILOVER_AT_LEAST_ONCE);
}

static void metadata_comes_quoted_or_bare(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"MachineMetadata=region=eu",                                   "region=eu|"        },
        { "MachineMetadata=\"a=b\" \"c=d e\"",                          "a=b|c=d e|"        },
        { "MachineMetadata=\"a=b\"   \"c=d\"",                          "a=b|c=d|"          },
        { "MachineMetadata=a=b c=d",                                    "a=b|c=d|"          },
        { "X-ConditionMachineMetadata=a=b\nMachineMetadata=a=c",        "a=b|a=c|"          },
        { "MachineMetadata=a=b\nMachineMetadata=\nMachineMetadata=c=d", "c=d|"              },
        { "MachineMetadata=host=%p-%i 100%%=x",                         "host=web-2|100%=x|"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autoptr(requirements) q = read_good(cases[i][0]);
        assert_metadata(q, cases[i][1]);
    }
}

static void machine_id_prefers_the_modern_name_and_the_first_value(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"MachineID=aaaaaaaa\nMachineID=bbbbbbbb",                            "aaaaaaaa"                        },
        { "X-ConditionMachineID=bbbbbbbb\nMachineID=aaaaaaaa",                "aaaaaaaa"                        },
        { "X-ConditionMachineBootID=cccccccc\nX-ConditionMachineID=bbbbbbbb", "bbbbbbbb"                        },
        { "X-ConditionMachineBootID=cccccccc",                                "cccccccc"                        },
        { "MachineID=\"0123456789abcdef0123456789abcdef\"",                   "0123456789abcdef0123456789abcdef"},
        { "MachineID=\nX-ConditionMachineID=bbbbbbbb",                        "bbbbbbbb"                        },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autoptr(requirements) q = read_good(cases[i][0]);
        assert_string_equal(q->machine_id, cases[i][1]);
    }
}

static void conflicts_split_at_blanks_even_inside_quotes(void **state)
{
    (void)state;
    autoptr(requirements) q = read_good("Conflicts=%p@*.service \"a b*\"\n"
                                        "X-Conflicts=[x-z]?.service a\n");
    assert_list(q->conflicts, "web@*.service|a|b*|[x-z]?.service|");
}

static void a_unit_may_name_its_own_pattern(void **state)
{
    (void)state;
    autoptr(requirements) q = read_good("Conflicts=web@*.service\nMachineOf=db.service\n");
    assert_list(q->conflicts, "web@*.service|");
    assert_list(q->machine_of, "db.service|");
}

static void backslashes_belong_to_patterns(void **state)
{
    (void)state;
    autoptr(requirements) q = read_good("Conflicts=foo\\\\x2dbar.service \\*\n"
                                        "MachineOf=db\\x2dbar.service\n");
    assert_list(q->conflicts, "foo\\\\x2dbar.service|\\*|");
    assert_list(q->machine_of, "db\\x2dbar.service|");
}

static void patterns_that_go_would_refuse_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "[a",   "[",       "a[", "[]a]",  "[-]",        "[x-]",
                                       "[-x]", "[a-b-c]", "[^", "[a\\]", "\"a\\\\\\\"" };
    static const char *const good[] = { "[^a]", "[a-c]*", "[\\-x]", "[\\]]", "*", "\\[", "]" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        autofree char *line = text_format("Conflicts=%s", bad[i]);
        struct error err = { 0 };
        autoptr(requirements) q = NULL;
        if (read_section(line, &q, &err) == 0)
            fail_msg("%s passed", bad[i]);
        assert_non_null(strstr(err.text, "is no pattern"));
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        autofree char *line = text_format("Conflicts=%s", good[i]);
        autoptr(requirements) q = read_good(line);
        assert_string_equal(q->conflicts[0], good[i]);
    }
}

static void global_takes_what_fleet_took(void **state)
{
    (void)state;
    static const char *const yes[] = { "true", "True", "yes", "1", "on", "t", "\"true\"" };
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        autofree char *line = text_format("Global=no\nGlobal=%s\nMachineMetadata=a=b", yes[i]);
        autoptr(requirements) q = read_good(line);
        assert_true(q->global);
    }
    autoptr(requirements) last = read_good("Global=true\nGlobal=false\n");
    assert_false(last->global);
}

static void the_order_of_moves_is_one_of_two_words(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "MoveOrder=start",
        "MoveOrder=start-first stop-first",
        "MoveOrder=start-first\nGlobal=true",
        "MoveOrder=start-first\nFailover=never",
        "MoveOrder=start-first\nMachineOf=a.service",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        autoptr(requirements) q = NULL;
        if (read_section(bad[i], &q, NULL) != -EINVAL)
            fail_msg("passed: %s", bad[i]);
    }
    autoptr(requirements) first = read_good("MoveOrder=start-first");
    assert_true(first->start_first);
    autoptr(requirements) last = read_good("MoveOrder=start-first\nMoveOrder=\nGlobal=true");
    assert_false(last->start_first);
}

static void forbidden_combinations_count_old_names_too(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "MachineID=01234567\nMachineOf=a.service",
        "X-ConditionMachineBootID=01234567\nX-ConditionMachineOf=a.service",
        "X-ConditionMachineID=01234567\nX-Conflicts=a",
        "MachineID=01234567\nGlobal=true",
        "Global=true\nX-ConditionMachineOf=a.service",
        "X-ConditionMachineOf=a.service\nX-Conflicts=?.service",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        autoptr(requirements) q = NULL;
        if (read_section(bad[i], &q, NULL) != -EINVAL)
            fail_msg("passed: %s", bad[i]);
    }
    autoptr(requirements) fine = read_good("Global=true\nMachineMetadata=a=b\nConflicts=x*\n");
    assert_true(fine->global);
}

static void lists_are_bounded(void **state)
{
    (void)state;
    autotext t = { 0 };
    for (int i = 0; i < 256; i++)
        text_addf(&t, "Conflicts=a%d\n", i);
    autoptr(requirements) full = read_good(t.data);
    assert_int_equal(strv_length(full->conflicts), 256);
    text_add(&t, "Conflicts=a256\n");
    struct error err = { 0 };
    autoptr(requirements) q = NULL;
    assert_int_equal(read_section(t.data, &q, &err), -EINVAL);
    assert_string_equal(err.text, "line 258: [X-Fleet] Conflicts=a256: more than 256 values");
}

static void a_copy_is_equal_and_its_own(void **state)
{
    (void)state;
    autoptr(requirements) q = read_good("MachineOf=a.service b.service\nMachineMetadata=k=v\n"
                                        "Conflicts=x*\nFailover=never\nSpread=rack\nPrefer=a=b\n"
                                        "MaxPerMachine=3\nPriority=4\nCPURequest=2\n");
    autoptr(requirements) copy = NULL;
    assert_int_equal(requirements_copy(q, &copy, NULL), 0);
    requirements_free(take_ptr(q));
    assert_list(copy->machine_of, "a.service|b.service|");
    assert_list(copy->conflicts, "x*|");
    assert_metadata(copy, "k=v|");
    assert_int_equal(copy->failover, FAILOVER_NEVER);
    assert_string_equal(copy->spread, "rack");
    assert_string_equal(copy->prefer[0].value, "b");
    assert_int_equal(copy->max_per_machine, 3);
    assert_int_equal(copy->priority, 4);
    assert_int_equal(copy->requests[RESOURCE_CPU], 2000);
}

/* Reads a whole file. */
static struct requirements *read_file_text(const char *text)
{
    autoptr(unit_file) file = NULL;
    struct requirements *requirements = NULL;
    struct error err = { 0 };
    assert_int_equal(unit_file_parse(text, strlen(text), &file, NULL), 0);
    if (requirements_read(file, name, &requirements, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return requirements;
}

static void wishes_and_bounds_are_read(void **state)
{
    (void)state;
    autoptr(requirements) q =
        read_good("Spread=rack\nPrefer=disk=ssd zone=a\nMaxPerMachine=2\nPriority=-5\n"
                  "Role=web\nMachineCapability=kvm x86-64\nReplaces=old@* other.service\n");
    assert_string_equal(q->spread, "rack");
    assert_int_equal(q->prefer_count, 2);
    assert_string_equal(q->prefer[1].key, "zone");
    assert_int_equal(q->max_per_machine, 2);
    assert_int_equal(q->priority, -5);
    assert_metadata(q, "role.web=active|");
    assert_list(q->capabilities, "kvm|x86-64|");
    assert_list(q->replaces, "old@*|other.service|");
}

static void an_empty_value_takes_back_what_was_said(void **state)
{
    (void)state;
    autoptr(requirements) q = read_good("Spread=rack\nSpread=\nPrefer=a=b\nPrefer=\nReplaces=x\n"
                                        "Replaces=\nMaxPerMachine=2\nMaxPerMachine=\n"
                                        "MemoryRequest=1G\nMemoryRequest=\n");
    assert_null(q->spread);
    assert_int_equal(q->prefer_count, 0);
    assert_null(q->replaces);
    assert_int_equal(q->max_per_machine, 0);
    assert_int_equal(q->requests[RESOURCE_MEMORY], 0);
}

static void requests_are_what_is_asked_or_else_the_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t cpu, memory, tasks;
    } cases[] = {
        {"[Service]\nMemoryMax=512M\nCPUQuota=150%\nTasksMax=100\n",                           1500, 536870912,  100},
        { "[Container]\nMemory=1g\nPidsLimit=50\n",                                            0,    1073741824, 50 },
        { "[Container]\nPodmanArgs=--cpus=1 --ipc=host\nPodmanArgs=--cpus 1.5\n",              1500, 0,          0  },
        { "[Container]\nPodmanArgs=--cpus=1\nPodmanArgs=\n",                                   0,    0,          0  },
        { "[Container]\nPodmanArgs=--cpus=1\n[Service]\nCPUQuota=50%\n",                       500,  0,          0  },
        { "[Container]\nPodmanArgs=--cpus=1 --bogus\n[X-Fleet]\nCPURequest=2\n",               2000, 0,          0  },
        { "[Container]\nMemory=1g\nPidsLimit=50\n[Service]\nMemoryMax=infinity\n",             0,    0,          50 },
        { "[Service]\nMemoryMax=infinity\nTasksMax=10%\n",                                     0,    0,          0  },
        { "[X-Fleet]\nMemoryRequest=1K\nCPURequest=0.25\n[Service]\nMemoryMax=1G\n",           250,  1024,       0  },
        { "[X-Fleet]\nMemoryRequest=0\nTasksRequest=7\n[Service]\nMemoryMax=1G\nTasksMax=9\n", 0,    0,
         7                                                                                                          },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autoptr(requirements) q = read_file_text(cases[i].text);
        assert_int_equal(q->requests[RESOURCE_CPU], cases[i].cpu);
        assert_int_equal(q->requests[RESOURCE_MEMORY], cases[i].memory);
        assert_int_equal(q->requests[RESOURCE_TASKS], cases[i].tasks);
    }
}

static void ports_of_the_host_are_claimed(void **state)
{
    (void)state;
    autoptr(requirements) q = read_file_text(
        "[Container]\nPublishPort=80\nPublishPort=8080:80\nPublishPort=10.0.0.1:53:53/udp\n"
        "PublishPort=[::1]:7000-7001:7000-7001\nPublishPort=0.0.0.0:90%i:90\n"
        "PublishPort=127.0.0.1::81\n");
    autotext t = { 0 };
    for (size_t i = 0; i < q->port_count; i++)
        text_addf(&t, "%s/%u/%s|", q->ports[i].protocol, q->ports[i].port, q->ports[i].address);
    assert_string_equal(t.data, "tcp/8080/|udp/53/10.0.0.1|tcp/7000/::1|tcp/7001/::1|tcp/902/|");
    autoptr(requirements) host = read_file_text("[Container]\nPublishPort=80:80\nNetwork=host\n");
    assert_int_equal(host->port_count, 0);
}

static void a_container_is_where_its_pod_is(void **state)
{
    (void)state;
    autoptr(requirements) member = read_file_text("[Container]\nPod=shop@%i.pod\n");
    assert_int_equal(strv_length(member->machine_of), 1);
    assert_string_equal(member->machine_of[0], "shop-pod@2.service");
    autoptr(requirements) twice = read_file_text("[Container]\nPod=shop.pod\n[X-Fleet]\n"
                                                 "MachineOf=shop-pod.service db.service\n");
    assert_int_equal(strv_length(twice->machine_of), 2);
    autoptr(requirements) everywhere =
        read_file_text("[Container]\nPod=shop.pod\n[X-Fleet]\nGlobal=true\n");
    assert_null(everywhere->machine_of);
    autoptr(requirements) pod = read_file_text("[Pod]\nPublishPort=8080:80\n");
    assert_int_equal(pod->port_count, 1);
    assert_int_equal(pod->ports[0].port, 8080);
    autoptr(requirements) of_host = read_file_text("[Pod]\nPublishPort=8080:80\nNetwork=host\n");
    assert_int_equal(of_host->port_count, 0);
}

static void faulty_values_are_told_what_would_be_right(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"Spread=rack zone",                   "write one key of metadata"     },
        { "Spread=a=b",                        "write one key of metadata"     },
        { "MaxPerMachine=0",                   "from 1 to"                     },
        { "MaxPerMachine=many",                "from 1 to"                     },
        { "Priority=high",                     "the higher is served first"    },
        { "MemoryRequest=lots",                "write an amount of memory"     },
        { "MemoryRequest=1.5.2G",              "write an amount of memory"     },
        { "CPURequest=2 cores",                "write one value"               },
        { "CPURequest=1.5x",                   "write processors"              },
        { "TasksRequest=-1",                   "write a number"                },
        { "Role=Web!",                         "is no role"                    },
        { "Prefer=ssd",                        "is no KEY=VALUE; write Prefer="},
        { "Replaces=[a",                       "is no pattern"                 },
        { "Replaces=a\nConflicts=b",           "cannot be used beside"         },
        { "Replaces=a\nGlobal=true",           "cannot be used beside"         },
        { "Replaces=a*\nMachineOf=ab.service", "wants on the same machine"     },
        { "MachineID=01234567\nReplaces=a",    "cannot be used beside"         },
        { "Prefers=a=b",                       "did you mean Prefer="          },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err = { 0 };
        autoptr(requirements) q = NULL;
        if (read_section(bad[i][0], &q, &err) == 0)
            fail_msg("%s passed", bad[i][0]);
        if (!strstr(err.text, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], err.text);
    }
}

/* The warnings of a unit with these lines in [X-Fleet], one after the other. */
static char *warnings_of(const char *unit, const char *lines)
{
    autofree char *file = text_format("[Service]\nExecStart=/bin/true\n[X-Fleet]\n%s", lines);
    autostrv warnings = NULL;
    autotext all = { 0 };
    assert_int_equal(unit_warnings(unit, file, strlen(file), &warnings, NULL), 0);
    for (char **line = warnings; line && *line; line++)
        text_addf(&all, "%s\n", *line);
    return text_take(&all);
}

static void what_counts_instances_is_told_to_do_nothing_of_a_unit_that_is_none(void **state)
{
    (void)state;
    autofree char *plain = warnings_of("a.service", "Spread=rack\nMaxPerMachine=1\n");
    autofree char *taken_back = warnings_of("a.service", "Spread=rack\nSpread=\n");
    autofree char *template_text = warnings_of("a@.service", "Spread=rack\nMaxPerMachine=1\n");
    autofree char *instance = warnings_of("a@1.service", "Spread=rack\nMaxPerMachine=1\n");
    assert_string_equal(plain,
                        "line 5: [X-Fleet] MaxPerMachine=: counts instances of a template, and "
                        "this is none: it does nothing\n"
                        "line 4: [X-Fleet] Spread=: counts instances of a template, and this is "
                        "none: it does nothing\n");
    assert_string_equal(taken_back, "");
    assert_string_equal(template_text, "");
    assert_string_equal(instance, "");
}

static void failover_names_go_both_ways(void **state)
{
    (void)state;
    assert_string_equal(failover_name(FAILOVER_NEVER), "never");
    assert_int_equal(failover_from_name("at-least-once"), FAILOVER_AT_LEAST_ONCE);
    assert_int_equal(failover_from_name("at-most-once"), FAILOVER_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_section_asks_for_nothing),
        cmocka_unit_test(metadata_comes_quoted_or_bare),
        cmocka_unit_test(machine_id_prefers_the_modern_name_and_the_first_value),
        cmocka_unit_test(conflicts_split_at_blanks_even_inside_quotes),
        cmocka_unit_test(a_unit_may_name_its_own_pattern),
        cmocka_unit_test(backslashes_belong_to_patterns),
        cmocka_unit_test(patterns_that_go_would_refuse_are_refused),
        cmocka_unit_test(global_takes_what_fleet_took),
        cmocka_unit_test(the_order_of_moves_is_one_of_two_words),
        cmocka_unit_test(forbidden_combinations_count_old_names_too),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(a_copy_is_equal_and_its_own),
        cmocka_unit_test(wishes_and_bounds_are_read),
        cmocka_unit_test(an_empty_value_takes_back_what_was_said),
        cmocka_unit_test(requests_are_what_is_asked_or_else_the_limits),
        cmocka_unit_test(ports_of_the_host_are_claimed),
        cmocka_unit_test(a_container_is_where_its_pod_is),
        cmocka_unit_test(faulty_values_are_told_what_would_be_right),
        cmocka_unit_test(what_counts_instances_is_told_to_do_nothing_of_a_unit_that_is_none),
        cmocka_unit_test(failover_names_go_both_ways),
    };
    return cmocka_run_group_tests_name("units/requirements", tests, NULL, NULL);
}
