/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/cluster.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/systemd_fake.h"
#include "base/chance.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop_fake.h"
#include "tests/unit/tree.h"

enum { BEGIN_MS = 1000000, TURNS_MAX = 3000 };

const struct sim_sort sim_sorts[SIM_UNITS] = {
    {.name = "plain.service"},
    {                                 .name = "c1.service",                                                .x_fleet = "Conflicts=c*.service\n", .group = 'c' },
    {                                          .name = "c2.service",                                                .x_fleet = "Conflicts=c*.service\n", .group = 'c' },
    {                                          .name = "rack.service",                                              .x_fleet = "MachineMetadata=rack=r1\n", .rack = "r1" },
    {                                          .name = "peer.service",                                              .x_fleet = "MachineOf=c1.service\n", .peer = "c1.service" },
    {                                  .name = "t@1.service"                                              },
    {                       .name = "t@2.service"},
    {                                              .name = "high.service",
     .x_fleet = "MachineMetadata=rack=r1\nMemoryRequest=70M\nPriority=9\n",
     .rack = "r1",
     .memory = 70,
     .priority = 9 },
    { .name = "low.service",
     .x_fleet = "MachineMetadata=rack=r1\nMemoryRequest=60M\n",
     .rack = "r1",
     .memory = 60 },
    {                               .name = "never.service",                  .x_fleet = "Failover=never\n", .never = true },
    {                              .name = "global.service",                     .x_fleet = "Global=true\n", .global = true },
    {                              .name = "active.service",  .x_fleet = "MachineMetadata=role.db=active\n", .role = "active" },
    {                               .name = "first.service",           .x_fleet = "MoveOrder=start-first\n", .first = true },
    {                               .name = "spare.service", .x_fleet = "MachineMetadata=role.db=standby\n", .role = "standby" },
};

/* The one that runs: systemd is asked for from inside of agent_new(). */
static struct sim *current;

/* --- chance and story --- */

uint64_t sim_dice(struct sim *sim, uint64_t sides)
{
    return chance_below(&sim->random, sides);
}

static void add_line(struct sim *sim, const char *line)
{
    for (const char *p = line; *p; p++)
        sim->digest = (sim->digest ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    sim->digest += (uint64_t)sim->now_ms;
    if (sim->tells)
        text_addf(&sim->story, "%" PRId64 ".%03" PRId64 " %s: %s\n",
                  (sim->now_ms - BEGIN_MS) / 1000, (sim->now_ms - BEGIN_MS) % 1000,
                  sim->acting ? sim->acting->machine.name : "world", line);
}

void sim_tell(struct sim *sim, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    add_line(sim, line);
}

void sim_break(struct sim *sim, const char *format, ...)
{
    va_list args;
    if (*sim->broken)
        return;
    va_start(args, format);
    (void)vsnprintf(sim->broken, sizeof(sim->broken), format, args);
    va_end(args);
    sim->acting = NULL;
    sim_tell(sim, "BROKEN: %s", sim->broken);
}

static void on_log_line(const char *line, void *userdata)
{
    add_line(userdata, line);
}

/* --- the store --- */

static void on_change_done(const struct kv_txn_result *result, void *userdata)
{
    struct sim *sim = userdata;
    if (result->code < 0)
        sim_break(sim, "people cannot write: %s", result->reason);
}

static void change(struct sim *sim, const struct kv_op *ops, size_t count)
{
    const struct kv_txn txn = { .success = ops, .success_count = count };
    if (kv_txn(sim->people, &txn, on_change_done, sim, NULL) < 0)
        sim_break(sim, "people cannot write");
    (void)kv_memory_deliver_to(sim->people, true, false);
}

void sim_put(struct sim *sim, const char *key, const char *value)
{
    const struct kv_op op = kv_op_put(key, value);
    change(sim, &op, 1);
}

void sim_delete(struct sim *sim, const char *key)
{
    const struct kv_op op = kv_op_delete(key);
    change(sim, &op, 1);
}

void sim_change_unit(struct sim *sim, const struct kv_op *op)
{
    const struct kv_op ops[] = { *op,
                                 kv_op_put(SIM_PREFIX "units-written", STORE_UNITS_MARK_VALUE) };
    change(sim, ops, 2);
}

const struct kv_pair *sim_peek(const struct sim *sim, const char *key)
{
    return kv_pairs_find(&sim->shadow, key);
}

const struct kv_pair *sim_peekf(const struct sim *sim, const char *format, ...)
{
    char key[512] = SIM_PREFIX;
    size_t length = strlen(key);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(key + length, sizeof(key) - length, format, args);
    va_end(args);
    return sim_peek(sim, key);
}

/* --- one machine --- */

static int make_systemd(struct loop *loop, const struct systemd_callbacks *callbacks,
                        void *userdata, struct systemd **ret, struct error *err)
{
    struct sim_machine *m = NULL;
    for (size_t i = 0; i < SIM_MACHINES; i++)
        if (current->machines[i].loop == loop)
            m = &current->machines[i];
    int r = 0;
    if (m->systemd) {
        systemd_fake_reconnect(m->systemd, callbacks, userdata);
    } else {
        r = systemd_fake_new(callbacks, userdata, &m->systemd, err);
        if (r < 0)
            return r;
        systemd_fake_outlive(m->systemd);
        systemd_fake_set_slow(m->systemd);
    }
    *ret = m->systemd;
    return 0;
}

static void end_musterd(struct sim_machine *m)
{
    agent_free(take_ptr(m->agent));
    kv_free(take_ptr(m->kv));
    loop_free(take_ptr(m->loop));
    m->pump_ms = INT64_MAX;
    m->told_ms = INT64_MAX;
}

void sim_musterd_kill(struct sim *sim, struct sim_machine *m)
{
    if (!m->agent)
        return;
    end_musterd(m);
    m->hung_until_ms = 0;
    m->calm_since_ms = sim->now_ms;
}

void sim_musterd_start(struct sim *sim, struct sim_machine *m)
{
    struct error err = { 0 };
    m->down_until_ms = 0;
    m->calm_since_ms = sim->now_ms;
    sim->acting = m;
    int r = loop_new(&m->loop, &err);
    if (r == 0)
        r = kv_memory_connect(sim->store, &m->kv, &err);
    if (r == 0) {
        kv_memory_cut(m->kv, m->cut_until_ms || sim->frozen_until_ms);
        m->world.kv = m->kv;
        r = agent_new(m->loop, m->config, &m->world, &m->agent, &err);
    }
    if (r < 0)
        sim_break(sim, "a musterd does not start: %s", err.text);
    else if (!m->bus_until_ms)
        systemd_fake_connect(m->systemd, true);
    sim->acting = NULL;
}

void sim_power_on(struct sim *sim, struct sim_machine *m)
{
    m->off_until_ms = 0;
    m->boots++;
    (void)snprintf(m->machine.boot_id, sizeof(m->machine.boot_id), "%08zx%024u",
                   (size_t)(m - sim->machines), m->boots);
    sim_tell(sim, "%s boots", m->machine.name);
    sim_musterd_start(sim, m);
}

void sim_power_off(struct sim *sim, struct sim_machine *m)
{
    sim_musterd_kill(sim, m);
    systemd_fake_destroy(take_ptr(m->systemd));
    m->systemd_seen = 0;
    m->down_until_ms = 0;
    m->bus_until_ms = 0;
    tree_forget(m->run);
    tree_forget(m->links);
    for (size_t u = 0; u < SIM_UNITS; u++) {
        struct sim_copy *copy = &m->copies[u];
        copy->stray = copy->runs = copy->has_job = false;
        copy->active = "off";
        copy->job_ms = INT64_MAX;
        copy->starts = copy->stops = copy->starts_seen = copy->stops_seen = 0;
        copy->started_for = 0;
    }
    m->calm_since_ms = sim->now_ms;
}

void sim_cut(struct sim *sim, struct sim_machine *m, bool cut)
{
    if (m->kv)
        kv_memory_cut(m->kv, cut || sim->frozen_until_ms);
    m->calm_since_ms = sim->now_ms;
}

void sim_bus(struct sim *sim, struct sim_machine *m, bool connected)
{
    sim->acting = m;
    if (m->agent)
        systemd_fake_connect(m->systemd, connected);
    sim->acting = NULL;
    m->calm_since_ms = sim->now_ms;
}

static void look_at_systemd(struct sim_machine *m)
{
    if (!m->systemd || m->systemd_seen == systemd_fake_changes(m->systemd))
        return;
    m->systemd_seen = systemd_fake_changes(m->systemd);
    for (size_t u = 0; u < SIM_UNITS; u++) {
        struct sim_copy *copy = &m->copies[u];
        const char *name = sim_sorts[u].name;
        copy->active = systemd_fake_active(m->systemd, name);
        copy->has_job = systemd_fake_has_job(m->systemd, name);
        copy->starts = systemd_fake_starts(m->systemd, name);
        copy->stops = systemd_fake_stops(m->systemd, name);
        copy->runs = strcmp(copy->active, "inactive") != 0 && strcmp(copy->active, "failed") != 0;
    }
}

struct sim_machine *sim_machine_of(const struct sim *sim, const char *id)
{
    for (size_t i = 0; i < SIM_MACHINES; i++)
        if (strcmp(sim->machines[i].machine.id, id) == 0)
            return (struct sim_machine *)&sim->machines[i];
    return NULL;
}

struct sim_machine *sim_leader(const struct sim *sim)
{
    autorecord(leader) leader = { 0 };
    const struct kv_pair *pair = sim_peekf(sim, "leader");
    if (!pair || record_leader_decode(pair->value, pair->value_length, &leader, NULL) < 0)
        return NULL;
    return sim_machine_of(sim, leader.machine);
}

bool sim_is_calm(const struct sim *sim, const struct sim_machine *m, int64_t ms)
{
    int64_t since_ms =
        m->calm_since_ms > sim->store_calm_since_ms ? m->calm_since_ms : sim->store_calm_since_ms;
    return m->agent && !m->cut_until_ms && !m->lag_until_ms && !m->hung_until_ms &&
           !m->bus_until_ms && !sim->frozen_until_ms && sim->now_ms - since_ms > ms;
}

/* --- what comes when --- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a && a < b ? a : b; /* 0: nothing is the matter */
}

static bool is_awake(const struct sim_machine *m)
{
    return m->agent && !m->hung_until_ms;
}

static int64_t next_of_machine(const struct sim_machine *m)
{
    int64_t next_ms = INT64_MAX;
    next_ms = earlier(m->off_until_ms, next_ms);
    next_ms = earlier(m->down_until_ms, next_ms);
    next_ms = earlier(m->cut_until_ms, next_ms);
    next_ms = earlier(m->lag_until_ms, next_ms);
    next_ms = earlier(m->hung_until_ms, next_ms);
    next_ms = earlier(m->bus_until_ms, next_ms);
    for (size_t u = 0; u < SIM_UNITS; u++)
        next_ms = earlier(m->copies[u].job_ms, next_ms);
    if (!is_awake(m))
        return next_ms;
    next_ms = earlier(m->pump_ms, next_ms);
    next_ms = earlier(m->told_ms, next_ms);
    return earlier(loop_fake_next_ms(m->loop), next_ms);
}

static int64_t next_moment(const struct sim *sim)
{
    int64_t next_ms = sim->frozen_until_ms ? sim->frozen_until_ms : kv_memory_next_ms(sim->store);
    if (sim->disturbing)
        next_ms = earlier(sim->next_disturbance_ms, next_ms);
    for (size_t i = 0; i < SIM_MACHINES; i++)
        next_ms = earlier(next_of_machine(&sim->machines[i]), next_ms);
    return next_ms > sim->now_ms ? next_ms : sim->now_ms;
}

static bool is_over(const struct sim *sim, int64_t *until_ms)
{
    bool over = *until_ms && sim->now_ms >= *until_ms;
    if (over)
        *until_ms = 0;
    return over;
}

static void end_troubles(struct sim *sim, struct sim_machine *m)
{
    if (is_over(sim, &m->cut_until_ms)) {
        sim_tell(sim, "%s reaches the store again", m->machine.name);
        sim_cut(sim, m, false);
    }
    if (is_over(sim, &m->lag_until_ms) || is_over(sim, &m->hung_until_ms))
        m->calm_since_ms = sim->now_ms;
    if (is_over(sim, &m->bus_until_ms))
        sim_bus(sim, m, true);
    if (is_over(sim, &m->off_until_ms))
        sim_power_on(sim, m);
    if (is_over(sim, &m->down_until_ms) && m->agent) {
        m->down_until_ms = sim->now_ms + 100; /* it has not ended yet */
    } else if (m->systemd && !m->agent && !m->down_until_ms && !m->off_until_ms) {
        sim_tell(sim, "musterd of %s is started again", m->machine.name);
        sim_musterd_start(sim, m);
    }
}

static void thaw(struct sim *sim)
{
    if (!is_over(sim, &sim->frozen_until_ms))
        return;
    sim_tell(sim, "the store wakes");
    sim->store_calm_since_ms = sim->now_ms;
    for (size_t i = 0; i < SIM_MACHINES; i++)
        if (sim->machines[i].kv)
            kv_memory_cut(sim->machines[i].kv, sim->machines[i].cut_until_ms != 0);
}

/* Jobs of systemd that are over by now; how long those take that were ordered. */
static void run_jobs(struct sim *sim, struct sim_machine *m)
{
    look_at_systemd(m);
    for (size_t u = 0; m->systemd && u < SIM_UNITS; u++) {
        struct sim_copy *copy = &m->copies[u];
        const char *name = sim_sorts[u].name;
        if (!copy->has_job) {
            copy->job_ms = INT64_MAX;
        } else if (copy->job_ms == INT64_MAX) {
            copy->job_ms = sim->now_ms + 10 + (int64_t)sim_dice(sim, sim_dice(sim, 8) ? 300 : 3000);
        } else if (sim->now_ms >= copy->job_ms) {
            if (copy->cursed)
                systemd_fake_fail_start(m->systemd, name);
            systemd_fake_finish(m->systemd, name);
            copy->job_ms = INT64_MAX;
            look_at_systemd(m);
            sim_tell(sim, "%s on %s is %s", name, m->machine.name, copy->active);
        }
    }
}

/* How long an answer or an event is on its way. */
static int64_t latency_ms(struct sim *sim, const struct sim_machine *m)
{
    int64_t ms = 1 + (int64_t)sim_dice(sim, 4);
    if (m->lag_until_ms)
        ms += (int64_t)sim_dice(sim, (uint64_t)m->lag_ms);
    if (m->cut_until_ms || sim->frozen_until_ms)
        ms += (int64_t)sim_dice(sim, 500);
    return ms;
}

static size_t hear(struct sim *sim, struct sim_machine *m)
{
    size_t heard = 0;
    if (sim->now_ms >= m->pump_ms) {
        uint64_t which = sim_dice(sim, 6); /* an answer may overtake an event, and be overtaken */
        m->pump_ms = INT64_MAX;
        heard += kv_memory_deliver_to(m->kv, which != 0, which != 1);
    }
    if (sim->now_ms >= m->told_ms) {
        m->told_ms = INT64_MAX;
        heard += systemd_fake_deliver(m->systemd);
    }
    return heard;
}

static void listen(struct sim *sim, struct sim_machine *m)
{
    if (m->pump_ms == INT64_MAX && kv_memory_is_due(m->kv))
        m->pump_ms = sim->now_ms + latency_ms(sim, m);
    if (m->told_ms == INT64_MAX && systemd_fake_is_due(m->systemd))
        m->told_ms = sim->now_ms + 1 + (int64_t)sim_dice(sim, 3);
}

/* One turn of a musterd's loop; returns whether anything came of it. */
static bool turn(struct sim *sim, struct sim_machine *m)
{
    sim->acting = m;
    size_t ran = hear(sim, m) + loop_fake_run_due(m->loop);
    sim->acting = NULL;
    if (loop_fake_is_stopped(m->loop)) {
        if (agent_exit_code(m->agent) != 0)
            sim_break(sim, "%s takes itself for a second one", m->machine.name);
        sim_tell(sim, "musterd of %s has ended", m->machine.name);
        end_musterd(m);
        return true;
    }
    return ran > 0;
}

static void turn_all(struct sim *sim)
{
    size_t first = sim_dice(sim, SIM_MACHINES);
    bool busy = true;
    for (int turns = 0; busy && !*sim->broken; turns++) {
        busy = false;
        for (size_t i = 0; i < SIM_MACHINES; i++) {
            struct sim_machine *m = &sim->machines[(first + i) % SIM_MACHINES];
            busy = (is_awake(m) && turn(sim, m)) || busy;
        }
        if (turns > TURNS_MAX)
            sim_break(sim, "it spins");
    }
}

static void step(struct sim *sim)
{
    clock_fake_set(sim->now_ms);
    thaw(sim);
    if (!sim->frozen_until_ms)
        kv_memory_expire(sim->store);
    for (size_t i = 0; i < SIM_MACHINES; i++) {
        end_troubles(sim, &sim->machines[i]);
        run_jobs(sim, &sim->machines[i]);
    }
    if (sim->disturbing && sim->now_ms >= sim->next_disturbance_ms)
        sim_disturb(sim);
    turn_all(sim);
    for (size_t i = 0; i < SIM_MACHINES; i++) {
        struct sim_machine *m = &sim->machines[i];
        run_jobs(sim, m);
        if (is_awake(m))
            listen(sim, m);
    }
    sim_witness(sim);
}

void sim_run(struct sim *sim, int64_t ms)
{
    int64_t end_ms = sim->now_ms + ms;
    int64_t at_once = 0;
    while (!*sim->broken) {
        int64_t next_ms = next_moment(sim);
        if (next_ms > end_ms)
            break;
        at_once = next_ms == sim->now_ms ? at_once + 1 : 0;
        if (at_once > TURNS_MAX)
            sim_break(sim, "time stands still");
        sim->now_ms = next_ms;
        step(sim);
    }
    sim->now_ms = end_ms;
    clock_fake_set(sim->now_ms);
}

void sim_heal(struct sim *sim)
{
    sim->disturbing = false;
    if (sim->frozen_until_ms)
        sim->frozen_until_ms = sim->now_ms;
    for (size_t i = 0; i < SIM_MACHINES; i++) {
        struct sim_machine *m = &sim->machines[i];
        int64_t *const troubles[] = { &m->cut_until_ms, &m->lag_until_ms,  &m->hung_until_ms,
                                      &m->bus_until_ms, &m->down_until_ms, &m->off_until_ms };
        bool stays_off = m->off_until_ms && sim_dice(sim, 3) == 0;
        for (size_t t = 0; t < sizeof(troubles) / sizeof(*troubles); t++)
            *troubles[t] = *troubles[t] ? sim->now_ms : 0;
        if (stays_off)
            m->off_until_ms = INT64_MAX;
        if (m->kv) {
            kv_memory_lose_answers(m->kv, 0, false);
            kv_memory_land_late(m->kv, 0, 0);
            kv_memory_overtake(m->kv, NULL, NULL);
        }
    }
    sim_tell(sim, "nothing disturbs any more");
}

/* --- all of them --- */

static int begin_machine(struct sim *sim, size_t i)
{
    struct sim_machine *m = &sim->machines[i];
    (void)snprintf(m->machine.name, sizeof(m->machine.name), "node%zu", i + 1);
    memset(m->machine.id, (int)('1' + i), sizeof(m->machine.id) - 1);
    m->machine.memory_bytes = SIM_MEMORY * INT64_C(1048576);
    (void)snprintf(m->machine.address, sizeof(m->machine.address), "10.0.0.%zu", i + 1);
    m->run = text_format("%s/%zu/run", sim->dir, i);
    m->state = text_format("%s/%zu/state", sim->dir, i);
    m->links = text_format("%s/%zu/links", sim->dir, i);
    if (!m->run || !m->state || !m->links || config_new(&m->config, NULL) < 0)
        return -1;
    m->world = (struct agent_world){ .run = m->run,
                                     .state = m->state,
                                     .links = m->links,
                                     .helper = "/helper",
                                     .machine = &m->machine,
                                     .systemd_new = make_systemd,
                                     .shares_process = true };
    m->config->socket_path[0] = '\0';
    m->config->ttl_ms = SIM_TTL_MS;
    m->pump_ms = m->told_ms = INT64_MAX;
    for (size_t u = 0; u < SIM_UNITS; u++)
        m->copies[u] =
            (struct sim_copy){ .active = "off", .job_ms = INT64_MAX, .lawful_since_ms = INT64_MAX };
    int r = config_set(m->config, "etcd_key_prefix", SIM_PREFIX, NULL);
    if (r == 0)
        r = config_set(m->config, "metadata", i % 2 ? "rack=r2" : "rack=r1", NULL);
    if (r == 0)
        r = config_set(m->config, "roles", "db=2", NULL);
    return r < 0 ? r : file_make_dirs(m->state, 0755, NULL);
}

void sim_begin(struct sim *sim, uint64_t seed, bool tells)
{
    const char *tmp = getenv("TMPDIR");
    *sim = (struct sim){ .seed = seed,
                         .random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1,
                         .now_ms = BEGIN_MS,
                         .text_of_instances = 1,
                         .tells = tells };
    current = sim;
    clock_fake_set(sim->now_ms);
    chance_fake_set(sim->random);
    log_set_sink(on_log_line, sim);
    (void)snprintf(sim->dir, sizeof(sim->dir), "%s/muster-sim.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(sim->dir) || kv_memory_new(&sim->store, NULL) < 0 ||
        kv_memory_connect(sim->store, &sim->people, NULL) < 0 || sim_witness_begin(sim) < 0)
        sim_break(sim, "the simulator cannot be set up");
    for (size_t i = 0; !*sim->broken && i < SIM_MACHINES; i++)
        if (begin_machine(sim, i) < 0)
            sim_break(sim, "a machine cannot be set up");
    for (size_t i = 0; !*sim->broken && i < SIM_MACHINES; i++)
        sim_power_on(sim, &sim->machines[i]);
}

void sim_end(struct sim *sim)
{
    for (size_t i = 0; i < SIM_MACHINES; i++) {
        struct sim_machine *m = &sim->machines[i];
        end_musterd(m);
        systemd_fake_destroy(m->systemd);
        config_free(m->config);
        free(m->run);
        free(m->state);
        free(m->links);
    }
    if (sim->watch)
        kv_watch_stop(sim->witness, sim->watch);
    kv_free(sim->witness);
    kv_free(sim->people);
    kv_memory_free(sim->store);
    kv_pairs_done(&sim->shadow);
    text_done(&sim->story);
    tree_forget(sim->dir);
    log_set_sink(NULL, NULL);
    chance_fake_set(0);
    clock_fake_set(-1);
    current = NULL;
}
