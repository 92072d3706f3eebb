/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

enum { OUTPUT_MAX = 4 * 1024 * 1024 };

/* What the child writes to one of its descriptors. */
struct stream {
    int ours, its; /* the ends of a pipe */
    struct text text;
};

static int stream_init(struct stream *stream)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    stream->ours = ends[0];
    stream->its = ends[1];
    return 0;
}

static void end_close(int *end)
{
    if (*end >= 0)
        (void)close(*end);
    *end = -1;
}

static void stream_done(struct stream *stream)
{
    end_close(&stream->ours);
    end_close(&stream->its);
    text_done(&stream->text);
}
#define autostream __attribute__((cleanup(stream_done))) struct stream

/* Whether more may come. */
static bool stream_read(struct stream *stream)
{
    char piece[4096];
    ssize_t n = read(stream->ours, piece, sizeof(piece));
    if (n > 0 && stream->text.length < OUTPUT_MAX)
        text_add_bytes(&stream->text, piece, (size_t)n);
    return n > 0 || (n < 0 && errno == EINTR);
}

/* Both at once: a child that fills the pipe that nobody reads would wait for ever. */
static int hear_out(struct stream *output, struct stream *complaints)
{
    struct stream *streams[] = { output, complaints };
    struct pollfd fds[] = {
        {output->ours,      POLLIN, 0},
        { complaints->ours, POLLIN, 0}
    };
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return -errno;
        for (size_t i = 0; i < 2; i++)
            if (fds[i].revents && !stream_read(streams[i]))
                fds[i].fd = -1; /* which poll() passes over */
    }
    return 0;
}

/* In the child. */
static void become(char *const *argv, void (*prepare)(void), int output, int complaints)
{
    (void)dup2(output, STDOUT_FILENO);
    (void)dup2(complaints, STDERR_FILENO);
    if (prepare)
        prepare();
    (void)execvp(argv[0], argv);
    _exit(PROGRAM_NOT_INSTALLED);
}

void program_said_done(struct program_said *said)
{
    free(said->output);
    free(said->complaints);
    *said = (struct program_said){ 0 };
}

int program_hear(char *const *argv, void (*prepare)(void), struct program_said *ret,
                 struct error *err)
{
    autostream output = { -1, -1, { 0 } };
    autostream complaints = { -1, -1, { 0 } };
    int status = 0;
    int r = stream_init(&output);
    if (r == 0)
        r = stream_init(&complaints);
    if (r < 0)
        return error_errno(err, r, "%s", argv[0]);
    pid_t child = fork();
    if (child < 0)
        return error_errno(err, -errno, "%s", argv[0]);
    if (child == 0)
        become(argv, prepare, output.its, complaints.its);
    end_close(&output.its);
    end_close(&complaints.its);
    r = hear_out(&output, &complaints);
    end_close(&output.ours); /* a child that was not heard out must not wait for us */
    end_close(&complaints.ours);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (r < 0)
        return error_errno(err, r, "%s", argv[0]);
    if (WIFSIGNALED(status))
        return error_set(err, -EIO, "%s was ended by signal %d", argv[0], WTERMSIG(status));
    autofree char *said = text_take(&output.text);
    autofree char *complained = text_take(&complaints.text);
    if (!said || !complained)
        return error_oom(err);
    *ret = (struct program_said){ take_ptr(said), take_ptr(complained), WEXITSTATUS(status) };
    return 0;
}
