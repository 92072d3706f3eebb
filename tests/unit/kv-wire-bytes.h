/* SPDX-License-Identifier: Apache-2.0 */
/* What a store says, in bytes. They are written by hand, after the rules of protobuf (a field is
 * its number and kind in one tag, then a varint, or a length and bytes) and etcd's numbers; no
 * encoder had a part in them. */
#ifndef TESTS_UNIT_KV_WIRE_BYTES_H
#define TESTS_UNIT_KV_WIRE_BYTES_H

#include <stdint.h>

#include "kvclient/kv_wire.h"
#include "tests/unit/harness.h"

/* A literal as bytes and their number, without the NUL at its end. */
#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

/* header: cluster 300, member 1, revision 9, term 2 */
#define HEADER "\x0a\x09\x08\xac\x02\x10\x01\x18\x09\x20\x02"
/* k: created at 2, changed at 4, its second version, "v", lease 77 */
#define PAIR_K "\x0a\x01k\x10\x02\x18\x04\x20\x02\x2a\x01v\x30\x4d"
/* l: created at 3 and not changed since, empty, no lease */
#define PAIR_L "\x0a\x01l\x10\x03\x18\x03\x20\x01"

/* The request that the results answer. */
static inline void write_example_txn(struct kv_wire_bytes *ret)
{
    const struct kv_op success[] = { kv_op_put("k", "v"), kv_op_delete("l") };
    const struct kv_op failure[] = { kv_op_range("k"), kv_op_put("l", "") };
    const struct kv_txn txn = {
        .success = success, .success_count = 2, .failure = failure, .failure_count = 2
    };
    assert_int_equal(kv_wire_write_txn(&txn, ret, NULL), 0);
}

#define SUCCEEDED "\x10\x01"
/* Results: each has a header with the revision alone. */
#define PUT_RESULT     "\x1a\x06\x12\x04\x0a\x02\x18\x09"
#define DELETED_RESULT "\x1a\x08\x1a\x06\x0a\x02\x18\x09\x10\x02"
#define RANGE_RESULT   "\x1a\x18\x0a\x16\x0a\x02\x18\x09\x12\x0e" PAIR_K "\x20\x01"
#define WON            HEADER SUCCEEDED PUT_RESULT DELETED_RESULT
#define LOST           HEADER RANGE_RESULT PUT_RESULT

/* one: named, two URLs for clients, one for peers; two: not started, a learner */
#define MEMBERS                                         \
    HEADER "\x12\x0e\x08\x01\x12\x01n\x1a\x01p\x22\x01" \
           "a\x22\x01"                                  \
           "b"                                          \
           "\x12\x07\x08\xac\x02\x1a\x00\x28\x01"

/* 3.4.23, 9 bytes, leader 300, two alarms, 5 bytes in use */
#define STATUS                          \
    HEADER "\x12\x06"                   \
           "3.4.23\x18\x09\x20\xac\x02" \
           "\x42\x1a"                   \
           "memberID:1 alarm:NOSPACE  " \
           "\x42\x15"                   \
           "etcdserver: no leader\x48\x05"

/* k: put at 4, deleted at 5 */
#define EVENTS                                                         \
    HEADER "\x5a\x0d\x12\x0b\x0a\x01k\x10\x02\x18\x04\x20\x02\x2a\x00" \
           "\x5a\x09\x08\x01\x12\x05\x0a\x01k\x18\x05"

#endif
