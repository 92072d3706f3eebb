/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/identity.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/unit/harness.h"

static char *written(const char *text)
{
    char path[] = "/tmp/muster-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    return strdup(path);
}

static int read_text(const char *text, struct config **ret, struct error *err)
{
    autofree char *path = written(text);
    int r = config_read(path, ret, err);
    (void)unlink(path);
    return r;
}

static void file_is_read_and_environment_wins(void **state)
{
    (void)state;
    autoptr(config) config = NULL;
    (void)setenv("FLEET_METADATA", "rack=r1", 1);
    (void)setenv("FLEET_AGENT_TTL", "4s", 1);
    (void)setenv("MUSTER_AGENT_TTL", "6s", 1);
    int r = read_text("# comment\nagent_ttl = 3s\netcd_servers=\"http://a:1, http://b:2\"\n",
                      &config, NULL);
    (void)unsetenv("FLEET_METADATA");
    (void)unsetenv("FLEET_AGENT_TTL");
    (void)unsetenv("MUSTER_AGENT_TTL");
    assert_int_equal(r, 0);
    assert_int_equal(config->ttl_ms, 6000);
    assert_int_equal(strv_length(config->etcd_servers), 2);
    assert_string_equal(config->etcd_servers[1], "http://b:2");
    assert_int_equal(config->metadata_count, 1);
    assert_string_equal(config->etcd_key_prefix, "/muster/v1/");
}

static void room_for_units_is_what_the_machine_has_unless_it_is_said(void **state)
{
    (void)state;
    autoptr(config) plain = NULL;
    autoptr(config) config = NULL;
    assert_int_equal(read_text("", &plain, NULL), 0);
    assert_int_equal(plain->memory_bytes, -1);
    assert_int_equal(plain->overcommit_cpu, 100);
    assert_int_equal(read_text("cpu = 3.5\nmemory = 2G\ntasks = 0\nreserve_memory = 512M\n"
                               "overcommit_cpu = 150%\ncapabilities = gpu, fast\n",
                               &config, NULL),
                     0);
    assert_int_equal(config->cpu_milli, 3500);
    assert_int_equal(config->memory_bytes, INT64_C(2) << 30);
    assert_int_equal(config->tasks, 0);
    assert_int_equal(config->reserve_memory_bytes, 512 << 20);
    assert_int_equal(config->overcommit_cpu, 150);
    assert_int_equal(config->overcommit_memory, 100);
    assert_string_equal(config->capabilities[1], "fast");
}

static void faults_name_line_key_and_cure(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"agent_ttl = 1s\n",
         "line 1: agent_ttl: 1s is not a whole number of seconds from 2s to 1h"                        },
        { "memory = lots\n",          "line 1: memory: write an amount of memory: 512M, 1.5G, or bytes"},
        { "overcommit_cpu = 0\n",
         "line 1: overcommit_cpu: \"0\": write per cent, from 1 to 10000"                              },
        { "capabilities = a/b\n",
         "line 1: capabilities: \"a/b\" is no capability; write words such as kvm"                     },
        { "\n\nagent_tll = 5s\n",
         "line 3: unknown key \"agent_tll\"; did you mean \"agent_ttl\"?"                              },
        { "etcd_servers = foo:1\n",   "\"foo:1\" is not an http:// or https:// URL"                    },
        { "metadata = nope\n",        "metadata"                                                       },
        { "roles = web\n",            "roles"                                                          },
        { "disable_engine = maybe\n", "\"maybe\" is neither true nor false"                            },
        { "just words\n",             "line 1: not KEY = VALUE"                                        },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };
        struct config *config = NULL;
        assert_int_equal(read_text(cases[i].text, &config, &err), -EINVAL);
        assert_null(config);
        if (!strstr(err.text, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].says);
    }
}

/* Whatever is wrong with a line, a password that may be in it is not told. */
static void no_fault_shows_a_password(void **state)
{
    static const char *const texts[] = {
        "etcd_password hunter2\n",
        "etcd_pasword = hunter2\n",
        "etcd_servers = http://root:hunter2@10.0.0.1:2379\n",
        "etcd_servers = root:hunter2@10.0.0.1:2379\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct error err = { 0 };
        struct config *config = NULL;
        assert_int_equal(read_text(texts[i], &config, &err), -EINVAL);
        assert_true(*err.text);
        assert_null(strstr(err.text, "hunter2"));
    }
}

static void user_and_password_come_as_fleet_named_them(void **state)
{
    (void)state;
    autoptr(config) config = NULL;
    (void)setenv("FLEET_ETCD_USERNAME", "fleet", 1);
    (void)setenv("FLEET_ETCD_PASSWORD", "hunter2", 1);
    int r = read_text("etcd_username = muster\n", &config, NULL);
    (void)unsetenv("FLEET_ETCD_USERNAME");
    (void)unsetenv("FLEET_ETCD_PASSWORD");
    assert_int_equal(r, 0);
    assert_string_equal(config->etcd_username, "fleet");
    assert_string_equal(config->etcd_password, "hunter2");
}

static void an_absent_file_that_was_named_is_an_error(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error err = { 0 };
    assert_int_equal(config_read("/nonexistent/musterd.conf", &config, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/musterd.conf"));
}

static void another_cluster_is_never_taken_for_ours(void **state)
{
    (void)state;
    assert_int_equal(identity_judge(NULL, NULL), IDENTITY_NEW);
    assert_int_equal(identity_judge(NULL, "a"), IDENTITY_ADOPT);
    assert_int_equal(identity_judge("a", "a"), IDENTITY_OURS);
    assert_int_equal(identity_judge("a", "b"), IDENTITY_FOREIGN);
    assert_int_equal(identity_judge("a", NULL), IDENTITY_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_is_read_and_environment_wins),
        cmocka_unit_test(room_for_units_is_what_the_machine_has_unless_it_is_said),
        cmocka_unit_test(faults_name_line_key_and_cure),
        cmocka_unit_test(no_fault_shows_a_password),
        cmocka_unit_test(user_and_password_come_as_fleet_named_them),
        cmocka_unit_test(an_absent_file_that_was_named_is_an_error),
        cmocka_unit_test(another_cluster_is_never_taken_for_ours),
    };
    return cmocka_run_group_tests_name("agent/config", tests, NULL, NULL);
}
