/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_etcd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "kvclient/kv_etcd_internal.h"

int kv_etcd_send(struct kv_etcd *store, const struct kv_etcd_request *request, grpc_data_fn on_data,
                 grpc_done_fn on_done, void *userdata, struct grpc_call **ret, struct error *err)
{
    char *const metadata[] = { request->metadata, kv_etcd_auth_metadata(store), NULL };
    const struct grpc_request call = {
        .origin = store->endpoints[request->endpoint],
        .method = request->method,
        .message = request->message->data,
        .length = request->message->length,
        .metadata = metadata,
        .timeout_ms = request->timeout_ms,
        .connect_timeout_ms = store->request_timeout_ms,
        .tls = &store->tls,
    };
    return grpc_start(store->grpc, &call, on_data, on_done, userdata, ret, err);
}

int kv_etcd_note_header(struct kv_etcd *store, const struct kv_wire_header *header,
                        struct error *err)
{
    if (store->cluster_id && header->cluster_id != store->cluster_id)
        return error_set(err, -ESTALE,
                         "another store answers: its cluster id is %jx, that of the one we know "
                         "is %jx",
                         (uintmax_t)header->cluster_id, (uintmax_t)store->cluster_id);
    store->cluster_id = header->cluster_id;
    if (header->revision > store->revision)
        store->revision = header->revision;
    return 0;
}

void kv_etcd_avoid(struct kv_etcd *store, size_t endpoint)
{
    if (store->endpoint == endpoint)
        store->endpoint = (endpoint + 1) % store->endpoint_count;
}

void kv_etcd_note_error(struct kv_etcd *store, const char *reason)
{
    (void)snprintf(store->last_error, sizeof(store->last_error), "%s", reason);
    store->last_error_boot_ms = clock_boot_ms();
}

static const char *name_or(const char *name, const char *otherwise)
{
    return name ? name : otherwise;
}

/* TLS came to no agreement: which of our files had a part in it. Another try may reach a member
 * whose certificate is right, or come after the operator has mended the file: never final. */
static int tls_failure(const struct kv_etcd *store, const struct grpc_result *result,
                       struct error *err)
{
    const char *ca = name_or(store->tls.ca_file, "the system's");
    if (result->code == -ENOKEY)
        return error_set(err, -EAGAIN, "%s (CA file: %s; client certificate: %s; its key: %s)",
                         result->reason, ca, name_or(store->tls.cert_file, "none"),
                         name_or(store->tls.key_file, "none"));
    return error_set(err, -EAGAIN, "its certificate is not trusted (CA file: %s): %s", ca,
                     result->reason);
}

/* Where our client certificate does not do, the connection may be reset before the alert that says
 * so is read; with TLS 1.3 all is well for us until then. */
static bool may_be_our_certificate(const struct kv_etcd *store, size_t endpoint,
                                   const struct grpc_result *result)
{
    bool was_reset =
        result->code == -ECONNABORTED || (result->code == -EIO && result->http_status == 0);
    return was_reset && text_starts_with(store->endpoints[endpoint], "https:");
}

static int no_answer(const struct kv_etcd *store, size_t endpoint, const struct grpc_result *result,
                     struct error *err)
{
    bool is_unknown = result->code == -ETIMEDOUT || result->code == -EIO;
    int code = is_unknown ? -ETIMEDOUT : -EAGAIN;
    const char *what = is_unknown                ? "no answer"
                       : result->code == -ENOMEM ? "not asked"
                                                 : "not reached";
    if (!may_be_our_certificate(store, endpoint, result))
        return error_set(err, code, "%s: %s", what, result->reason);
    return error_set(err, code,
                     "%s: %s (a server that does not accept our client certificate, which is %s, "
                     "may do so)",
                     what, result->reason, name_or(store->tls.cert_file, "none"));
}

static int read_result(const struct kv_etcd *store, size_t endpoint,
                       const struct grpc_result *result, struct error *err)
{
    switch (result->code) {
    case 0:
        if (result->status == GRPC_NO_STATUS)
            return kv_wire_read_foreign(result->http_status, (const char *)result->data,
                                        result->length, err);
        return kv_wire_read_failure(result->status, result->words, err);
    case -E2BIG:
    case -EPROTO:
        return error_set(err, result->code, "%s", result->reason);
    case -ENOKEY:
    case -EKEYREJECTED:
        return tls_failure(store, result, err);
    default:
        return no_answer(store, endpoint, result, err);
    }
}

int kv_etcd_read_result(const struct kv_etcd *store, size_t endpoint,
                        const struct grpc_result *result, struct error *err)
{
    if (result->code == 0 && result->status == 0)
        return 0;
    int r = read_result(store, endpoint, result, err);
    return error_prefix(err, r, "%s", store->endpoints[endpoint]);
}

static void etcd_free(struct kv *kv)
{
    struct kv_etcd *store = (struct kv_etcd *)kv;
    kv_etcd_watch_free_all(store);
    kv_etcd_calls_free_all(store);
    kv_etcd_auth_free(store->auth);
    grpc_free(store->grpc);
    strv_free(store->endpoints);
    free(store->timeout_metadata);
    free((char *)store->tls.ca_file);
    free((char *)store->tls.cert_file);
    free((char *)store->tls.key_file);
    free(store);
}

static const struct kv_vtable etcd_vtable = {
    .free = etcd_free,
    .txn = kv_etcd_txn,
    .range = kv_etcd_range,
    .lease_grant = kv_etcd_lease_grant,
    .lease_keep_alive = kv_etcd_lease_keep_alive,
    .lease_revoke = kv_etcd_lease_revoke,
    .lease_time_to_live = kv_etcd_lease_time_to_live,
    .compact = kv_etcd_compact,
    .members = kv_etcd_members,
    .status = kv_etcd_status,
    .watch = kv_etcd_watch_new,
    .watch_pause = kv_etcd_watch_pause,
    .watch_stop = kv_etcd_watch_stop,
    .forget = kv_etcd_forget,
};

static int copy_endpoints(struct kv_etcd *store, char *const *endpoints, struct error *err)
{
    for (; endpoints && *endpoints; endpoints++) {
        const char *url = *endpoints;
        /* It would show wherever the endpoint is named. */
        if (strchr(url, '@'))
            return error_set(err, -EINVAL,
                             "an etcd endpoint has an '@' in it: user and password are set apart");
        if (!text_starts_with(url, "http://") && !text_starts_with(url, "https://"))
            return error_set(err, -EINVAL,
                             "etcd endpoint \"%s\" does not begin with http:// or https://", url);
        size_t length = strlen(url);
        while (length && url[length - 1] == '/')
            length--;
        int r = strv_addf(&store->endpoints, err, "%.*s", (int)length, url);
        if (r < 0)
            return r;
    }
    store->endpoint_count = strv_length(store->endpoints);
    for (size_t i = 1; i < store->endpoint_count; i++)
        if (text_starts_with(store->endpoints[i], "https:") !=
            text_starts_with(store->endpoints[0], "https:"))
            return error_set(err, -EINVAL, "some etcd endpoints are https:// and some are not");
    if (store->endpoint_count == 0)
        return error_set(err, -EINVAL, "no etcd endpoint is configured");
    return 0;
}

static int copy_name(const char *from, const char **ret, struct error *err)
{
    if (!from)
        return 0;
    *ret = strdup(from);
    return *ret ? 0 : error_oom(err);
}

static int copy_config(struct kv_etcd *store, const struct kv_etcd_config *config,
                       struct error *err)
{
    store->request_timeout_ms = config->request_timeout_ms ? config->request_timeout_ms : 1000;
    store->attempts = config->attempts ? config->attempts : 3;
    store->max_backoff_ms = config->max_backoff_ms ? config->max_backoff_ms : 2000;
    int r = copy_endpoints(store, config->endpoints, err);
    if (r == 0)
        r = copy_name(config->tls.ca_file, &store->tls.ca_file, err);
    if (r == 0)
        r = copy_name(config->tls.cert_file, &store->tls.cert_file, err);
    if (r == 0)
        r = copy_name(config->tls.key_file, &store->tls.key_file, err);
    if (r < 0)
        return r;
    if (!store->tls.cert_file != !store->tls.key_file)
        return error_set(err, -EINVAL,
                         "a client certificate for etcd needs its key and the reverse");
    store->timeout_metadata = text_format("grpc-timeout: %dm", store->request_timeout_ms);
    return store->timeout_metadata ? 0 : error_oom(err);
}

int kv_etcd_new(struct loop *loop, const struct kv_etcd_config *config, struct kv **ret,
                struct error *err)
{
    struct kv_etcd *store = calloc(1, sizeof(*store));
    if (!store)
        return error_oom(err);
    store->kv.vtable = &etcd_vtable;
    store->loop = loop;
    int r = copy_config(store, config, err);
    if (r == 0)
        r = grpc_new(loop, &store->grpc, err);
    if (r == 0)
        r = kv_etcd_auth_new(store, config, err);
    if (r < 0) {
        etcd_free(&store->kv);
        return r;
    }
    *ret = &store->kv;
    return 0;
}

const char *kv_etcd_count_name(enum kv_etcd_count count)
{
    static const char *const names[KV_ETCD_COUNTS] = {
        [KV_ETCD_COUNT_TXN] = "txn",
        [KV_ETCD_COUNT_RANGE] = "range",
        [KV_ETCD_COUNT_GRANT] = "lease_grant",
        [KV_ETCD_COUNT_KEEP_ALIVE] = "lease_keep_alive",
        [KV_ETCD_COUNT_REVOKE] = "lease_revoke",
        [KV_ETCD_COUNT_TIME_TO_LIVE] = "lease_time_to_live",
        [KV_ETCD_COUNT_COMPACT] = "compact",
        [KV_ETCD_COUNT_MEMBERS] = "members",
        [KV_ETCD_COUNT_STATUS] = "status",
        [KV_ETCD_COUNT_WATCH] = "watch",
        [KV_ETCD_COUNT_LOGIN] = "login",
        [KV_ETCD_COUNT_RETRY] = "retry",
        [KV_ETCD_COUNT_RECONNECT] = "reconnect",
    };
    return names[count];
}

void kv_etcd_get_view(const struct kv *kv, struct kv_etcd_view *ret)
{
    const struct kv_etcd *store = (const struct kv_etcd *)kv;
    *ret = (struct kv_etcd_view){
        .endpoint = store->endpoints[store->endpoint],
        .cluster_id = store->cluster_id,
        .revision = store->revision,
        .in_flight = store->in_flight,
        .watches = kv_etcd_watch_count(store),
        .last_error = store->last_error,
        .last_error_boot_ms = store->last_error_boot_ms,
    };
    if (store->watches && store->revision > store->delivered)
        ret->lag = store->revision - store->delivered;
    memcpy(ret->counts, store->counts, sizeof(ret->counts));
}
