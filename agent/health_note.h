/* SPDX-License-Identifier: Apache-2.0 */
/* What musterd knows of a unit's health, on disk for the musterd that comes after it. */
#ifndef AGENT_HEALTH_NOTE_H
#define AGENT_HEALTH_NOTE_H

#include <stdint.h>

#include "agent/health.h"
#include "base/error.h"

struct health_note {
    char *invocation; /* the run of the unit that it is about, as systemd names it */
    enum health_state state;
    char *reason;
    int64_t since_ms; /* when the container came up; CLOCK_MONOTONIC */
};

void health_note_done(struct health_note *note);
#define autohealth_note __attribute__((cleanup(health_note_done))) struct health_note

int health_note_write(const char *directory, const char *unit, const struct health_note *note,
                      struct error *err);
/* -ENOENT: there is none. Into a zeroed struct; on failure nothing is left to free. */
int health_note_read(const char *directory, const char *unit, struct health_note *ret,
                     struct error *err);
/* That there is none is success. */
int health_note_remove(const char *directory, const char *unit, struct error *err);

#endif
