/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "container/seccomp.h"

/* CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET. */
#define NAMESPACE_FLAGS INT64_C(0x7E020000)

/* Whoever makes a user namespace is root in it, and may then mount, and reach much of the kernel
 * that root of the container cannot. Keyrings are not divided by namespaces: those of uid 0 are
 * the machine's. The profile, made for tools that nest containers, lets all of these through. */
static const char *const guarded[] = {
    "clone",      "clone3", "unshare",     "setns",         "mount",   "umount",    "umount2",
    "move_mount", "fsopen", "fspick",      "fsconfig",      "fsmount", "open_tree", "pivot_root",
    "add_key",    "keyctl", "request_key", "mount_setattr", NULL,
};

static int drop_guarded(json_t *rule)
{
    json_t *names = json_object_get(rule, "names");
    for (size_t i = json_array_size(names); i-- > 0;) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name && strv_contains((char *const *)guarded, name) && json_array_remove(names, i) < 0)
            return -1;
    }
    return 0;
}

/* Threads and processes, and no namespaces; on s390 the flags are the second argument. clone3 has
 * its flags in memory, where no filter sees them: libraries that hear ENOSYS take clone. */
static json_t *clone_rules(const struct seccomp_machine *machine)
{
    bool second = strcmp(machine->architecture, "s390x") == 0;
    return json_pack("[{s:[s], s:s, s:[{s:i, s:I, s:i, s:s}]}, {s:[s], s:s, s:i}]", "names",
                     "clone", "action", "SCMP_ACT_ALLOW", "args", "index", second ? 1 : 0, "value",
                     (json_int_t)NAMESPACE_FLAGS, "valueTwo", 0, "op", "SCMP_CMP_MASKED_EQ",
                     "names", "clone3", "action", "SCMP_ACT_ERRNO", "errnoRet", ENOSYS);
}

int seccomp_tighten(json_t *seccomp, const struct seccomp_machine *machine, struct error *err)
{
    if (!seccomp || strv_contains((char *const *)machine->capabilities, "CAP_SYS_ADMIN"))
        return 0;
    json_t *rules = json_object_get(seccomp, "syscalls");
    for (size_t i = json_array_size(rules); i-- > 0;) {
        json_t *rule = json_array_get(rules, i);
        if (drop_guarded(rule) < 0)
            return error_oom(err);
        if (!json_array_size(json_object_get(rule, "names")) && json_array_remove(rules, i) < 0)
            return error_oom(err);
    }
    autojson more = clone_rules(machine);
    return more && json_array_extend(rules, more) == 0 ? 0 : error_oom(err);
}
