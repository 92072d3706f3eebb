/* SPDX-License-Identifier: Apache-2.0 */
/* Who may talk to the store, and to which: TLS both ways, and user and password. */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/loop_http.h"
#include "base/text.h"
#include "kvclient/kv_mirror.h"
#include "tests/integration/kv-etcd-fixture.h"
#include "tests/unit/tree.h"

/* A loaded machine takes a while for the system's CAs, and for many handshakes at once. */
enum { PATIENT_MS = FIXTURE_WAIT_MS / 4 };

static struct etcd_fixture fixture;
static char directory[] = "/tmp/muster-kv-tls-XXXXXX";

/* The path of a file among the certificates; the next eight calls leave it alone. */
static char *path_of(const char *name)
{
    static char paths[8][96];
    static unsigned int turn;
    char *path = paths[turn++ % 8];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static void make_certificates(void)
{
    char script[256];
    const char *source = getenv("top_srcdir");
    (void)snprintf(script, sizeof(script), "%s/tests/integration/kv-certificates.sh",
                   source ? source : ".");
    assert_non_null(mkdtemp(directory));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!freopen(path_of("log"), "w", stderr) || !freopen("/dev/null", "w", stdout))
            _exit(1);
        (void)execl(script, script, directory, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("%s ended with %d: is openssl there?", script, status);
}

static struct http_tls tls_of(const char *ca, const char *client)
{
    char cert[32];
    char key[32];
    (void)snprintf(cert, sizeof(cert), "%s.pem", client ? client : "");
    (void)snprintf(key, sizeof(key), "%s.key", client ? client : "");
    return (struct http_tls){ .ca_file = ca ? path_of(ca) : NULL,
                              .cert_file = client ? path_of(cert) : NULL,
                              .key_file = client ? path_of(key) : NULL };
}

/* etcd's arguments for TLS, which must last as long as the server may be launched again. */
struct server_files {
    char cert[96];
    char key[96];
    char ca[96];
    const char *arguments[10];
};

static void start_server(struct etcd_server *server, struct server_files *files, const char *name)
{
    (void)snprintf(files->cert, sizeof(files->cert), "%s/%s.pem", directory, name);
    (void)snprintf(files->key, sizeof(files->key), "%s/%s.key", directory, name);
    (void)snprintf(files->ca, sizeof(files->ca), "%s/ca.pem", directory);
    const char *const arguments[] = {
        "--client-cert-auth", "--trusted-ca-file", files->ca,       "--cert-file", files->cert,
        "--key-file",         files->key,          "--bcrypt-cost", "4",           NULL
    };
    memcpy(files->arguments, arguments, sizeof(arguments));
    server->scheme = "https";
    server->extra = files->arguments;
    etcd_server_start(server);
}

/* A connection with the good CA and client certificate. */
static struct kv_etcd_config good_config(char *const *endpoints)
{
    struct kv_etcd_config config = etcd_fixture_config(endpoints);
    config.request_timeout_ms = PATIENT_MS;
    config.tls = tls_of("ca.pem", "client");
    return config;
}

static struct kv *connect_with(const struct kv_etcd_config *config)
{
    struct kv *kv = NULL;
    struct error err = { 0 };
    if (kv_etcd_new(fixture.loop, config, &kv, &err) < 0)
        fail_msg("%s", err.text);
    return kv;
}

static int setup(void **state)
{
    static struct server_files server_files;
    char *endpoints[] = { fixture.server.client_url, NULL };
    (void)state;
    etcd_fixture_init(&fixture);
    make_certificates();
    start_server(&fixture.server, &server_files, "server");
    struct kv_etcd_config config = good_config(endpoints);
    fixture.contract.kv = connect_with(&config);
    etcd_fixture_wait_up(&fixture.contract);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    etcd_fixture_done(&fixture);
    tree_forget(directory);
    return 0;
}

/* What a client with these files is told by that endpoint. */
static struct contract_answer ask_with(char *endpoint, struct http_tls tls, int code)
{
    char *endpoints[] = { endpoint, NULL };
    struct kv_etcd_config config = etcd_fixture_config(endpoints);
    struct contract other = fixture.contract;
    config.request_timeout_ms = PATIENT_MS;
    config.tls = tls;
    other.kv = connect_with(&config);
    struct contract_answer answer = contract_range(&other, "x", false);
    struct kv_etcd_view view = { 0 };
    kv_etcd_get_view(other.kv, &view);
    if (answer.code != code)
        fail_msg("%d instead of %d: %s", answer.code, code, answer.reason);
    assert_string_equal(view.last_error, answer.reason);
    kv_free(other.kv);
    return answer;
}

static void expect_words(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void a_server_of_another_authority_is_not_trusted(void **state)
{
    (void)state;
    struct contract_answer answer =
        ask_with(fixture.server.client_url, tls_of("stranger.pem", "client"), -EAGAIN);
    expect_words(answer.reason, fixture.server.client_url);
    expect_words(answer.reason, "/stranger.pem");
    expect_words(answer.reason, "not trusted");
}

static void without_a_ca_file_the_system_judges(void **state)
{
    (void)state;
    struct contract_answer answer =
        ask_with(fixture.server.client_url, tls_of(NULL, "client"), -EAGAIN);
    expect_words(answer.reason, "the system's");
    expect_words(answer.reason, "not trusted");
}

static void wait_listening(const struct etcd_server *server)
{
    struct etcd_server probe = *server;
    for (int i = 0; i < 80; i++) {
        char *endpoints[] = { probe.client_url, NULL };
        struct kv_etcd_config config = good_config(endpoints);
        struct contract other = fixture.contract;
        other.kv = connect_with(&config);
        struct contract_answer answer = contract_range(&other, "x", false);
        kv_free(other.kv);
        if (!strstr(answer.reason, "not reached"))
            return;
        fixture.contract.pass_ms(&fixture.contract, 100);
    }
    fail_msg("etcd does not listen");
}

static void on_asked(struct http_call *call, const struct http_result *result, void *userdata)
{
    (void)call;
    *(int *)userdata = result->code;
}

/* 0: it is trusted. */
static int ask_by(struct loop *loop, struct http *http, const char *server, struct http_tls tls)
{
    int code = 1;
    struct http_call *call = NULL;
    autofree char *url = text_format("%s/health", server);
    const struct http_request request = { .method = "GET", .url = url, .tls = &tls };
    if (http_start(http, &request, NULL, on_asked, &code, &call, NULL) < 0)
        return -EIO;
    while (code == 1)
        loop_run_once(loop, true);
    return code;
}

static int ask_anew(const char *server, const char *ca)
{
    struct loop *loop = NULL;
    struct http *http = NULL;
    int code = -EIO;
    if (loop_new(&loop, NULL) == 0 && http_new(loop, &http, NULL) == 0)
        code = ask_by(loop, http, server, tls_of(ca, "client"));
    http_free(http);
    loop_free(loop);
    return code;
}

enum verdict {
    VERDICT_RIGHT = 0,
    VERDICT_NONE, /* no system of our own could be made */
    VERDICT_SYSTEM_IS_NOT_TRUSTED,
    VERDICT_SYSTEM_IS_TRUSTED_TOO,
};

/* In a process whose system trusts "stranger" alone. */
static enum verdict judge_with_that_system(const char *server)
{
    int others = geteuid() == 0 ? 0 : CLONE_NEWUSER;
    if (unshare(CLONE_NEWNS | others) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(path_of("system"), "/etc/ssl/certs", NULL, MS_BIND, NULL) < 0)
        return VERDICT_NONE;
    if (ask_anew(server, NULL) != 0)
        return VERDICT_SYSTEM_IS_NOT_TRUSTED;
    return ask_anew(server, "ca.pem") == -EKEYREJECTED ? VERDICT_RIGHT
                                                       : VERDICT_SYSTEM_IS_TRUSTED_TOO;
}

static void with_a_ca_file_the_system_has_no_say(void **state)
{
    struct etcd_server other = { 0 };
    struct server_files files;
    int status = 0;
    (void)state;
    start_server(&other, &files, "imposter");
    wait_listening(&other);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(judge_with_that_system(other.client_url));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    etcd_server_done(&other);
    if (WIFEXITED(status) && WEXITSTATUS(status) == VERDICT_NONE)
        skip();
    assert_int_equal(status, VERDICT_RIGHT);
}

static void a_ca_file_is_read_for_each_connection(void **state)
{
    autoptr(http) http = NULL;
    (void)state;
    assert_int_equal(http_new(fixture.loop, &http, NULL), 0);
    assert_int_equal(link(path_of("stranger.pem"), path_of("changing.pem")), 0);
    assert_int_equal(
        ask_by(fixture.loop, http, fixture.server.client_url, tls_of("changing.pem", "client")),
        -EKEYREJECTED);
    assert_int_equal(unlink(path_of("changing.pem")), 0);
    assert_int_equal(link(path_of("ca.pem"), path_of("changing.pem")), 0);
    assert_int_equal(
        ask_by(fixture.loop, http, fixture.server.client_url, tls_of("changing.pem", "client")), 0);
}

static void the_servers_name_is_checked(void **state)
{
    char url[80];
    (void)state;
    (void)snprintf(url, sizeof(url), "https://localhost%s",
                   strrchr(fixture.server.client_url, ':'));
    struct contract_answer answer = ask_with(url, tls_of("ca.pem", "client"), -EAGAIN);
    expect_words(answer.reason, "target host name 'localhost'");
    expect_words(answer.reason, url);
}

static void a_servers_certificate_that_has_expired_is_refused(void **state)
{
    struct etcd_server old = { 0 };
    struct server_files files;
    (void)state;
    start_server(&old, &files, "expired");
    wait_listening(&old);
    struct contract_answer answer = ask_with(old.client_url, tls_of("ca.pem", "client"), -EAGAIN);
    expect_words(answer.reason, "expired");
    expect_words(answer.reason, old.client_url);
    etcd_server_done(&old);
}

static void a_client_without_certificate_is_told_so(void **state)
{
    (void)state;
    struct contract_answer answer =
        ask_with(fixture.server.client_url, tls_of("ca.pem", NULL), -EAGAIN);
    expect_words(answer.reason, fixture.server.client_url);
    expect_words(answer.reason, "client certificate");
    expect_words(answer.reason, "none");
}

static void a_client_of_another_authority_is_told_so(void **state)
{
    (void)state;
    struct contract_answer answer =
        ask_with(fixture.server.client_url, tls_of("ca.pem", "foreign"), -EAGAIN);
    expect_words(answer.reason, "client certificate");
}

static void files_that_cannot_be_used_are_named(void **state)
{
    struct http_tls tls = tls_of("ca.pem", "client");
    (void)state;
    tls.cert_file = path_of("absent.pem");
    expect_words(ask_with(fixture.server.client_url, tls, -EAGAIN).reason, "/absent.pem");
    tls = tls_of("ca.pem", "client");
    tls.key_file = path_of("server.key");
    expect_words(ask_with(fixture.server.client_url, tls, -EAGAIN).reason, "/server.key");
    tls = tls_of("absent-ca.pem", "client");
    expect_words(ask_with(fixture.server.client_url, tls, -EAGAIN).reason, "/absent-ca.pem");
}

static void expect_refusal(const struct kv_etcd_config *config)
{
    struct kv *kv = NULL;
    struct error err = { 0 };
    assert_int_equal(kv_etcd_new(fixture.loop, config, &kv, &err), -EINVAL);
    assert_null(strstr(err.text, "hunter2"));
}

static void what_cannot_work_is_refused_at_once(void **state)
{
    char secret[] = "https://user:hunter2@127.0.0.1:1";
    char plain[] = "https://127.0.0.1:1";
    char *secrets[] = { secret, NULL };
    char *plains[] = { plain, NULL };
    (void)state;
    struct kv_etcd_config config = { .endpoints = secrets };
    expect_refusal(&config);
    config = (struct kv_etcd_config){ .endpoints = plains };
    config.tls.cert_file = "/x";
    expect_refusal(&config);
    config = (struct kv_etcd_config){ .endpoints = plains, .password = "hunter2" };
    expect_refusal(&config);
    config = (struct kv_etcd_config){ .endpoints = plains, .user = "u" };
    expect_refusal(&config);
    config.password = "hunter2";
    config.password_file = "/x";
    expect_refusal(&config);
}

static int count_sockets(void)
{
    int count = 0;
    DIR *files = opendir("/proc/self/fd");
    assert_non_null(files);
    for (const struct dirent *entry = readdir(files); entry; entry = readdir(files)) {
        char target[64] = "";
        (void)readlinkat(dirfd(files), entry->d_name, target, sizeof(target) - 1);
        count += text_starts_with(target, "socket:");
    }
    (void)closedir(files);
    return count;
}

enum { MANY = 400 };

struct crowd {
    int standing;
    int events;
    int all_stand;
    int all_told;
};

static void on_crowd_events(const struct kv_event *events, size_t count, int64_t revision,
                            void *userdata)
{
    struct crowd *crowd = userdata;
    (void)events;
    (void)revision;
    crowd->events += (int)count;
    crowd->all_told = crowd->events == MANY;
}

static void on_crowd_lost(int code, const char *reason, void *userdata)
{
    (void)userdata;
    fail_msg("lost: %d %s", code, reason);
}

static void on_crowd_state(bool connected, void *userdata)
{
    struct crowd *crowd = userdata;
    crowd->standing += connected ? 1 : -1;
    crowd->all_stand = crowd->standing == MANY;
}

static void hundreds_of_watches_ride_few_connections(void **state)
{
    static const struct kv_watch_callbacks callbacks = { .on_events = on_crowd_events,
                                                         .on_lost = on_crowd_lost,
                                                         .on_state = on_crowd_state };
    struct kv_watch *watches[MANY];
    struct crowd crowd = { 0 };
    struct kv *kv = fixture.contract.kv;
    (void)state;
    int before = count_sockets();
    int64_t revision = contract_range(&fixture.contract, "x", false).revision;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(
            kv_watch(kv, "crowd", false, revision + 1, &callbacks, &crowd, &watches[i], NULL), 0);
    fixture.contract.wait(&fixture.contract, &crowd.all_stand);
    assert_in_range(count_sockets() - before, 0, 8);
    assert_int_equal(contract_op(&fixture.contract, kv_op_put("crowd", "1")).code, 0);
    fixture.contract.wait(&fixture.contract, &crowd.all_told);
    for (int i = 0; i < MANY; i++)
        kv_watch_stop(kv, watches[i]);
}

/* Authentication. root's requests, by hand. */

struct by_hand {
    int done;
    char token[256];
};

static void on_by_hand(struct http_call *call, const struct http_result *result, void *userdata)
{
    struct by_hand *answer = userdata;
    autojson body = NULL;
    (void)call;
    answer->done = 1;
    if (result->code < 0 || result->status != 200)
        fail_msg("%d %ld %s%s", result->code, result->status, result->reason, result->body);
    assert_int_equal(json_read(result->body, result->body_length, &body, NULL), 0);
    const char *token = json_string_value(json_object_get(body, "token"));
    if (token)
        (void)snprintf(answer->token, sizeof(answer->token), "Authorization: %s", token);
}

static struct by_hand root;

static void administer(const char *path, const char *body)
{
    struct by_hand answer = { 0 };
    autoptr(http) http = NULL;
    struct http_call *call = NULL;
    struct http_tls tls = tls_of("ca.pem", "client");
    autofree char *url = text_format("%s/v3/%s", fixture.server.client_url, path);
    char *const headers[] = { *root.token ? root.token : NULL, NULL };
    struct http_request request = { .method = "POST",
                                    .url = url,
                                    .headers = headers,
                                    .body = body,
                                    .body_length = strlen(body),
                                    .tls = &tls };
    assert_int_equal(http_new(fixture.loop, &http, NULL), 0);
    assert_int_equal(http_start(http, &request, NULL, on_by_hand, &answer, &call, NULL), 0);
    fixture.contract.wait(&fixture.contract, &answer.done);
    if (*answer.token)
        root = answer;
}

static void log_in_as_root(void)
{
    root = (struct by_hand){ 0 };
    administer("auth/authenticate", "{\"name\":\"root\",\"password\":\"root\"}");
}

static void add_agent(const char *password)
{
    autofree char *body = text_format("{\"name\":\"agent\",\"password\":\"%s\"}", password);
    administer("auth/user/add", body);
    administer("auth/user/grant", "{\"user\":\"agent\",\"role\":\"agents\"}");
}

static char *write_password(const char *password)
{
    char *path = path_of("password");
    autofree char *text = text_format("%s\n", password);
    assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
    return path;
}

/* A second connection, as user "agent" with the password in the file. */
static struct contract agent;

static void begin_as_agent(const char *client)
{
    char *endpoints[] = { fixture.server.client_url, NULL };
    struct kv_etcd_config config = good_config(endpoints);
    config.tls = tls_of("ca.pem", client);
    config.user = "agent";
    config.password_file = path_of("password");
    agent = fixture.contract;
    agent.kv = connect_with(&config);
}

static uint64_t logins(void)
{
    struct kv_etcd_view view = { 0 };
    kv_etcd_get_view(agent.kv, &view);
    return view.counts[KV_ETCD_COUNT_LOGIN];
}

static void a_user_does_no_harm_before_the_store_wants_one(void **state)
{
    (void)state;
    (void)write_password("first");
    begin_as_agent("client");
    assert_int_equal(contract_op(&agent, kv_op_put("agents/a", "1")).code, 0);
}

/* "agents/" to "agents0" for the role "agents". */
static void authentication_switched_on_is_met_with_a_login(void **state)
{
    (void)state;
    administer("auth/role/add", "{\"name\":\"agents\"}");
    administer("auth/role/grant", "{\"name\":\"agents\",\"perm\":{\"permType\":2,\"key\":"
                                  "\"YWdlbnRzLw==\",\"range_end\":\"YWdlbnRzMA==\"}}");
    add_agent("first");
    administer("auth/user/add", "{\"name\":\"root\",\"password\":\"root\"}");
    administer("auth/user/grant", "{\"user\":\"root\",\"role\":\"root\"}");
    administer("auth/enable", "{}");
    log_in_as_root();
    uint64_t before = logins();
    assert_int_equal(contract_op(&agent, kv_op_put("agents/a", "2")).code, 0);
    assert_int_equal(logins(), before + 1);
}

static void a_client_without_a_user_is_told_so(void **state)
{
    (void)state;
    struct contract_answer answer = contract_op(&fixture.contract, kv_op_put("agents/a", "3"));
    assert_int_equal(answer.code, -EACCES);
    expect_words(answer.reason, "no user is configured");
    expect_words(answer.reason, fixture.server.client_url);
}

static void what_the_role_does_not_allow_is_refused_without_a_login(void **state)
{
    (void)state;
    uint64_t before = logins();
    struct contract_answer answer = contract_op(&agent, kv_op_put("other", "1"));
    assert_int_equal(answer.code, -EACCES);
    expect_words(answer.reason, "permission denied");
    expect_words(answer.reason, "role");
    assert_int_equal(logins(), before);
}

static void count_done(const struct kv_range_result *result, void *userdata)
{
    assert_int_equal(result->code, 0);
    ++*(int *)userdata;
}

static void change_password(const char *password)
{
    autofree char *body = text_format("{\"name\":\"agent\",\"password\":\"%s\"}", password);
    administer("auth/user/changepw", body); /* takes the user's tokens from him */
}

static void many_requests_that_lost_their_token_wait_for_one_login(void **state)
{
    int done = 0;
    (void)state;
    uint64_t before = logins();
    (void)write_password("second");
    change_password("second");
    for (int i = 0; i < 40; i++)
        assert_int_equal(kv_range(agent.kv, "agents/a", false, count_done, &done, NULL), 0);
    while (done < 40)
        assert_int_equal(contract_range(&agent, "agents/a", false).code, 0);
    assert_int_equal(logins(), before + 1);
}

static void a_wrong_password_is_told_and_never_shown(void **state)
{
    struct kv_etcd_view view = { 0 };
    (void)state;
    (void)write_password("hunter2");
    change_password("third");
    struct contract_answer answer = contract_op(&agent, kv_op_put("agents/a", "4"));
    assert_int_equal(answer.code, -EACCES);
    expect_words(answer.reason, "login as etcd user \"agent\"");
    expect_words(answer.reason, fixture.server.client_url);
    expect_words(answer.reason, "invalid user ID or password");
    kv_etcd_get_view(agent.kv, &view);
    assert_null(strstr(answer.reason, "hunter2"));
    assert_null(strstr(view.last_error, "hunter2"));
    assert_int_equal(unlink(path_of("password")), 0);
    answer = contract_op(&agent, kv_op_put("agents/a", "4"));
    assert_int_equal(answer.code, -EACCES);
    expect_words(answer.reason, "/password");
    (void)write_password("third");
    assert_int_equal(contract_op(&agent, kv_op_put("agents/a", "4")).code, 0);
}

static void a_lease_needs_no_token(void **state)
{
    int64_t id = kv_lease_new_id();
    (void)state;
    (void)write_password("wrong");
    change_password("fourth");
    assert_int_equal(contract_op(&agent, kv_op_put("agents/a", "5")).code, -EACCES);
    assert_int_equal(contract_grant(&agent, id, 5).code, 0);
    assert_int_equal(contract_keep_alive(&agent, id).code, 0);
    (void)write_password("fourth");
    assert_int_equal(contract_revoke(&agent, id).code, 0);
}

struct follower {
    struct kv_mirror *mirror;
    int up;
    int down;
    int changes;
    int changed;
};

static void on_change(const struct kv_pair *old, const struct kv_pair *pair, void *userdata)
{
    struct follower *follower = userdata;
    (void)old;
    assert_non_null(pair);
    follower->changes++;
    follower->changed = 1;
}

static void on_revision(int64_t revision, void *userdata)
{
    (void)revision;
    (void)userdata;
}

static void on_state(bool connected, void *userdata)
{
    struct follower *follower = userdata;
    follower->up = connected;
    follower->down = !connected;
}

/* The watch stands on without its token until it must connect anew. */
static void a_revoked_user_is_as_one_cut_off_until_he_is_back(void **state)
{
    static const struct kv_mirror_callbacks callbacks = { .on_change = on_change,
                                                          .on_revision = on_revision,
                                                          .on_lost = on_crowd_lost,
                                                          .on_state = on_state };
    struct follower follower = { 0 };
    (void)state;
    assert_int_equal(kv_mirror_new(fixture.loop, agent.kv, "agents/", &callbacks, &follower,
                                   &follower.mirror, NULL),
                     0);
    agent.wait(&agent, &follower.up);
    administer("auth/user/delete", "{\"name\":\"agent\"}");
    etcd_server_kill(&fixture.server);
    agent.wait(&agent, &follower.down);
    etcd_server_launch(&fixture.server);
    struct contract_answer answer = { .code = -EAGAIN };
    while (answer.code == -EAGAIN)
        answer = contract_range(&agent, "agents/a", false);
    assert_int_equal(answer.code, -EACCES);
    expect_words(answer.reason, "user \"agent\"");
    follower.changed = 0;
    log_in_as_root();
    add_agent("fifth");
    (void)write_password("fifth");
    while (answer.code < 0)
        answer = contract_op(&agent, kv_op_put("agents/a", "6"));
    agent.wait(&agent, &follower.changed);
    assert_string_equal(kv_mirror_get(follower.mirror, "agents/a")->value, "6");
    kv_mirror_free(follower.mirror);
}

static void a_client_certificates_name_is_a_user_unless_there_is_a_token(void **state)
{
    char *endpoints[] = { fixture.server.client_url, NULL };
    struct kv_etcd_config config = good_config(endpoints);
    struct contract named = fixture.contract;
    (void)state;
    kv_free(agent.kv);
    config.tls = tls_of("ca.pem", "named");
    named.kv = connect_with(&config);
    assert_int_equal(contract_range(&named, "agents/a", false).code, 0);
    struct contract_answer answer = contract_range(&named, "other", false);
    assert_int_equal(answer.code, -EACCES);
    expect_words(answer.reason, "permission denied");
    expect_words(answer.reason, "(CN)");
    kv_free(named.kv);
    begin_as_agent("named");
    assert_int_equal(contract_range(&agent, "agents/a", false).code, 0);
    assert_int_equal(logins(), 1);
    kv_free(agent.kv);
}

int main(void)
{
    /* In this order: authentication stays on, once it is. */
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_of_another_authority_is_not_trusted),
        cmocka_unit_test(without_a_ca_file_the_system_judges),
        cmocka_unit_test(with_a_ca_file_the_system_has_no_say),
        cmocka_unit_test(a_ca_file_is_read_for_each_connection),
        cmocka_unit_test(the_servers_name_is_checked),
        cmocka_unit_test(a_servers_certificate_that_has_expired_is_refused),
        cmocka_unit_test(a_client_without_certificate_is_told_so),
        cmocka_unit_test(a_client_of_another_authority_is_told_so),
        cmocka_unit_test(files_that_cannot_be_used_are_named),
        cmocka_unit_test(what_cannot_work_is_refused_at_once),
        cmocka_unit_test(hundreds_of_watches_ride_few_connections),
        cmocka_unit_test(a_user_does_no_harm_before_the_store_wants_one),
        cmocka_unit_test(authentication_switched_on_is_met_with_a_login),
        cmocka_unit_test(a_client_without_a_user_is_told_so),
        cmocka_unit_test(what_the_role_does_not_allow_is_refused_without_a_login),
        cmocka_unit_test(many_requests_that_lost_their_token_wait_for_one_login),
        cmocka_unit_test(a_wrong_password_is_told_and_never_shown),
        cmocka_unit_test(a_lease_needs_no_token),
        cmocka_unit_test(a_revoked_user_is_as_one_cut_off_until_he_is_back),
        cmocka_unit_test(a_client_certificates_name_is_a_user_unless_there_is_a_token),
    };
    return cmocka_run_group_tests_name("kv-etcd-access", tests, setup, teardown);
}
