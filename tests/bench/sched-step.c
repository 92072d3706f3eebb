/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one step costs after one small event in a cluster at rest, for tests/bench/sched.sh: it is
 * to follow the event, not the cluster.
 *
 *   sched-step MACHINES UNITS
 *
 * prints BUDGET ROLLOUT GLOBAL DRAIN REPLACE, the median of each in microseconds of processor time:
 *
 * - BUDGET: three units may not stay where they are and leave one at a time; the first is still to
 *   stop, while the state of another comes in
 * - ROLLOUT: a template with an instance on each machine is rolled out one at a time, while the
 *   state of one comes in
 * - GLOBAL: ten units run on every machine, while a unit leaves a machine
 * - DRAIN: a machine is to be empty and has a hundred units that no other takes, while the state of
 *   another unit comes in
 * - REPLACE: as many units as there are machines wait for others that nobody can stop, one on each
 *   machine, and their verdicts say so, while a unit leaves a machine; one of those that wait looks
 *   again because of that
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "scheduler/plan.h"
#include "tests/unit/contact.h"

enum { INSTANCES = 100, GLOBALS = 10, SAMPLES = 21, TTL_MS = 10000 };

struct bench {
    struct model *model;
    int machines, units;
    int left; /* units that have left */
    int64_t revision, now_ms;
};

static void fail(const char *what, const char *why) __attribute__((noreturn));
static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "sched-step: %s: %s\n", what, why);
    exit(1);
}

static void check(int r, const struct error *err)
{
    if (r < 0)
        fail("the model", err->text);
}

static double now_us(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) < 0)
        fail("clock_gettime", strerror(errno));
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* --- the cluster --- */

static void machine_id(int i, char ret[33])
{
    uint64_t mixed = ((uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    (void)snprintf(ret, 33, "%016llx%016d", (unsigned long long)mixed, i);
}

static void put_machine(struct bench *bench, int i, const char *zone)
{
    struct error err;
    char id[33];
    struct metadata_rule metadata = { (char *)"zone", (char *)zone };
    struct record_member member = { .name = id,
                                    .metadata = &metadata,
                                    .metadata_count = 1,
                                    .ttl_ms = TTL_MS,
                                    .overcommit_cpu = 100,
                                    .overcommit_memory = 100 };
    machine_id(i, id);
    check(model_put_member(bench->model, id, &member, bench->now_ms, &err), &err);
}

static void put_presence(struct bench *bench, int i)
{
    struct error err;
    char id[33];
    struct record_presence presence = { .nonce = (char *)"n", .ready = true };
    machine_id(i, id);
    check(model_put_presence(bench->model, id, i + 1, &presence, bench->now_ms, &err), &err);
}

/* problem: its text cannot be read, as it says; else NULL. */
static int64_t put_unit(struct bench *bench, const char *name, const struct requirements *rules,
                        const char *problem)
{
    struct error err;
    const struct record_unit unit = { .blob = (char *)"b1", .desired = DESIRED_LAUNCHED };
    int64_t mod = ++bench->revision;
    check(
        model_put_unit(bench->model, name, mod, mod, &unit, problem ? NULL : rules, problem, &err),
        &err);
    return mod;
}

static void put_state(struct bench *bench, int machine, const char *name, int64_t assignment)
{
    struct error err;
    char id[33];
    const struct record_state state = { .registration = machine + 1,
                                        .assignment_revision = assignment,
                                        .active = (char *)"active" };
    machine_id(machine, id);
    check(model_put_state(bench->model, id, name, ++bench->revision, &state, &err), &err);
}

static int64_t put_assignment(struct bench *bench, int machine, const char *name, int64_t unit,
                              enum move_cause cause)
{
    struct error err;
    char id[33];
    const struct record_assignment assignment = { .blob = (char *)"b1",
                                                  .want = cause ? WANT_RELEASE : WANT_RUN,
                                                  .cause = (char *)move_cause_name(cause),
                                                  .unit_revision = unit,
                                                  .failover = FAILOVER_AT_LEAST_ONCE };
    int64_t mod = ++bench->revision;
    machine_id(machine, id);
    check(model_put_assignment(bench->model, id, name, mod, &assignment, &err), &err);
    return mod;
}

/* A copy that runs there. Returns the revision of its assignment. */
static int64_t put_copy(struct bench *bench, int machine, const char *name, int64_t unit)
{
    int64_t mod = put_assignment(bench, machine, name, unit, MOVE_CAUSE_NONE);
    put_state(bench, machine, name, mod);
    return mod;
}

static int64_t start(struct bench *bench, int machine, const char *name,
                     const struct requirements *rules)
{
    return put_copy(bench, machine, name, put_unit(bench, name, rules, NULL));
}

static const struct requirements plain = { .failover = FAILOVER_AT_LEAST_ONCE };

static void fill(struct bench *bench)
{
    char name[64];
    for (int i = 0; i < bench->machines; i++) {
        put_machine(bench, i, "z");
        put_presence(bench, i);
    }
    for (int i = 0; i < bench->units; i++) {
        (void)snprintf(name, sizeof(name), "service%05d@%d.service", i / INSTANCES, i % INSTANCES);
        (void)start(bench, i % bench->machines, name, &plain);
    }
}

/* --- measuring --- */

/* What it would write is not written: the next step decides it again. */
static void step(struct bench *bench)
{
    struct error err;
    struct plan *plan = NULL;
    const struct plan_clock clock = { .now_ms = bench->now_ms, .contact = &contact_always };
    check(plan_step(bench->model, &clock, &plan, &err), &err);
    plan_free(plan);
}

static void put_verdict(struct bench *bench, const struct action *action)
{
    struct error err;
    char *reason = action_reason(action);
    const struct record_verdict verdict = { .kind = (char *)verdict_kind_name(action->verdict),
                                            .reason = reason,
                                            .unit_revision = action->unit_revision };
    if (!reason)
        fail("a reason", strerror(ENOMEM));
    check(model_put_verdict(bench->model, action->unit, ++bench->revision, &verdict, &err), &err);
    free(reason);
}

static void put_drain(struct bench *bench, const struct action *action)
{
    struct error err;
    check(model_put_drain(bench->model, action->machine, ++bench->revision, action->more->drain,
                          &err),
          &err);
}

/* What it says of units and of drains is written. */
static void first_step(struct bench *bench)
{
    struct error err;
    struct plan *plan = NULL;
    const struct plan_clock clock = { .now_ms = bench->now_ms, .contact = &contact_always };
    check(plan_step(bench->model, &clock, &plan, &err), &err);
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i].kind == ACTION_VERDICT)
            put_verdict(bench, &plan->actions[i]);
        else if (plan->actions[i].kind == ACTION_DRAIN)
            put_drain(bench, &plan->actions[i]);
    plan_free(plan);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* From the news of the i-th event to the plan. */
static double measure(struct bench *bench, void (*event)(struct bench *, int))
{
    double took[SAMPLES];
    first_step(bench);
    step(bench);
    for (int i = 0; i < SAMPLES; i++) {
        double began = now_us();
        event(bench, i);
        step(bench);
        took[i] = now_us() - began;
    }
    qsort(took, SAMPLES, sizeof(took[0]), compare_doubles);
    return took[SAMPLES / 2];
}

static void hear_of_unit(struct bench *bench, int i)
{
    char name[64];
    int unit = i * (bench->units / SAMPLES);
    (void)snprintf(name, sizeof(name), "service%05d@%d.service", unit / INSTANCES,
                   unit % INSTANCES);
    put_state(bench, unit % bench->machines, name, bench->revision);
}

static void unit_leaves(struct bench *bench, int i)
{
    char name[64];
    char id[33];
    int unit = bench->left++ * (bench->units / (2 * SAMPLES));
    (void)i;
    (void)snprintf(name, sizeof(name), "service%05d@%d.service", unit / INSTANCES,
                   unit % INSTANCES);
    machine_id(unit % bench->machines, id);
    model_drop_unit(bench->model, name);
    model_drop_assignment(bench->model, id, name);
    model_drop_state(bench->model, id, name);
}

static double measure_budget(struct bench *bench)
{
    struct metadata_rule zone = { (char *)"zone", (char *)"z" };
    const struct requirements rules = { .failover = FAILOVER_AT_LEAST_ONCE,
                                        .metadata = &zone,
                                        .metadata_count = 1 };
    char name[64];
    for (int i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof(name), "near@%d.service", i);
        (void)start(bench, i, name, &rules);
    }
    for (int i = 0; i < 3; i++)
        put_machine(bench, i, "elsewhere");
    (void)put_assignment(bench, 0, "near@0.service", bench->revision, MOVE_CAUSE_RULE);
    double us = measure(bench, hear_of_unit);
    for (int i = 0; i < 3; i++)
        put_machine(bench, i, "z");
    return us;
}

static void hear_of_instance(struct bench *bench, int i)
{
    char name[64];
    int instance = bench->machines / 2 + i;
    (void)snprintf(name, sizeof(name), "rolled@%d.service", instance);
    put_state(bench, instance, name, bench->revision);
}

static double measure_rollout(struct bench *bench)
{
    struct error err;
    char name[64];
    struct record_rollout record = { .state = ROLLOUT_RUNNING,
                                     .blob = (char *)"b2",
                                     .previous = (char *)"b1",
                                     .reason = (char *)"",
                                     .parallel = 1,
                                     .wait_ms = 1000,
                                     .timeout_ms = 100000 };
    for (int i = 0; i < bench->machines; i++) {
        (void)snprintf(name, sizeof(name), "rolled@%d.service", i);
        (void)start(bench, i, name, &plain);
    }
    record.since_revision = record.retry_revision = bench->revision;
    check(model_put_rollout(bench->model, "rolled@.service", ++bench->revision, &record, &err),
          &err);
    double us = measure(bench, hear_of_instance);
    model_drop_rollout(bench->model, "rolled@.service");
    return us;
}

static double measure_globals(struct bench *bench)
{
    const struct requirements rules = { .failover = FAILOVER_AT_LEAST_ONCE, .global = true };
    char name[64];
    for (int i = 0; i < GLOBALS; i++) {
        (void)snprintf(name, sizeof(name), "everywhere%d.service", i);
        int64_t unit = put_unit(bench, name, &rules, NULL);
        for (int m = 0; m < bench->machines; m++)
            (void)put_copy(bench, m, name, unit);
    }
    return measure(bench, unit_leaves);
}

static void remove_unit(struct bench *bench, const char *id, const char *name)
{
    model_drop_assignment(bench->model, id, name);
    model_drop_state(bench->model, id, name);
    model_drop_unit(bench->model, name);
}

/* Its units go: only those that it alone may run stay, and those that run everywhere. */
static double measure_drain(struct bench *bench)
{
    enum { PINNED = 100 };
    struct error err;
    char id[33];
    char name[64];
    machine_id(0, id);
    const struct requirements rules = { .failover = FAILOVER_AT_LEAST_ONCE, .machine_id = id };
    const struct record_drain drain = { .problem = (char *)"" };
    for (int i = 0; i < PINNED; i++) {
        (void)snprintf(name, sizeof(name), "pinned@%d.service", i);
        (void)start(bench, 0, name, &rules);
    }
    for (int unit = 0; unit < bench->units; unit += bench->machines) {
        (void)snprintf(name, sizeof(name), "service%05d@%d.service", unit / INSTANCES,
                       unit % INSTANCES);
        remove_unit(bench, id, name);
    }
    remove_unit(bench, id, "near@0.service");
    remove_unit(bench, id, "rolled@0.service");
    model_set_cordon(bench->model, id, true);
    check(model_put_drain(bench->model, id, ++bench->revision, &drain, &err), &err);
    double us = measure(bench, hear_of_unit);
    model_drop_drain(bench->model, id);
    return us;
}

static double measure_replacers(struct bench *bench)
{
    char *replaced[] = { (char *)"old@*", NULL };
    const struct requirements rules = { .failover = FAILOVER_AT_LEAST_ONCE,
                                        .replaces = replaced,
                                        .conflicts = replaced };
    char name[64];
    for (int i = 0; i < bench->machines; i++) {
        (void)snprintf(name, sizeof(name), "old@%d.service", i);
        (void)put_copy(bench, i, name, put_unit(bench, name, NULL, "it cannot be read"));
        (void)snprintf(name, sizeof(name), "new@%d.service", i);
        (void)put_unit(bench, name, &rules, NULL);
    }
    return measure(bench, unit_leaves);
}

static int count_of(const char *text)
{
    struct error err;
    uint64_t count = 0;
    if (text_parse_u64(text, INT32_MAX, &count, &err) < 0)
        fail(text, err.text);
    return (int)count;
}

int main(int argc, char **argv)
{
    struct bench bench = { .now_ms = 1000000 };
    struct error err;
    if (argc != 3)
        fail("usage", "sched-step MACHINES UNITS");
    bench.machines = count_of(argv[1]);
    bench.units = count_of(argv[2]);
    if (bench.machines < 2 * SAMPLES + INSTANCES || bench.units < bench.machines)
        fail("usage", "at least 142 machines, and as many units");
    check(model_new(&bench.model, &err), &err);
    fill(&bench);
    step(&bench);
    double budget = measure_budget(&bench);
    double rollout = measure_rollout(&bench);
    double global = measure_globals(&bench);
    double drain = measure_drain(&bench);
    printf("%.1f %.1f %.1f %.1f", budget, rollout, global, drain);
    printf(" %.1f\n", measure_replacers(&bench));
    model_free(bench.model);
    return 0;
}
