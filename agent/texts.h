/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of units, blobs/<sha256> of the store: each is read once, checked against the digest
 * that it is stored under, and kept while its owner has use for it. A hundred instances of one
 * template share one. What is wanted while a request is under way is read together by the next: a
 * machine that is given many units at once asks a few times.
 */
#ifndef AGENT_TEXTS_H
#define AGENT_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "kvclient/kv.h"

struct texts;

struct text_blob {
    const char *digest;
    const char *text;
    size_t length;
};

/* A text that was asked for is there (failure NULL), or could not be had: asking again reads again.
 */
typedef void (*texts_fn)(const struct text_blob *blob, const char *failure, void *userdata);

/* kv and prefix are borrowed. */
int texts_new(struct kv *kv, const char *prefix, texts_fn fn, void *userdata, struct texts **ret,
              struct error *err);
void texts_free(struct texts *texts);
DEFINE_AUTOPTR(texts);

/* 1 and the text, borrowed until texts_drop(); 0: fn will be called. */
int texts_get(struct texts *texts, const char *digest, struct text_blob *ret, struct error *err);

/* Nobody uses it any more. Not from inside fn. */
void texts_drop(struct texts *texts, const char *digest);

#endif
