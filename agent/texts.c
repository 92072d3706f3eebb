/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/digest.h"
#include "scheduler/records.h"

struct stored_text {
    char *digest;
    char *text; /* NULL: on its way */
    size_t length;
    struct texts *texts; /* borrowed */
    UT_hash_handle hh;
};

struct texts {
    struct kv *kv; /* borrowed, as the prefix */
    const char *prefix;
    texts_fn fn;
    void *userdata;
    struct stored_text *all;
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

static void forget(struct stored_text *stored)
{
    kv_forget(stored->texts->kv, stored);
    HASH_DEL(stored->texts->all, stored);
    free(stored->digest);
    free(stored->text);
    free(stored);
}

void texts_free(struct texts *texts)
{
    if (!texts)
        return;
    while (texts->all)
        forget(texts->all);
    free(texts);
}

/* NULL, or what is wrong with the answer. Takes the text over. */
static const char *accept_answer(struct stored_text *stored, const struct kv_range_result *result)
{
    char digest[DIGEST_HEX_SIZE];
    if (result->code < 0)
        return result->reason;
    if (result->pair_count != 1)
        return "it is not there";
    digest_sha256_hex(result->pairs[0].value, result->pairs[0].value_length, digest);
    if (strcmp(digest, stored->digest) != 0)
        return "its digest is not the one that it is stored under";
    stored->length = result->pairs[0].value_length;
    stored->text = take_ptr(result->pairs[0].value);
    return NULL;
}

static void on_read(const struct kv_range_result *result, void *userdata)
{
    struct stored_text *stored = userdata;
    const char *failure = accept_answer(stored, result);
    const struct text_blob blob = { stored->digest, stored->text, stored->length };
    stored->texts->fn(&blob, failure, stored->texts->userdata);
    if (failure)
        forget(stored);
}

static int fetch(struct texts *texts, const char *digest, struct error *err)
{
    autofree char *key = store_key(texts->prefix, STORE_KEY_BLOB, NULL, digest, 0);
    struct stored_text *stored = calloc(1, sizeof(*stored));
    if (!key || !stored || !(stored->digest = strdup(digest))) {
        free(stored);
        return error_oom(err);
    }
    stored->texts = texts;
    HASH_ADD_KEYPTR(hh, texts->all, stored->digest, strlen(stored->digest), stored);
    int r = kv_range(texts->kv, key, false, on_read, stored, err);
    if (r < 0)
        forget(stored);
    return r;
}

int texts_get(struct texts *texts, const char *digest, struct text_blob *ret, struct error *err)
{
    struct stored_text *stored = NULL;
    HASH_FIND_STR(texts->all, digest, stored);
    if (!stored)
        return fetch(texts, digest, err);
    if (!stored->text)
        return 0;
    *ret = (struct text_blob){ stored->digest, stored->text, stored->length };
    return 1;
}

void texts_drop_unused(struct texts *texts, bool (*is_used)(const char *digest, void *userdata),
                       void *userdata)
{
    struct stored_text *stored = NULL;
    struct stored_text *next = NULL;
    HASH_ITER(hh, texts->all, stored, next) {
        if (!is_used(stored->digest, userdata))
            forget(stored);
    }
}
