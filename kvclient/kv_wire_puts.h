/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to a transaction of puts alone, which is what nearly every write of ours is: it says
 * no more than a revision, and building a tree of JSON to learn it is a third of what the whole
 * request costs. It is read here only if it is, byte by byte, as etcd writes it; the rest is
 * kv_wire_read_txn()'s, which knows all that may stand there.
 */
#ifndef KVCLIENT_KV_WIRE_PUTS_H
#define KVCLIENT_KV_WIRE_PUTS_H

#include "kvclient/kv_wire.h"

/* If true, *ret is what kv_wire_read_txn() would make of the body, for kv_wire_txn_done(); if false
 * it is as before, and nothing is said about the body. */
bool kv_wire_read_puts(const char *body, size_t length, struct kv_wire_txn *ret);

#endif
