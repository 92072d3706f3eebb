/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void free_text(const char *text)
{
    union {
        const char *borrowed;
        char *own;
    } it = { .borrowed = text };
    free(it.own);
}

/* Where there is no value there is none to copy. False: out of memory. */
static bool copy_value(const char **value, size_t *length)
{
    if (!*value) {
        *length = 0;
        return true;
    }
    *length = kv_value_length(*value, *length);
    *value = text_copy_bytes(*value, *length);
    return *value != NULL;
}

void kv_compare_done(struct kv_compare *compare)
{
    free_text(compare->key);
    free_text(compare->value);
    *compare = (struct kv_compare){ 0 };
}

int kv_compare_copy(const struct kv_compare *from, struct kv_compare *ret)
{
    *ret = *from;
    if (from->target != KV_TARGET_VALUE)
        ret->value = NULL;
    bool copied = copy_value(&ret->value, &ret->value_length);
    ret->key = strdup(from->key);
    if (copied && ret->key)
        return 0;
    kv_compare_done(ret);
    return -ENOMEM;
}

void kv_op_done(struct kv_op *op)
{
    free_text(op->key);
    free_text(op->value);
    *op = (struct kv_op){ 0 };
}

int kv_op_copy(const struct kv_op *from, struct kv_op *ret)
{
    *ret = *from;
    if (from->kind != KV_OP_PUT)
        ret->value = NULL;
    bool copied = copy_value(&ret->value, &ret->value_length);
    ret->key = strdup(from->key);
    if (copied && ret->key)
        return 0;
    kv_op_done(ret);
    return -ENOMEM;
}
