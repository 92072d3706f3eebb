/* SPDX-License-Identifier: Apache-2.0 */
#include "container/process.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

enum { COMPLAINT_MAX = 65536, OUTPUT_MAX = 8 * 1024 * 1024 };

/* Where stdout and stderr go; -1: where ours do. They may be one. */
struct outputs {
    int standard;
    int complaint;
};

static char *const no_environment[] = { NULL };

/* Memory rather than a pipe: nothing has to be read while the program runs, and a child that it
 * leaves in the background cannot keep us waiting for the end of its output. */
static int memory_open(struct error *err)
{
    int fd = memfd_create("output", MFD_CLOEXEC);
    return fd < 0 ? error_errno(err, -errno, "memory for the output of a program") : fd;
}

static int redirect(posix_spawn_file_actions_t *actions, const struct process *process,
                    const struct outputs *outputs)
{
    int r = 0;
    if (process->input)
        r = posix_spawn_file_actions_adddup2(actions, *process->input, STDIN_FILENO);
    if (r == 0 && outputs->standard >= 0)
        r = posix_spawn_file_actions_adddup2(actions, outputs->standard, STDOUT_FILENO);
    if (r == 0 && outputs->complaint >= 0)
        r = posix_spawn_file_actions_adddup2(actions, outputs->complaint, STDERR_FILENO);
    return r;
}

static int spawn(const struct process *process, const struct outputs *outputs, pid_t *ret,
                 struct error *err)
{
    char *const *environment = process->environment ? process->environment : no_environment;
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return error_oom(err);
    r = redirect(&actions, process, outputs);
    if (r == 0)
        r = posix_spawnp(ret, process->argv[0], &actions, NULL, (char **)process->argv,
                         environment);
    posix_spawn_file_actions_destroy(&actions);
    if (r == ENOENT)
        return error_set(err, -ENOENT, "%s is not installed (Debian's package %s)",
                         process->argv[0], process->package);
    return r ? error_errno(err, -r, "%s", process->argv[0]) : 0;
}

static int wait_for(pid_t pid, struct progress *progress, int *ret_status)
{
    while (waitpid(pid, ret_status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
        progress_tick(progress);
    }
    return 0;
}

/* Read again through /proc, so that the offset that the program left does not matter. */
static int memory_read(int fd, size_t max, char **ret, size_t *ret_length, struct error *err)
{
    autofree char *path = text_format("/proc/self/fd/%d", fd);
    return path ? file_read(path, max, ret, ret_length, err) : error_oom(err);
}

static char *complaint_read(const struct process *process, int complaint)
{
    char *text = NULL;
    if (process->log_path)
        (void)file_read(process->log_path, COMPLAINT_MAX, &text, NULL, NULL);
    else
        (void)memory_read(complaint, COMPLAINT_MAX, &text, NULL, NULL);
    return text;
}

static const char *last_line(char *text)
{
    char *line = text_trim(text);
    char *newline = strrchr(line, '\n');
    return newline ? newline + 1 : line;
}

static bool is_empty(int fd)
{
    struct stat st;
    return fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0;
}

static int explain(const struct process *process, int status, const struct outputs *outputs,
                   struct error *err)
{
    bool answered = process->complains_to_stdout && !is_empty(outputs->standard);
    autofree char *text =
        complaint_read(process, answered ? outputs->standard : outputs->complaint);
    if (process->explain && text && *text && !WIFSIGNALED(status))
        return process->explain(text, err);
    const char *line = text ? last_line(text) : "";
    if (WIFSIGNALED(status))
        return error_set(err, -EIO, "%s was killed by signal %d%s%s", process->argv[0],
                         WTERMSIG(status), *line ? ": " : "", line);
    return error_set(err, -EIO, "%s: %s (exit status %d)", process->argv[0],
                     *line ? line : "it failed without a word", WEXITSTATUS(status));
}

static int run(const struct process *process, const struct outputs *outputs, struct error *err)
{
    pid_t pid = 0;
    int r = spawn(process, outputs, &pid, err);
    if (r < 0)
        return r;
    int status = 0;
    r = wait_for(pid, process->progress, &status);
    if (r < 0)
        return error_errno(err, r, "%s", process->argv[0]);
    if (status)
        return explain(process, status, outputs, err);
    if (!process->ret_output)
        return 0;
    return memory_read(outputs->standard, OUTPUT_MAX, process->ret_output, process->ret_length,
                       err);
}

int process_run(const struct process *process, struct error *err)
{
    autoclose int complaint = process->log_path ? -1 : memory_open(err);
    if (!process->log_path && complaint < 0)
        return complaint;
    autoclose int output = process->ret_output ? memory_open(err) : -1;
    if (process->ret_output && output < 0)
        return output;
    const struct outputs outputs = {
        .standard = process->ret_output ? output : complaint,
        .complaint = complaint,
    };
    return run(process, &outputs, err);
}

int process_input(const void *text, size_t length, struct error *err)
{
    autoclose int fd = memory_open(err);
    if (fd < 0)
        return fd;
    ssize_t written = pwrite(fd, text, length, 0);
    if (written < 0)
        return error_errno(err, -errno, "input of a program");
    if ((size_t)written != length)
        return error_set(err, -ENOSPC, "input of a program: no room");
    return take_fd(fd);
}
