/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hollow/drive.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "scheduler/plan.h"
#include "scheduler/records.h"
#include "tests/hollow/cluster.h"
#include "tests/hollow/processes.h"
#include "tests/hollow/puts.h"

#define PREFIX STORE_PREFIX_DEFAULT

enum {
    POLL_MS = 50, /* and a twentieth of what has been waited already */
    STILL_MS = 2000,
    PATIENCE_S = 600,
    RENEW_MS = 5000, /* in which all machines that stood still have renewed their leases */
    START_MS = 2000, /* of a leader, until its contact begins */
};

struct drive {
    const struct drive_options *options;
    struct store *store;
    pid_t leader;
    int64_t leader_since_ns;
    pid_t groups[DRIVE_GROUPS];
    bool lost[DRIVE_GROUPS];
};

static void figure(const char *name, double value, const char *unit)
{
    (void)printf("hollow.%s %.*f %s\n", name, value < 10 ? 3 : 1, value, unit);
    (void)fflush(stdout);
}

static double seconds_between(int64_t from_ns, int64_t to_ns)
{
    return (double)(to_ns - from_ns) / 1e9;
}

static void figure_of(const char *phase, const char *what, double value, const char *unit)
{
    autofree char *name = text_format("%s.%s", phase, what);
    if (!name)
        hollow_fail("out of memory");
    figure(name, value, unit);
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

static struct machines_options machines_of(const struct drive *drive, unsigned int first,
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
static void start_leader(struct drive *drive)
{
    struct machines_options options = machines_of(drive, drive->options->machines, 1);
    options.may_lead = true;
    drive->leader_since_ns = store_now_ns();
    drive->leader = process_start_machines(&options);
}

static void start_groups(struct drive *drive)
{
    for (unsigned int i = 0; i < DRIVE_GROUPS; i++) {
        const struct machines_options options =
            machines_of(drive, i * group_size(drive), group_size(drive));
        drive->groups[i] = process_start_machines(&options);
    }
}

static void signal_groups(struct drive *drive, int signo)
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
    store_pause(drive->store, POLL_MS + waited_ms / 20);
}

/* what: is counted, and told of if it never comes. */
static void wait_count(struct drive *drive, int64_t (*count)(struct drive *drive, const char *what),
                       const char *what, int64_t wanted)
{
    int64_t began_ns = store_now_ns();
    int64_t now = count(drive, what);
    while (now != wanted) {
        if (seconds_between(began_ns, store_now_ns()) > PATIENCE_S)
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

static void wait_watches(struct drive *drive, int64_t wanted)
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
        if (seconds_between(began_ns, store_now_ns()) > PATIENCE_S)
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
    start_leader(drive);
    wait_machines(drive, 1);
    machine_id_of(drive->options->machines, machine);
    cluster_cordon(drive->store, machine);
    int64_t began_ns = store_now_ns();
    start_groups(drive);
    wait_machines(drive, drive->options->machines + 1);
    figure("register", seconds_between(began_ns, store_now_ns()), "s");
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

/* What etcd takes while nobody else wants anything of it: before and after the leader's work. */
struct puts_rates {
    double bare;
    double heard;      /* under a leader's guards, and heard of as assignments are */
    double bare_cpu_s; /* etcd's for all bare puts */
    double heard_cpu_s;
};

static double etcd_cpu_s(struct drive *drive)
{
    return store_get_traffic(drive->store).cpu_s;
}

static void measure_bare(struct drive *drive, struct puts_rates *rates)
{
    double began_s = etcd_cpu_s(drive);
    rates->bare = puts_bare(drive->store, drive->options->units, drive->options->machines);
    rates->bare_cpu_s = etcd_cpu_s(drive) - began_s;
}

static pid_t start_hearers(struct drive *drive, unsigned int machines)
{
    const struct hearers_options options = { .url = drive->options->url,
                                             .directory = drive->options->directory,
                                             .prefix = PUTS_GUARDED_PREFIX,
                                             .machines = machines };
    return process_start_hearers(&options);
}

/* As of assignments: one hears of all, and each of a thousand that stand still of its own. */
static void measure_heard(struct drive *drive, struct puts_rates *rates)
{
    const unsigned int machines = drive->options->machines;
    int64_t others = store_get_traffic(drive->store).watches;
    pid_t of_all = start_hearers(drive, 0);
    pid_t of_each = start_hearers(drive, machines);
    wait_watches(drive, others + 1 + machines);
    process_signal(of_each, SIGSTOP);
    double began_s = etcd_cpu_s(drive);
    rates->heard = puts_guarded(drive->store, drive->options->units, machines);
    rates->heard_cpu_s = etcd_cpu_s(drive) - began_s;
    process_end(of_each, SIGKILL);
    process_end(of_all, SIGKILL);
    wait_watches(drive, others);
}

static struct puts_rates measure_puts(struct drive *drive)
{
    struct puts_rates rates = { 0 };
    measure_bare(drive, &rates);
    measure_heard(drive, &rates);
    return rates;
}

static struct puts_rates mean_of(struct puts_rates a, struct puts_rates b)
{
    return (struct puts_rates){ .bare = (a.bare + b.bare) / 2,
                                .heard = (a.heard + b.heard) / 2,
                                .bare_cpu_s = (a.bare_cpu_s + b.bare_cpu_s) / 2,
                                .heard_cpu_s = (a.heard_cpu_s + b.heard_cpu_s) / 2 };
}

/* What a leader that has just been started tells in its log. */
struct leader_story {
    char *log;
    long from;               /* what is before this, those before it have told */
    int64_t takeover_cpu_ms; /* until it decided anything, and a little before */
    bool is_told;            /* what is below */
    unsigned int written;
    unsigned int took_ms;
};

static void story_begin(const struct drive *drive, struct leader_story *story)
{
    struct stat log = { 0 };
    const struct machines_options options = machines_of(drive, drive->options->machines, 1);
    *story = (struct leader_story){ .log = process_log(&options) };
    if (stat(story->log, &log) < 0)
        hollow_fail("the leader has no log");
    story->from = log.st_size;
}

static void read_story(struct drive *drive, struct leader_story *story)
{
    char line[512];
    bool has_decided = false;
    FILE *file = fopen(story->log, "re");
    if (!file || fseek(file, story->from, SEEK_SET) < 0)
        hollow_fail("%s cannot be read", story->log);
    while (fgets(line, sizeof(line), file)) {
        has_decided =
            has_decided || strstr(line, "leader: assign "); /* behind the unit, if it is told of */
        story->is_told =
            story->is_told || sscanf(line, "leader: %u of %*u actions written in %u ms",
                                     &story->written, &story->took_ms) == 2;
    }
    (void)fclose(file);
    if (!has_decided)
        story->takeover_cpu_ms = process_cpu_ms(drive->leader);
}

/* Nothing is asked of etcd meanwhile that is not asked while puts are measured. */
static void wait_assigned(struct drive *drive, struct leader_story *story)
{
    int64_t began_ns = store_now_ns();
    while (!story->is_told) {
        if (seconds_between(began_ns, store_now_ns()) > PATIENCE_S)
            hollow_fail("the leader does not tell that it has written what it decided");
        store_pause(drive->store, POLL_MS);
        read_story(drive, story);
    }
    if (story->written != drive->options->units)
        hollow_fail("the leader has written %u actions at first, and there are %u units",
                    story->written, drive->options->units);
}

static void figure_commit(const struct leader_story *story, const struct puts_rates *puts)
{
    double rate = story->written * 1e3 / story->took_ms;
    figure("commit.bare", puts->bare, "/s");
    figure("commit.bare_etcd_cpu", puts->bare_cpu_s, "s");
    figure("commit.heard", puts->heard, "/s");
    figure("commit.heard_etcd_cpu", puts->heard_cpu_s, "s");
    figure("commit.rate", rate, "/s");
    figure("commit.heard_ratio", rate / puts->heard, "x");
    figure("commit.ratio", rate / puts->bare, "x");
}

static void figure_leader(struct drive *drive, const struct leader_story *story, double etcd_s)
{
    const struct cost now = cost_now(drive);
    figure("commit.takeover",
           seconds_between(drive->leader_since_ns, now.at_ns) - (double)story->took_ms / 1e3, "s");
    figure("commit.takeover_cpu", (double)story->takeover_cpu_ms / 1e3, "s");
    figure("commit.leader_cpu", (double)(now.leader_ms - story->takeover_cpu_ms) / 1e3, "s");
    figure("commit.etcd_cpu", now.traffic.cpu_s - etcd_s, "s"); /* of both */
}

/* A leader that finds everything to do, while the machines hold still so that it has the store for
 * itself as puts have: how fast it writes. */
static void commit(struct drive *drive)
{
    const struct drive_options *options = drive->options;
    struct leader_story story;
    process_end(drive->leader, SIGTERM);
    story_begin(drive, &story);
    cluster_submit(drive->store, options->units);
    signal_groups(drive, SIGSTOP);
    struct puts_rates puts = measure_puts(drive);
    signal_groups(drive, SIGCONT); /* to keep their leases: nothing is assigned to them yet */
    store_pause(drive->store, RENEW_MS);
    signal_groups(drive, SIGSTOP);
    double etcd_s = etcd_cpu_s(drive);
    start_leader(drive);
    wait_assigned(drive, &story);
    figure_leader(drive, &story, etcd_s);
    const struct cluster_assignments found = cluster_check_assigned(drive->store, options->units);
    figure("commit.transactions", (double)(found.last_revision - found.first_revision + 1), "");
    puts = mean_of(puts, measure_puts(drive));
    figure_commit(&story, &puts);
    free(story.log);
}

/* The machines go on, and carry out what was written. */
static void carry_out(struct drive *drive)
{
    const struct cost before = cost_now(drive);
    store_track(drive->store, true);
    signal_groups(drive, SIGCONT);
    figure("carry_out.running", seconds_between(before.at_ns, wait_running_ns(drive)), "s");
    figure_cost(drive, "carry_out", &before);
}

static void destroy(struct drive *drive)
{
    const struct cost before = cost_now(drive);
    cluster_destroy(drive->store, drive->options->units);
    wait_keys(drive, PREFIX "states/", 0);
    wait_keys(drive, PREFIX "nodes/", (int64_t)drive->options->machines + 1);
    figure("destroy.gone", seconds_between(before.at_ns, store_now_ns()), "s");
    figure_cost(drive, "destroy", &before);
}

static void submit(struct drive *drive)
{
    const struct cost before = cost_now(drive);
    store_track(drive->store, true);
    cluster_submit(drive->store, drive->options->units);
    figure("submit.written", seconds_between(before.at_ns, store_now_ns()), "s");
    figure("submit.running", seconds_between(before.at_ns, wait_running_ns(drive)), "s");
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
    figure("lose.expired", seconds_between(before.at_ns, store_now_ns()), "s");
    for (unsigned int i = 0; i < group_size(drive); i++)
        wait_empty(drive, i);
    figure("lose.running", seconds_between(before.at_ns, wait_running_ns(drive)), "s");
    figure_cost(drive, "lose", &before);
}

static void end(struct drive *drive)
{
    figure("leader_rss", (double)process_rss_kb(drive->leader) / 1024, "MB");
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
    commit(&drive);
    carry_out(&drive);
    destroy(&drive);
    submit(&drive);
    idle(&drive, "idle");
    lose(&drive);
    end(&drive);
    store_close(drive.store);
}
