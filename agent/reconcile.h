/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do next with one unit on this machine. Pure: from what the cluster wants of it, what is
 * installed and what systemd says, to the next single step. The shell (agent/runner.c) does the
 * step and asks again when it is done.
 *
 *   wanted   ABSENT   not assigned here, and the store may be believed: stop it, remove it, forget
 *            it
 *   LEAVE    not assigned here, but the store may not be believed: touch nothing; where nothing is
 *            installed, as after a release, there is nothing that could be touched: forget it
 *   LOADED   its file installed, and stopped once per assignment; from then on it is for systemd to
 *            run it or not, for a timer or a socket
 *   RUN      installed and started once per assignment, if it does not run (or is to be started
 *            anew, restart_revision); from then on it is systemd's to supervise
 *   RELEASE  stop it, remove it, and say so
 */
#ifndef AGENT_RECONCILE_H
#define AGENT_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

enum wanted {
    WANTED_INVALID = 0,
    WANTED_ABSENT,
    WANTED_LEAVE,
    WANTED_LOADED,
    WANTED_RUN,
    WANTED_RELEASE,
};

enum activity {
    ACTIVITY_UNKNOWN = 0, /* systemd was not heard yet */
    ACTIVITY_INACTIVE,
    ACTIVITY_FAILED,
    ACTIVITY_CHANGING, /* activating, deactivating, reloading */
    ACTIVITY_ACTIVE,
};

enum unit_step {
    UNIT_STEP_INVALID = 0,
    UNIT_STEP_NOTHING, /* as wanted; or waiting for an event that will come */
    UNIT_STEP_FETCH,   /* get the text */
    UNIT_STEP_INSTALL, /* write and link what the text translates to */
    UNIT_STEP_RELOAD,  /* systemd holds an older text: daemon-reload */
    UNIT_STEP_START,
    UNIT_STEP_NOTE_STARTED, /* it is as wanted: note the assignment as carried out */
    UNIT_STEP_STOP,
    UNIT_STEP_RESET,    /* forget systemd's failed state */
    UNIT_STEP_REMOVE,   /* unlink and delete what was installed */
    UNIT_STEP_RELEASED, /* nothing of it is left: acknowledge the release */
    UNIT_STEP_FORGET,   /* nothing of it is left: drop the entry */
};

struct unit_facts {
    enum wanted wanted;
    bool busy;    /* a step is under way */
    bool refused; /* the text cannot be installed here (the problem is reported): only stopping is
                     left */
    bool have_text;
    bool installed;
    bool current; /* what is installed is what the text translates to */
    bool need_reload;
    enum activity activity;
    int64_t assignment_revision;
    int64_t started_revision; /* the assignment that was last carried out here, by a start, or by
                                 being down where only loaded is wanted; 0: none */
    int64_t restart_revision; /* started for an older assignment than this, it is to be started
                                 anew; 0: nothing of the kind */
};

enum unit_step reconcile_step(const struct unit_facts *facts);

/* systemd's ActiveState in our words; "" or NULL is UNKNOWN. */
enum activity activity_from_name(const char *active);
const char *unit_step_name(enum unit_step step);

#endif
