/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a container's health stands, and which check is due. A pure step function; the shell in
 * agent/checks.c runs the checks and feeds back what came of them. Times are CLOCK_MONOTONIC.
 *
 *               the start-up check, if there is one, has passed often enough;
 *               then a check passes
 *   NONE --up--> STARTING ----------------------------------> HEALTHY
 *                   |                                         ^     |
 *                   | retries failures in a row,  a check     |     | retries failures
 *                   | after the start period      passes      |     | in a row
 *                   v                                         |     v
 *                UNHEALTHY -----------------------------------+  UNHEALTHY
 *   each --down--> NONE; but UNHEALTHY stays, for whoever asks why, until the next up
 *
 * A start-up check that failed startup_retries times makes it UNHEALTHY too, and has it started
 * anew. Of the check itself there is one at a time, and the next is due an interval after its end:
 *
 *   REST --up--> WAIT --due--> RUN --passed, failed--> WAIT
 *                 ^             |
 *                 |             | time-out (is a failure), down
 *                 |             v
 *                 +--it ended-- END --it ended, and down--> REST
 */
#ifndef AGENT_HEALTH_H
#define AGENT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "units/container.h"

enum health_state {
    HEALTH_INVALID = 0,
    HEALTH_NONE, /* nothing runs that could be checked */
    HEALTH_STARTING,
    HEALTH_HEALTHY,
    HEALTH_UNHEALTHY,
};
const char *health_state_name(enum health_state state); /* "" for NONE, "starting", … */
enum health_state health_state_from_name(const char *name);

enum health_phase {
    HEALTH_PHASE_INVALID = 0,
    HEALTH_PHASE_REST, /* down */
    HEALTH_PHASE_WAIT, /* the next check is due at due_ms */
    HEALTH_PHASE_RUN,  /* a check runs, until due_ms at most */
    HEALTH_PHASE_END,  /* it was told to end; the next is due at due_ms, or never: see up */
};

struct health {
    enum health_state state;
    enum health_phase phase;
    bool up;
    bool startup; /* the start-up check is not through yet, and is the one that is run */
    bool said;    /* a failure was told while STARTING: the later ones are not */
    int64_t up_since_ms;
    int64_t due_ms;
    int64_t failures;  /* in a row; of the start-up check: all */
    int64_t successes; /* of the start-up check, in a row */
};

enum health_event_kind {
    HEALTH_EVENT_INVALID = 0,
    HEALTH_EVENT_UP,      /* a container runs: known, since_ms, delay_ms */
    HEALTH_EVENT_DOWN,    /* it does not, or is being stopped */
    HEALTH_EVENT_TICK,    /* time has passed, and there is room for a check if one is due */
    HEALTH_EVENT_PASSED,  /* the check ended well */
    HEALTH_EVENT_FAILED,  /* it did not, or could not be run */
    HEALTH_EVENT_NOT_YET, /* it says nothing: too early, or cut short; again after delay_ms */
};

struct health_event {
    enum health_event_kind kind;
    enum health_state known; /* STARTING for a new container; else what an earlier musterd found */
    int64_t since_ms;        /* when the container came up */
    int64_t delay_ms;        /* until the first check, or the next try */
};

/* What the shell does now, in this order. */
struct health_actions {
    bool end;   /* the check that runs, with all it started */
    bool tell;  /* the state, or that it does not start well, and the reason */
    bool ready; /* a check passed: a start that waits for that (Notify=healthy) is over */
    bool run;   /* the check; the start-up check if health.startup */
    enum container_on_failure on_failure; /* NONE: nothing. Again with each further failure, in
                                             case it did not come to pass */
    int64_t wake_ms;                      /* of the next tick; -1: none */
};

void health_init(struct health *health);

struct health_actions health_step(struct health *health, const struct container_health *rules,
                                  const struct health_event *event, int64_t now_ms);

#endif
