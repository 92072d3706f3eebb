/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hollow/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

enum { PROCESSES_MAX = 32 };

/* Those that run. */
static struct process {
    pid_t pid; /* 0: there is none */
    const char *what;
    char *log;
} processes[PROCESSES_MAX];

void hollow_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("muster-hollow: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* In the child, which begins anew: the loop of the parent is not its own. */
static void become(const char *log, const char *const *arguments, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = getppid() == parent ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0 && dup2(fd, STDERR_FILENO) >= 0)
        (void)execv("/proc/self/exe", (char *const *)arguments);
    _exit(1);
}

/* Of pid 0 a free place. */
static struct process *process_of(pid_t pid)
{
    for (size_t i = 0; i < PROCESSES_MAX; i++)
        if (processes[i].pid == pid)
            return &processes[i];
    hollow_fail(pid ? "process %d is not ours" : "there are too many processes", (int)pid);
}

/* Takes log. */
static pid_t start(char *log, const char *const *arguments)
{
    struct process *process = process_of(0);
    pid_t parent = getpid();
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        hollow_fail("fork: %s", strerror(errno));
    if (pid == 0)
        become(log, arguments, parent);
    *process = (struct process){ .pid = pid, .what = arguments[1], .log = log };
    return pid;
}

char *process_log(const struct machines_options *options)
{
    char *log = text_format("%s/log.%u", options->directory, options->first);
    if (!log)
        hollow_fail("out of memory");
    return log;
}

pid_t process_start_machines(const struct machines_options *options)
{
    char *log = process_log(options);
    autofree char *first = text_format("%u", options->first);
    autofree char *count = text_format("%u", options->count);
    autofree char *ttl_s = text_format("%u", options->ttl_s);
    const char *arguments[] = { "muster-hollow", options->may_lead ? "lead" : "follow",
                                options->url,    options->directory,
                                first,           count,
                                ttl_s,           NULL };
    if (!first || !count || !ttl_s)
        hollow_fail("out of memory");
    return start(log, arguments);
}

pid_t process_start_hearers(const struct hearers_options *options)
{
    char *log = text_format("%s/log.hear", options->directory);
    autofree char *machines = text_format("%u", options->machines);
    const char *arguments[] = { "muster-hollow", "hear",   options->url,
                                options->prefix, machines, NULL };
    if (!log || !machines)
        hollow_fail("out of memory");
    return start(log, arguments);
}

void process_signal(pid_t pid, int signo)
{
    if (kill(pid, signo) < 0)
        hollow_fail("process %d is gone", (int)pid);
}

/* Its log may be gone with the drive, so its last line is told. */
static void fail_of(const struct process *process, const char *what)
{
    char line[512] = "";
    FILE *file = fopen(process->log, "re");
    while (file && fgets(line, sizeof(line), file))
        continue;
    if (file)
        (void)fclose(file);
    hollow_fail("process %d (%s) %s; its log ends with: %s", (int)process->pid, process->what, what,
                text_trim(line));
}

void process_end(pid_t pid, int signo)
{
    int status = 0;
    struct process *process = process_of(pid);
    process_signal(pid, signo);
    if (waitpid(pid, &status, 0) != pid)
        fail_of(process, "has ended by itself");
    bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (signo == SIGKILL ? !was_killed : status != 0)
        fail_of(process, "has not ended as it was told to");
    free(process->log);
    *process = (struct process){ 0 };
}

/* Its status the loop may have taken. */
void processes_check(void)
{
    for (size_t i = 0; i < PROCESSES_MAX; i++)
        if (processes[i].pid && waitpid(processes[i].pid, NULL, WNOHANG) != 0)
            fail_of(&processes[i], "has ended by itself");
}

/* A line of /proc/PID/NAME that begins with start. */
static void read_line(pid_t pid, const char *name, const char *start, char *ret, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    bool found = false;
    while (file && !found && fgets(ret, (int)size, file))
        found = text_starts_with(ret, start);
    if (file)
        (void)fclose(file);
    if (!found)
        hollow_fail("%s cannot be read", path);
}

int64_t process_cpu_ms(pid_t pid)
{
    char line[1024];
    uint64_t user = 0;
    uint64_t system = 0;
    read_line(pid, "stat", "", line, sizeof(line));
    const char *rest = strrchr(line, ')'); /* the name may have anything in it */
    if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
                        &user, &system) != 2)
        hollow_fail("/proc/%d/stat makes no sense", (int)pid);
    return (int64_t)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

int64_t process_rss_kb(pid_t pid)
{
    char line[128];
    read_line(pid, "status", "VmRSS:", line, sizeof(line));
    return strtoll(line + strlen("VmRSS:"), NULL, 10);
}
