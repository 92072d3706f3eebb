/* SPDX-License-Identifier: Apache-2.0 */
#include "base/journal.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

struct journal_line {
    struct journal_line *next;
    size_t length;
    char bytes[];
};

int journal_init(struct journal *journal, const char *path, struct error *err)
{
    assert(strlen(path) < sizeof(journal->address.sun_path));
    *journal = (struct journal){ .address = { .sun_family = AF_UNIX } };
    memcpy(journal->address.sun_path, path, strlen(path));
    journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return journal->fd < 0 ? error_errno(err, -errno, "a socket for the journal") : 0;
}

static void drop_first(struct journal *journal)
{
    struct journal_line *line = journal->first;
    journal->first = line->next;
    if (!journal->first)
        journal->last = NULL;
    journal->kept--;
    free(line);
}

void journal_done(struct journal *journal)
{
    while (journal->first)
        drop_first(journal);
    if (journal->fd >= 0)
        (void)close(journal->fd);
    journal->fd = -1;
}

/* By the address each time: the socket may be made anew. */
static int offer(const struct journal *journal, const char *bytes, size_t length)
{
    const struct sockaddr *address = (const struct sockaddr *)&journal->address;
    ssize_t sent = sendto(journal->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT, address,
                          sizeof(journal->address));
    return sent < 0 ? -errno : 0;
}

static void keep(struct journal *journal, const char *bytes, size_t length)
{
    struct journal_line *line =
        journal->kept < JOURNAL_KEPT_MAX ? malloc(sizeof(*line) + length) : NULL;
    if (!line) {
        journal->lost++;
        return;
    }
    line->next = NULL;
    line->length = length;
    memcpy(line->bytes, bytes, length);
    if (journal->last)
        journal->last->next = line;
    else
        journal->first = line;
    journal->last = line;
    journal->kept++;
}

/* "NAME=value\n"; where the value has several lines: "NAME\n", its length in 64 bits, the value. */
static void add_field(struct text *t, const char *field)
{
    const char *value = strchr(field, '=');
    assert(value);
    if (!strchr(value, '\n')) {
        text_addf(t, "%s\n", field);
        return;
    }
    uint64_t length = htole64(strlen(value + 1));
    text_add_bytes(t, field, (size_t)(value - field));
    text_add(t, "\n");
    text_add_bytes(t, &length, sizeof(length));
    text_addf(t, "%s\n", value + 1);
}

/* What has been lost came after all that is kept. */
static int tell_losses(struct journal *journal)
{
    if (!journal->lost)
        return 0;
    autofree char *line = text_format("MESSAGE=log: %" PRIu64
                                      " lines are missing here, the journal did not take them\n"
                                      "PRIORITY=4\nSYSLOG_IDENTIFIER=%s\n",
                                      journal->lost, program_invocation_short_name);
    if (!line)
        return -ENOMEM; /* another time */
    int r = offer(journal, line, strlen(line));
    if (r != -EAGAIN)
        journal->lost = 0;
    return r;
}

int journal_flush(struct journal *journal)
{
    while (journal->first) {
        if (offer(journal, journal->first->bytes, journal->first->length) == -EAGAIN)
            return -EAGAIN;
        drop_first(journal);
    }
    return tell_losses(journal) == -EAGAIN ? -EAGAIN : 0;
}

int journal_send(struct journal *journal, const char *const *fields)
{
    autotext t = { 0 };
    for (; *fields; fields++)
        add_field(&t, *fields);
    if (t.failed)
        return -ENOMEM;
    int r = journal_flush(journal);
    if (r == 0)
        r = offer(journal, t.data, t.length);
    if (r != -EAGAIN)
        return r;
    /* A line that came after lost ones is not kept, or they would be told of too late. */
    if (journal->lost)
        journal->lost++;
    else
        keep(journal, t.data, t.length);
    return -EAGAIN;
}
