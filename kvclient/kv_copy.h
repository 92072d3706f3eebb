/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of transactions that outlive the call that brought them. */
#ifndef KVCLIENT_KV_COPY_H
#define KVCLIENT_KV_COPY_H

#include "kvclient/kv.h"

/* *ret owns what it points at, and its value_length is that of the bytes. -ENOMEM: *ret is empty.
 */
int kv_compare_copy(const struct kv_compare *from, struct kv_compare *ret);
void kv_compare_done(struct kv_compare *compare);
int kv_op_copy(const struct kv_op *from, struct kv_op *ret);
void kv_op_done(struct kv_op *op);

#endif
