/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "kvclient/kv_wire_internal.h"

static int take_event(const Etcd__Event *event, struct kv_event *ret, struct error *err)
{
    ret->deleted = event->type == ETCD__EVENT__TYPE__DELETE;
    if (!ret->deleted && event->type != ETCD__EVENT__TYPE__PUT)
        return error_set(err, -EPROTO, "an event of type %d", (int)event->type);
    return kv_wire_take_pair(event->kv, &ret->pair, err);
}

static int take_events(struct kv_wire_arena *arena, const Etcd__WatchResponse *message,
                       struct kv_wire_watch *ret, struct error *err)
{
    size_t count = message->n_events;
    if (count == 0)
        return 0;
    ret->events = kv_wire_arena_take(arena, count * sizeof(*ret->events));
    if (!ret->events)
        return error_oom(err);
    ret->event_count = ret->event_room = count;
    int64_t revision = 0;
    for (size_t i = 0; i < count; i++) {
        struct kv_pair *pair = &ret->events[i].pair;
        int r = take_event(message->events[i], &ret->events[i], err);
        if (r < 0)
            return r;
        if (pair->mod_revision < revision)
            return error_set(err, -EPROTO, "an event of revision %" PRId64 " after one of %" PRId64,
                             pair->mod_revision, revision);
        revision = pair->mod_revision;
    }
    return 0;
}

/* Without a reason that we know, a cancelled watch is begun anew like a broken stream. */
static int take_cancel(const Etcd__WatchResponse *message, struct kv_wire_watch *ret,
                       struct error *err)
{
    char *reason = NULL;
    struct error failure = { 0 };
    int r = kv_wire_take_text(&message->cancel_reason, "the reason of an end", &reason, err);
    if (r < 0)
        return r;
    if (message->compact_revision || strstr(reason, "compacted"))
        (void)error_set(&failure, -ERANGE, "history before revision %" PRId64 " is compacted",
                        message->compact_revision);
    else if (strstr(reason, "invalid auth token") || strstr(reason, "user name is empty") ||
             strstr(reason, "auth store is old"))
        (void)error_set(&failure, -EKEYEXPIRED, "the store refused the watch: %s", reason);
    else if (strstr(reason, "permission denied"))
        (void)error_set(&failure, -EACCES, "the store refused the watch: %s", reason);
    else
        (void)error_set(&failure, -EAGAIN, "the store cancelled the watch: %s", reason);
    text_make_line(failure.text);
    ret->failure = failure.code;
    memcpy(ret->reason, failure.text, sizeof(ret->reason));
    return 0;
}

/* We ask for one watch on a stream, and the store counts them from 0. */
static int check_shape(const Etcd__WatchResponse *message, struct error *err)
{
    if (message->watch_id != 0)
        return error_set(err, -EPROTO, "a message of watch %" PRId64 ", which is not ours",
                         message->watch_id);
    if (message->created && message->n_events)
        return error_set(err, -EPROTO, "a watch that begins with events");
    if (message->fragment && message->n_events == 0)
        return error_set(err, -EPROTO, "a fragment without events");
    return 0;
}

static int fill_watch(struct kv_wire_arena *arena, const Etcd__WatchResponse *message,
                      struct kv_wire_watch *ret, struct error *err)
{
    bool cancelled = message->canceled || message->compact_revision;
    int r = kv_wire_take_header(message->header, cancelled ? 0 : 1, &ret->header, err);
    if (r < 0)
        return r;
    ret->created = message->created;
    if (cancelled)
        return take_cancel(message, ret, err);
    ret->fragment = message->fragment;
    r = check_shape(message, err);
    return r < 0 ? r : take_events(arena, message, ret, err);
}

int kv_wire_read_watch(const uint8_t *data, size_t length, struct kv_wire_watch *ret,
                       struct error *err)
{
    autoptr(kv_wire_arena) arena = NULL;
    struct kv_wire_watch watch = { 0 };
    int r = kv_wire_unpack(&etcd__watch_response__descriptor, data, length, &arena, err);
    if (r < 0)
        return r;
    r = fill_watch(arena, kv_wire_arena_message(arena), &watch, err);
    if (r < 0)
        return r;
    if (watch.event_count)
        watch.arena = take_ptr(arena);
    *ret = watch;
    return 0;
}

void kv_wire_watch_done(struct kv_wire_watch *message)
{
    kv_wire_arena_free(message->arena);
    *message = (struct kv_wire_watch){ 0 };
}

/* They are in order, so those before it are the first. */
static size_t count_before(const struct kv_wire_watch *message, int64_t first_revision)
{
    size_t count = 0;
    while (count < message->event_count &&
           message->events[count].pair.mod_revision < first_revision)
        count++;
    return count;
}

static int check_seam(const struct kv_wire_watch *whole, const struct kv_event *next,
                      struct error *err)
{
    int64_t last = whole->events[whole->event_count - 1].pair.mod_revision;
    if (next->pair.mod_revision >= last)
        return 0;
    return error_set(err, -EPROTO,
                     "a fragment begins with revision %" PRId64
                     " after one that ended with %" PRId64,
                     next->pair.mod_revision, last);
}

static struct kv_event *make_room(struct kv_wire_watch *whole, size_t count)
{
    size_t room = whole->event_room;
    if (count <= room)
        return whole->events;
    while (room < count)
        room *= 2;
    struct kv_event *events = kv_wire_arena_take(whole->arena, room * sizeof(*events));
    if (!events)
        return NULL;
    memcpy(events, whole->events, whole->event_count * sizeof(*events));
    whole->event_room = room;
    return events;
}

/* Those that are left out stay in memory, unseen, until the others go. */
static void move_all(struct kv_wire_watch *whole, struct kv_wire_watch *message, size_t from)
{
    whole->events = message->events + from;
    whole->event_count = message->event_count - from;
    whole->event_room = message->event_room - from;
    whole->arena = take_ptr(message->arena);
    message->events = NULL;
    message->event_count = message->event_room = 0;
}

int kv_wire_watch_append(struct kv_wire_watch *whole, struct kv_wire_watch *message,
                         int64_t first_revision, struct error *err)
{
    size_t from = count_before(message, first_revision);
    size_t more = message->event_count - from;
    if (more == 0)
        return 0;
    if (whole->event_count == 0) {
        move_all(whole, message, from);
        return 0;
    }
    int r = check_seam(whole, &message->events[from], err);
    if (r < 0)
        return r;
    struct kv_event *events = make_room(whole, whole->event_count + more);
    if (!events)
        return error_oom(err);
    memcpy(events + whole->event_count, message->events + from, more * sizeof(*events));
    whole->events = events;
    whole->event_count += more;
    kv_wire_arena_join(whole->arena, take_ptr(message->arena));
    message->events = NULL;
    message->event_count = message->event_room = 0;
    return 0;
}
