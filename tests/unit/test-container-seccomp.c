/* SPDX-License-Identifier: Apache-2.0 */
#include "container/seccomp.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "tests/unit/harness.h"

static const char *const few_capabilities[] = { "CAP_CHOWN", "CAP_KILL", NULL };
static const struct seccomp_machine machine = { "amd64", "6.1.0-13-amd64", few_capabilities };

/* The system calls that pass, of a profile with one rule a piece of text. */
static json_t *translated(const char *rules, const struct seccomp_machine *on)
{
    struct error err = { 0 };
    autofree char *text = text_format(
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"defaultErrno\":\"ENOSYS\","
        "\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":"
        "[\"SCMP_ARCH_X86\"]},{\"architecture\":\"SCMP_ARCH_S390X\",\"subArchitectures\":"
        "[\"SCMP_ARCH_S390\"]}],\"syscalls\":[%s]}",
        rules);
    autojson profile = NULL;
    json_t *seccomp = NULL;
    if (json_read(text, strlen(text), &profile, &err) < 0 ||
        seccomp_translate(profile, on, &seccomp, &err) < 0)
        fail_msg("%s", err.text);
    return seccomp;
}

static size_t rules_kept(const char *rule, const struct seccomp_machine *on)
{
    autojson seccomp = translated(rule, on);
    return json_array_size(json_object_get(seccomp, "syscalls"));
}

static void only_what_oci_knows_is_kept(void **state)
{
    (void)state;
    autofree char *text = NULL;
    autojson seccomp = translated(
        "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[],\"comment\":\"\","
        "\"includes\":{},\"excludes\":{}},"
        "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":22,\"errno\":"
        "\"EINVAL\","
        "\"args\":[{\"index\":0,\"value\":16,\"valueTwo\":0,\"op\":\"SCMP_CMP_EQ\"}]}",
        &machine);
    assert_int_equal(json_write(seccomp, &text, NULL), 0);
    assert_string_equal(
        text,
        "{\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],"
        "\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"syscalls\":["
        "{\"action\":\"SCMP_ACT_ALLOW\",\"names\":[\"read\"]},"
        "{\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":16,"
        "\"valueTwo\":0}],\"errnoRet\":22,\"names\":[\"socket\"]}]}");
}

#define RULE(conditions) "{\"names\":[\"x\"],\"action\":\"SCMP_ACT_ALLOW\"," conditions "}"

static void rules_go_by_capability(void **state)
{
    (void)state;
    assert_int_equal(rules_kept(RULE("\"includes\":{\"caps\":[\"CAP_KILL\"]}"), &machine), 1);
    assert_int_equal(rules_kept(RULE("\"includes\":{\"caps\":[\"CAP_BPF\"]}"), &machine), 0);
    assert_int_equal(
        rules_kept(RULE("\"includes\":{\"caps\":[\"CAP_KILL\",\"CAP_BPF\"]}"), &machine), 0);
    assert_int_equal(rules_kept(RULE("\"excludes\":{\"caps\":[\"CAP_BPF\"]}"), &machine), 1);
    assert_int_equal(
        rules_kept(RULE("\"excludes\":{\"caps\":[\"CAP_BPF\",\"CAP_KILL\"]}"), &machine), 0);
}

static void rules_go_by_architecture(void **state)
{
    (void)state;
    assert_int_equal(rules_kept(RULE("\"includes\":{\"arches\":[\"amd64\",\"x32\"]}"), &machine),
                     1);
    assert_int_equal(rules_kept(RULE("\"includes\":{\"arches\":[\"s390x\"]}"), &machine), 0);
    assert_int_equal(rules_kept(RULE("\"excludes\":{\"arches\":[\"amd64\"]}"), &machine), 0);
    const struct seccomp_machine other = { "s390x", "6.1", few_capabilities };
    autojson seccomp = translated("", &other);
    const json_t *list = json_object_get(seccomp, "architectures");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_array_get(list, 1)), "SCMP_ARCH_S390");
}

static void rules_go_by_kernel(void **state)
{
    (void)state;
    const struct seccomp_machine old = { "amd64", "4.8", few_capabilities };
    assert_int_equal(rules_kept(RULE("\"includes\":{\"minKernel\":\"4.8\"}"), &machine), 1);
    assert_int_equal(rules_kept(RULE("\"includes\":{\"minKernel\":\"4.8\"}"), &old), 1);
    assert_int_equal(rules_kept(RULE("\"includes\":{\"minKernel\":\"4.10\"}"), &old), 0);
    assert_int_equal(rules_kept(RULE("\"excludes\":{\"minKernel\":\"4.8\"}"), &machine), 0);
    assert_int_equal(rules_kept(RULE("\"excludes\":{\"minKernel\":\"6.2\"}"), &machine), 1);
}

static void refused(const char *text, const char *why)
{
    struct error err = { 0 };
    autojson profile = NULL;
    json_t *seccomp = NULL;
    assert_int_equal(json_read(text, strlen(text), &profile, NULL), 0);
    assert_int_equal(seccomp_translate(profile, &machine, &seccomp, &err), -EINVAL);
    assert_string_equal(err.text, why);
    assert_null(seccomp);
}

/* A rule misread is a hole: what is odd is refused, not skipped. */
static void a_damaged_profile_is_refused(void **state)
{
    (void)state;
    refused("{}", "seccomp profile: field \"defaultAction\" is missing");
    refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"x\"]}]}",
            "seccomp profile: syscalls[0]: field \"action\" is missing");
    refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\"}]}",
            "seccomp profile: syscalls[0]: a rule names no system call");
    refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"x\"],"
            "\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":\"CAP_KILL\"}}]}",
            "seccomp profile: syscalls[0]: field \"caps\" is not an array");
}

static void a_missing_profile_names_its_package(void **state)
{
    (void)state;
    struct error err = { 0 };
    json_t *seccomp = NULL;
    assert_int_equal(seccomp_load("/nonexistent/seccomp.json", &machine, &seccomp, &err), -ENOENT);
    assert_non_null(strstr(err.text, "golang-github-containers-common"));
    assert_int_equal(seccomp_load("unconfined", &machine, &seccomp, &err), 0);
    assert_null(seccomp);
}

static bool allows(const json_t *seccomp, const char *name)
{
    size_t i = 0;
    const json_t *rule = NULL;
    json_array_foreach(json_object_get(seccomp, "syscalls"), i, rule) {
        size_t j = 0;
        const json_t *said = NULL;
        json_array_foreach(json_object_get(rule, "names"), j, said)
            if (strcmp(json_string_value(said), name) == 0 && !json_object_get(rule, "args") &&
                strcmp(json_string_value(json_object_get(rule, "action")), "SCMP_ACT_ALLOW") == 0)
                return true;
    }
    return false;
}

static json_t *tightened(const char *const *capabilities)
{
    static const char text[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":["
                               "\"read\",\"unshare\",\"clone\",\"mount\",\"keyctl\"],\"action\":"
                               "\"SCMP_ACT_ALLOW\"},{\"names\":[\"setns\"],\"action\":"
                               "\"SCMP_ACT_ALLOW\"}]}";
    struct seccomp_machine other = machine;
    other.capabilities = capabilities;
    autojson profile = json_loads(text, 0, NULL);
    json_t *seccomp = NULL;
    assert_int_equal(seccomp_translate(profile, &other, &seccomp, NULL), 0);
    assert_int_equal(seccomp_tighten(seccomp, &other, NULL), 0);
    return seccomp;
}

static void namespaces_and_mounts_take_the_capability(void **state)
{
    static const char *const few[] = { "CAP_KILL", NULL };
    static const char *const admin[] = { "CAP_SYS_ADMIN", NULL };
    static const char *const guarded[] = { "unshare", "clone", "mount", "keyctl", "setns", NULL };
    autojson without = tightened(few);
    autojson with = tightened(admin);
    (void)state;
    assert_true(allows(without, "read"));
    for (const char *const *name = guarded; *name; name++) {
        assert_false(allows(without, *name));
        assert_true(allows(with, *name));
    }
    assert_int_equal(seccomp_tighten(NULL, &machine, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_oci_knows_is_kept),
        cmocka_unit_test(rules_go_by_capability),
        cmocka_unit_test(rules_go_by_architecture),
        cmocka_unit_test(rules_go_by_kernel),
        cmocka_unit_test(a_damaged_profile_is_refused),
        cmocka_unit_test(a_missing_profile_names_its_package),
        cmocka_unit_test(namespaces_and_mounts_take_the_capability),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
