/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What placing would cost if nothing but the index were there, for tests/bench/sched.sh: a mark
 * that tells a slow scheduler from a slow machine. The clusters are those of sched-bench, and the
 * answer is looked over after the clock has stopped: all are placed, evenly, and no rule is broken.
 *
 *   sched-prototype MACHINES UNITS plain|mixed
 *
 * prints PLACED_PER_S. Units are numbers here: there are no names, no orders, no reasons, nothing
 * that could change, and nothing is taken back.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { INSTANCES = 100, RACKS = 20, LEVELS = 512, WORD = 64 };

static int machine_count, unit_count, template_count;
static bool mixed;
static int words, rack_words;    /* of a set of machines, which are numbered by rack */
static uint64_t *levels[LEVELS]; /* machines by load */
static int level_counts[LEVELS];
static int lowest;
static int *unit_loads;           /* of machines: units */
static int memory_room;           /* of a machine, in units; each wants one */
static uint64_t *every, *ssd;     /* classes */
static uint64_t **homes;          /* of templates: machines */
static int (*rack_counts)[RACKS]; /* of templates */
static int *places;               /* of units: machines */

static void fail(const char *what) __attribute__((noreturn));
static void fail(const char *what)
{
    (void)fprintf(stderr, "sched-prototype: %s\n", what);
    exit(1);
}

static void *zeros(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        fail("out of memory");
    return memory;
}

static void add(uint64_t *set, int machine)
{
    set[machine / WORD] |= UINT64_C(1) << (machine % WORD);
}

static bool has(const uint64_t *set, int machine)
{
    return set[machine / WORD] >> (machine % WORD) & 1;
}

/* --- placing --- */

static int level_of(int machine)
{
    int level = unit_loads[machine];
    int share = mixed ? level * LEVELS / memory_room : 0;
    return share > level ? share : level;
}

static void enter(int machine)
{
    int level = level_of(machine);
    if (level >= LEVELS)
        fail("too many units for so few machines");
    add(levels[level], machine);
    level_counts[level]++;
}

static void load(int machine)
{
    int before = level_of(machine);
    levels[before][machine / WORD] &= ~(UINT64_C(1) << (machine % WORD));
    level_counts[before]--;
    unit_loads[machine]++;
    enter(machine);
    while (level_counts[lowest] == 0)
        lowest++;
}

/* The least loaded, in some words of the sets; -1: none. taken may be NULL. */
static int find(const uint64_t *class, const uint64_t *taken, int from, int to)
{
    for (int level = lowest; level < LEVELS; level++) {
        for (int i = from; level_counts[level] > 0 && i < to; i++) {
            uint64_t word = levels[level][i] & class[i] & (taken ? ~taken[i] : ~UINT64_C(0));
            for (; word; word &= word - 1) {
                int machine = i * WORD + __builtin_ctzll(word);
                if (!mixed || unit_loads[machine] < memory_room)
                    return machine;
            }
        }
    }
    return -1;
}

static int emptiest_rack(const int *counts, unsigned int tried)
{
    int best = -1;
    for (int i = 0; i < RACKS; i++)
        if (!(tried >> i & 1) && (best < 0 || counts[i] < counts[best]))
            best = i;
    return best;
}

static const uint64_t *class_of(int template)
{
    return mixed && template % 3 == 0 ? ssd : every;
}

static int place_spread(int template)
{
    unsigned int tried = 0;
    int machine = -1;
    for (int i = 0; i < RACKS && machine < 0; i++) {
        int rack = emptiest_rack(rack_counts[template], tried);
        tried |= 1U << rack;
        machine =
            find(class_of(template), homes[template], rack * rack_words, (rack + 1) * rack_words);
    }
    if (machine < 0)
        fail("a unit has no place");
    add(homes[template], machine);
    rack_counts[template][machine / (rack_words * WORD)]++;
    return machine;
}

static void place_all(void)
{
    for (int i = 0; i < unit_count; i++) {
        places[i] = mixed ? place_spread(i % template_count) : find(every, NULL, 0, words);
        load(places[i]);
    }
}

/* --- the cluster --- */

static void build(void)
{
    rack_words = ((machine_count + RACKS - 1) / RACKS + WORD - 1) / WORD;
    words = rack_words * RACKS;
    unit_loads = zeros((size_t)words * WORD, sizeof(*unit_loads));
    memory_room = 2 * (unit_count / machine_count + 1);
    every = zeros((size_t)words, sizeof(*every));
    ssd = zeros((size_t)words, sizeof(*ssd));
    for (int i = 0; i < LEVELS; i++)
        levels[i] = zeros((size_t)words, sizeof(uint64_t));
    for (int i = 0; i < machine_count; i++) {
        int machine = i % RACKS * rack_words * WORD + i / RACKS;
        add(every, machine);
        if (i % 3 == 0)
            add(ssd, machine);
        enter(machine);
    }
    template_count = (unit_count + INSTANCES - 1) / INSTANCES;
    places = zeros((size_t)unit_count, sizeof(*places));
    rack_counts = zeros((size_t)template_count, sizeof(*rack_counts));
    homes = zeros((size_t)template_count, sizeof(uint64_t *));
    for (int i = 0; mixed && i < template_count; i++)
        homes[i] = zeros((size_t)words, sizeof(uint64_t));
}

/* --- is it an answer? --- */

static void check_evenness(const int *counts, int count, const uint64_t *among, int tolerance)
{
    int least = INT32_MAX;
    int most = 0;
    for (int i = 0; i < count; i++) {
        if (among && !has(among, i))
            continue;
        least = counts[i] < least ? counts[i] : least;
        most = counts[i] > most ? counts[i] : most;
    }
    if (most - least > tolerance)
        fail("units are not spread evenly");
}

static void check_template(int template)
{
    uint64_t *seen = zeros((size_t)words, sizeof(*seen));
    int counts[RACKS] = { 0 };
    for (int i = template; i < unit_count; i += template_count) {
        if (!has(class_of(template), places[i]))
            fail("a unit is on a machine without what it wants");
        if (has(seen, places[i]))
            fail("two of a template are on one machine");
        add(seen, places[i]);
        counts[places[i] / (rack_words * WORD)]++;
    }
    check_evenness(counts, RACKS, NULL, 1);
    free(seen);
}

static void check_answer(void)
{
    int *counts = zeros((size_t)words * WORD, sizeof(*counts));
    for (int i = 0; i < unit_count; i++)
        counts[places[i]]++;
    for (int i = 0; i < words * WORD; i++)
        if (counts[i] > 0 && (!has(every, i) || (mixed && counts[i] > memory_room)))
            fail("a machine has more than it can bear");
    if (!mixed)
        check_evenness(counts, words * WORD, every, 1);
    for (int i = 0; mixed && i < template_count; i++)
        check_template(i);
    free(counts);
}

/* Of this process, as sched-bench counts. */
static double now_s(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) < 0)
        fail("no clock");
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        fail("usage: sched-prototype MACHINES UNITS plain|mixed");
    machine_count = (int)strtol(argv[1], NULL, 10);
    unit_count = (int)strtol(argv[2], NULL, 10);
    mixed = strcmp(argv[3], "mixed") == 0;
    if (machine_count < RACKS || unit_count < INSTANCES)
        fail("usage: at least 20 machines and 100 units");
    build();
    double began = now_s();
    place_all();
    double took = now_s() - began;
    check_answer();
    printf("%.0f\n", unit_count / took);
    return 0; /* what was taken goes with the process */
}
