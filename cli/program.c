/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { OUTPUT_MAX = 4 * 1024 * 1024 };

/* In the child. */
static void become(char *const *argv, void (*prepare)(void), int output)
{
    (void)dup2(output, STDOUT_FILENO);
    (void)dup2(output, STDERR_FILENO);
    if (prepare)
        prepare();
    (void)execvp(argv[0], argv);
    _exit(PROGRAM_NOT_INSTALLED);
}

static int read_output(int fd, char **ret, struct error *err)
{
    autotext t = { 0 };
    char piece[4096];
    ssize_t n = 0;
    while ((n = read(fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && t.length < OUTPUT_MAX)
            text_add_bytes(&t, piece, (size_t)n);
    *ret = text_take(&t);
    return *ret ? 0 : error_oom(err);
}

int program_hear(char *const *argv, void (*prepare)(void), char **ret, int *ret_status,
                 struct error *err)
{
    int ends[2];
    int status = 0;
    autofree char *output = NULL;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, -errno, "%s", argv[0]);
    pid_t child = fork();
    if (child == 0)
        become(argv, prepare, ends[1]);
    int failure = errno;
    (void)close(ends[1]);
    int r =
        child < 0 ? error_errno(err, -failure, "%s", argv[0]) : read_output(ends[0], &output, err);
    (void)close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (r < 0)
        return r;
    if (WIFSIGNALED(status))
        return error_set(err, -EIO, "%s was ended by signal %d", argv[0], WTERMSIG(status));
    *ret = take_ptr(output);
    *ret_status = WEXITSTATUS(status);
    return 0;
}
