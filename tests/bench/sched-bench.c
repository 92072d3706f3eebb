/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler's figures, for tests/bench/sched.sh: the library as musterd uses it, fed with
 * records instead of a store.
 *
 *   sched-bench MACHINES UNITS plain|mixed
 *
 * prints PLACED_PER_S LOST100_MS LOST100_WORST_MS BYTES_PER_UNIT LOAD_PER_S UNPLACED. Units come in
 * templates of 100 instances, which avoid each other if they can, as always. mixed: every third
 * template wants metadata that a third of the machines have, none bears two instances on one
 * machine, all spread over 20 racks and ask for memory, of which half will be taken.
 *
 * Placing is one plan_step() from units in the model to orders with what guards them, and all its
 * memory is taken and given back in it. Not in it: the loading (LOAD_PER_S), words of reasons and
 * JSON, which are made when an order is written. A loss is both steps, the one that waits and the
 * one that moves. Bytes are those of the heap when all of it is settled, without machines.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "scheduler/plan.h"
#include "tests/unit/contact.h"

enum {
    INSTANCES = 100,
    RACKS = 20,
    TTL_MS = 10000,
    UNIT_MEMORY = 64 << 20,
    LOSSES = 51,
    LOST_UNITS = 100, /* what a loss is scaled to */
};

struct bench {
    struct model *model;
    int machines, units;
    bool mixed;
    int64_t revision, now_ms;
};

static void fail(const char *what, const char *why) __attribute__((noreturn));
static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "sched-bench: %s: %s\n", what, why);
    exit(1);
}

static void check(int r, const struct error *err)
{
    if (r < 0)
        fail("the model", err->text);
}

/* Of this process: what others on the machine do counts only by the cache that they take. */
static double now_s(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) < 0)
        fail("clock_gettime", strerror(errno));
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* --- the cluster --- */

static void machine_id(int i, char ret[33])
{
    /* Spread like real ids are, and the same each time. */
    uint64_t mixed = ((uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    (void)snprintf(ret, 33, "%016llx%016d", (unsigned long long)mixed, i);
}

static void appear(struct bench *bench, int i)
{
    struct error err;
    char id[33];
    struct record_presence presence = { .nonce = (char *)"n", .ready = true };
    machine_id(i, id);
    check(model_put_presence(bench->model, id, ++bench->revision, &presence, bench->now_ms, &err),
          &err);
}

static void add_machine(struct bench *bench, int i)
{
    struct error err;
    char id[33];
    char rack[16];
    struct metadata_rule metadata[] = {
        {(char *)"disk",  (char *)(i % 3 ? "hdd" : "ssd")},
        { (char *)"rack", rack                           },
    };
    struct record_member member = { .name = id,
                                    .metadata = metadata,
                                    .metadata_count = 2,
                                    .ttl_ms = TTL_MS,
                                    .overcommit_cpu = 100,
                                    .overcommit_memory = 100 };
    if (bench->mixed) /* half of it is going to be taken */
        member.memory_bytes = 2 * ((int64_t)bench->units / bench->machines + 1) * UNIT_MEMORY;
    machine_id(i, id);
    (void)snprintf(rack, sizeof(rack), "r%02d", i % RACKS);
    check(model_put_member(bench->model, id, &member, bench->now_ms, &err), &err);
    appear(bench, i);
}

static void unit_name(const struct bench *bench, int i, char *ret, size_t size)
{
    int templates = (bench->units + INSTANCES - 1) / INSTANCES;
    (void)snprintf(ret, size, "service%05d@%d.service", i % templates, i / templates);
}

static void add_unit(struct bench *bench, int i)
{
    struct error err;
    char name[64];
    char glob[64];
    char blob[65];
    char *conflicts[] = { glob, NULL };
    struct metadata_rule metadata = { (char *)"disk", (char *)"ssd" };
    struct requirements requirements = { .failover = FAILOVER_AT_LEAST_ONCE };
    struct record_unit unit = { .blob = blob, .desired = DESIRED_LAUNCHED };
    unit_name(bench, i, name, sizeof(name));
    (void)snprintf(glob, sizeof(glob), "%.*s@*", (int)strcspn(name, "@"), name);
    (void)snprintf(blob, sizeof(blob), "%064d", i % (bench->units / INSTANCES + 1));
    if (bench->mixed) {
        requirements.conflicts = conflicts;
        requirements.spread = (char *)"rack";
        requirements.requests[RESOURCE_MEMORY] = UNIT_MEMORY;
    }
    if (bench->mixed && atoi(name + strlen("service")) % 3 == 0) {
        requirements.metadata = &metadata;
        requirements.metadata_count = 1;
    }
    bench->revision++;
    check(model_put_unit(bench->model, name, bench->revision, bench->revision, &unit, &requirements,
                         NULL, &err),
          &err);
}

/* --- what the leader does, without a store --- */

static struct plan *step(struct bench *bench)
{
    struct error err;
    struct plan *plan = NULL;
    const struct plan_clock clock = { .now_ms = bench->now_ms, .contact = &contact_always };
    check(plan_step(bench->model, &clock, &plan, &err), &err);
    return plan;
}

static void carry_out(struct bench *bench, const struct action *a)
{
    struct error err;
    const struct record_assignment record = { .blob = (char *)a->blob,
                                              .want = a->want,
                                              .unit_revision = a->unit_revision,
                                              .failover = a->failover };
    if (a->kind == ACTION_MOVE)
        model_drop_assignment(bench->model, action_more(a)->from_machine, a->unit);
    if (a->kind == ACTION_MOVE || a->kind == ACTION_ASSIGN)
        check(model_put_assignment(bench->model, a->machine, a->unit, ++bench->revision, &record,
                                   &err),
              &err);
}

static void carry_out_all(struct bench *bench, const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        carry_out(bench, &plan->actions[i]);
}

/* Until there is nothing to do. */
static void settle(struct bench *bench)
{
    bool busy = true;
    while (busy) {
        autoptr(plan) plan = step(bench);
        carry_out_all(bench, plan);
        busy = plan->count > 0;
    }
}

static size_t count_moves(const struct plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        count += plan->actions[i].kind == ACTION_MOVE;
    return count;
}

/* From the news of a machine's end to the orders for its units; ms for 100 of them. */
static double lose_machine(struct bench *bench, int i)
{
    char id[33];
    machine_id(i, id);
    double began = now_s();
    model_drop_presence(bench->model, id, bench->now_ms);
    plan_free(step(bench));
    bench->now_ms += PLAN_DEBOUNCE_MS;
    autoptr(plan) plan = step(bench);
    double ms = (now_s() - began) * 1000;
    size_t moved = count_moves(plan);
    if (moved == 0)
        fail("a lost machine", "nothing moved");
    carry_out_all(bench, plan);
    settle(bench);
    appear(bench, i);
    settle(bench);
    return ms * LOST_UNITS / (double)moved;
}

/* --- figures --- */

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static void measure(struct bench *bench)
{
    double lost[LOSSES];
    for (int i = 0; i < bench->machines; i++)
        add_machine(bench, i);
    settle(bench);
    size_t before = heap_bytes();
    double loading = now_s();
    for (int i = 0; i < bench->units; i++)
        add_unit(bench, i);
    loading = now_s() - loading;
    double placing = now_s();
    struct plan *plan = step(bench);
    placing = now_s() - placing;
    size_t placed = 0;
    for (size_t i = 0; i < plan->count; i++)
        placed += plan->actions[i].kind == ACTION_ASSIGN;
    carry_out_all(bench, plan);
    plan_free(plan);
    settle(bench);
    double bytes = (double)(heap_bytes() - before) / bench->units;
    for (int i = 0; i < LOSSES; i++)
        lost[i] = lose_machine(bench, i * bench->machines / LOSSES);
    qsort(lost, LOSSES, sizeof(lost[0]), compare_doubles);
    printf("%.0f %.3f %.3f %.0f %.0f %zu\n", (double)placed / placing, lost[LOSSES / 2],
           lost[LOSSES - 1], bytes, bench->units / loading, (size_t)bench->units - placed);
}

int main(int argc, char **argv)
{
    struct bench bench = { .now_ms = 1000000 };
    struct error err;
    if (argc != 4)
        fail("usage", "sched-bench MACHINES UNITS plain|mixed");
    bench.machines = atoi(argv[1]);
    bench.units = atoi(argv[2]);
    bench.mixed = strcmp(argv[3], "mixed") == 0;
    if (bench.machines < LOSSES || bench.units < INSTANCES)
        fail("usage", "at least 51 machines and 100 units");
    check(model_new(&bench.model, &err), &err);
    measure(&bench);
    model_free(bench.model);
    return 0;
}
