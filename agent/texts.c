/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/digest.h"
#include "base/text.h"
#include "scheduler/records.h"

enum {
    TOGETHER_MAX = 16, /* texts of one request: its answer stays far below what is taken */
};

struct stored_text {
    char *digest;
    char *text; /* NULL: wanted, or on its way */
    size_t length;
    UT_hash_handle hh;
};

struct texts {
    struct kv *kv; /* borrowed, as the prefix */
    const char *prefix;
    texts_fn fn;
    void *userdata;
    struct stored_text *all;
    char **asked; /* the digests of the request under way, in its order; NULL: none is */
};

int texts_new(struct kv *kv, const char *prefix, texts_fn fn, void *userdata, struct texts **ret,
              struct error *err)
{
    struct texts *texts = calloc(1, sizeof(*texts));
    if (!texts)
        return error_oom(err);
    *texts = (struct texts){ .kv = kv, .prefix = prefix, .fn = fn, .userdata = userdata };
    *ret = texts;
    return 0;
}

static struct stored_text *find(const struct texts *texts, const char *digest)
{
    struct stored_text *stored = NULL;
    HASH_FIND_STR(texts->all, digest, stored);
    return stored;
}

static void forget(struct texts *texts, struct stored_text *stored)
{
    HASH_DEL(texts->all, stored);
    free(stored->digest);
    free(stored->text);
    free(stored);
}

void texts_free(struct texts *texts)
{
    if (!texts)
        return;
    kv_forget(texts->kv, texts);
    while (texts->all)
        forget(texts, texts->all);
    strv_free(texts->asked);
    free(texts);
}

/* NULL, or what is wrong with the answer. */
static const char *accept_pair(struct stored_text *stored, const struct kv_op_result *result)
{
    char digest[DIGEST_HEX_SIZE];
    if (!result || result->pair_count != 1)
        return "it is not there";
    const struct kv_pair *pair = &result->pairs[0];
    digest_sha256_hex(pair->value, pair->value_length, digest);
    if (strcmp(digest, stored->digest) != 0)
        return "its digest is not the one that it is stored under";
    stored->text = text_copy_bytes(pair->value, pair->value_length);
    if (!stored->text)
        return "out of memory";
    stored->length = pair->value_length;
    return NULL;
}

/* Whoever wanted it may have dropped it meanwhile. */
static void tell(struct texts *texts, const char *digest, const struct kv_op_result *result,
                 const char *failure)
{
    struct stored_text *stored = find(texts, digest);
    if (!stored || stored->text)
        return;
    if (!failure)
        failure = accept_pair(stored, result);
    const struct text_blob blob = { stored->digest, stored->text, stored->length };
    texts->fn(&blob, failure, texts->userdata);
    if (failure)
        forget(texts, stored);
}

static void read_next(struct texts *texts);

static void on_read(const struct kv_txn_result *result, void *userdata)
{
    struct texts *texts = userdata;
    const char *failure = result->code < 0 ? result->reason : NULL;
    for (size_t i = 0; texts->asked[i]; i++)
        tell(texts, texts->asked[i], i < result->result_count ? &result->results[i] : NULL,
             failure);
    strv_free(take_ptr(texts->asked));
    read_next(texts);
}

static int ask(struct texts *texts, struct error *err)
{
    struct kv_op ops[TOGETHER_MAX];
    autostrv keys = NULL;
    size_t count = strv_length(texts->asked);
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        autofree char *key = store_key(texts->prefix, STORE_KEY_BLOB, NULL, texts->asked[i], 0);
        r = key ? strv_add(&keys, key, err) : error_oom(err);
        if (r == 0)
            ops[i] = kv_op_range(keys[i]);
    }
    const struct kv_txn txn = { .success = ops, .success_count = count };
    return r < 0 ? r : kv_txn(texts->kv, &txn, on_read, texts, err);
}

/* The texts that are wanted and were not asked for yet, as many as go together. */
static int collect(struct texts *texts, struct error *err)
{
    size_t count = 0;
    for (struct stored_text *s = texts->all; s && count < TOGETHER_MAX; s = s->hh.next) {
        if (s->text)
            continue;
        int r = strv_add(&texts->asked, s->digest, err);
        if (r < 0)
            return r;
        count++;
    }
    return 0;
}

/* One request after another: what is wanted while one is under way goes together in the next. */
static int read_wanted(struct texts *texts, struct error *err)
{
    int r = collect(texts, err);
    if (r == 0 && texts->asked)
        r = ask(texts, err);
    if (r < 0)
        strv_free(take_ptr(texts->asked));
    return r;
}

static void read_next(struct texts *texts)
{
    struct error err = { 0 };
    struct stored_text *stored = NULL;
    struct stored_text *next = NULL;
    if (read_wanted(texts, &err) == 0)
        return;
    HASH_ITER(hh, texts->all, stored, next) {
        tell(texts, stored->digest, NULL, err.text);
    }
}

static int fetch(struct texts *texts, const char *digest, struct error *err)
{
    struct stored_text *stored = calloc(1, sizeof(*stored));
    if (!stored || !(stored->digest = strdup(digest))) {
        free(stored);
        return error_oom(err);
    }
    HASH_ADD_KEYPTR(hh, texts->all, stored->digest, strlen(stored->digest), stored);
    int r = texts->asked ? 0 : read_wanted(texts, err);
    if (r < 0)
        forget(texts, stored);
    return r;
}

int texts_get(struct texts *texts, const char *digest, struct text_blob *ret, struct error *err)
{
    const struct stored_text *stored = find(texts, digest);
    if (!stored)
        return fetch(texts, digest, err);
    if (!stored->text)
        return 0;
    *ret = (struct text_blob){ stored->digest, stored->text, stored->length };
    return 1;
}

void texts_drop(struct texts *texts, const char *digest)
{
    struct stored_text *stored = find(texts, digest);
    if (stored)
        forget(texts, stored);
}
