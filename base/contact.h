/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For how long a store has been answering, as one client of it saw it. Pure, on one clock.
 *
 * Only an answer tells anything: it was given between when its question was sent and when it came.
 * So the store may have been silent from when the last answered question was sent until the next
 * answer came, and for no longer. What a silence means depends on who asks: a lease of 2 s may have
 * ended in one that a lease of 10 s has slept through. The silences that still tell anything are
 * kept: each that is longer than all that came after it.
 */
#ifndef BASE_CONTACT_H
#define BASE_CONTACT_H

#include <stddef.h>
#include <stdint.h>

enum {
    CONTACT_SILENCES = 8,
    /* No lease is shorter: who sets musterd up is refused less (base/settings.h). */
    CONTACT_TTL_MIN_MS = 2000,
    /* Shorter ones mean nothing to anybody: no lease is that short. */
    CONTACT_SILENCE_MIN_MS = 1000,
    /* Longer ones mean something to all: the store was away. The election of a leader inside of it
     * takes two or three seconds, in which nobody is lost. */
    CONTACT_OUTAGE_MS = 6000,
};

struct silence {
    int64_t length_ms, end_ms;
};

struct contact {
    int64_t since_ms; /* when it began; -1: there is none */
    int64_t heard_ms; /* when the newest question that was answered was sent */
    size_t silence_count;
    struct silence silences[CONTACT_SILENCES]; /* the longest and oldest first */
};

/* A first answer came now, to what was sent then. */
void contact_begin(struct contact *contact, int64_t sent_ms, int64_t now_ms);
/* Another one; an answer to an older question than has been answered tells nothing new. */
void contact_hear(struct contact *contact, int64_t sent_ms, int64_t now_ms);
void contact_end(struct contact *contact);

/* Since when there was no silence longer than this; -1: there is no contact, or it is silent now
 * for so long. */
int64_t contact_since(const struct contact *contact, int64_t silence_ms, int64_t now_ms);

/*
 * The longest silence in which no lease of this TTL can have ended. Its holder keeps it alive every
 * TTL/3, so one that begins just before it would do so again is survived for 2/3 of the TTL; what
 * is left of that, a fifteenth of the TTL, is for a holder who is late. A TTL below the least
 * is taken for that.
 */
int64_t contact_harmless_ms(int64_t ttl_ms);

#endif
