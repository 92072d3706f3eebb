/* SPDX-License-Identifier: Apache-2.0 */
#include "container/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "container/cgroup.h"
#include "container/process.h"
#include "container/tree.h"

enum { CONFIG_MAX_BYTES = 4 * 1024 * 1024 };

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

/* As 'time="…" level=error msg="what is wrong: \"x\""', which is runc's. */
static void take_message(struct error *err)
{
    static const char before[] = " msg=\"";
    char *message = err ? strstr(err->text, before) : NULL;
    char *to = err ? strstr(err->text, "time=\"") : NULL;
    if (!message || !to || to > message)
        return;
    for (const char *c = message + strlen(before); *c && *c != '"'; c++) {
        if (*c == '\\' && c[1])
            c++;
        *to++ = *c;
    }
    *to = '\0';
}

static int add_all(char ***line, const char *const *words, struct error *err)
{
    int r = 0;
    for (; r == 0 && *words; words++)
        r = strv_add(line, *words, err);
    return r;
}

int runtime_line(const struct place *place, const char *const *words, char ***ret,
                 struct error *err)
{
    bool is_crun = place->runtime == CONTAINER_RUNTIME_CRUN;
    const char *const begin[] = { container_runtime_name(place->runtime), "--root",
                                  place->runtime_root, is_crun ? "--cgroup-manager=disabled" : NULL,
                                  NULL };
    autostrv line = NULL;
    int r = add_all(&line, begin, err);
    if (r == 0)
        r = add_all(&line, words, err);
    if (r == 0)
        *ret = take_ptr(line);
    return r;
}

static int run(const struct place *place, char *const *environment, const char *const *words,
               const char *log_path, struct error *err)
{
    autostrv line = NULL;
    int r = runtime_line(place, words, &line, err);
    if (r < 0)
        return r;
    const struct process process = {
        .argv = (const char *const *)line,
        .environment = environment,
        .package = container_runtime_name(place->runtime),
        .log_path = log_path,
    };
    r = process_run(&process, err);
    if (r == -EIO)
        take_message(err);
    return r;
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

/* The container inherits the runtime's stdout and stderr here, so they cannot be taken from it; it
 * says what is wrong in a log as well. */
int runtime_create(const struct place *place, char *const *environment, pid_t *ret,
                   struct error *err)
{
    const char *form = place->runtime == CONTAINER_RUNTIME_CRUN ? "file:" : "";
    autofree char *log = text_format("--log=%s%s", form, place->log);
    if (!log)
        return error_oom(err);
    const char *const words[] = { log,          "create",   "--bundle", place->directory,
                                  "--pid-file", place->pid, place->id,  NULL };
    int r = run(place, environment, words, place->log, err);
    if (r < 0) {
        drop_time(err);
        return r;
    }
    return pid_read(place->pid, ret, err);
}

int runtime_start(const struct place *place, char *const *environment, struct error *err)
{
    const char *const words[] = { "start", place->id, NULL };
    return run(place, environment, words, NULL, err);
}

/* The first process waits for a reader of this pipe, which goes when it is let loose. */
bool runtime_is_started(const struct place *place)
{
    autofree char *path = text_format("%s/exec.fifo", place->runtime_state);
    return path && access(path, F_OK) < 0;
}

/* What crun was told of the container's own process, with another command. */
static int process_text(const struct place *place, const struct runtime_exec *exec, char **ret,
                        struct error *err)
{
    autofree char *text = NULL;
    autojson config = NULL;
    size_t length = 0;
    int r = file_read(place->config, CONFIG_MAX_BYTES, &text, &length, err);
    if (r == 0)
        r = json_read(text, length, &config, err);
    json_t *process = json_object_get(config, "process");
    if (r == 0 && !process)
        r = error_set(err, -EPROTO, "%s says nothing of a process", place->config);
    if (r < 0)
        return r;
    if (json_object_set_new(process, "args", json_from_strv(exec->command)) < 0)
        return error_set(err, -EINVAL, "a command for crun has to be UTF-8");
    if (json_object_set_new(process, "terminal", json_boolean(exec->tty)) < 0 ||
        (exec->has_foreign_streams &&
         json_object_set_new(process, "user", json_pack("{s:i, s:i}", "uid", 0, "gid", 0)) < 0))
        return error_oom(err);
    return json_write(process, ret, err);
}

static int add_process(const struct place *place, const struct runtime_exec *exec, char ***words,
                       struct error *err)
{
    autofree char *text = NULL;
    int r = process_text(place, exec, &text, err);
    if (r < 0)
        return r;
    autoclose int fd = process_input(text, strlen(text), err);
    if (fd < 0)
        return fd;
    if (fcntl(fd, F_SETFD, 0) < 0)
        return error_errno(err, -errno, "handing the runtime a process");
    r = strv_addf(words, err, "--process=/proc/self/fd/%d", fd);
    if (r == 0)
        r = strv_add(words, place->id, err);
    if (r == 0)
        (void)take_fd(fd);
    return r;
}

/* crun would run the command as root, under no profile of AppArmor and with new privileges; and it
 * stays in the caller's cgroup. runc does as it should, but goes back to the container's cgroup, or
 * one below it. */
int runtime_exec_line(const struct place *place, const struct runtime_exec *exec, char ***ret,
                      struct error *err)
{
    autostrv words = NULL;
    int r = strv_add(&words, "exec", err);
    if (r == 0 && place->runtime == CONTAINER_RUNTIME_CRUN)
        r = add_process(place, exec, &words, err);
    else {
        if (r == 0 && exec->tty)
            r = strv_add(&words, "--tty", err);
        if (r == 0 && exec->below)
            r = strv_addf(&words, err, "--cgroup=%s", exec->below);
        if (r == 0)
            r = strv_add(&words, place->id, err);
        if (r == 0)
            r = add_all(&words, (const char *const *)exec->command, err);
    }
    return r < 0 ? r : runtime_line(place, (const char *const *)words, ret, err);
}

/* What runs of a container is in the cgroup of its service, or in a scope that has been ended.
 * Where we are alone in the former, as after an ordinary end, nobody is left whom the runtime could
 * kill. systemd runs what follows a stop in ".control" below it. runc has a cgroup to remove. */
static bool nobody_is_left(const struct place *place)
{
    static const char control[] = "/.control";
    autofree char *cgroup = NULL;
    if (place->runtime != CONTAINER_RUNTIME_CRUN || access(place->scope, F_OK) == 0 ||
        cgroup_of(0, &cgroup, NULL) < 0)
        return false;
    if (text_ends_with(cgroup, control))
        cgroup[strlen(cgroup) - strlen(control)] = '\0';
    const char *slash = strrchr(cgroup, '/');
    return slash && strcmp(slash + 1, place->unit) == 0 && cgroup_is_ours_alone(cgroup);
}

int runtime_delete(const struct place *place, char *const *environment, struct error *err)
{
    if (!place_has_container(place))
        return 0;
    /* All that it would do, for a fraction of what its start costs. */
    if (nobody_is_left(place))
        return tree_remove(place->runtime_state, err);
    const char *const words[] = { "delete", "--force", place->id, NULL };
    int r = run(place, environment, words, NULL, err);
    if (!place_has_container(place))
        return 0;
    /* A create that was killed half-way leaves state that the runtime itself cannot read; its
     * processes were of the service's cgroup and have died with it. */
    return r == -EIO ? tree_remove(place->runtime_state, err) : r;
}

int runtime_cgroup(const struct place *place, char **ret, struct error *err)
{
    autofree char *cgroup = NULL;
    *ret = NULL;
    if (place->runtime == CONTAINER_RUNTIME_CRUN)
        return 0;
    int r = cgroup_of(0, &cgroup, err);
    if (r < 0)
        return error_prefix(err, r, "runc");
    *ret = text_format("%s/container", cgroup);
    return *ret ? 0 : error_oom(err);
}
