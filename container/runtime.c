/* SPDX-License-Identifier: Apache-2.0 */
#include "container/runtime.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "container/process.h"
#include "container/tree.h"

/* As "2026-01-31T10:00:00.123456789Z: ": the journal has its own clock. */
static void drop_time(struct error *err)
{
    if (!err)
        return;
    char *stamp = strstr(err->text, "Z: ");
    char *start = strstr(err->text, ": ");
    if (!start || !stamp || stamp < start ||
        strspn(start + 2, "0123456789-T:.") + start + 2 != stamp)
        return;
    memmove(start + 2, stamp + 3, strlen(stamp + 3) + 1);
}

#define CRUN "crun", "--root", PLACE_RUNTIME_STATE, "--cgroup-manager=disabled"

static int run(char *const *environment, const char *const *argv, const char *log_path,
               struct error *err)
{
    const struct process crun = {
        .argv = argv,
        .environment = environment,
        .package = "crun",
        .log_path = log_path,
    };
    return process_run(&crun, err);
}

static int pid_read(const char *path, pid_t *ret, struct error *err)
{
    autofree char *text = NULL;
    uint64_t pid = 0;
    int r = file_read(path, 64, &text, NULL, err);
    if (r == 0)
        r = text_parse_u64(text_trim(text), INT_MAX, &pid, err);
    if (r < 0)
        return r;
    *ret = (pid_t)pid;
    return 0;
}

/* The container inherits crun's stdout and stderr here, so they cannot be taken from it; crun says
 * what is wrong in a log as well. */
int runtime_create(const struct place *place, char *const *environment, pid_t *ret,
                   struct error *err)
{
    autofree char *log = text_format("--log=file:%s", place->log);
    if (!log)
        return error_oom(err);
    const char *const argv[] = { CRUN,         log,        "create",  "--bundle", place->directory,
                                 "--pid-file", place->pid, place->id, NULL };
    int r = run(environment, argv, place->log, err);
    if (r < 0) {
        drop_time(err);
        return r;
    }
    return pid_read(place->pid, ret, err);
}

int runtime_start(const struct place *place, char *const *environment, struct error *err)
{
    const char *const argv[] = { CRUN, "start", place->id, NULL };
    return run(environment, argv, NULL, err);
}

int runtime_delete(const struct place *place, char *const *environment, struct error *err)
{
    if (!place_has_container(place))
        return 0;
    const char *const argv[] = { CRUN, "delete", "--force", place->id, NULL };
    int r = run(environment, argv, NULL, err);
    if (!place_has_container(place))
        return 0;
    /* A create that was killed half-way leaves state that crun itself cannot read; its processes
     * were of the service's cgroup and have died with it. */
    return r == -EIO ? tree_remove(place->runtime_state, err) : r;
}
