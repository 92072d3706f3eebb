/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gRPC puts around messages: five bytes before each, a status behind the last, percent signs
 * in its words. Pure; base/loop_grpc does the talking.
 */
#ifndef BASE_GRPC_H
#define BASE_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum {
    GRPC_PREFIX_BYTES = 5,
    GRPC_MESSAGE_MAX = 64 * 1024 * 1024,
    GRPC_STATUS_MAX = 16, /* the codes go from 0, which is success, to this */
};

/* The message with its prefix, in fresh memory; NULL if memory ran out. */
uint8_t *grpc_frame(const void *message, size_t length);

/* Cuts what arrives into messages, wherever the transport cut it. Zero-initialise. */
struct grpc_stream {
    struct text buffer;
    size_t consumed; /* messages before this were handed out */
};
int grpc_stream_add(struct grpc_stream *stream, const void *bytes, size_t length,
                    struct error *err); /* -ENOMEM */
/* The next whole message, borrowed until the next call. 1: here it is; 0: there is none; -EPROTO:
 * it is compressed, which nobody asked for; -E2BIG: it will be longer than GRPC_MESSAGE_MAX. */
int grpc_stream_next(struct grpc_stream *stream, const uint8_t **ret, size_t *ret_length,
                     struct error *err);
/* Whether a message has begun and not ended. */
bool grpc_stream_is_inside(const struct grpc_stream *stream);
void grpc_stream_done(struct grpc_stream *stream);

/* grpc-status as it is in a header line, or -1 if that is no code. */
int grpc_read_status(const char *value);

/* Resolves the %XX of a grpc-message, in place; what is no such thing stays. What would not be fit
 * for a line of a log becomes a question mark. */
void grpc_decode_words(char *words);

#endif
