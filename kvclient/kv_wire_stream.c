/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_wire_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "kvclient/kv_wire_exact.h"

static int read_event(const json_t *object, struct kv_event *ret, struct error *err)
{
    const char *type = NULL;
    if (!json_is_object(object))
        return error_set(err, -EPROTO, "an event is not an object");
    int r = json_field_string_or(object, "type", "PUT", &type, err);
    if (r < 0)
        return r;
    ret->deleted = strcmp(type, "DELETE") == 0;
    if (!ret->deleted && strcmp(type, "PUT") != 0)
        return error_set(err, -EPROTO, "an event of type \"%s\"", type);
    return kv_wire_fill_pair(json_object_get(object, "kv"), &ret->pair, err);
}

static int read_events(const json_t *result, struct kv_wire_watch *ret, struct error *err)
{
    json_t *array = NULL;
    int r = json_field_array_or_null(result, "events", &array, err);
    size_t count = r == 0 ? json_array_size(array) : 0;
    if (count == 0)
        return r;
    ret->events = calloc(count, sizeof(*ret->events));
    if (!ret->events)
        return error_oom(err);
    ret->event_count = count;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = read_event(json_array_get(array, i), &ret->events[i], err);
    return r;
}

/* Without a reason that we know, a cancelled watch is begun anew like a broken stream. */
static int read_cancel(const json_t *result, struct kv_wire_watch *ret, struct error *err)
{
    int64_t compacted = 0;
    const char *reason = NULL;
    int r = json_field_int64_text_or(result, "compact_revision", 0, &compacted, err);
    if (r == 0)
        r = json_field_string_or(result, "cancel_reason", "", &reason, err);
    if (r < 0)
        return r;
    struct error failure = { 0 };
    if (compacted || strstr(reason, "compacted"))
        (void)error_set(&failure, -ERANGE, "history before revision %" PRId64 " is compacted",
                        compacted);
    else if (strstr(reason, "invalid auth token") || strstr(reason, "user name is empty") ||
             strstr(reason, "auth store is old"))
        (void)error_set(&failure, -EKEYEXPIRED, "the store refused the watch: %s", reason);
    else if (strstr(reason, "permission denied"))
        (void)error_set(&failure, -EACCES, "the store refused the watch: %s", reason);
    else
        (void)error_set(&failure, -EAGAIN, "the store cancelled the watch: %s", reason);
    ret->failure = failure.code;
    memcpy(ret->reason, failure.text, sizeof(ret->reason));
    return 0;
}

static int fill_watch(const json_t *result, struct kv_wire_watch *ret, struct error *err)
{
    int r = kv_wire_fill_header(result, &ret->header, err);
    if (r == 0)
        r = json_field_bool_or(result, "created", false, &ret->created, err);
    if (r == 0)
        r = json_field_bool_or(result, "canceled", false, &ret->cancelled, err);
    if (r == 0)
        r = json_field_bool_or(result, "fragment", false, &ret->fragment, err);
    if (r == 0 && ret->cancelled)
        r = read_cancel(result, ret, err);
    return r < 0 ? r : read_events(result, ret, err);
}

static int fill_message(const json_t *message, const char *line, size_t length,
                        struct kv_wire_watch *ret, struct error *err)
{
    json_t *result = NULL;
    if (json_object_get(message, "error")) {
        struct error failure = { 0 };
        ret->failure = kv_wire_read_failure(200, line, length, &failure);
        memcpy(ret->reason, failure.text, sizeof(ret->reason));
        return 0;
    }
    int r = json_field_object_or_null(message, "result", &result, err);
    if (r < 0)
        return r;
    if (!result)
        return error_set(err, -EPROTO, "a message of the watch has neither result nor error");
    return fill_watch(result, ret, err);
}

int kv_wire_tree_watch(const char *line, size_t length, struct kv_wire_watch *ret,
                       struct error *err)
{
    autojson message = NULL;
    struct kv_wire_watch watch = { 0 };
    int r = kv_wire_parse_object(line, length, &message, err);
    if (r == 0)
        r = fill_message(message, line, length, &watch, err);
    if (r < 0) {
        kv_wire_watch_done(&watch);
        return r;
    }
    *ret = watch;
    return 0;
}

int kv_wire_read_watch(const char *line, size_t length, struct kv_wire_watch *ret,
                       struct error *err)
{
    return kv_wire_exact_events(line, length, ret) ? 0 : kv_wire_tree_watch(line, length, ret, err);
}

void kv_wire_watch_done(struct kv_wire_watch *message)
{
    for (size_t i = 0; i < message->event_count; i++)
        kv_pair_done(&message->events[i].pair);
    free(message->events);
    *message = (struct kv_wire_watch){ 0 };
}

/* Drops the lines that were handed out, and the memory of a big one. */
static void forget_consumed(struct kv_wire_stream *stream)
{
    struct text *buffer = &stream->buffer;
    size_t left = buffer->length - stream->consumed;
    if (stream->consumed == 0)
        return;
    if (left == 0) {
        text_done(buffer);
    } else {
        memmove(buffer->data, buffer->data + stream->consumed, left);
        buffer->length = left;
        buffer->data[left] = '\0';
    }
    stream->scanned -= stream->consumed;
    stream->consumed = 0;
}

int kv_wire_stream_add(struct kv_wire_stream *stream, const void *bytes, size_t length,
                       struct error *err)
{
    forget_consumed(stream);
    if (stream->buffer.length + length > KV_WIRE_LINE_MAX)
        return error_set(err, -E2BIG, "a message of the stream is longer than %d bytes",
                         KV_WIRE_LINE_MAX);
    text_add_bytes(&stream->buffer, bytes, length);
    return stream->buffer.failed ? error_oom(err) : 0;
}

bool kv_wire_stream_next(struct kv_wire_stream *stream, const char **ret, size_t *ret_length)
{
    const struct text *buffer = &stream->buffer;
    if (stream->scanned == buffer->length) {
        if (stream->consumed == stream->scanned)
            forget_consumed(stream);
        return false;
    }
    const char *from = buffer->data + stream->scanned;
    const char *end = memchr(from, '\n', buffer->length - stream->scanned);
    if (!end) {
        stream->scanned = buffer->length;
        return false;
    }
    *ret = buffer->data + stream->consumed;
    *ret_length = (size_t)(end - *ret);
    stream->consumed = stream->scanned = (size_t)(end - buffer->data) + 1;
    return true;
}

void kv_wire_stream_done(struct kv_wire_stream *stream)
{
    text_done(&stream->buffer);
    *stream = (struct kv_wire_stream){ 0 };
}
