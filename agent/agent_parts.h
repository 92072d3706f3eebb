/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the agent, shared by its three files and nobody else:
 *
 *   agent.c        makes the parts, joins them, and ends them
 *   agent_store.c  whose store it is, our own keys in it, and what their absence means
 *   agent_lead.c   candidacy and leadership
 */
#ifndef AGENT_AGENT_PARTS_H
#define AGENT_AGENT_PARTS_H

#include "agent/agent.h"
#include "agent/leader.h"
#include "agent/presence.h"
#include "agent/publish.h"
#include "agent/runner.h"
#include "api/api.h"
#include "kvclient/election.h"
#include "kvclient/kv_mirror.h"

enum { AGENT_PATH_SIZE = 512 };

struct agent {
    struct loop *loop; /* borrowed, as the next two */
    const struct config *config;
    const struct agent_world *world;
    struct machine machine;
    char identity_path[AGENT_PATH_SIZE];
    char lease_path[AGENT_PATH_SIZE];
    char *own_prefix; /* nodes/<id>/ */
    int lock_fd;
    struct kv *kv; /* the world's, or our own */
    struct reports *reports;
    struct runner *runner;
    struct systemd *systemd;
    struct presence *presence;
    struct publish *publish;
    struct kv_mirror *mirror; /* of own_prefix */
    struct election *election;
    struct leader *leader;
    struct api *api;
    char *uuid; /* of the cluster; NULL: not known yet */
    bool leader_is_barred;
    bool store_is_away;     /* it did not answer when asked whose it is */
    bool foreign;           /* the store is another's: nothing is done */
    bool younger;           /* nor ever again by this process: the store was restored */
    unsigned int asking;    /* answers that are awaited: whose store is it? */
    int64_t asked_revision; /* what store_revision was when the first was asked for */
    int64_t store_revision; /* as far as we know the store has come, noted now and then */
    bool mirror_is_new;
    bool states_read;
    bool states_known;
    bool strangers_dropped;
    bool stopping;
    bool resigned;
    bool system_asked;
    bool system_stopping;
    int exit_code;
    struct loop_timer *identify;
    struct loop_timer *absence;
    bool absence_asked; /* an answer is awaited */
    bool absence_again; /* and more has gone since it was asked for */
    struct loop_timer *bus_patience;
    struct loop_timer *stop_deadline;
    struct loop_timer *watchdog;
    struct loop_timer *trim;
    int64_t watchdog_ms;
    bool status_untold; /* systemd had too much to read to take our status */
};

/* Systemd's STATUS= of musterd, after each change of part. */
void agent_tell_systemd(struct agent *agent);

/* --- agent_store.c --- */

/* Asks whose store it is, and then joins or parts. Timers' callbacks. */
void agent_on_identify(struct loop_timer *timer, void *userdata);
void agent_on_absence(struct loop_timer *timer, void *userdata);

/* The store's revision went back. */
void agent_turn_younger(struct agent *agent);

/* The store's cluster is the one that we belong to from now on. */
void agent_remember_cluster(struct agent *agent, const char *uuid);

/* Deletes our states that belong to no assignment, once states and assignments are known. */
void agent_drop_strangers(struct agent *agent);

/* --- agent_lead.c --- */

int agent_make_election(struct agent *agent, struct error *err);

/* How long to wait before campaigning, from our rank among the members. */
void agent_find_rank(struct agent *agent);

/* Nothing is decided here from now on; whose leader's key it is stays as it is. */
void agent_stop_leading(struct agent *agent);

/* Gives back a leadership that came to nothing; it may be won again. */
void agent_replace_leader(struct agent *agent);

#endif
