/* SPDX-License-Identifier: Apache-2.0 */
#include "container/process.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

enum { COMPLAINT_MAX = 65536 };

static char *const no_environment[] = { NULL };

/* Memory rather than a pipe: nothing has to be read while the program runs, and a child that it
 * leaves in the background cannot keep us waiting for the end of its output. */
static int complaint_open(struct error *err)
{
    int fd = memfd_create("complaint", MFD_CLOEXEC);
    return fd < 0 ? error_errno(err, -errno, "memory for the output of a program") : fd;
}

static int spawn(const struct process *process, int output, pid_t *ret, struct error *err)
{
    char *const *environment = process->environment ? process->environment : no_environment;
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return error_oom(err);
    if (output >= 0)
        r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (r == 0 && output >= 0)
        r = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    if (r == 0)
        r = posix_spawnp(ret, process->argv[0], &actions, NULL, (char **)process->argv,
                         environment);
    posix_spawn_file_actions_destroy(&actions);
    if (r == ENOENT)
        return error_set(err, -ENOENT, "%s is not installed (Debian's package %s)",
                         process->argv[0], process->package);
    return r ? error_errno(err, -r, "%s", process->argv[0]) : 0;
}

static int wait_for(pid_t pid, int *ret_status)
{
    while (waitpid(pid, ret_status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* What the program wrote, read again through /proc so that the offset it left does not matter. */
static char *complaint_read(const struct process *process, int output)
{
    char *text = NULL;
    if (process->log_path) {
        (void)file_read(process->log_path, COMPLAINT_MAX, &text, NULL, NULL);
        return text;
    }
    autofree char *path = text_format("/proc/self/fd/%d", output);
    if (path)
        (void)file_read(path, COMPLAINT_MAX, &text, NULL, NULL);
    return text;
}

static const char *last_line(char *text)
{
    char *line = text_trim(text);
    char *newline = strrchr(line, '\n');
    return newline ? newline + 1 : line;
}

static int explain(const struct process *process, int status, int output, struct error *err)
{
    autofree char *text = complaint_read(process, output);
    const char *line = text ? last_line(text) : "";
    if (WIFSIGNALED(status))
        return error_set(err, -EIO, "%s was killed by signal %d%s%s", process->argv[0],
                         WTERMSIG(status), *line ? ": " : "", line);
    return error_set(err, -EIO, "%s: %s (exit status %d)", process->argv[0],
                     *line ? line : "it failed without a word", WEXITSTATUS(status));
}

int process_run(const struct process *process, struct error *err)
{
    autoclose int output = process->log_path ? -1 : complaint_open(err);
    if (!process->log_path && output < 0)
        return output;
    pid_t pid = 0;
    int r = spawn(process, output, &pid, err);
    if (r < 0)
        return r;
    int status = 0;
    r = wait_for(pid, &status);
    if (r < 0)
        return error_errno(err, r, "%s", process->argv[0]);
    return status ? explain(process, status, output, err) : 0;
}
