/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What requests cost, for tests/bench/api.sh: the API as musterd has it, over HTTP on a socket,
 * with kv_memory for a store, in one loop with its client.
 *
 *   api-bench MACHINES UNITS SOCKET
 *
 * prints NAME FIRST_MS MS STALL_MS for each kind of request: the first one, the median of those
 * that follow, and of these the longest turn of the loop, in which musterd would do nothing else.
 * Before each one a unit's state changes. A third of the units are instances of templates of 100;
 * the others have texts of their own. All run.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "base/digest.h"
#include "base/loop_http.h"
#include "base/text.h"
#include "kvclient/kv_memory.h"
#include "scheduler/records.h"

enum { ROUNDS = 9, INSTANCES = 100, RACKS = 20, BATCH = 100 };

struct bench {
    struct loop *loop;
    struct kv_memory *store;
    struct kv *kv;
    struct api *api;
    struct http *http;
    const char *socket;
    size_t machines, units;
    int64_t registration; /* of all machines */
    bool answered;
    long status;
};

static void fail(const char *what, const char *why) __attribute__((noreturn));
static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "api-bench: %s: %s\n", what, why);
    exit(1);
}

static double now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* --- the store --- */

static void on_put(const struct kv_txn_result *result, void *userdata)
{
    (void)userdata;
    if (result->code < 0 || !result->succeeded)
        fail("the store", "it takes no write");
}

/* Takes key and value. */
static void put(struct bench *bench, char *key, char *value)
{
    struct error err;
    if (!key || !value)
        fail("a record", "it cannot be made");
    const struct kv_op op = kv_op_put(key, value);
    const struct kv_txn txn = { .success = &op, .success_count = 1 };
    if (kv_txn(bench->kv, &txn, on_put, bench, &err) < 0)
        fail("the store", err.text);
    free(key);
    free(value);
    (void)kv_memory_deliver(bench->store);
}

static char *key_of(enum store_key_kind kind, const char *machine, const char *name)
{
    return store_key(STORE_PREFIX_DEFAULT, kind, machine, name, 0);
}

static void machine_id(size_t i, char ret[33])
{
    unsigned long long number = i;
    (void)snprintf(ret, 33, "%016llx%016llx", (number + 1) * 0x9e3779b97f4a7c15ULL, number);
}

static void put_machine(struct bench *bench, size_t i)
{
    char id[33];
    char name[32];
    char rack[16];
    char *value = NULL;
    struct metadata_rule metadata[] = {
        {(char *)"rack", rack}
    };
    const struct record_member member = { .name = name,
                                          .public_ip = (char *)"10.0.0.1",
                                          .metadata = metadata,
                                          .metadata_count = 1,
                                          .ttl_ms = 30000,
                                          .version = (char *)"1",
                                          .roles = (char *)"",
                                          .role_priority = (char *)"",
                                          .memory_bytes = INT64_C(64) << 30,
                                          .overcommit_cpu = 100,
                                          .overcommit_memory = 100 };
    const struct record_presence presence = { .boot_id = (char *)"b",
                                              .nonce = (char *)"n",
                                              .address = (char *)"10.0.0.1",
                                              .ready = true,
                                              .not_ready_reason = (char *)"" };
    machine_id(i, id);
    (void)snprintf(name, sizeof(name), "node%zu", i);
    (void)snprintf(rack, sizeof(rack), "r%02zu", i % RACKS);
    (void)record_member_encode(&member, &value, NULL);
    put(bench, key_of(STORE_KEY_MEMBER, id, NULL), value);
    value = NULL;
    (void)record_presence_encode(&presence, &value, NULL);
    put(bench, key_of(STORE_KEY_PRESENCE, id, NULL), value);
}

static char *unit_name(size_t i)
{
    size_t group = i / INSTANCES;
    return group % 3 ? text_format("app%zu.service", i)
                     : text_format("web%zu@%zu.service", group, i % INSTANCES);
}

static char *unit_text(size_t i)
{
    size_t group = i / INSTANCES;
    bool is_own = group % 3;
    return text_format("[Unit]\nDescription=Serves customer %s %zu\nAfter=network-online.target\n\n"
                       "[Container]\nImage=registry.example/shop/app:%zu\nMemory=64M\n"
                       "Volume=/srv/app:/srv\nEnvironment=MODE=production WORKERS=4\n\n"
                       "[Service]\nRestart=always\nRestartSec=2s\nTimeoutStopSec=30s\n\n"
                       "[X-Fleet]\n%sSpread=rack\n",
                       is_own ? "number" : "%i of group", is_own ? i : group, group,
                       is_own ? "" : "Conflicts=%p@*.service\n");
}

static void put_state(struct bench *bench, size_t i, int64_t assignment, const char *sub)
{
    char id[33];
    char *value = NULL;
    autofree char *name = unit_name(i);
    const struct record_state state = {
        .registration = bench->registration,
        .assignment_revision = assignment,
        .load = (char *)"loaded",
        .active = (char *)"active",
        .sub = (char *)sub,
        .result = (char *)"success",
        .problem = (char *)"",
        .health = (char *)"",
        .health_reason = (char *)"",
        .invocation = (char *)"0123456789abcdef0123456789abcdef",
        .addresses = (char *)"10.88.0.7",
        .image = (char *)"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .ports = (char *)"",
    };
    machine_id(i % bench->machines, id);
    (void)record_state_encode(&state, &value, NULL);
    put(bench, key_of(STORE_KEY_STATE, id, name), value);
}

static void put_unit(struct bench *bench, size_t i)
{
    char id[33];
    char digest[DIGEST_HEX_SIZE];
    char *value = NULL;
    autofree char *name = unit_name(i);
    char *text = unit_text(i);
    digest_sha256_hex(text, strlen(text), digest);
    put(bench, key_of(STORE_KEY_BLOB, NULL, digest), text);
    const struct record_unit unit = { .blob = digest, .desired = DESIRED_LAUNCHED };
    (void)record_unit_encode(&unit, &value, NULL);
    put(bench, key_of(STORE_KEY_UNIT, NULL, name), value);
    const struct record_assignment assignment = {
        .blob = digest,
        .want = WANT_RUN,
        .unit_revision = kv_memory_revision(bench->store),
        .failover = FAILOVER_AT_LEAST_ONCE,
        .epoch = 1,
        .reason = (char *)"chosen for its load: 30 units, in rack r01 with 3 of its group",
        .cause = (char *)"",
        .moves_from = (char *)"",
    };
    machine_id(i % bench->machines, id);
    value = NULL;
    (void)record_assignment_encode(&assignment, &value, NULL);
    put(bench, key_of(STORE_KEY_ASSIGNMENT, id, name), value);
    put_state(bench, i, kv_memory_revision(bench->store), "running");
}

static void fill(struct bench *bench)
{
    for (size_t i = 0; i < bench->machines; i++)
        put_machine(bench, i);
    bench->registration = kv_memory_revision(bench->store);
    for (size_t i = 0; i < bench->units; i++)
        put_unit(bench, i);
    kv_memory_compact(bench->store);
}

/* --- requests --- */

static void on_answer(struct http_call *call, const struct http_result *result, void *userdata)
{
    struct bench *bench = userdata;
    (void)call;
    if (result->code < 0)
        fail("a request", result->reason);
    bench->status = result->status;
    bench->answered = true;
}

static double ask(struct bench *bench, const char *method, const char *path, const char *body)
{
    autofree char *url = text_format("http://localhost%s", path);
    struct http_call *call = NULL;
    struct error err;
    const struct http_request request = { .method = method,
                                          .url = url,
                                          .unix_socket = bench->socket,
                                          .body = body,
                                          .body_length = body ? strlen(body) : 0 };
    double began_ms = now_ms();
    bench->answered = false;
    if (http_start(bench->http, &request, NULL, on_answer, bench, &call, &err) < 0)
        fail("a request", err.text);
    while (!bench->answered) {
        loop_run_once(bench->loop, false);
        (void)kv_memory_deliver(bench->store);
    }
    if (bench->status != 200)
        fail(path, "it was refused");
    return now_ms() - began_ms;
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(struct bench *bench, const char *name, const char *method, const char *path,
                    const char *body)
{
    const char *watcher = NULL;
    double times[ROUNDS];
    double first_ms = ask(bench, method, path, body);
    (void)loop_take_stall_ms(bench->loop, &watcher);
    for (size_t i = 0; i < ROUNDS; i++) {
        put_state(bench, i, 0, i % 2 ? "running" : "start");
        times[i] = ask(bench, method, path, body);
    }
    int64_t stall_ms = loop_take_stall_ms(bench->loop, &watcher);
    qsort(times, ROUNDS, sizeof(times[0]), compare_numbers);
    (void)printf("%s %.2f %.2f %lld\n", name, first_ms, times[ROUNDS / 2], (long long)stall_ms);
    (void)fflush(stdout);
}

static void measure_all(struct bench *bench)
{
    (void)ask(bench, "GET", "/v1/status", NULL);
    (void)ask(bench, "GET", "/v1/status", NULL); /* from the second on there is a mirror */
    measure(bench, "status", "GET", "/v1/status", NULL);
    measure(bench, "units", "GET", "/v1/units", NULL);
    measure(bench, "unit", "GET", "/v1/units/app150.service", NULL);
    measure(bench, "machines", "GET", "/v1/machines", NULL);
    measure(bench, "why", "GET", "/v1/units/app150.service/why", NULL);
    measure(bench, "plan", "POST", "/v1/plan",
            "{\"units\":[{\"name\":\"new.service\",\"text\":\"[Service]\\nExecStart=/bin/true\\n\"}"
            "]}");
}

/* --- life --- */

static void listen_at(struct bench *bench, const char *socket)
{
    struct error err;
    const struct api_config config = { .kv = bench->kv,
                                       .prefix = STORE_PREFIX_DEFAULT,
                                       .machine_id = "00000000000000000000000000000001",
                                       .socket_path = socket,
                                       .version = PACKAGE_VERSION };
    bench->socket = socket;
    if (api_new(bench->loop, &config, &bench->api, &err) < 0)
        fail("listening", err.text);
}

static size_t number_of(const char *s)
{
    uint64_t number = 0;
    struct error err;
    if (text_parse_u64(s, 1000000, &number, &err) < 0)
        fail("argument", err.text);
    return (size_t)number;
}

int main(int argc, char **argv)
{
    struct bench bench = { 0 };
    struct error err;
    if (argc != 4)
        fail("usage", "api-bench MACHINES UNITS SOCKET");
    bench.machines = number_of(argv[1]);
    bench.units = number_of(argv[2]);
    if (loop_new(&bench.loop, &err) < 0 || kv_memory_new(&bench.store, &err) < 0 ||
        kv_memory_connect(bench.store, &bench.kv, &err) < 0 ||
        http_new(bench.loop, &bench.http, &err) < 0)
        fail("starting", err.text);
    listen_at(&bench, argv[3]);
    fill(&bench);
    measure_all(&bench);
    http_free(bench.http);
    api_free(bench.api);
    kv_free(bench.kv);
    kv_memory_free(bench.store);
    loop_free(bench.loop);
    return 0;
}
