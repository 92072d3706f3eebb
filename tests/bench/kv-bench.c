/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvclient's figures, for tests/bench/kv.sh.
 *
 *   kv-bench body put|txn                      a request of those that "rate" sends
 *   kv-bench rate put|txn URL SECONDS COUNT    COUNT in flight: RATE P50_MS P99_MS CPU_MS
 *   kv-bench latency URL SECONDS               P50_MS P99_MS of a watch, then of curl's
 *   kv-bench hold URL SECONDS WATCHES KEYS     KB_PER_WATCH CPU_PERCENT
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/grpc.h"
#include "base/loop.h"
#include "base/text.h"
#include "kvclient/kv_etcd.h"
#include "kvclient/kv_wire.h"

enum {
    BODIES = 64, /* different ones, sent in turn */
    VALUE_BYTES = 200,
    LATENCY_EVERY_MS = 5,
    LEASE_TTL_S = 10,
    SETTLE_MS = 1000,
};

static void fail(const char *what, const char *why) __attribute__((noreturn));
static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "kv-bench: %s: %s\n", what, why);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t number_of(const char *s)
{
    uint64_t number = 0;
    struct error err = { 0 };
    if (text_parse_u64(s, 1000000, &number, &err) < 0)
        fail("argument", err.text);
    return (int64_t)number;
}

/* Durations in nanoseconds. */
struct samples {
    int64_t *values;
    size_t count;
    size_t room;
};

static void sample_add(struct samples *samples, int64_t value)
{
    if (samples->count == samples->room) {
        samples->room = samples->room ? samples->room * 2 : 4096;
        samples->values = realloc(samples->values, samples->room * sizeof(*samples->values));
        if (!samples->values)
            fail("samples", "out of memory");
    }
    samples->values[samples->count++] = value;
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(const struct samples *samples, size_t percent)
{
    size_t at = samples->count * percent / 100;
    return (double)samples->values[at] / 1e6;
}

static void print_percentiles(struct samples *samples)
{
    if (samples->count == 0)
        fail("samples", "there is none");
    qsort(samples->values, samples->count, sizeof(*samples->values), compare_numbers);
    (void)printf("%.2f %.2f", percentile_ms(samples, 50), percentile_ms(samples, 99));
}

struct bench {
    struct loop *loop;
    struct kv *kv;
    struct loop_timer *timer;
    bool over;
};

static void on_over(struct loop_timer *timer, void *userdata)
{
    struct bench *bench = userdata;
    (void)timer;
    bench->over = true;
    loop_stop(bench->loop);
}

static void bench_open(struct bench *bench, char *url)
{
    char *endpoints[] = { url, NULL };
    struct kv_etcd_config config = { .endpoints = endpoints, .request_timeout_ms = 5000 };
    struct error err = { 0 };
    if (loop_new(&bench->loop, &err) < 0 ||
        kv_etcd_new(bench->loop, &config, &bench->kv, &err) < 0 ||
        loop_timer_new(bench->loop, "over", on_over, bench, &bench->timer, &err) < 0)
        fail("start", err.text);
}

static void bench_close(struct bench *bench)
{
    kv_free(bench->kv);
    loop_timer_free(bench->timer);
    loop_free(bench->loop);
}

static void run_for(struct bench *bench, int64_t ms)
{
    bench->over = false;
    loop_timer_set(bench->timer, ms);
    while (!bench->over)
        loop_run_once(bench->loop, true);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* --- rate --- */

/* A batch of puts, with memory for their keys. */
struct batch {
    struct kv_op ops[KV_TXN_OPS_MAX];
    char keys[KV_TXN_OPS_MAX][48];
    size_t count;
};

static char value_text[VALUE_BYTES + 1];

static void fill_batch(struct batch *batch, const char *kind, int number)
{
    memset(value_text, 'v', VALUE_BYTES);
    batch->count = text_equal(kind, "put") ? 1 : KV_TXN_OPS_MAX;
    for (size_t i = 0; i < batch->count; i++) {
        (void)snprintf(batch->keys[i], sizeof(batch->keys[i]), "/bench/%03d/%03zu", number, i);
        batch->ops[i] = kv_op_put(batch->keys[i], value_text);
    }
}

static struct kv_txn txn_of(const struct batch *batch)
{
    return (struct kv_txn){ .success = batch->ops, .success_count = batch->count };
}

static void write_frame(struct kv_wire_bytes *message, FILE *to)
{
    autofree uint8_t *frame = grpc_frame(message->data, message->length);
    if (!frame || fwrite(frame, GRPC_PREFIX_BYTES + message->length, 1, to) != 1)
        fail("body", "cannot be written");
    kv_wire_bytes_done(message);
}

static void print_body(const char *kind)
{
    static struct batch batch;
    struct kv_wire_bytes message = { 0 };
    struct error err = { 0 };
    fill_batch(&batch, kind, 0);
    struct kv_txn txn = txn_of(&batch);
    if (kv_wire_write_txn(&txn, &message, &err) < 0)
        fail("body", err.text);
    write_frame(&message, stdout);
}

struct sender {
    struct rate *rate;
    int64_t sent_ns;
};

struct rate {
    struct bench bench;
    struct batch batches[BODIES];
    unsigned int next;
    struct samples samples;
};

static void send_next(struct sender *sender);

static void on_sent(const struct kv_txn_result *result, void *userdata)
{
    struct sender *sender = userdata;
    if (result->code < 0)
        fail("put", result->reason);
    sample_add(&sender->rate->samples, now_ns() - sender->sent_ns);
    if (!sender->rate->bench.over)
        send_next(sender);
}

static void send_next(struct sender *sender)
{
    struct rate *rate = sender->rate;
    struct kv_txn txn = txn_of(&rate->batches[rate->next++ % BODIES]);
    struct error err = { 0 };
    sender->sent_ns = now_ns();
    if (kv_txn(rate->bench.kv, &txn, on_sent, sender, &err) < 0)
        fail("put", err.text);
}

static void measure_rate(const char *kind, char *url, int64_t seconds, int64_t count)
{
    static struct rate rate;
    struct sender *senders = calloc((size_t)count, sizeof(*senders));
    if (!senders)
        fail("senders", "out of memory");
    bench_open(&rate.bench, url);
    for (int i = 0; i < BODIES; i++)
        fill_batch(&rate.batches[i], kind, i);
    for (int64_t i = 0; i < count; i++) {
        senders[i].rate = &rate;
        send_next(&senders[i]);
    }
    int64_t began_ns = now_ns();
    double began_cpu_s = cpu_seconds();
    run_for(&rate.bench, seconds * 1000);
    (void)printf("%.1f ", (double)rate.samples.count * 1e9 / (double)(now_ns() - began_ns));
    print_percentiles(&rate.samples);
    (void)printf(" %.3f\n", (cpu_seconds() - began_cpu_s) * 1e3 / (double)rate.samples.count);
    bench_close(&rate.bench);
    free(rate.samples.values);
    free(senders);
}

/* --- latency --- */

struct latency {
    struct bench bench;
    struct loop_timer *timer;
    struct samples sent; /* when, by number: the value that was put */
    struct samples ours;
    struct samples curls;
    struct grpc_stream stream; /* from curl */
    int curl_fd;
    bool curl_stands;
    bool we_stand;
    int64_t revision; /* both watch from the next one */
};

static void note_events(const struct latency *latency, struct samples *samples,
                        const struct kv_event *events, size_t count)
{
    int64_t seen_ns = now_ns();
    for (size_t i = 0; i < count; i++)
        sample_add(samples, seen_ns - latency->sent.values[number_of(events[i].pair.value)]);
}

static void on_watch_events(const struct kv_event *events, size_t count, int64_t revision,
                            void *userdata)
{
    struct latency *latency = userdata;
    (void)revision;
    note_events(latency, &latency->ours, events, count);
}

static void on_watch_lost(int code, const char *reason, void *userdata)
{
    (void)code;
    (void)userdata;
    fail("watch", reason);
}

static void on_watch_state(bool connected, void *userdata)
{
    ((struct latency *)userdata)->we_stand = connected;
}

static void on_curl_message(struct latency *latency, const uint8_t *data, size_t length)
{
    struct kv_wire_watch message = { 0 };
    struct error err = { 0 };
    if (kv_wire_read_watch(data, length, &message, &err) < 0)
        fail("curl", err.text);
    latency->curl_stands |= message.created;
    note_events(latency, &latency->curls, message.events, message.event_count);
    kv_wire_watch_done(&message);
}

static void on_curl(struct loop_io *io, int events, void *userdata)
{
    struct latency *latency = userdata;
    char bytes[65536];
    ssize_t n = read(latency->curl_fd, bytes, sizeof(bytes));
    const uint8_t *data = NULL;
    size_t length = 0;
    (void)io;
    (void)events;
    if (n <= 0 || grpc_stream_add(&latency->stream, bytes, (size_t)n, NULL) < 0)
        fail("curl", "its stream ended");
    while (grpc_stream_next(&latency->stream, &data, &length, NULL) == 1)
        on_curl_message(latency, data, length);
}

static void on_put(const struct kv_txn_result *result, void *userdata)
{
    (void)userdata;
    if (result->code < 0)
        fail("put", result->reason);
}

static void on_put_due(struct loop_timer *timer, void *userdata)
{
    struct latency *latency = userdata;
    char value[24];
    struct error err = { 0 };
    loop_timer_set(timer, LATENCY_EVERY_MS);
    if (!latency->we_stand || !latency->curl_stands)
        return;
    (void)snprintf(value, sizeof(value), "%zu", latency->sent.count);
    struct kv_op put = kv_op_put("/latency/key", value);
    struct kv_txn txn = { .success = &put, .success_count = 1 };
    sample_add(&latency->sent, now_ns());
    if (kv_txn(latency->bench.kv, &txn, on_put, latency, &err) < 0)
        fail("put", err.text);
}

static void on_newest(const struct kv_range_result *result, void *userdata)
{
    struct latency *latency = userdata;
    if (result->code < 0)
        fail("range", result->reason);
    latency->revision = result->revision;
}

/* A watch that began earlier would have to be led through all that was written since. */
static void learn_revision(struct latency *latency)
{
    struct error err = { 0 };
    if (kv_range(latency->bench.kv, "/latency/key", false, on_newest, latency, &err) < 0)
        fail("range", err.text);
    while (!latency->revision)
        loop_run_once(latency->bench.loop, true);
}

/* What curl is to read as its request. */
static int watch_request(int64_t from_revision)
{
    struct kv_wire_bytes message = { 0 };
    FILE *file = tmpfile();
    if (!file || kv_wire_write_watch("/latency/", true, from_revision, &message, NULL) < 0)
        fail("curl", "its request cannot be prepared");
    write_frame(&message, file);
    rewind(file);
    int fd = dup(fileno(file));
    (void)fclose(file);
    return fd;
}

static pid_t spawn_curl(const char *url, int64_t from_revision, int *ret_fd)
{
    autofree char *path = text_format("%s/etcdserverpb.Watch/Watch", url);
    autoclose int request = watch_request(from_revision);
    int fds[2] = { -1, -1 };
    if (!path || request < 0 || pipe2(fds, O_CLOEXEC) < 0)
        fail("curl", "cannot be prepared");
    pid_t child = fork();
    if (child < 0)
        fail("fork", strerror(errno));
    if (child == 0) {
        (void)dup2(request, STDIN_FILENO);
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)execlp("curl", "curl", "--silent", "--no-buffer", "--http2-prior-knowledge",
                     "--header", "content-type: application/grpc", "--header", "te: trailers",
                     "--data-binary", "@-", path, NULL);
        _exit(127);
    }
    (void)close(fds[1]);
    *ret_fd = fds[0];
    return child;
}

static void measure_latency(char *url, int64_t seconds)
{
    static const struct kv_watch_callbacks callbacks = { .on_events = on_watch_events,
                                                         .on_lost = on_watch_lost,
                                                         .on_state = on_watch_state };
    struct latency latency = { 0 };
    struct loop_io *io = NULL;
    struct kv_watch *watch = NULL;
    struct error err = { 0 };
    bench_open(&latency.bench, url);
    learn_revision(&latency);
    pid_t curl = spawn_curl(url, latency.revision + 1, &latency.curl_fd);
    if (loop_io_new(latency.bench.loop, "curl", latency.curl_fd, LOOP_READ, on_curl, &latency, &io,
                    &err) < 0 ||
        loop_timer_new(latency.bench.loop, "put", on_put_due, &latency, &latency.timer, &err) < 0 ||
        kv_watch(latency.bench.kv, "/latency/", true, latency.revision + 1, &callbacks, &latency,
                 &watch, &err) < 0)
        fail("watch", err.text);
    loop_timer_set(latency.timer, 0);
    run_for(&latency.bench, seconds * 1000);
    (void)kill(curl, SIGTERM);
    (void)waitpid(curl, NULL, 0);
    print_percentiles(&latency.ours);
    (void)putchar(' ');
    print_percentiles(&latency.curls);
    (void)putchar('\n');
    loop_io_free(io);
    (void)close(latency.curl_fd);
    loop_timer_free(latency.timer);
    grpc_stream_done(&latency.stream);
    bench_close(&latency.bench);
    free(latency.sent.values);
    free(latency.ours.values);
    free(latency.curls.values);
}

/* --- hold --- */

struct hold {
    struct bench bench;
    struct loop_timer *timer; /* of the lease */
    int64_t lease;
    size_t standing;
    size_t answers;
    int64_t revision; /* after the last put */
};

static long rss_kb(void)
{
    long pages = 0;
    char line[128];
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm || !fgets(line, sizeof(line), statm))
        fail("/proc/self/statm", "cannot be read");
    (void)fclose(statm);
    pages = strtol(strchr(line, ' '), NULL, 10);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void on_held_events(const struct kv_event *events, size_t count, int64_t revision,
                           void *userdata)
{
    (void)events;
    (void)count;
    (void)revision;
    (void)userdata;
}

static void on_held_state(bool connected, void *userdata)
{
    struct hold *hold = userdata;
    if (connected)
        hold->standing++;
    else
        hold->standing--;
}

static void on_held_put(const struct kv_txn_result *result, void *userdata)
{
    struct hold *hold = userdata;
    if (result->code < 0)
        fail("put", result->reason);
    hold->revision = result->revision;
    hold->answers++;
}

static void on_lease(const struct kv_lease_result *result, void *userdata)
{
    struct hold *hold = userdata;
    if (result->code < 0)
        fail("lease", result->reason);
    hold->answers++;
    loop_timer_set(hold->timer, result->ttl_s * 1000 / 3);
}

static void on_keep_alive_due(struct loop_timer *timer, void *userdata)
{
    struct hold *hold = userdata;
    struct error err = { 0 };
    (void)timer;
    if (kv_lease_keep_alive(hold->bench.kv, hold->lease, on_lease, hold, &err) < 0)
        fail("lease", err.text);
}

static void wait_count(struct hold *hold, const size_t *count, size_t wanted)
{
    while (*count < wanted)
        loop_run_once(hold->bench.loop, true);
}

static void take_lease(struct hold *hold)
{
    struct error err = { 0 };
    hold->lease = kv_lease_new_id();
    if (loop_timer_new(hold->bench.loop, "lease", on_keep_alive_due, hold, &hold->timer, &err) <
            0 ||
        kv_lease_grant(hold->bench.kv, hold->lease, LEASE_TTL_S, on_lease, hold, &err) < 0)
        fail("lease", err.text);
    wait_count(hold, &hold->answers, 1);
}

static void put_leased(struct hold *hold, size_t keys)
{
    for (size_t done = 0; done < keys;) {
        struct batch batch = { 0 };
        struct error err = { 0 };
        for (; batch.count < KV_TXN_OPS_MAX && done < keys; batch.count++, done++) {
            (void)snprintf(batch.keys[batch.count], sizeof(batch.keys[0]), "/hold/key/%zu", done);
            batch.ops[batch.count] = kv_op_put_leased(batch.keys[batch.count], "held", hold->lease);
        }
        struct kv_txn txn = txn_of(&batch);
        hold->answers = 0;
        if (kv_txn(hold->bench.kv, &txn, on_held_put, hold, &err) < 0)
            fail("put", err.text);
        wait_count(hold, &hold->answers, 1);
    }
}

static void watch_keys(struct hold *hold, size_t watches)
{
    static const struct kv_watch_callbacks callbacks = { .on_events = on_held_events,
                                                         .on_lost = on_watch_lost,
                                                         .on_state = on_held_state };
    for (size_t i = 0; i < watches; i++) {
        char key[32];
        struct kv_watch *watch = NULL;
        struct error err = { 0 };
        (void)snprintf(key, sizeof(key), "/hold/key/%zu", i);
        if (kv_watch(hold->bench.kv, key, false, hold->revision + 1, &callbacks, hold, &watch,
                     &err) < 0)
            fail("watch", err.text);
    }
    wait_count(hold, &hold->standing, watches);
}

static void measure_hold(char *url, int64_t seconds, size_t watches, size_t keys)
{
    struct hold hold = { 0 };
    struct rlimit files = { 0 };
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    bench_open(&hold.bench, url);
    take_lease(&hold);
    put_leased(&hold, keys);
    long before_kb = rss_kb();
    watch_keys(&hold, watches);
    run_for(&hold.bench, SETTLE_MS);
    double per_watch_kb = (double)(rss_kb() - before_kb) / (double)watches;
    double before_s = cpu_seconds();
    run_for(&hold.bench, seconds * 1000);
    (void)printf("%.1f %.2f\n", per_watch_kb, (cpu_seconds() - before_s) * 100 / (double)seconds);
    loop_timer_free(hold.timer);
    bench_close(&hold.bench);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (text_equal(what, "body") && argc == 3)
        print_body(argv[2]);
    else if (text_equal(what, "rate") && argc == 6)
        measure_rate(argv[2], argv[3], number_of(argv[4]), number_of(argv[5]));
    else if (text_equal(what, "latency") && argc == 4)
        measure_latency(argv[2], number_of(argv[3]));
    else if (text_equal(what, "hold") && argc == 6)
        measure_hold(argv[2], number_of(argv[3]), (size_t)number_of(argv[4]),
                     (size_t)number_of(argv[5]));
    else
        fail("usage", "body KIND | rate KIND URL SECONDS COUNT | latency URL SECONDS | "
                      "hold URL SECONDS WATCHES KEYS");
    return 0;
}
