/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells of slow work while it goes on: lines in the journal, the status text of the service, and
 * more time from systemd as long as bytes come. Work from which none come gets no more time, and
 * TimeoutStartSec= ends it; but what has an end of its own (bound_ms) gets its time.
 *
 * A timer interrupts whatever system call the process waits in once a second; those that wait
 * (process_run(), lock_take()) then call progress_tick(). One may be under way at a time.
 */
#ifndef CONTAINER_PROGRESS_H
#define CONTAINER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PROGRESS_EXTENSION_MS = 30 * 1000, /* what systemd is asked for when bytes have come */
    PROGRESS_LINE_MS = 5 * 1000,       /* between two lines */
};

struct progress {
    const char *what;                   /* borrowed: "pulling docker.io/library/busybox:1" */
    int64_t total_bytes;                /* 0: not known */
    int64_t (*measure)(const void *of); /* bytes by now; may go back. NULL: nothing is counted */
    const void *of;
    int64_t bound_ms; /* it ends by itself after this long, bytes or none; 0: it does not */
    /* kept by the functions below */
    int64_t bytes;
    int64_t line_at_ms;
    int64_t started_ms;
};

struct progress_news {
    bool extend; /* ask systemd for more time */
    bool line;   /* say how far it is */
};

/* What is to be done now that this many bytes are there; pure. */
struct progress_news progress_step(struct progress *progress, int64_t now_ms, int64_t bytes);

/* "12.3 of 40.0 MB", or "12.3 MB" where the total is not known; "7 of 60 s" of what is bounded. */
enum { PROGRESS_TEXT_MAX = 64 };
void progress_text(const struct progress *progress, int64_t now_ms, char ret[PROGRESS_TEXT_MAX]);

void progress_start(struct progress *progress);
void progress_tick(struct progress *progress); /* NULL does nothing */
void progress_stop(struct progress *progress);

#endif
