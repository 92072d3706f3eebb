/* SPDX-License-Identifier: Apache-2.0 */
#include "container/seccomp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

enum { PROFILE_MAX_BYTES = 1024 * 1024 };

static const struct {
    const char *machine; /* uname(2) */
    const char *go;
    const char *seccomp;
} architectures[] = {
    {"x86_64",       "amd64",    "SCMP_ARCH_X86_64"     },
    { "i686",        "386",      "SCMP_ARCH_X86"        },
    { "aarch64",     "arm64",    "SCMP_ARCH_AARCH64"    },
    { "armv7l",      "arm",      "SCMP_ARCH_ARM"        },
    { "ppc64le",     "ppc64le",  "SCMP_ARCH_PPC64LE"    },
    { "s390x",       "s390x",    "SCMP_ARCH_S390X"      },
    { "riscv64",     "riscv64",  "SCMP_ARCH_RISCV64"    },
    { "mips64el",    "mips64le", "SCMP_ARCH_MIPSEL64"   },
    { "loongarch64", "loong64",  "SCMP_ARCH_LOONGARCH64"},
};
enum { ARCHITECTURE_COUNT = sizeof(architectures) / sizeof(architectures[0]) };

const char *seccomp_go_architecture(const char *machine)
{
    for (size_t i = 0; i < ARCHITECTURE_COUNT; i++)
        if (strcmp(architectures[i].machine, machine) == 0)
            return architectures[i].go;
    return NULL;
}

const char *seccomp_architecture(const char *go_architecture)
{
    for (size_t i = 0; i < ARCHITECTURE_COUNT; i++)
        if (strcmp(architectures[i].go, go_architecture) == 0)
            return architectures[i].seccomp;
    return NULL;
}

/* This machine's architecture and those that its kernel runs beside it, where the profile's archMap
 * knows it. */
static int architectures_build(const json_t *profile, const char *native, json_t **ret,
                               struct error *err)
{
    json_t *map = NULL;
    int r = json_field_array_or_null(profile, "archMap", &map, err);
    if (r < 0)
        return r;
    autojson list = json_pack("[s]", native);
    size_t i = 0;
    const json_t *entry = NULL;
    json_array_foreach(map, i, entry) {
        json_t *more = NULL;
        const char *name = NULL;
        r = json_field_string(entry, "architecture", &name, err);
        if (r == 0)
            r = json_field_array_or_null(entry, "subArchitectures", &more, err);
        if (r < 0)
            return r;
        if (strcmp(name, native) == 0 && more && json_array_extend(list, more) < 0)
            return error_oom(err);
    }
    if (!list)
        return error_oom(err);
    *ret = take_ptr(list);
    return 0;
}

static bool kernel_is_at_least(const char *kernel, const char *wanted)
{
    return strverscmp(kernel, wanted) >= 0;
}

/* The conditions of a rule, as its "includes" or its "excludes" has them. */
struct conditions {
    char **capabilities;
    char **architectures;
    const char *kernel; /* borrowed; NULL: any */
};

static void conditions_done(struct conditions *conditions)
{
    strv_free(conditions->capabilities);
    strv_free(conditions->architectures);
}
#define autoconditions __attribute__((cleanup(conditions_done))) struct conditions

static int conditions_read(const json_t *rule, const char *field, struct conditions *conditions,
                           struct error *err)
{
    json_t *object = NULL;
    int r = json_field_object_or_null(rule, field, &object, err);
    if (r < 0 || !object)
        return r;
    r = json_field_strv(object, "caps", &conditions->capabilities, err);
    if (r == 0)
        r = json_field_strv(object, "arches", &conditions->architectures, err);
    if (r == 0)
        r = json_field_string_or(object, "minKernel", NULL, &conditions->kernel, err);
    return r;
}

static bool has_capability(const struct seccomp_machine *machine, const char *capability)
{
    return strv_contains((char *const *)machine->capabilities, capability);
}

/* Every condition that is said must hold. */
static bool is_included(const struct conditions *c, const struct seccomp_machine *machine)
{
    for (char **capability = c->capabilities; capability && *capability; capability++)
        if (!has_capability(machine, *capability))
            return false;
    if (strv_length(c->architectures) && !strv_contains(c->architectures, machine->architecture))
        return false;
    return !c->kernel || kernel_is_at_least(machine->kernel, c->kernel);
}

/* Any one that holds is enough. */
static bool is_excluded(const struct conditions *c, const struct seccomp_machine *machine)
{
    for (char **capability = c->capabilities; capability && *capability; capability++)
        if (has_capability(machine, *capability))
            return true;
    if (strv_contains(c->architectures, machine->architecture))
        return true;
    return c->kernel && kernel_is_at_least(machine->kernel, c->kernel);
}

static int rule_applies(const json_t *rule, const struct seccomp_machine *machine, bool *ret,
                        struct error *err)
{
    autoconditions includes = { 0 };
    autoconditions excludes = { 0 };
    int r = conditions_read(rule, "includes", &includes, err);
    if (r == 0)
        r = conditions_read(rule, "excludes", &excludes, err);
    if (r == 0)
        *ret = is_included(&includes, machine) && !is_excluded(&excludes, machine);
    return r;
}

/* The members of from that OCI knows; "errno", "comment" and the conditions stay behind. */
static json_t *members_of(const json_t *from, const char *const *names)
{
    json_t *copy = json_object();
    for (; copy && *names; names++) {
        json_t *value = json_object_get(from, *names);
        bool empty =
            !value || json_is_null(value) || (json_is_array(value) && !json_array_size(value));
        if (!empty && json_object_set(copy, *names, value) < 0) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

static int rule_translate(const json_t *rule, json_t **ret, struct error *err)
{
    static const char *const known[] = { "names", "action", "errnoRet", "args", NULL };
    const char *action = NULL;
    json_t *names = NULL;
    json_t *args = NULL;
    int r = json_field_string(rule, "action", &action, err);
    if (r == 0)
        r = json_field_array_or_null(rule, "names", &names, err);
    if (r == 0)
        r = json_field_array_or_null(rule, "args", &args, err);
    if (r < 0)
        return r;
    if (!names || !json_array_size(names))
        return error_set(err, -EPROTO, "a rule names no system call");
    *ret = members_of(rule, known);
    return *ret ? 0 : error_oom(err);
}

static int rules_build(const json_t *profile, const struct seccomp_machine *machine, json_t **ret,
                       struct error *err)
{
    json_t *rules = NULL;
    autojson list = json_array();
    int r = json_field_array_or_null(profile, "syscalls", &rules, err);
    size_t i = 0;
    const json_t *rule = NULL;
    json_array_foreach(rules, i, rule) {
        bool applies = false;
        json_t *translated = NULL;
        if (r == 0)
            r = rule_applies(rule, machine, &applies, err);
        if (r == 0 && applies)
            r = rule_translate(rule, &translated, err);
        if (r < 0)
            return error_prefix(err, r, "syscalls[%zu]", i);
        if (applies && json_array_append_new(list, translated) < 0)
            return error_oom(err);
    }
    if (r < 0)
        return r;
    *ret = take_ptr(list);
    return *ret ? 0 : error_oom(err);
}

static int translate(const json_t *profile, const struct seccomp_machine *machine, json_t **ret,
                     struct error *err)
{
    const char *native = seccomp_architecture(machine->architecture);
    if (!native)
        return error_set(err, -EINVAL, "architecture %s is unknown", machine->architecture);
    const char *action = NULL;
    int64_t errno_value = 0;
    autojson list = NULL;
    autojson rules = NULL;
    int r = json_field_string(profile, "defaultAction", &action, err);
    if (r == 0)
        r = json_field_int_or(profile, "defaultErrnoRet", 1, &errno_value, err);
    if (r == 0)
        r = architectures_build(profile, native, &list, err);
    if (r == 0)
        r = rules_build(profile, machine, &rules, err);
    if (r < 0)
        return r;
    json_t *seccomp = json_pack("{s:s, s:O, s:O}", "defaultAction", action, "architectures", list,
                                "syscalls", rules);
    if (!seccomp)
        return error_oom(err);
    /* The runtime refuses a number beside an action that returns none. */
    if (strcmp(action, "SCMP_ACT_ERRNO") == 0 &&
        json_object_set_new(seccomp, "defaultErrnoRet", json_integer(errno_value)) < 0) {
        json_decref(seccomp);
        return error_oom(err);
    }
    *ret = seccomp;
    return 0;
}

int seccomp_translate(const json_t *profile, const struct seccomp_machine *machine, json_t **ret,
                      struct error *err)
{
    int r = translate(profile, machine, ret, err);
    return r == -EPROTO ? error_prefix(err, -EINVAL, "seccomp profile") : r;
}

int seccomp_load(const char *path, const struct seccomp_machine *machine, json_t **ret,
                 struct error *err)
{
    if (strcmp(path, "unconfined") == 0) {
        *ret = NULL;
        return 0;
    }
    autofree char *text = NULL;
    size_t length = 0;
    int r = file_read(path, PROFILE_MAX_BYTES, &text, &length, err);
    if (r == -ENOENT)
        return error_set(
            err, r,
            "seccomp profile %s is missing: install golang-github-containers-common, or "
            "set MUSTER_SECCOMP_PROFILE to another profile or to \"unconfined\"",
            path);
    if (r < 0)
        return error_prefix(err, r, "seccomp profile");
    autojson profile = NULL;
    r = json_read(text, length, &profile, err);
    if (r == 0)
        r = seccomp_translate(profile, machine, ret, err);
    return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}
