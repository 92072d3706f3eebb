/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health checks of this machine's containers: runs them when they are due (health.h decides),
 * by `muster-container probe`, keeps what the last one said, and does what is to follow when a
 * container is unhealthy. No more than CHECKS_AT_ONCE run at a time; the others wait for their
 * turn.
 *
 * musterd may go and come back: what is known of a container's health is noted in
 * <run>/health/<unit> whenever it changes, and goes on to hold for the same run of the unit. Checks
 * that ran end with musterd.
 */
#ifndef AGENT_CHECKS_H
#define AGENT_CHECKS_H

#include "agent/health.h"
#include "agent/systemd.h"
#include "base/loop.h"

enum { CHECKS_AT_ONCE = 32 };

struct checks;

struct checks_config {
    struct loop *loop;  /* all borrowed */
    const char *helper; /* path of muster-container */
    const char *run;    /* /run/muster */
    /* What checks_health() says of the unit is another. Not called from inside the functions below,
     * but for checks_on_status(). */
    void (*on_change)(const char *unit, void *userdata);
    void *userdata;
};

int checks_new(const struct checks_config *config, struct checks **ret, struct error *err);
void checks_free(struct checks *checks);
DEFINE_AUTOPTR(checks);

/* Borrowed; as the runner's. */
void checks_set_systemd(struct checks *checks, struct systemd *systemd);

/* A unit's status as systemd tells it: begins and ends what is to be checked. */
void checks_on_status(struct checks *checks, const char *unit, const struct systemd_status *status);

/* The unit is no more on this machine. */
void checks_forget(struct checks *checks, const char *unit);

/* How the unit's health stands, and what a check said that put it there ("" if nothing); borrowed
 * until the next call. HEALTH_NONE of what is not checked. */
enum health_state checks_health(struct checks *checks, const char *unit, const char **ret_reason);

#endif
