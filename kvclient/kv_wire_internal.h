/* SPDX-License-Identifier: Apache-2.0 */
/* What kv_wire_answer.c, kv_wire_stream.c and kv_wire_exact.c share. For no one else, but for those
 * who compare both readers of what is read in two ways. */
#ifndef KVCLIENT_KV_WIRE_INTERNAL_H
#define KVCLIENT_KV_WIRE_INTERNAL_H

#include "base/json.h"
#include "kvclient/kv_wire.h"

/* What kv_wire_read_…() make of whatever the exact readers leave, by way of a tree of JSON. They
 * take all that those do. */
int kv_wire_tree_range(const char *body, size_t length, struct kv_wire_range *ret,
                       struct error *err);
int kv_wire_tree_txn(const char *body, size_t length, struct kv_wire_txn *ret, struct error *err);
int kv_wire_tree_watch(const char *line, size_t length, struct kv_wire_watch *ret,
                       struct error *err);

/* The text as an object, or -EPROTO. */
int kv_wire_parse_object(const char *body, size_t length, json_t **ret, struct error *err);

/* An answer without a header leaves *ret as it is. */
int kv_wire_fill_header(const json_t *answer, struct kv_wire_header *ret, struct error *err);

/* What it filled is the caller's to free, also on failure. */
int kv_wire_fill_pair(const json_t *kv, struct kv_pair *ret, struct error *err);

#endif
