/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hollow/drive.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "scheduler/plan.h"
#include "scheduler/records.h"
#include "tests/hollow/cluster.h"
#include "tests/hollow/drive_internal.h"
#include "tests/hollow/processes.h"

#define PREFIX STORE_PREFIX_DEFAULT

enum {
    STILL_MS = 2000,
    START_MS = 2000, /* of a leader, until its contact begins */
};

void drive_figure(const char *name, double value, const char *unit)
{
    (void)printf("hollow.%s %.*f %s\n", name, value < 10 ? 3 : 1, value, unit);
    (void)fflush(stdout);
}

double drive_seconds_between(int64_t from_ns, int64_t to_ns)
{
    return (double)(to_ns - from_ns) / 1e9;
}

static void figure_of(const char *phase, const char *what, double value, const char *unit)
{
    autofree char *name = text_format("%s.%s", phase, what);
    if (!name)
        hollow_fail("out of memory");
    drive_figure(name, value, unit);
}

/* --- what a phase costs --- */

struct cost {
    int64_t at_ns;
    int64_t leader_ms;
    int64_t machines_ms;
    struct store_traffic traffic;
};

static struct cost cost_now(struct drive *drive)
{
    struct cost cost = { .at_ns = store_now_ns(),
                         .leader_ms = process_cpu_ms(drive->leader),
                         .traffic = store_get_traffic(drive->store) };
    for (unsigned int i = 0; i < DRIVE_GROUPS; i++)
        cost.machines_ms += drive->lost[i] ? 0 : process_cpu_ms(drive->groups[i]);
    return cost;
}

static void figure_cost(struct drive *drive, const char *phase, const struct cost *before)
{
    const struct cost after = cost_now(drive);
    const struct store_traffic *from = &before->traffic;
    const struct store_traffic *to = &after.traffic;
    figure_of(phase, "etcd_cpu", to->cpu_s - from->cpu_s, "s");
    figure_of(phase, "leader_cpu", (double)(after.leader_ms - before->leader_ms) / 1e3, "s");
    figure_of(phase, "machines_cpu", (double)(after.machines_ms - before->machines_ms) / 1e3, "s");
    figure_of(phase, "requests", (double)(to->received - from->received), "");
    figure_of(phase, "watch_messages", (double)(to->watched - from->watched), "");
}

/* --- processes --- */

struct machines_options drive_machines_of(const struct drive *drive, unsigned int first,
                                          unsigned int count)
{
    return (struct machines_options){ .url = drive->options->url,
                                      .directory = drive->options->directory,
                                      .first = first,
                                      .count = count,
                                      .ttl_s = drive->options->ttl_s };
}

static unsigned int group_size(const struct drive *drive)
{
    return drive->options->machines / DRIVE_GROUPS;
}

/* The machine whose number comes after the others'. */
void drive_start_leader(struct drive *drive)
{
    struct machines_options options = drive_machines_of(drive, drive->options->machines, 1);
    options.may_lead = true;
    drive->leader_since_ns = store_now_ns();
    drive->leader = process_start_machines(&options);
}

static void start_groups(struct drive *drive)
{
    for (unsigned int i = 0; i < DRIVE_GROUPS; i++) {
        const struct machines_options options =
            drive_machines_of(drive, i * group_size(drive), group_size(drive));
        drive->groups[i] = process_start_machines(&options);
    }
}

void drive_signal_groups(struct drive *drive, int signo)
{
    for (unsigned int i = 0; i < DRIVE_GROUPS; i++)
        if (!drive->lost[i])
            process_signal(drive->groups[i], signo);
}

/* --- waiting --- */

/* Counting many keys is work for etcd, which is being measured, so who has waited for long looks
 * more seldom. */
static void pause_since(struct drive *drive, int64_t began_ns)
{
    int64_t waited_ms = (store_now_ns() - began_ns) / 1000000;
    store_pause(drive->store, DRIVE_POLL_MS + waited_ms / 20);
}

/* what: is counted, and told of if it never comes. */
static void wait_count(struct drive *drive, int64_t (*count)(struct drive *drive, const char *what),
                       const char *what, int64_t wanted)
{
    int64_t began_ns = store_now_ns();
    int64_t now = count(drive, what);
    while (now != wanted) {
        if (drive_seconds_between(began_ns, store_now_ns()) > DRIVE_PATIENCE_S)
            hollow_fail("%s: there are %lld, and %lld were waited for", what, (long long)now,
                        (long long)wanted);
        pause_since(drive, began_ns);
        now = count(drive, what);
    }
}

static int64_t count_keys(struct drive *drive, const char *prefix)
{
    return store_count(drive->store, prefix);
}

static void wait_keys(struct drive *drive, const char *prefix, int64_t wanted)
{
    wait_count(drive, count_keys, prefix, wanted);
}

static int64_t count_watches(struct drive *drive, const char *what)
{
    (void)what;
    return store_get_traffic(drive->store).watches;
}

void drive_wait_watches(struct drive *drive, int64_t wanted)
{
    wait_count(drive, count_watches, "watches", wanted);
}

/* Every machine has said that it is there and what it is. */
static void wait_machines(struct drive *drive, unsigned int machines)
{
    wait_keys(drive, PREFIX "members/", machines);
    wait_keys(drive, PREFIX "nodes/", machines);
}

/* Nothing is assigned to the machine any more. */
static void wait_empty(struct drive *drive, unsigned int number)
{
    char machine[MACHINE_ID_SIZE];
    machine_id_of(number, machine);
    autofree char *prefix = text_format("%snodes/%s/", PREFIX, machine);
    if (!prefix)
        hollow_fail("out of memory");
    wait_keys(drive, prefix, 0);
}

/* Until nobody has written for a while. */
static void wait_still(struct drive *drive)
{
    int64_t began_ns = store_now_ns();
    int64_t revision = 0;
    int64_t now = store_revision(drive->store);
    while (now != revision) {
        if (drive_seconds_between(began_ns, store_now_ns()) > DRIVE_PATIENCE_S)
            hollow_fail("the store is never still");
        revision = now;
        store_pause(drive->store, STILL_MS);
        now = store_revision(drive->store);
    }
}

/* --- what runs --- */

/* The units that are installed on the machine; 0 if it has none yet. */
static unsigned int count_installed(const struct drive *drive, unsigned int number)
{
    autofree char *path = text_format("%s/%u/run/units", drive->options->directory, number);
    DIR *folder = path ? opendir(path) : NULL;
    unsigned int count = 0;
    for (const struct dirent *entry = folder ? readdir(folder) : NULL; entry;
         entry = readdir(folder))
        count += entry->d_name[0] != '.';
    if (folder)
        (void)closedir(folder);
    return count;
}

/* Each unit has one active assignment, so if the machines have as many as there are, none runs
 * twice. */
static struct cluster_assignments check_running(struct drive *drive)
{
    unsigned int installed = 0;
    const struct cluster_assignments found = cluster_check(drive->store, drive->options->units);
    for (unsigned int i = 0; i < drive->options->machines; i++)
        if (!drive->lost[i / group_size(drive)])
            installed += count_installed(drive, i);
    if (installed != drive->options->units)
        hollow_fail("%u units are installed on all machines, and there are %u", installed,
                    drive->options->units);
    return found;
}

/* Returns when the last of them was told to be active. */
static int64_t wait_running_ns(struct drive *drive)
{
    wait_keys(drive, PREFIX "states/", drive->options->units);
    wait_still(drive);
    store_track(drive->store, false);
    const struct cluster_assignments found = check_running(drive);
    return store_time_of_ns(drive->store, found.last_state_revision);
}

/* --- the story --- */

static void register_all(struct drive *drive)
{
    char machine[MACHINE_ID_SIZE];
    drive_start_leader(drive);
    wait_machines(drive, 1);
    machine_id_of(drive->options->machines, machine);
    cluster_cordon(drive->store, machine);
    int64_t began_ns = store_now_ns();
    start_groups(drive);
    wait_machines(drive, drive->options->machines + 1);
    drive_figure("register", drive_seconds_between(began_ns, store_now_ns()), "s");
}

/* Nobody does anything for a while, and that is what is measured. */
static void idle(struct drive *drive, const char *when)
{
    wait_still(drive);
    int64_t revision = store_revision(drive->store);
    const struct cost before = cost_now(drive);
    store_pause(drive->store, (int64_t)drive->options->idle_s * 1000);
    figure_cost(drive, when, &before);
    int64_t writes = store_revision(drive->store) - revision;
    figure_of(when, "store_writes", (double)writes, "writes");
    if (writes)
        hollow_fail("an idle cluster has written %lld times", (long long)writes);
}

/* The machines go on, and carry out what was written. */
static void carry_out(struct drive *drive)
{
    const struct cost before = cost_now(drive);
    store_track(drive->store, true);
    drive_signal_groups(drive, SIGCONT);
    drive_figure("carry_out.running", drive_seconds_between(before.at_ns, wait_running_ns(drive)),
                 "s");
    figure_cost(drive, "carry_out", &before);
}

static void destroy(struct drive *drive)
{
    const struct cost before = cost_now(drive);
    cluster_destroy(drive->store, drive->options->units);
    wait_keys(drive, PREFIX "states/", 0);
    wait_keys(drive, PREFIX "nodes/", (int64_t)drive->options->machines + 1);
    drive_figure("destroy.gone", drive_seconds_between(before.at_ns, store_now_ns()), "s");
    figure_cost(drive, "destroy", &before);
}

static void submit(struct drive *drive)
{
    const struct cost before = cost_now(drive);
    store_track(drive->store, true);
    cluster_submit(drive->store, drive->options->units);
    drive_figure("submit.written", drive_seconds_between(before.at_ns, store_now_ns()), "s");
    drive_figure("submit.running", drive_seconds_between(before.at_ns, wait_running_ns(drive)),
                 "s");
    figure_cost(drive, "submit", &before);
}

/* A leader that has not had contact with the store for as long as a lease lasts, and a margin,
 * takes nobody for lost (doc/failover.md). */
static void wait_contact(struct drive *drive)
{
    int64_t contact_ms = (int64_t)drive->options->ttl_s * 1000 + PLAN_CONTACT_MARGIN_MS + START_MS;
    int64_t led_ms = (store_now_ns() - drive->leader_since_ns) / 1000000;
    if (led_ms < contact_ms)
        store_pause(drive->store, contact_ms - led_ms);
}

/* A tenth of the machines is gone, and the store says so at once: what is measured begins with the
 * end of their leases. */
static void lose(struct drive *drive)
{
    char machine[MACHINE_ID_SIZE];
    wait_contact(drive);
    process_end(drive->groups[0], SIGKILL);
    drive->lost[0] = true;
    const struct cost before = cost_now(drive);
    store_track(drive->store, true);
    for (unsigned int i = 0; i < group_size(drive); i++) {
        machine_id_of(i, machine);
        cluster_expire(drive->store, machine);
    }
    drive_figure("lose.expired", drive_seconds_between(before.at_ns, store_now_ns()), "s");
    for (unsigned int i = 0; i < group_size(drive); i++)
        wait_empty(drive, i);
    drive_figure("lose.running", drive_seconds_between(before.at_ns, wait_running_ns(drive)), "s");
    figure_cost(drive, "lose", &before);
}

static void end(struct drive *drive)
{
    drive_figure("leader_rss", (double)process_rss_kb(drive->leader) / 1024, "MB");
    process_end(drive->leader, SIGTERM);
    for (unsigned int i = 0; i < DRIVE_GROUPS; i++)
        if (!drive->lost[i])
            process_end(drive->groups[i], SIGTERM);
}

void drive(const struct drive_options *options)
{
    struct drive drive = { .options = options, .store = store_open(options->url) };
    if (store_count(drive.store, PREFIX))
        hollow_fail("%s has a cluster already", options->url);
    register_all(&drive);
    idle(&drive, "idle_empty");
    drive_commit(&drive);
    carry_out(&drive);
    destroy(&drive);
    submit(&drive);
    idle(&drive, "idle");
    lose(&drive);
    end(&drive);
    store_close(drive.store);
}
