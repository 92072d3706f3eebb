/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "container/place.h"
#include "container/process.h"
#include "container/rootfs.h"
#include "container/runtime.h"
#include "container/verbs.h"
#include "units/unit_name.h"

static int add_all(char ***list, const char *const *words, struct error *err)
{
    int r = 0;
    for (; r == 0 && *words; words++)
        r = strv_add(list, *words, err);
    return r;
}

/* The scope is bound by the unit's rules for devices: a process of the container may take hold of
 * one that was brought in, and would else have the machine's devices through it. systemctl's lines
 * are what systemd-run takes. */
static int add_device_rules(char ***line, const char *unit, struct error *err)
{
    static const char properties[] = "--property=DevicePolicy,DeviceAllow";
    const char *const argv[] = { "systemctl", "show", properties, "--", unit, NULL };
    autofree char *output = NULL;
    const struct process systemctl = {
        .argv = argv, .environment = environ, .package = "systemd", .ret_output = &output
    };
    int r = process_run(&systemctl, err);
    char *rest = output;
    char *rule = NULL;
    while (r == 0 && (rule = strsep(&rest, "\n")))
        if (*rule)
            r = strv_addf(line, err, "--property=%s", rule);
    return r < 0 ? error_prefix(err, r, "device rules of %s", unit) : 0;
}

/* crun exec stays in the cgroup of its caller, which would be the caller's session: a scope is what
 * systemd has for processes that it did not start. Scopes cannot have '@' in their names. */
static int command_line(const struct place *place, const struct exec_options *options,
                        char *const *command, char ***ret, struct error *err)
{
    static const char *const scope[] = { "systemd-run",          "--scope", "--quiet", "--collect",
                                         "--slice=muster.slice", NULL };
    const struct runtime_exec exec = {
        .command = command,
        .tty = options->tty,
        .has_foreign_streams = true,
    };
    autostrv runtime = NULL;
    autofree char *name = unit_name_escape(place->unit);
    autostrv line = NULL;
    if (!name)
        return error_oom(err);
    int r = add_all(&line, scope, err);
    if (r == 0)
        r = strv_addf(&line, err, "--unit=muster-exec-%s-%d.scope", name, (int)getpid());
    if (r == 0)
        r = add_device_rules(&line, place->unit, err);
    if (r == 0)
        r = strv_add(&line, "--", err);
    if (r == 0)
        r = runtime_exec_line(place, &exec, &runtime, err);
    if (r == 0)
        r = add_all(&line, (const char *const *)runtime, err);
    if (r < 0)
        return r;
    *ret = take_ptr(line);
    return 0;
}

int verb_exec(const char *unit, const struct exec_options *options, char *const *command,
              struct error *err)
{
    autoptr(place) place = NULL;
    autostrv line = NULL;
    int r = place_new(unit, &place, err);
    if (r < 0)
        return r;
    if (access(place->spec, F_OK) < 0 && errno == EACCES)
        return error_set(err, -EACCES, "%s: no permission; you must be root", unit);
    if (access(place->spec, F_OK) < 0)
        return error_set(err, -ENOENT, "%s: no such container on this machine", unit);
    if (!place_has_container(place))
        return error_set(err, -ENOENT, "%s: not running on this machine", unit);
    r = command_line(place, options, command, &line, err);
    if (r == 0)
        r = rootfs_isolate(err);
    if (r < 0)
        return r;
    (void)execvp(line[0], line);
    return error_errno(err, -errno, "%s", line[0]);
}
