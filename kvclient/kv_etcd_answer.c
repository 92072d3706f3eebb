/* SPDX-License-Identifier: Apache-2.0 */
/* How a request ends: what each kind of answer is to its caller, and what he is told where none
 * came. */
#include <errno.h>

#include "kvclient/kv_etcd_call.h"
#include "kvclient/kv_pairs.h"

/* Ends: each takes the call off the store first, so that its callback may ask for anything. */

static void end_txn(struct etcd_call *call, int code, const char *reason,
                    const struct kv_wire_txn *answer)
{
    struct kv_txn_result result = {
        .code = code,
        .reason = reason,
        .succeeded = answer->succeeded,
        .revision = answer->header.revision,
        .sent_boot_ms = call->sent_boot_ms,
        .results = answer->results,
        .result_count = answer->result_count,
    };
    kv_txn_fn fn = call->fn.txn;
    void *userdata = call->userdata;
    etcd_call_free(call);
    fn(&result, userdata);
}

static void end_range(struct etcd_call *call, int code, const char *reason)
{
    struct kv_range_result result = { .code = code, .reason = reason };
    kv_range_fn fn = call->fn.range;
    void *userdata = call->userdata;
    if (code == 0) {
        result.revision = call->listing.revision;
        result.pairs = take_ptr(call->listing.pairs);
        result.pair_count = call->listing.pair_count;
        call->listing.pair_count = 0;
    }
    etcd_call_free(call);
    fn(&result, userdata);
    kv_pair_array_free(result.pairs, result.pair_count);
}

static void end_lease(struct etcd_call *call, int code, const char *reason, int64_t ttl_s,
                      int64_t left_s)
{
    struct kv_lease_result result = {
        .code = code,
        .reason = reason,
        .id = call->lease_id,
        .ttl_s = ttl_s,
        .left_s = left_s,
        .sent_boot_ms = call->sent_boot_ms,
    };
    kv_lease_fn fn = call->fn.lease;
    void *userdata = call->userdata;
    etcd_call_free(call);
    fn(&result, userdata);
}

static void end_compact(struct etcd_call *call, int code, const char *reason)
{
    struct kv_compact_result result = { .code = code,
                                        .reason = reason,
                                        .revision = call->compact_revision };
    kv_compact_fn fn = call->fn.compact;
    void *userdata = call->userdata;
    etcd_call_free(call);
    fn(&result, userdata);
}

static void end_members(struct etcd_call *call, const struct kv_members_result *result)
{
    kv_members_fn fn = call->fn.members;
    void *userdata = call->userdata;
    etcd_call_free(call);
    fn(result, userdata);
}

static void end_status(struct etcd_call *call, const struct kv_status_result *result)
{
    kv_status_fn fn = call->fn.status;
    void *userdata = call->userdata;
    etcd_call_free(call);
    fn(result, userdata);
}

void etcd_call_end_failed(struct etcd_call *call, int code, const char *reason)
{
    static const struct kv_wire_txn nothing = { 0 };
    switch (call->kind) {
    case CALL_TXN:
        end_txn(call, code, reason, &nothing);
        return;
    case CALL_RANGE:
        end_range(call, code, reason);
        return;
    case CALL_COMPACT:
        end_compact(call, code, reason);
        return;
    case CALL_MEMBERS:
        end_members(call, &(struct kv_members_result){ .code = code, .reason = reason });
        return;
    case CALL_STATUS:
        end_status(call,
                   &(struct kv_status_result){ .code = code, .reason = reason, .version = "" });
        return;
    case CALL_GRANT:
    case CALL_KEEP_ALIVE:
    case CALL_REVOKE:
    case CALL_TIME_TO_LIVE:
    case CALL_INVALID:
        end_lease(call, code, reason, 0, 0);
        return;
    }
}

/* Each take_… returns 0 if the call has ended or goes on, else why it cannot. */

static int take_page(struct etcd_call *call, const struct grpc_result *result, struct error *err)
{
    struct kv_wire_range page = { 0 };
    int r = kv_wire_read_range(result->data, result->length, &page, err);
    if (r < 0)
        return r;
    bool more = page.more;
    r = kv_etcd_note_header(call->store, &page.header, err);
    if (r == 0)
        r = kv_etcd_listing_add(&call->listing, &page, err);
    kv_wire_range_done(&page);
    if (r == 0 && more)
        return etcd_call_next_page(call, err);
    if (r == 0)
        end_range(call, 0, "");
    return r;
}

static int take_txn(struct etcd_call *call, const struct grpc_result *result, struct error *err)
{
    struct kv_wire_txn answer = { 0 };
    int r = kv_wire_read_txn(&call->message, result->data, result->length, &answer, err);
    if (r == 0)
        r = kv_etcd_note_header(call->store, &answer.header, err);
    if (r == 0)
        end_txn(call, 0, "", &answer);
    kv_wire_txn_done(&answer);
    return r;
}

static int read_lease(const struct etcd_call *call, const struct grpc_result *result,
                      struct kv_wire_lease *ret, struct error *err)
{
    if (call->kind == CALL_TIME_TO_LIVE)
        return kv_wire_read_lease_time_to_live(result->data, result->length, ret, err);
    if (call->kind == CALL_GRANT && !call->existed)
        return kv_wire_read_lease_grant(result->data, result->length, ret, err);
    return kv_wire_read_lease_keep_alive(result->data, result->length, ret, err);
}

static int take_lease(struct etcd_call *call, const struct grpc_result *result, struct error *err)
{
    struct kv_wire_lease answer = { 0 };
    int r = read_lease(call, result, &answer, err);
    if (r == 0)
        r = kv_etcd_note_header(call->store, &answer.header, err);
    if (r < 0)
        return r;
    if (answer.id != call->lease_id)
        return error_set(err, -EPROTO, "asked for lease %jx, the store speaks of lease %jx",
                         (uintmax_t)call->lease_id, (uintmax_t)answer.id);
    bool is_gone = call->kind == CALL_TIME_TO_LIVE ? answer.ttl_s < 0 : answer.ttl_s == 0;
    if (is_gone)
        return error_set(err, -ENOENT, "lease %jx is gone", (uintmax_t)call->lease_id);
    if (call->kind == CALL_TIME_TO_LIVE)
        end_lease(call, 0, "", answer.granted_ttl_s, answer.ttl_s);
    else
        end_lease(call, 0, "", answer.ttl_s, 0);
    return 0;
}

/* Of a revocation or a compaction: that it is done is all that it says. */
static int take_header(struct etcd_call *call, const struct grpc_result *result, struct error *err)
{
    struct kv_wire_header header = { 0 };
    int r = kv_wire_read_header(result->data, result->length, &header, err);
    if (r == 0)
        r = kv_etcd_note_header(call->store, &header, err);
    if (r < 0)
        return r;
    if (call->kind == CALL_COMPACT)
        etcd_call_end_compacted(call);
    else
        end_lease(call, 0, "", 0, 0);
    return 0;
}

static int take_members(struct etcd_call *call, const struct grpc_result *result, struct error *err)
{
    struct kv_wire_members answer = { 0 };
    int r = kv_wire_read_members(result->data, result->length, &answer, err);
    if (r == 0)
        r = kv_etcd_note_header(call->store, &answer.header, err);
    if (r == 0)
        end_members(call, &(struct kv_members_result){ .reason = "",
                                                       .members = answer.members,
                                                       .member_count = answer.member_count });
    kv_wire_members_done(&answer);
    return r;
}

static int take_status(struct etcd_call *call, const struct grpc_result *result, struct error *err)
{
    struct kv_wire_status answer = { 0 };
    int r = kv_wire_read_status(result->data, result->length, &answer, err);
    if (r == 0)
        r = kv_etcd_note_header(call->store, &answer.header, err);
    answer.status.reason = "";
    if (r == 0)
        end_status(call, &answer.status);
    kv_wire_status_done(&answer);
    return r;
}

void etcd_call_end_compacted(struct etcd_call *call)
{
    end_compact(call, 0, "");
}

int etcd_call_take(struct etcd_call *call, const struct grpc_result *result, struct error *err)
{
    switch (call->kind) {
    case CALL_TXN:
        return take_txn(call, result, err);
    case CALL_RANGE:
        return take_page(call, result, err);
    case CALL_COMPACT:
    case CALL_REVOKE:
        return take_header(call, result, err);
    case CALL_MEMBERS:
        return take_members(call, result, err);
    case CALL_STATUS:
        return take_status(call, result, err);
    case CALL_GRANT:
    case CALL_KEEP_ALIVE:
    case CALL_TIME_TO_LIVE:
    case CALL_INVALID:
        break;
    }
    return take_lease(call, result, err);
}
