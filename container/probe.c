/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of a container's health check. The check's processes live in a cgroup of their own below
 * the container's: it is charged to the container and goes with it, and whatever the check started,
 * also what has left its parent behind, ends with the check. We ourselves join the container's
 * cgroup, so that nothing of a probe outlives the unit; and musterd's death ends us.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "container/cgroup.h"
#include "container/place.h"
#include "container/process.h"
#include "container/rootfs.h"
#include "container/runtime.h"
#include "container/verbs.h"
#include "units/health_check.h"

#define PROBE_CGROUP "muster-probe"

/* How long the end of a container may take to be seen, once it has taken the check along. */
enum { END_MS = 200 };

enum { CHECK_MAX_BYTES = 256 * 1024, TAIL_BYTES = 512 };

struct probe {
    const struct place *place;
    char *cgroup; /* of the container */
    char *group;  /* of the check, below it */
    int signals;
    int output; /* what the check says */
    sigset_t mask;
    int container; /* pidfd of its first process */
    pid_t child;
    bool stopped; /* told to end, before the check had */
    int status;   /* of the child */
    char tail[TAIL_BYTES + 1];
    size_t tail_length;
};

static void probe_done(struct probe *probe)
{
    free(probe->cgroup);
    free(probe->group);
    if (probe->signals >= 0)
        (void)close(probe->signals);
    if (probe->output >= 0)
        (void)close(probe->output);
    if (probe->container >= 0)
        (void)close(probe->container);
}

static int check_read(const struct place *place, struct health_check **ret, struct error *err)
{
    autofree char *text = NULL;
    size_t length = 0;
    int r = file_read(place->health, CHECK_MAX_BYTES, &text, &length, err);
    return r < 0 ? r : health_check_parse(text, length, ret, err);
}

/* --- cgroups --- */

static int container_find(struct probe *probe, pid_t pid, struct error *err)
{
    probe->container = pidfd_open(pid, 0);
    if (probe->container < 0 && errno == ESRCH)
        return error_set(err, -EAGAIN, "%s has ended", probe->place->unit);
    return probe->container < 0 ? error_errno(err, -errno, "pidfd_open") : 0;
}

static int group_find(struct probe *probe, pid_t pid, struct error *err)
{
    int r = cgroup_of(pid, &probe->cgroup, err);
    if (r < 0)
        return r;
    probe->group = text_format("%s/" PROBE_CGROUP, probe->cgroup);
    return probe->group ? 0 : error_oom(err);
}

/* What an earlier probe left, whom somebody killed before it could, goes first. */
static int group_make(const struct probe *probe, struct error *err)
{
    autofree char *path = text_format(CGROUP_ROOT "%s", probe->group);
    if (!path)
        return error_oom(err);
    int r = cgroup_enter(probe->cgroup, err);
    if (r < 0)
        return r;
    if (mkdir(path, 0755) == 0)
        return 0;
    if (errno != EEXIST)
        return error_errno(err, -errno, "%s", path);
    return cgroup_write(probe->group, "cgroup.kill", "1", err);
}

/* --- the check itself --- */

static int signals_open(struct probe *probe, struct error *err)
{
    pid_t parent = getppid();
    sigset_t wanted;
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGCHLD);
    (void)sigaddset(&wanted, SIGTERM);
    (void)sigaddset(&wanted, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &wanted, &probe->mask);
    probe->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (probe->signals < 0)
        return error_errno(err, -errno, "signalfd");
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    return getppid() != parent ? error_set(err, -ECANCELED, "musterd has gone") : 0;
}

/* crun acts on what systemd says to musterd. */
static void forget_systemd(void)
{
    static const char *const words[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                         "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES" };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        (void)unsetenv(words[i]);
}

/* Its streams are ours alone, so they may be given to the container's user. */
static int streams_take(int output, struct error *err)
{
    autoclose int nothing = process_input("", 0, err);
    if (nothing < 0)
        return nothing;
    if (dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        return error_errno(err, -errno, "dup2");
    return 0;
}

static int execute(const struct probe *probe, char *const *command, struct error *err)
{
    const struct runtime_exec exec = { .command = command, .below = "/" PROBE_CGROUP };
    autostrv line = NULL;
    int r = runtime_exec_line(probe->place, &exec, &line, err);
    if (r < 0)
        return r;
    (void)execvp(line[0], line);
    return error_errno(err, -errno, "%s", line[0]);
}

static void become_check(const struct probe *probe, char *const *command, int output)
{
    struct error err = { 0 };
    (void)sigprocmask(SIG_SETMASK, &probe->mask, NULL);
    int r = cgroup_enter(probe->group, &err);
    if (r == 0)
        r = streams_take(output, &err);
    if (r == 0)
        r = execute(probe, command, &err);
    (void)dprintf(output, "%s\n", r < 0 ? err.text : "");
    _exit(EXIT_FAILURE);
}

static int check_start(struct probe *probe, char *const *command, struct error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, -errno, "pipe");
    probe->output = ends[0];
    autoclose int output = ends[1];
    (void)fcntl(probe->output, F_SETFL, O_NONBLOCK);
    probe->child = fork();
    if (probe->child < 0)
        return error_errno(err, -errno, "fork");
    if (probe->child == 0)
        become_check(probe, command, output);
    return 0;
}

static void keep_tail(struct probe *probe, const char *bytes, size_t count)
{
    if (count > TAIL_BYTES) {
        bytes += count - TAIL_BYTES;
        count = TAIL_BYTES;
    }
    size_t kept = probe->tail_length;
    if (kept + count > TAIL_BYTES) {
        size_t gone = kept + count - TAIL_BYTES;
        kept -= gone;
        memmove(probe->tail, probe->tail + gone, kept);
    }
    memcpy(probe->tail + kept, bytes, count);
    probe->tail_length = kept + count;
    probe->tail[probe->tail_length] = '\0';
}

/* False at the end of what there is to read. A NUL would hide what follows it. */
static bool read_output(struct probe *probe)
{
    char bytes[4096];
    ssize_t count = read(probe->output, bytes, sizeof(bytes));
    if (count <= 0)
        return count < 0 && errno == EINTR;
    for (ssize_t i = 0; i < count; i++)
        if (bytes[i] == '\0')
            bytes[i] = ' ';
    keep_tail(probe, bytes, (size_t)count);
    return true;
}

/* True once the child has ended. */
static bool read_signal(struct probe *probe)
{
    struct signalfd_siginfo info;
    while (read(probe->signals, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo != SIGCHLD)
            probe->stopped = true;
    if (probe->stopped)
        (void)cgroup_write(probe->group, "cgroup.kill", "1", NULL);
    return waitpid(probe->child, &probe->status, WNOHANG) == probe->child;
}

/* Not until the end of the output: something in the background may hold it open. */
static void check_wait(struct probe *probe)
{
    struct pollfd fds[] = {
        {.fd = probe->signals, .events = POLLIN},
        { .fd = probe->output, .events = POLLIN},
    };
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[1].revents && !read_output(probe))
            fds[1].fd = -1;
        if (fds[0].revents && read_signal(probe))
            return;
    }
}

static void check_end(struct probe *probe)
{
    while (read_output(probe))
        ;
    (void)cgroup_write(probe->group, "cgroup.kill", "1", NULL);
    /* If it cannot go yet, the next probe removes it, or systemd at the end of the unit. */
    autofree char *path = text_format(CGROUP_ROOT "%s", probe->group);
    if (path)
        (void)rmdir(path);
}

/* With the container's first process all others of it are killed, and the check is reaped before
 * that one can be. */
static bool container_has_ended(const struct probe *probe)
{
    struct pollfd fd = { .fd = probe->container, .events = POLLIN };
    bool killed = WIFSIGNALED(probe->status) || WEXITSTATUS(probe->status) == 128 + SIGKILL;
    return poll(&fd, 1, killed ? END_MS : 0) > 0;
}

/* The check's last word, else how it ended. */
static int verdict(struct probe *probe, struct error *err)
{
    char *line = text_trim(probe->tail);
    char *newline = strrchr(line, '\n');
    line = newline ? newline + 1 : line;
    if (probe->stopped)
        return error_set(err, -ECANCELED, "ended before its time");
    if (WIFEXITED(probe->status) && WEXITSTATUS(probe->status) == 0)
        return 0;
    if (container_has_ended(probe))
        return error_set(err, -EAGAIN, "%s has ended", probe->place->unit);
    if (*line)
        return error_set(err, -EIO, "%s", line);
    if (WIFSIGNALED(probe->status))
        return error_set(err, -EIO, "killed by signal %d", WTERMSIG(probe->status));
    return error_set(err, -EIO, "exit status %d", WEXITSTATUS(probe->status));
}

static int probe_run(struct probe *probe, const struct health_check *check, char *const *command,
                     struct error *err)
{
    int r = signals_open(probe, err);
    if (r == 0)
        r = container_find(probe, (pid_t)check->pid, err);
    if (r == 0)
        r = group_find(probe, (pid_t)check->pid, err);
    if (r == 0)
        r = group_make(probe, err);
    if (r == 0)
        r = rootfs_isolate(err);
    if (r == 0)
        r = check_start(probe, command, err);
    if (r < 0)
        return r;
    check_wait(probe);
    check_end(probe);
    return verdict(probe, err);
}

int verb_probe(const char *unit, bool startup, struct error *err)
{
    autoptr(place) place = NULL;
    autoptr(health_check) check = NULL;
    int r = place_new(unit, &place, err);
    if (r == 0)
        r = check_read(place, &check, err);
    if (r == -ENOENT)
        return error_set(err, -EAGAIN, "%s does not run", unit);
    if (r < 0)
        return r;
    char *const *command = startup ? check->health.startup_command : check->health.command;
    if (!command)
        return error_set(err, -EINVAL, "%s has no check for its start", unit);
    if (!runtime_is_started(place))
        return error_set(err, -EAGAIN, "%s is about to start", unit);
    forget_systemd();
    __attribute__((cleanup(probe_done))) struct probe probe = {
        .place = place, .signals = -1, .container = -1, .output = -1
    };
    return probe_run(&probe, check, command, err);
}
