/* SPDX-License-Identifier: Apache-2.0 */
#include "base/contact.h"

#include <string.h>

void contact_begin(struct contact *contact, int64_t sent_ms, int64_t now_ms)
{
    /* Whatever ended before the answer came has been seen by nobody. */
    *contact = (struct contact){ .since_ms = now_ms, .heard_ms = sent_ms };
}

void contact_end(struct contact *contact)
{
    *contact = (struct contact){ .since_ms = -1 };
}

/* Where there is no room the oldest two become one that is as long as the longer and ends with the
 * later. */
static void make_room(struct contact *contact)
{
    struct silence *list = contact->silences;
    list[0].end_ms = list[1].end_ms;
    memmove(&list[1], &list[2], (CONTACT_SILENCES - 2) * sizeof(*list));
    contact->silence_count--;
}

static void note_silence(struct contact *contact, int64_t length_ms, int64_t end_ms)
{
    if (length_ms < CONTACT_SILENCE_MIN_MS)
        return;
    while (contact->silence_count > 0 &&
           contact->silences[contact->silence_count - 1].length_ms <= length_ms)
        contact->silence_count--;
    if (contact->silence_count == CONTACT_SILENCES)
        make_room(contact);
    contact->silences[contact->silence_count++] = (struct silence){ length_ms, end_ms };
}

void contact_hear(struct contact *contact, int64_t sent_ms, int64_t now_ms)
{
    if (contact->since_ms < 0) {
        contact_begin(contact, sent_ms, now_ms);
        return;
    }
    if (sent_ms <= contact->heard_ms)
        return;
    note_silence(contact, now_ms - contact->heard_ms, now_ms);
    contact->heard_ms = sent_ms;
}

int64_t contact_since(const struct contact *contact, int64_t silence_ms, int64_t now_ms)
{
    if (contact->since_ms < 0 || now_ms - contact->heard_ms > silence_ms)
        return -1;
    for (size_t i = contact->silence_count; i > 0; i--)
        if (contact->silences[i - 1].length_ms > silence_ms)
            return contact->silences[i - 1].end_ms;
    return contact->since_ms;
}

int64_t contact_harmless_ms(int64_t ttl_ms)
{
    return (ttl_ms > CONTACT_TTL_MIN_MS ? ttl_ms : CONTACT_TTL_MIN_MS) * 3 / 5;
}
