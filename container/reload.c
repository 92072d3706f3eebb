/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "container/place.h"
#include "container/process.h"
#include "container/rootfs.h"
#include "container/runtime.h"
#include "container/verbs.h"
#include "units/signal_name.h"

static int send_signal(const struct place *place, const char *name, struct error *err)
{
    autofree char *text = NULL;
    uint64_t pid = 0;
    int number = signal_name_number(name);
    if (number < 0)
        return error_set(err, number, "ReloadSignal=%s: this machine has no such signal", name);
    int r = file_read(place->pid, 64, &text, NULL, err);
    if (r == 0)
        r = text_parse_u64(text_trim(text), INT_MAX, &pid, err);
    if (r == 0 && kill((pid_t)pid, number) < 0)
        r = error_errno(err, -errno, "sending %s", name);
    return r;
}

/* In the cgroup of whoever calls: the service's own control process, as for any reload. */
static int run_command(const struct place *place, char *const *command, struct error *err)
{
    autostrv line = NULL;
    const struct runtime_exec exec = { .command = command };
    int r = runtime_exec_line(place, &exec, &line, err);
    if (r == 0)
        r = rootfs_isolate(err);
    if (r < 0)
        return r;
    autoclose int nothing = process_input("", 0, err);
    if (nothing < 0)
        return nothing;
    const struct process process = { .argv = (const char *const *)line,
                                     .input = &nothing,
                                     .environment = environ,
                                     .package = line[0] };
    r = process_run(&process, err);
    return r < 0 ? error_prefix(err, r, "ReloadCmd=") : 0;
}

int verb_reload(const char *unit, struct error *err)
{
    autoptr(place) place = NULL;
    autoptr(container) container = NULL;
    int r = place_new(unit, &place, err);
    if (r == 0)
        r = place_read_spec(place, &container, err);
    if (r < 0)
        return r;
    if (!place_has_container(place))
        return error_set(err, -ENOENT, "%s: not running on this machine", unit);
    if (container->reload_signal)
        r = send_signal(place, container->reload_signal, err);
    else if (container->reload_command)
        r = run_command(place, container->reload_command, err);
    else
        r = error_set(err, -EINVAL, "it has neither ReloadCmd= nor ReloadSignal=");
    return r < 0 ? error_prefix(err, r, "%s", unit) : 0;
}
