/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a busy store says most: the answer to a transaction of puts alone, the pages of a listing,
 * and the events of a watch. Building a tree of JSON of them is a third of what a request of ours
 * costs us, and half of what a leader does while a large plan is written. They are read here only
 * if they are, byte by byte, as etcd writes them; the rest is kv_wire_tree_…()'s, which know all
 * that may stand there. kv_wire_read_…() try both, and nobody else but tests needs this header.
 *
 * If true, *ret is what the other reader would make of the bytes, for kv_wire_…_done(); if false it
 * is as before, and nothing is said about the bytes.
 */
#ifndef KVCLIENT_KV_WIRE_EXACT_H
#define KVCLIENT_KV_WIRE_EXACT_H

#include "kvclient/kv_wire.h"

bool kv_wire_exact_puts(const char *body, size_t length, struct kv_wire_txn *ret);
bool kv_wire_exact_range(const char *body, size_t length, struct kv_wire_range *ret);
bool kv_wire_exact_events(const char *line, size_t length, struct kv_wire_watch *ret);

#endif
