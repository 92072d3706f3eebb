/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a leader that finds everything to do writes it, beside how fast the same etcd takes
 * puts.
 *
 * What a second of processor is worth changes by the second on a machine that is shared, so there
 * are several rounds, each with puts before and behind what the leader does, and of each figure the
 * middle one of all rounds is told. The machines stand still, so that the leader has the store for
 * itself as puts have.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "tests/hollow/cluster.h"
#include "tests/hollow/drive_internal.h"
#include "tests/hollow/processes.h"
#include "tests/hollow/puts.h"

enum {
    RENEW_MS = 5000, /* in which all machines that stood still have renewed their leases */
    SETTLE_MS = 500, /* in which etcd has digested what was before */
    HEARD_MS = 2000, /* in which the leader has heard what it wrote */
};

enum figure {
    BARE,
    BARE_ETCD_CPU,
    HEARD,
    HEARD_ETCD_CPU,
    RATE,
    HEARD_RATIO,
    RATIO,
    TAKEOVER,
    TAKEOVER_CPU,
    LEADER_CPU,
    ETCD_CPU,
    TRANSACTIONS,
    FIGURES
};

static const struct {
    const char *name;
    const char *unit;
} figures[] = {
    [BARE] = {"commit.bare",            "/s"},
    [BARE_ETCD_CPU] = { "commit.bare_etcd_cpu",  "s" },
    [HEARD] = { "commit.heard",          "/s"},
    [HEARD_ETCD_CPU] = { "commit.heard_etcd_cpu", "s" },
    [RATE] = { "commit.rate",           "/s"},
    [HEARD_RATIO] = { "commit.heard_ratio",    "x" },
    [RATIO] = { "commit.ratio",          "x" },
    [TAKEOVER] = { "commit.takeover",       "s" }, /* until it wrote */
    [TAKEOVER_CPU] = { "commit.takeover_cpu",   "s" }, /* the leader's */
    [LEADER_CPU] = { "commit.leader_cpu",     "s" }, /* from then on */
    [ETCD_CPU] = { "commit.etcd_cpu",       "s" }, /* of both */
    [TRANSACTIONS] = { "commit.transactions",   ""  },
};

struct round {
    double values[FIGURES];
};

/* --- puts --- */

static double etcd_cpu_s(struct drive *drive)
{
    return store_get_traffic(drive->store).cpu_s;
}

static pid_t start_hearers(struct drive *drive, unsigned int machines)
{
    const struct hearers_options options = { .url = drive->options->url,
                                             .directory = drive->options->directory,
                                             .prefix = PUTS_GUARDED_PREFIX,
                                             .machines = machines };
    return process_start_hearers(&options);
}

static void measure_bare(struct drive *drive, double *rate, double *cpu_s)
{
    store_pause(drive->store, SETTLE_MS);
    double began_s = etcd_cpu_s(drive);
    *rate = puts_bare(drive->store, drive->options->units, drive->options->machines);
    *cpu_s = etcd_cpu_s(drive) - began_s;
}

/* As of assignments: one hears of all, and each of a thousand that stand still of its own. */
static void measure_heard(struct drive *drive, double *rate, double *cpu_s)
{
    const unsigned int machines = drive->options->machines;
    int64_t others = store_get_traffic(drive->store).watches;
    pid_t of_all = start_hearers(drive, 0);
    pid_t of_each = start_hearers(drive, machines);
    drive_wait_watches(drive, others + 1 + machines);
    process_signal(of_each, SIGSTOP);
    store_pause(drive->store, SETTLE_MS);
    double began_s = etcd_cpu_s(drive);
    *rate = puts_guarded(drive->store, drive->options->units, machines);
    *cpu_s = etcd_cpu_s(drive) - began_s;
    process_end(of_each, SIGKILL);
    process_end(of_all, SIGKILL);
    drive_wait_watches(drive, others);
}

/* What etcd takes while nobody else wants anything of it. An assignment is new, and so are they. */
static struct round measure_puts(struct drive *drive)
{
    struct round round = { 0 };
    measure_bare(drive, &round.values[BARE], &round.values[BARE_ETCD_CPU]);
    measure_heard(drive, &round.values[HEARD], &round.values[HEARD_ETCD_CPU]);
    puts_delete(drive->store, drive->options->units, drive->options->machines);
    return round;
}

/* --- the leader --- */

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
    const struct machines_options options = drive_machines_of(drive, drive->options->machines, 1);
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
        if (drive_seconds_between(began_ns, store_now_ns()) > DRIVE_PATIENCE_S)
            hollow_fail("the leader does not tell that it has written what it decided");
        store_pause(drive->store, DRIVE_POLL_MS);
        read_story(drive, story);
    }
    if (story->written != drive->options->units)
        hollow_fail("the leader has written %u actions at first, and there are %u units",
                    story->written, drive->options->units);
}

static void measure_leader(struct drive *drive, struct round *round)
{
    double *values = round->values;
    struct leader_story story;
    store_pause(drive->store, SETTLE_MS);
    story_begin(drive, &story);
    double etcd_s = etcd_cpu_s(drive);
    drive_start_leader(drive);
    wait_assigned(drive, &story);
    double led_s = drive_seconds_between(drive->leader_since_ns, store_now_ns());
    int64_t leader_ms = process_cpu_ms(drive->leader);
    values[ETCD_CPU] = etcd_cpu_s(drive) - etcd_s;
    values[TAKEOVER] = led_s - (double)story.took_ms / 1e3;
    values[TAKEOVER_CPU] = (double)story.takeover_cpu_ms / 1e3;
    values[LEADER_CPU] = (double)(leader_ms - story.takeover_cpu_ms) / 1e3;
    values[RATE] = story.written * 1e3 / story.took_ms;
    store_pause(drive->store, HEARD_MS);
    const struct cluster_assignments found =
        cluster_check_assigned(drive->store, drive->options->units);
    values[TRANSACTIONS] = (double)(found.last_revision - found.first_revision + 1);
    free(story.log);
}

/* --- all rounds --- */

/* Puts as they are between those before and those behind. */
static void judge(struct round *round, const struct round *before, const struct round *after)
{
    double *values = round->values;
    for (enum figure i = BARE; i <= HEARD_ETCD_CPU; i++)
        values[i] = (before->values[i] + after->values[i]) / 2;
    values[HEARD_RATIO] = values[RATE] / values[HEARD];
    values[RATIO] = values[RATE] / values[BARE];
}

static int compare(const void *a, const void *b)
{
    const double *left = a;
    const double *right = b;
    return (*left > *right) - (*left < *right);
}

static double median_of(const struct round *rounds, unsigned int count, enum figure figure)
{
    double sorted[DRIVE_ROUNDS_MAX];
    for (unsigned int i = 0; i < count; i++)
        sorted[i] = rounds[i].values[figure];
    qsort(sorted, count, sizeof(sorted[0]), compare);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static void tell(const struct round *rounds, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        drive_figure("commit.ratio_of_round", rounds[i].values[RATIO], "x");
    for (enum figure i = 0; i < FIGURES; i++)
        drive_figure(figures[i].name, median_of(rounds, count, i), figures[i].unit);
}

void drive_commit(struct drive *drive)
{
    const struct drive_options *options = drive->options;
    struct round rounds[DRIVE_ROUNDS_MAX];
    process_end(drive->leader, SIGTERM);
    cluster_submit(drive->store, options->units);
    drive_signal_groups(drive, SIGSTOP);
    struct round before = measure_puts(drive);
    drive_signal_groups(drive, SIGCONT); /* to keep their leases: nothing is assigned to them yet */
    store_pause(drive->store, RENEW_MS);
    drive_signal_groups(drive, SIGSTOP);
    for (unsigned int i = 0; i < options->rounds; i++) {
        if (i > 0) {
            process_end(drive->leader, SIGTERM);
            cluster_unassign(drive->store);
        }
        measure_leader(drive, &rounds[i]);
        struct round after = measure_puts(drive);
        judge(&rounds[i], &before, &after);
        before = after;
    }
    tell(rounds, options->rounds);
}
