/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for systemd's journal, in its own protocol, without ever waiting for it.
 *
 * sd_journal_send() waits while the journal's socket is full: of a journald that hangs, or is busy
 * with what others say, it makes a program that hangs. Here lines that are not taken at once are
 * kept, in order, and offered again with each further line and each journal_flush(); when
 * JOURNAL_KEPT_MAX are kept, further ones are lost, and the journal is told how many once it takes
 * lines again.
 */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "base/error.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum { JOURNAL_KEPT_MAX = 4096 };

struct journal_line;

struct journal {
    int fd;
    struct sockaddr_un address;
    struct journal_line *first; /* kept, the oldest first */
    struct journal_line *last;
    size_t kept;
    uint64_t lost;
};

/* path: the socket's; it need not be there yet. */
int journal_init(struct journal *journal, const char *path, struct error *err);
/* What is kept is lost. */
void journal_done(struct journal *journal);

/* Fields as "NAME=value", the list ends with NULL. -EAGAIN: kept, or lost. Any other code: the
 * journal does not want it, and it is gone. */
int journal_send(struct journal *journal, const char *const *fields);

/* Offers what is kept. -EAGAIN: some of it still is. */
int journal_flush(struct journal *journal);

#endif
