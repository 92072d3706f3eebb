/* SPDX-License-Identifier: Apache-2.0 */
#include "base/grpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint8_t *grpc_frame(const void *message, size_t length)
{
    uint8_t *frame = malloc(GRPC_PREFIX_BYTES + length);
    if (!frame)
        return NULL;
    frame[0] = 0; /* as it is, not compressed */
    for (int i = 1; i < GRPC_PREFIX_BYTES; i++)
        frame[i] = (uint8_t)(length >> (8 * (GRPC_PREFIX_BYTES - 1 - i)));
    if (length)
        memcpy(frame + GRPC_PREFIX_BYTES, message, length);
    return frame;
}

/* Drops the messages that were handed out, and the memory of a big one. */
static void drop_consumed(struct grpc_stream *stream)
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
    }
    stream->consumed = 0;
}

int grpc_stream_add(struct grpc_stream *stream, const void *bytes, size_t length, struct error *err)
{
    drop_consumed(stream);
    text_add_bytes(&stream->buffer, bytes, length);
    return stream->buffer.failed ? error_oom(err) : 0;
}

static size_t length_of(const uint8_t *prefix)
{
    size_t length = 0;
    for (int i = 1; i < GRPC_PREFIX_BYTES; i++)
        length = length << 8 | prefix[i];
    return length;
}

int grpc_stream_next(struct grpc_stream *stream, const uint8_t **ret, size_t *ret_length,
                     struct error *err)
{
    size_t available = stream->buffer.length - stream->consumed;
    if (available == 0) {
        drop_consumed(stream);
        return 0;
    }
    const uint8_t *prefix = (const uint8_t *)stream->buffer.data + stream->consumed;
    if (prefix[0] != 0)
        return error_set(err, -EPROTO, "a gRPC message is compressed, or none");
    if (available < GRPC_PREFIX_BYTES)
        return 0;
    size_t length = length_of(prefix);
    if (length > GRPC_MESSAGE_MAX)
        return error_set(err, -E2BIG, "a gRPC message of %zu bytes is longer than 64 MiB", length);
    if (available - GRPC_PREFIX_BYTES < length)
        return 0;
    *ret = prefix + GRPC_PREFIX_BYTES;
    *ret_length = length;
    stream->consumed += GRPC_PREFIX_BYTES + length;
    return 1;
}

bool grpc_stream_is_inside(const struct grpc_stream *stream)
{
    return stream->buffer.length > stream->consumed;
}

void grpc_stream_done(struct grpc_stream *stream)
{
    text_done(&stream->buffer);
    *stream = (struct grpc_stream){ 0 };
}

int grpc_read_status(const char *value)
{
    uint64_t status = 0;
    return text_parse_u64(value, GRPC_STATUS_MAX, &status, NULL) < 0 ? -1 : (int)status;
}

void grpc_decode_words(char *words)
{
    char *to = words;
    for (const char *from = words; *from; from++) {
        int high = *from == '%' ? text_hex_digit(from[1]) : -1;
        int low = high >= 0 ? text_hex_digit(from[2]) : -1;
        unsigned char c = (unsigned char)*from;
        if (low >= 0) {
            c = (unsigned char)(high * 16 + low);
            from += 2;
        }
        *to++ = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
    *to = '\0';
}
