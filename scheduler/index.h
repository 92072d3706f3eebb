/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes placing cheap, for scheduler/ alone. Machines are numbered in the order of their ids,
 * or first of their racks where Spread=rack is in use, so that a domain is a short run of words.
 * Everything that decides where a unit may go is a set of numbers:
 *
 *   open       machines that take newcomers
 *   level      machines with this load; placing moves one machine from one level to the next
 *   class      machines that match what a unit asks of the machine itself; shared by all units that
 *              ask the same
 *   group      machines that have units of it: units with one family and the same requirements
 *   family     machines that have instances of this template
 *   pattern    machines that have units which a glob of Conflicts= or Replaces= names, and which
 *              declare it
 *   port       machines on which it is taken
 *   domain     machines with one value of a metadata key that Spread= names
 *
 * A unit goes to the first machine that is in the lowest level, in its class, and in none of the
 * sets that it must avoid. What can be known for all of a group is known once; where its units are
 * is noted in its own bag, and what several groups share is the sum of theirs.
 *
 * Each change of the model changes the sets that it touches. A machine that comes or goes for good
 * renumbers all: then the index is stale, changes leave it alone, and the next step builds it anew.
 * Built anew or changed event by event, it is the same.
 */
#ifndef SCHEDULER_INDEX_H
#define SCHEDULER_INDEX_H

#include "base/error.h"
#include "scheduler/bag.h"
#include "scheduler/pool.h"
#include "scheduler/table.h"
#include "units/requirements.h"

struct machine;
struct model;
struct placement;
struct unit;

struct machine_class {
    struct requirements *rules; /* what it asks of the machine; the rest is empty */
    bool sees_roles;            /* its metadata may change with a slot */
    size_t groups;              /* that use it */
    uint64_t *bits;
    size_t open_count; /* of those that take newcomers, as of the change below */
    uint64_t counted_at;
    uint64_t hash;
    char key[]; /* what it asks, written down */
};

enum pattern_kind {
    PATTERN_INVALID = 0,
    PATTERN_NAME,     /* no wildcard: one unit */
    PATTERN_TEMPLATE, /* p@* or p@*.service: whether it matches is known of a whole family */
    PATTERN_GLOB,     /* any other: asked for each unit */
};

enum { PATTERN_FAMILIES = 5 }; /* p@* may match one of each type of unit */

struct pattern {
    enum pattern_kind kind;
    size_t groups;                             /* that declare it */
    struct family *families[PATTERN_FAMILIES]; /* of kind PATTERN_TEMPLATE: those that it matches */
    size_t family_count;
    struct bag matching;        /* of other kinds: machines with units that it matches */
    struct bag_sum conflicting; /* machines with units that declare it in Conflicts= */
    struct bag_sum replacing;   /* machines with units that declare it in Replaces= */
    uint64_t hash;
    char glob[];
};

struct port_set {
    size_t groups;
    struct bag_sum taken;
    uint64_t hash;
    char key[]; /* tcp/80, tcp/80/10.0.0.1, tcp/80/ for those that want it on all addresses */
};

struct domain {
    char *value;  /* "" for machines without the key */
    size_t first; /* word of the index that bits begins with */
    size_t words;
    uint64_t *bits;
};

struct spread {
    size_t groups;
    struct domain *domains; /* sorted by value */
    size_t domain_count;
    uint32_t *domain_of; /* by machine's number */
    uint64_t hash;
    char key[];
};

/* How many of a family are in each domain. */
struct tally {
    size_t groups;
    struct spread *spread;
    uint32_t *counts;
};

struct family {
    /* What each placing reads is as much as a line of the processor's cache. */
    struct tally **tallies;
    struct pattern **patterns; /* of kind PATTERN_TEMPLATE, that match its units */
    uint32_t tally_count, pattern_count;
    bool is_template; /* what makes it a family are instances */
    struct bag_sum here;

    size_t groups;
    /* Of budget.c: its units that are to be somewhere, those of them that are not up, and copies
     * that are to follow others. */
    size_t wanted, down, succeeding;
    size_t taken; /* within a step: more of them are down; valid if the round is the model's */
    uint64_t budget_round;
    uint64_t hash;
    char name[]; /* p@.service, or the unit's own name */
};

/* How many machines take newcomers, match a class and are not in a bag. Counted once, it is known
 * as long as nothing happens but that the one that was chosen gets into the bag. */
struct eligible {
    const struct bag *avoided; /* NULL: not counted */
    uint64_t changes;          /* of the index, as of the count */
    uint32_t bag_changes;
    bool has_chosen;
    uint32_t chosen;
    size_t count;
};

struct group {
    /* What each placing reads stands together; of those that are plain it is GROUP_PLAIN_SIZE, as
     * much as two lines of the processor's cache. Of the requirements it has a copy. */
    struct bag here; /* machines with units of it */
    struct family *family;
    struct requirements *requirements; /* NULL: not known */
    int priority;
    enum failover failover : 8;
    bool is_global : 1;
    bool is_plain : 1;   /* it asks nothing of machines and of who is there, nor takes a port */
    bool asks_room : 1;  /* of some resource */
    bool lacks_room : 1; /* hopeless: it was room that was missing */

    size_t units, pending; /* all of them; those that are */
    /* within a step: newcomers; see arrivals.h */
    struct group *arrived_next;
    uint32_t arrived_count;
    uint32_t arrived_at; /* changes of here, before the first of them came */

    struct machine_class *class; /* NULL: not known */
    struct tally *tally;         /* NULL: it spreads over nothing */
    struct pattern **conflicts;
    uint32_t conflict_count, replace_count;

    struct pattern **replaces;
    uint32_t port_count, shut_count;
    struct machine_class *preferred; /* NULL: none */
    struct port_set **ports;         /* those that it takes */
    struct port_set **shut;          /* those that others must not have taken */
    uint64_t hopeless_at; /* no machine had room for one of them, and since then nothing eased */
    struct eligible eligible; /* in the bag being its family's: it bears none of its kind */
    int64_t requests[RESOURCES];
    unsigned int max_per_machine;

    struct sleepers *asleep; /* those of them that sleep: sleepers.h; NULL: none has yet */
    uint64_t vain_at;        /* no machine could be reserved for one of them, likewise */
    uint64_t futile_at;      /* nobody would yield to one of them, likewise */
    uint64_t barred_at;      /* nobody whom one of them replaces can be made to leave, likewise */
    uint64_t hash;
    char key[];
};
enum { GROUP_PLAIN_SIZE = offsetof(struct group, replaces) };

struct level {
    uint64_t *bits;
    size_t count;
    size_t first; /* no word of bits before it has a machine */
};

/* The first word of its set that has a machine; the level is not empty. */
static inline size_t level_first_word(struct level *level)
{
    while (!level->bits[level->first])
        level->first++;
    return level->first;
}

struct index {
    bool stale;
    size_t words; /* of a set of all machines */
    struct machine **by_number;

    uint64_t *open;
    size_t open_count;
    struct level *levels;
    size_t level_room;
    size_t lowest;      /* no level below it has a machine */
    size_t top;         /* no level from it on has one */
    struct bag strange; /* machines with units that are destroyed and whose rules nobody knows */

    struct table classes, families, groups, patterns, ports, spreads;
    struct spread *primary; /* that numbers machines; NULL: none */
    struct pattern **globs; /* those of kind PATTERN_GLOB */
    size_t glob_count, name_count;
    struct pattern **matched; /* scratch, with room for all patterns */

    size_t prioritized;   /* groups with a priority other than 0 */
    uint64_t changes;     /* grows when machines open, close or change their class */
    uint64_t easings;     /* another whenever something may be possible that was not */
    uint64_t last_easing; /* that there has been, trials included: see party_lift() */
    uint64_t *stirred;    /* machines that something has happened to: see askers.h */
    bool is_stirred;
    struct machine **asked;                  /* scratch, with room for all machines */
    uint64_t *avoid, *shun, *mates, *mates2; /* scratch */
    uint64_t *wanted, *beside;               /* scratch */
    uint32_t *others;                        /* scratch, with room for the domains of any key */
    uint32_t *zeros;                         /* scratch, one for each machine; zeros between uses */
};

/* Asks the processor for this memory, which is read soon. It may be NULL. The empty statement is an
 * effect, to gcc's eyes: it takes a function that does nothing but prefetch for one that does
 * nothing, and leaves out its calls. */
static inline void index_fetch(const void *memory, size_t bytes)
{
    enum { BYTES_MAX = 512 };
    for (size_t i = 0; memory && i < bytes && i < BYTES_MAX; i += CACHE_LINE) {
        __builtin_prefetch((const char *)memory + i);
        __asm__ volatile("");
    }
}

void index_done(struct model *model);
/* Builds it anew if it is stale. -ENOMEM. */
int index_refresh(struct model *model, struct error *err);

/* The group of units with this name's family and these requirements (NULL: not known), which are
 * copied; NULL if memory ran out. Each get wants a put. */
struct group *index_group_get(struct model *model, const char *unit_name,
                              const struct requirements *requirements);
void index_group_put(struct model *model, struct group *group);

/* A machine has been made, or is about to be freed. */
void index_renumber(struct model *model);
/* It may have begun or ceased to take newcomers. */
void index_reopen(struct model *model, struct machine *machine);
/* Its metadata, capabilities or resources may have changed; or only metadata that comes from roles.
 */
void index_reclass(struct model *model, struct machine *machine, bool roles_only);
/* The placement has begun to occupy its machine, or is about to cease. */
void index_occupy(struct model *model, const struct placement *placement);
void index_vacate(struct model *model, const struct placement *placement);
/* Vacating in parts, for what a step decided and takes back, in whatever order: what is known of
 * the placement by its unit; by its group, of any of whose units on this machine; and the level of
 * each machine, once the rest is done. */
void index_vacate_unit(struct model *model, const struct placement *placement);
/* False: nothing is known by units, and their groups are all that has to be vacated. */
static inline bool index_goes_by_units(const struct index *index)
{
    return index->name_count > 0 || index->glob_count > 0 || index->strange.size > 0;
}
void index_vacate_group(struct model *model, struct group *group, struct machine *machine);
/* The same for so many that were added last to its bag, which has a list. */
void index_vacate_last(struct model *model, struct group *group, uint32_t count);
void index_settle(struct model *model, struct machine *machine);
/* How loaded a machine is: the fullest of what it has, in 512ths; or how many units there are, if
 * that is more. */
size_t index_level(const struct machine *machine);
/* The same with one unit of these requirements more (sign 1) or less (-1). */
size_t index_level_with(const struct machine *machine, const struct requirements *rules, int sign);
/* All who ask machines ask it again: askers.h. */
static inline void index_stir(struct model *model, const struct machine *machine);
/* Something else may be possible now that was not. */
void index_ease(struct model *model);

/* The patterns that match the unit's name; borrowed until the next call. */
size_t index_matched(struct model *model, const struct unit *unit, struct pattern ***ret);

/* Machines with units that the pattern matches: is this one, how many units, all of them. */
bool pattern_matches_on(const struct pattern *pattern, uint32_t machine);
uint32_t pattern_count_on(const struct pattern *pattern, uint32_t machine);

/* index_spread.c: domains made anew, with those who are in them. False if memory ran out. */
bool index_spread_build(struct model *model, struct spread *spread);
/* A value differs from what the domains say. */
bool index_spread_is_off(const struct index *index, const struct machine *machine);
struct tally *index_tally_get(struct model *model, struct family *family, const char *key);
void index_tally_put(struct model *model, struct family *family, struct tally *tally);
bool index_tally_renew(struct tally *tally);
/* The one that numbers machines: the first by name. */
struct spread *index_spread_first(const struct index *index);
const char *index_spread_value(const struct machine *machine, const char *key);

/* False: no unit on this machine can stand in the way of this one, nor it in theirs. */
bool index_may_conflict(struct model *model, const struct unit *unit,
                        const struct machine *machine);

#endif
