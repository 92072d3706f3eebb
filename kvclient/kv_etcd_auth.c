/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who we are to etcd: a token, got for user and password, that goes along with every request.
 *
 *   none --wanted--> waiting (timer) --> logging in --token--> have one --refused--> none
 *                       ^                    |
 *                       +----- failed -------+   (while somebody waits)
 *
 * A login costs etcd a tenth of a second of CPU (bcrypt), and all clients lose their tokens at
 * once: so one is in flight at a time, it is begun only when a request was refused for want of it,
 * and every one but the first waits a random while that grows until a token has proved good.
 */
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "kvclient/backoff.h"
#include "kvclient/kv_etcd_internal.h"

enum {
    AGAIN_FIRST_MS = 500, /* bound of the wait before the second login */
    LOGIN_TRY_TIMES = 4,  /* a login may take so many request times: many wait for bcrypt */
    PASSWORD_FILE_MAX = 4096,
};

struct kv_etcd_auth {
    struct kv_etcd *store; /* borrowed */
    char *user;
    char *password;      /* or NULL */
    char *password_file; /* read anew for each login; or NULL */
    char *timeout_metadata;
    char *metadata;         /* "token: …", or NULL */
    bool is_open;           /* the store has no authentication on: no token is needed */
    bool under_way;         /* timer or call */
    uint64_t generation;    /* of the token: counts logins that went well */
    struct grpc_call *call; /* borrowed */
    size_t endpoint;
    struct loop_timer *timer;
    struct backoff backoff;
    bool tried;
};

/* Frees a string that nobody should find in memory afterwards. */
static void free_secret(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static void cleanup_secret(char **secret)
{
    free_secret(*secret);
}
#define autosecret __attribute__((cleanup(cleanup_secret)))

void kv_etcd_auth_free(struct kv_etcd_auth *auth)
{
    if (!auth)
        return;
    grpc_cancel(auth->call);
    loop_timer_free(auth->timer);
    free(auth->user);
    free_secret(auth->password);
    free(auth->password_file);
    free(auth->timeout_metadata);
    free_secret(auth->metadata);
    free(auth);
}

bool kv_etcd_auth_is_ready(const struct kv_etcd *store)
{
    return !store->auth || store->auth->metadata || store->auth->is_open;
}

char *kv_etcd_auth_metadata(const struct kv_etcd *store)
{
    return store->auth ? store->auth->metadata : NULL;
}

uint64_t kv_etcd_auth_generation(const struct kv_etcd *store)
{
    return store->auth ? store->auth->generation : 0;
}

void kv_etcd_auth_want(struct kv_etcd *store)
{
    struct kv_etcd_auth *auth = store->auth;
    if (auth->under_way)
        return;
    auth->under_way = true;
    loop_timer_set(auth->timer, auth->tried ? backoff_next_ms(&auth->backoff) : 0);
    auth->tried = true;
}

int kv_etcd_auth_judge(const struct kv_etcd *store, int code, bool has_token, struct error *err)
{
    if (code != -EACCES || has_token)
        return code;
    if (store->auth)
        return -EKEYEXPIRED;
    if (!store->tls.cert_file)
        return code;
    return error_prefix(err, code,
                        "no user is configured for etcd, so it goes by the name in our "
                        "client certificate (CN)");
}

bool kv_etcd_auth_refused(struct kv_etcd *store, uint64_t generation)
{
    struct kv_etcd_auth *auth = store->auth;
    if (!auth)
        return false;
    if (generation == auth->generation && !auth->under_way) {
        free_secret(take_ptr(auth->metadata));
        auth->is_open = false;
    }
    return true;
}

void kv_etcd_auth_proved(struct kv_etcd *store)
{
    if (store->auth && store->auth->metadata)
        backoff_reset(&store->auth->backoff);
}

/* Whatever is wrong with our side of it is a matter of permission to those who wait; the codes of
 * files or of other requests would mean something else to them. */
static int code_for_waiters(int code)
{
    return code == 0 || code == -EAGAIN || code == -ETIMEDOUT || code == -ENOMEM ? code : -EACCES;
}

static void tell(struct kv_etcd *store, int code, const char *reason)
{
    store->auth->under_way = false;
    if (code < 0)
        kv_etcd_note_error(store, reason);
    kv_etcd_calls_authenticated(store, code, reason);
    kv_etcd_watches_authenticated(store, code, reason);
}

/* vasprintf() would leave the token in memory of its own. */
static char *metadata_of(const char *token)
{
    static const char name[] = "token: ";
    char *metadata = malloc(sizeof(name) + strlen(token));
    if (metadata)
        (void)stpcpy(stpcpy(metadata, name), token);
    return metadata;
}

static int take_token(struct kv_etcd_auth *auth, const struct grpc_result *result,
                      struct error *err)
{
    autosecret char *token = NULL;
    int r = kv_wire_read_token(result->data, result->length, &token, err);
    if (r < 0)
        return r;
    auth->metadata = metadata_of(token);
    return auth->metadata ? 0 : error_oom(err);
}

static int read_login(struct kv_etcd_auth *auth, const struct grpc_result *result,
                      struct error *err)
{
    int r = kv_etcd_read_result(auth->store, auth->endpoint, result, err);
    if (r == -EOPNOTSUPP) {
        auth->is_open = true;
        return 0;
    }
    if (r == 0)
        r = take_token(auth, result, err);
    return r < 0 ? error_prefix(err, r, "login as etcd user \"%s\"", auth->user) : 0;
}

static void on_login(struct grpc_call *call, const struct grpc_result *result, void *userdata)
{
    struct kv_etcd_auth *auth = userdata;
    struct error err = { 0 };
    (void)call;
    auth->call = NULL;
    int r = read_login(auth, result, &err);
    if (r == 0) {
        auth->generation++;
        auth->store->counts[KV_ETCD_COUNT_LOGIN]++;
    } else if (r == -EAGAIN || r == -ETIMEDOUT) {
        kv_etcd_avoid(auth->store, auth->endpoint);
    }
    tell(auth->store, code_for_waiters(r), err.text);
}

static int read_password(const struct kv_etcd_auth *auth, char **ret, struct error *err)
{
    if (auth->password) {
        *ret = strdup(auth->password);
        return *ret ? 0 : error_oom(err);
    }
    int r = file_read(auth->password_file, PASSWORD_FILE_MAX, ret, NULL, err);
    if (r < 0)
        return error_prefix(err, r, "password of etcd user \"%s\"", auth->user);
    (*ret)[strcspn(*ret, "\r\n")] = '\0';
    return 0;
}

static int log_in(struct kv_etcd_auth *auth, struct error *err)
{
    struct kv_etcd *store = auth->store;
    autosecret char *password = NULL;
    struct kv_wire_bytes message = { 0 };
    int r = read_password(auth, &password, err);
    if (r == 0)
        r = kv_wire_write_login(auth->user, password, &message, err);
    if (r < 0)
        return r;
    auth->endpoint = store->endpoint;
    const struct kv_etcd_request request = {
        .endpoint = auth->endpoint,
        .method = "/etcdserverpb.Auth/Authenticate",
        .message = &message,
        .metadata = auth->timeout_metadata,
        .timeout_ms = LOGIN_TRY_TIMES * store->request_timeout_ms,
    };
    r = kv_etcd_send(store, &request, NULL, on_login, auth, &auth->call, err);
    kv_wire_bytes_done(&message);
    return r;
}

static void on_timer(struct loop_timer *timer, void *userdata)
{
    struct kv_etcd_auth *auth = userdata;
    struct error err = { 0 };
    (void)timer;
    int r = log_in(auth, &err);
    if (r < 0)
        tell(auth->store, code_for_waiters(r), err.text);
}

static int check(const struct kv_etcd_config *config, struct error *err)
{
    if (!config->user && (config->password || config->password_file))
        return error_set(err, -EINVAL, "a password for etcd, but no user name");
    if (config->user && !config->password && !config->password_file)
        return error_set(err, -EINVAL, "etcd user \"%s\" has neither password nor password file",
                         config->user);
    if (config->password && config->password_file)
        return error_set(err, -EINVAL, "etcd user \"%s\" has a password and a password file",
                         config->user);
    return 0;
}

static int copy(const char *from, char **ret)
{
    *ret = from ? strdup(from) : NULL;
    return from && !*ret ? -ENOMEM : 0;
}

int kv_etcd_auth_new(struct kv_etcd *store, const struct kv_etcd_config *config, struct error *err)
{
    int r = check(config, err);
    if (r < 0 || !config->user)
        return r;
    struct kv_etcd_auth *auth = calloc(1, sizeof(*auth));
    if (!auth)
        return error_oom(err);
    store->auth = auth; /* which frees it, half-made or whole */
    auth->store = store;
    auth->backoff = (struct backoff){ .first_ms = AGAIN_FIRST_MS, .max_ms = store->max_backoff_ms };
    auth->timeout_metadata =
        text_format("grpc-timeout: %dm", LOGIN_TRY_TIMES * store->request_timeout_ms);
    if (!auth->timeout_metadata || copy(config->user, &auth->user) < 0 ||
        copy(config->password, &auth->password) < 0 ||
        copy(config->password_file, &auth->password_file) < 0)
        return error_oom(err);
    return loop_timer_new(store->loop, "etcd login", on_timer, auth, &auth->timer, err);
}
