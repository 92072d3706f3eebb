/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of the store: keys and values as plain structs, and their JSON. Pure. doc/store.md
 * says who writes which and when; this is its one implementation, for leader, agent and API alike.
 *
 * Decoding is strict in types and lenient in unknown fields (a newer writer may add some). Every
 * *_decode fills a zeroed struct whose strings the *_done function frees; on failure nothing is
 * left to free. A copy shares nothing with what it was made of, and two are equal if the same would
 * be written of them.
 */
#ifndef SCHEDULER_RECORDS_H
#define SCHEDULER_RECORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "units/metadata.h"
#include "units/requirements.h"

enum { ROLE_NODES_MAX = 1024 }; /* slots of one role */
enum { ROLE_FAIL_BACK_AFTER_MS = 60000 };
enum { OVERCOMMIT_MAX = 10000 }; /* per cent */

/* --- keys --- */

#define STORE_PREFIX_DEFAULT "/muster/v1/"

enum store_key_kind {
    STORE_KEY_INVALID = 0, /* not one of ours: ignore it */
    STORE_KEY_CLUSTER,     /* cluster */
    STORE_KEY_MEMBER,      /* members/<machine> */
    STORE_KEY_PRESENCE,    /* nodes/<machine>/presence */
    STORE_KEY_ASSIGNMENT,  /* nodes/<machine>/units/<name> */
    STORE_KEY_STATE,       /* states/<machine>/<name> */
    STORE_KEY_LEADER,      /* leader */
    STORE_KEY_UNIT,        /* units/<name> */
    STORE_KEY_BLOB,        /* blobs/<name = sha256> */
    STORE_KEY_VERDICT,     /* verdicts/<name> */
    STORE_KEY_ROLE,        /* roles/<name = role> */
    STORE_KEY_SLOT,        /* slots/<name = role>/<index> */
    STORE_KEY_CORDON,      /* cordons/<machine> */
    STORE_KEY_DRAIN,       /* ops/drain/<machine> */
    STORE_KEY_BRAKE,       /* ops/brake */
    STORE_KEY_ROLLOUT,     /* ops/rollout/<name = template, or a unit that is no instance> */
    STORE_KEY_REBALANCE,   /* ops/rebalance */
    STORE_KEY_UNITS_MARK,  /* units-written: put with each write of a unit */
    STORE_KEY_LAST = STORE_KEY_UNITS_MARK,
};

#define STORE_UNITS_MARK_VALUE "{}" /* that it is written is what counts */

/* The key of a thing; machine, name and index as the kind wants them, else NULL and 0. Caller
 * frees; NULL if memory ran out. prefix ends in '/'. */
char *store_key(const char *prefix, enum store_key_kind kind, const char *machine, const char *name,
                unsigned int index);
/* The same at the end of a text, for who makes many. */
void store_key_add(const char *prefix, enum store_key_kind kind, const char *machine,
                   const char *name, unsigned int index, struct text *to);

struct store_key_parts {
    enum store_key_kind kind;
    char machine[33]; /* "" if the kind has none */
    char name[257];   /* "" if the kind has none */
    unsigned int index;
};
/* kind STORE_KEY_INVALID where the key is not ours or malformed. */
void store_key_parse(const char *prefix, const char *key, struct store_key_parts *ret);

/* --- values --- */

struct record_cluster {
    char *uuid;
    int64_t schema;
};

struct record_member {
    char *name;                     /* host name */
    char *public_ip;                /* "" if unknown */
    struct metadata_rule *metadata; /* static, sorted by key */
    size_t metadata_count;
    int64_t ttl_ms;
    bool may_lead;
    char *version;
    char *roles; /* the machine's own cloud-config, "web=2,db=3"; "" if none: for showing drift */
    char *role_priority; /* "db=200,*=50"; "" if none */

    /* What it has; 0: not declared, and then not counted. */
    int64_t cpu_milli, memory_bytes, tasks;
    /* What it keeps for itself, and how many per cent of the rest may be promised. */
    int64_t reserve_cpu_milli, reserve_memory_bytes, reserve_tasks;
    int64_t overcommit_cpu, overcommit_memory;
    char **capabilities; /* what it can do */
    bool marks_units;    /* its musterd puts units-written with each unit that it writes */
};

struct record_presence {
    char *boot_id;
    char *nonce;
    char *address;
    bool ready;             /* false: keeps its units, gets no newcomers */
    char *not_ready_reason; /* "" if ready */
};

enum desired { DESIRED_INVALID = 0, DESIRED_INACTIVE, DESIRED_LOADED, DESIRED_LAUNCHED };

struct record_unit {
    char *blob; /* sha256 of the text */
    enum desired desired;
    /* Order to start it anew though it runs: whoever started it last for an assignment older than
     * this stops it first. 0: none. It stays; once it is carried out it asks for nothing. */
    int64_t restart_revision;
};

enum want { WANT_INVALID = 0, WANT_RUN, WANT_LOADED, WANT_RELEASE };

struct record_assignment {
    char *blob;
    enum want want;
    int64_t unit_revision; /* mod_revision of units/<name> that it carries out */
    enum failover failover;
    int64_t hold_ms; /* at-most-once only; else 0 */
    int64_t epoch;
    char *reason; /* why here, or why released */
    /* Of a release, and of a successor: "drain", "failing" …, what the move is for; "" otherwise.
     */
    char *cause;
    /* Of a successor, which is started before the copy on this machine is stopped; "" otherwise. */
    char *moves_from;
    int64_t restart_revision; /* of the unit */
};

struct record_state {
    int64_t registration;        /* create_revision of the presence it was written under */
    int64_t assignment_revision; /* mod_revision of the assignment it answers */
    char *load;                  /* systemd's words */
    char *active;
    char *sub;
    char *result;              /* systemd's Result of the last run; "" unknown */
    char *problem;             /* what the agent could not do, in words; "" if nothing */
    char *health;              /* "starting", "healthy", "unhealthy"; "" if nothing is checked */
    char *health_reason;       /* what a check said that put it there; "" if nothing */
    char *invocation;          /* systemd's invocation id, "" if none */
    char *addresses;           /* of its container, with spaces between; "" if none */
    char *image;               /* digest of its manifest, "sha256:…"; "" if none */
    char *ports;               /* that it publishes, "[IP:]HOST:CONTAINER/PROTOCOL", likewise */
    int64_t released_revision; /* mod_revision of the release it acknowledges; 0: none */
    int64_t since_ms;          /* wall clock, for display */
};

struct record_verdict {
    int64_t unit_revision;
    char *reason;
    int64_t since_ms; /* wall clock, for display */
    char *kind;       /* verdict_kind_name(); "" unknown */
    int64_t attempts; /* failing, failed, moving: on how many machines it has failed */
    char *tried;      /* their ids, between commas */
    char *reserved;   /* nowhere: the machine that waits for it to fit; "" none */
};

/* Who may come: nobody new. A value that cannot be read, as a person may put it, does as well. */
struct record_cordon {
    char *reason;     /* "" if a person gave none */
    int64_t since_ms; /* wall clock */
};

/* A machine that is to be empty. The API asks; the leader says how far it is. */
struct record_drain {
    int64_t since_ms;   /* wall clock */
    int64_t timeout_ms; /* after that nothing more is begun; 0: never */
    bool drained;       /* nothing of ours is left there */
    bool expired;       /* the time was over before */
    char *problem;      /* what does not move, and why; "" if all does */
};

/* An order of a person to the brake (brake.h). */
struct record_brake {
    bool hold; /* else: let go whatever is held now */
    int64_t since_ms;
};

enum rollout_state {
    ROLLOUT_INVALID = 0,
    ROLLOUT_RUNNING,
    ROLLOUT_PAUSED,
    ROLLOUT_DONE,
    ROLLOUT_ROLLED_BACK,
};

/* A text that the units of a rollout have had. Its blob is kept as long as this speaks of it. */
struct rollout_version {
    int64_t version; /* counts up from 1 */
    char *blob;
    int64_t since_ms; /* wall clock */
    char *how;        /* "start", "undo to 2", "rollback of 3", "found" */
    bool good;        /* all units have had it, and were up with it */
};
enum {
    ROLLOUT_VERSIONS_MAX = 10,
    ROLLOUT_WAIT_DEFAULT_MS = 10000, /* where an order says nothing */
    ROLLOUT_TIMEOUT_DEFAULT_MS = 300000,
};

/* A change that goes from instance to instance; rollout.h says how. */
struct record_rollout {
    enum rollout_state state;
    bool restart;   /* every instance keeps its text, and is started anew */
    bool back;      /* it goes back to what was before, after a failure */
    bool roll_back; /* on a failure: go back; else pause */
    char *blob;     /* where to */
    char *previous; /* where back to; "" nowhere */
    int64_t version;
    int64_t parallel;       /* instances at a time; 0: percent says */
    int64_t percent;        /* of those that are to run, at least one */
    int64_t wait_ms;        /* each has to stay up for so long */
    int64_t timeout_ms;     /* and come up within that */
    char *reason;           /* why it is paused, has gone back or does not go on; "" otherwise */
    char **changing;        /* instances that have had their turn and are not up for long enough */
    int64_t since_ms;       /* wall clock */
    int64_t since_revision; /* restart: an instance that was ordered to before has its turn to come
                             */
    int64_t retry_revision; /* what went wrong before that is tried again */
    struct rollout_version *versions;
    size_t version_count;
};
/* Has this unit had its turn? */
bool rollout_has_reached(const struct record_rollout *rollout, const struct record_unit *unit);
/* Has this copy of a unit that runs everywhere? Of a restart that is so once the unit has it, and
 * the assignment is younger than that. */
bool rollout_has_reached_copy(const struct record_rollout *rollout, const struct record_unit *unit,
                              const char *blob, int64_t assignment_mod);
/* Does this copy of a unit that runs everywhere have a turn of its own? A machine that is being rid
 * of it (want) is left alone, and so is one that is away, unless that went in its turn: perhaps
 * because of it. */
bool rollout_has_copy(const struct record_rollout *rollout, const char *unit, const char *machine,
                      enum want want, bool is_there);
/* "unit/machine", as in `changing`. Caller frees; NULL if memory ran out. */
char *rollout_copy_name(const char *unit, const char *machine);
/* A version more, the oldest goes if there are too many; all texts are copied. It is the one that
 * the rollout now goes to. */
int rollout_add_version(struct record_rollout *rollout, const char *blob, const char *how,
                        int64_t since_ms, struct error *err);
/* The entry of this number, NULL if it is not remembered; borrowed. */
struct rollout_version *rollout_version_find(const struct record_rollout *rollout, int64_t version);
/* The youngest that all units were up with, other than this text; NULL: there is none. */
const struct rollout_version *rollout_last_good(const struct record_rollout *rollout,
                                                const char *other_than);

/* How far loads are evened out (rebalance.h). Where there is none, and where the word is unknown,
 * it is "advise". */
struct record_rebalance {
    char *mode; /* rebalance_mode_name() */
    int64_t since_ms;
};

struct record_role {
    int64_t nodes;
    int64_t min_nodes;
    int64_t generation;
    char **require;   /* "disk=ssd" …: all keys, any of a key's values; of the own metadata */
    char *spread;     /* a metadata key: holders differ in it if they can; "" if none */
    char **conflicts; /* roles that no holder of this one holds */
    char *when_short; /* role_short_name(): what fewer than min_nodes candidates mean */
    bool fail_back;   /* a better machine takes the slot of a holder */
    int64_t fail_back_after_ms; /* once it has been up so long */
    int64_t promote_after_ms;   /* patience with a holder that is lost */
};

/* With fewer machines than min_nodes that could hold a role … */
enum role_short {
    ROLE_SHORT_RUN = 0, /* those that are there hold it */
    ROLE_SHORT_HOLD,    /* holders go on, nobody else is promoted */
    ROLE_SHORT_STOP,    /* nobody holds it: for software that needs a quorum */
};

struct record_slot {
    char *machine;
    int64_t since_ms; /* wall clock, for display */
};

struct record_leader {
    char *machine;
    char *nonce;
};

/* Each: struct ↔ JSON text. decode: -EPROTO with the field. encode: caller frees *ret. add: what
 * encode gives, at the end of a text; nothing is added on an error. copy: *ret is the caller's.
 * equal: the same would be written. */
#define DECLARE_RECORD(type)                                                                       \
    int record_##type##_encode(const struct record_##type *record, char **ret, struct error *err); \
    int record_##type##_add(const struct record_##type *record, struct text *to,                   \
                            struct error *err);                                                    \
    int record_##type##_decode(const char *text, size_t length, struct record_##type *ret,         \
                               struct error *err);                                                 \
    int record_##type##_copy(const struct record_##type *from, struct record_##type *ret,          \
                             struct error *err);                                                   \
    bool record_##type##_equal(const struct record_##type *a, const struct record_##type *b);      \
    void record_##type##_done(struct record_##type *record);                                       \
    static inline void cleanup_record_##type(struct record_##type *record)                         \
    {                                                                                              \
        record_##type##_done(record);                                                              \
    }                                                                                              \
    struct record_##type
DECLARE_RECORD(cluster);
DECLARE_RECORD(member);
DECLARE_RECORD(presence);
DECLARE_RECORD(unit);
DECLARE_RECORD(assignment);
DECLARE_RECORD(state);
DECLARE_RECORD(verdict);
DECLARE_RECORD(role);
/* What encode writes, for whoever tells of it in JSON. */
int record_role_json(const struct record_role *record, json_t **ret, struct error *err);
DECLARE_RECORD(slot);
DECLARE_RECORD(leader);
DECLARE_RECORD(cordon);
DECLARE_RECORD(drain);
DECLARE_RECORD(brake);
DECLARE_RECORD(rollout);
DECLARE_RECORD(rebalance);
#define autorecord(type) __attribute__((cleanup(cleanup_record_##type))) struct record_##type

enum verdict_kind {
    VERDICT_UNKNOWN = 0,
    VERDICT_NOWHERE,    /* no machine may run it */
    VERDICT_HELD,       /* by the brake */
    VERDICT_NEVER,      /* it stays with its lost machine */
    VERDICT_UNREADABLE, /* its text cannot be read */
    VERDICT_FAILING,    /* it failed, and is tried elsewhere */
    VERDICT_FAILED,     /* it failed on enough machines */
    VERDICT_MOVING,     /* it runs, but on no machine that it is to move to */
    VERDICT_LEAVING,    /* it runs where it may not, and waits until it may leave */
};

const char *verdict_kind_name(enum verdict_kind kind); /* "", "nowhere" … */
enum verdict_kind verdict_kind_from_name(const char *name);

/* What a planned move is for: the cause of a release. */
enum move_cause {
    MOVE_CAUSE_NONE = 0, /* it must leave, or is not wanted any more */
    MOVE_CAUSE_DRAIN,
    MOVE_CAUSE_FAILING,
    MOVE_CAUSE_REBALANCE,
    MOVE_CAUSE_PREEMPT,
    MOVE_CAUSE_RULE,    /* its machine has lost what it asks of it */
    MOVE_CAUSE_REPLACE, /* one that replaces it is about to come */
};

enum rebalance_mode {
    REBALANCE_ADVISE = 0, /* what would be moved is told to who asks */
    REBALANCE_OFF,        /* not even that */
    REBALANCE_AUTO,       /* it is moved */
};

const char *rebalance_mode_name(enum rebalance_mode mode); /* "advise", "off", "auto" */
/* False: it is none of them. */
bool rebalance_mode_from_name(const char *name, enum rebalance_mode *ret);
const char *move_cause_name(enum move_cause cause);       /* "", "drain", "failing" … */
enum move_cause move_cause_from_name(const char *name);   /* MOVE_CAUSE_NONE if it is none */
const char *role_short_name(enum role_short when);        /* "run", "hold", "stop" */
enum role_short role_short_from_name(const char *name);   /* ROLE_SHORT_RUN if it is none */
const char *rollout_state_name(enum rollout_state state); /* "running", "paused" … */
enum rollout_state rollout_state_from_name(const char *name);
const char *desired_name(enum desired desired); /* "inactive", "loaded", "launched" */
enum desired desired_from_name(const char *name);
const char *want_name(enum want want); /* "run", "loaded", "release" */
enum want want_from_name(const char *name);

/* ^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$ */
bool role_name_is_valid(const char *name);

/* "web=2,db=3" → names and numbers: pairs between commas, white space around names and numbers and
 * empty pieces are passed over, a name is a role_name_is_valid() one ("*" too where star is
 * allowed) and stands once, a number is decimal, 0 to max. -EINVAL names the faulty piece. */
struct role_number {
    char name[64];
    unsigned int number;
};
int role_numbers_parse(const char *text, unsigned int max, bool allow_star,
                       struct role_number **ret, size_t *ret_count, struct error *err);

#endif
