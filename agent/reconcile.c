/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reconcile.h"

#include <stddef.h>
#include <string.h>

/* The way down: stop, forget a failure, delete the files; then the last step that the caller names.
 */
static enum unit_step take_down(const struct unit_facts *facts, enum unit_step last)
{
    if (!facts->installed)
        return last;
    switch (facts->activity) {
    case ACTIVITY_UNKNOWN:
        return UNIT_STEP_NOTHING;
    case ACTIVITY_ACTIVE:
    case ACTIVITY_CHANGING: /* a stop job supersedes a start job, and joins a stop that is under way
                             */
        return UNIT_STEP_STOP;
    case ACTIVITY_FAILED:
        return UNIT_STEP_RESET;
    case ACTIVITY_INACTIVE:
        return UNIT_STEP_REMOVE;
    }
    return UNIT_STEP_NOTHING;
}

/* The newest text in place and known to systemd, or the step towards it; UNIT_STEP_NOTHING when it
 * is. */
static enum unit_step bring_up_to_date(const struct unit_facts *facts)
{
    if (!facts->have_text)
        return UNIT_STEP_FETCH;
    if (!facts->current) {
        enum unit_step down = take_down(facts, UNIT_STEP_INSTALL);
        return down == UNIT_STEP_REMOVE ? UNIT_STEP_INSTALL : down;
    }
    return facts->need_reload ? UNIT_STEP_RELOAD : UNIT_STEP_NOTHING;
}

/* Once it has been down for this assignment, what runs it is systemd, for a timer, a socket, a path
 * or a dependency: that is as it should be, and a failure of such a run is to be seen. A musterd
 * that has just begun must read the text before it can know that the file is another. */
static enum unit_step step_left_to_systemd(const struct unit_facts *facts)
{
    if (facts->refused || facts->activity == ACTIVITY_UNKNOWN)
        return UNIT_STEP_NOTHING;
    if (!facts->have_text || !facts->current)
        return bring_up_to_date(facts);
    return facts->need_reload && facts->activity == ACTIVITY_INACTIVE ? UNIT_STEP_RELOAD
                                                                      : UNIT_STEP_NOTHING;
}

static enum unit_step step_loaded(const struct unit_facts *facts)
{
    if (facts->started_revision == facts->assignment_revision)
        return step_left_to_systemd(facts);
    if (facts->installed &&
        (facts->activity == ACTIVITY_ACTIVE || facts->activity == ACTIVITY_CHANGING))
        return UNIT_STEP_STOP;
    if (facts->installed && facts->activity == ACTIVITY_FAILED)
        return UNIT_STEP_RESET;
    if (facts->refused || facts->activity == ACTIVITY_UNKNOWN)
        return UNIT_STEP_NOTHING;
    enum unit_step step = bring_up_to_date(facts);
    return step == UNIT_STEP_NOTHING ? UNIT_STEP_NOTE_STARTED : step;
}

/* It was started, and what runs is from before the order to start it anew. */
static bool is_restart_due(const struct unit_facts *facts)
{
    return facts->started_revision > 0 && facts->started_revision < facts->restart_revision &&
           (facts->activity == ACTIVITY_ACTIVE || facts->activity == ACTIVITY_CHANGING);
}

static enum unit_step step_run(const struct unit_facts *facts)
{
    if (facts->refused || facts->activity == ACTIVITY_UNKNOWN)
        return UNIT_STEP_NOTHING;
    enum unit_step step = bring_up_to_date(facts);
    if (step != UNIT_STEP_NOTHING || facts->started_revision == facts->assignment_revision)
        return step;
    if (is_restart_due(facts))
        return UNIT_STEP_STOP;
    if (facts->activity == ACTIVITY_FAILED)
        return UNIT_STEP_RESET; /* with it goes the start limit that it may have run into */
    return facts->activity == ACTIVITY_ACTIVE ? UNIT_STEP_NOTE_STARTED : UNIT_STEP_START;
}

enum unit_step reconcile_step(const struct unit_facts *facts)
{
    if (facts->busy)
        return UNIT_STEP_NOTHING;
    switch (facts->wanted) {
    case WANTED_ABSENT:
        return take_down(facts, UNIT_STEP_FORGET);
    case WANTED_RELEASE:
        return take_down(facts, UNIT_STEP_RELEASED);
    case WANTED_LOADED:
        return step_loaded(facts);
    case WANTED_RUN:
        return step_run(facts);
    case WANTED_LEAVE:
        return facts->installed ? UNIT_STEP_NOTHING : UNIT_STEP_FORGET;
    case WANTED_INVALID:
        break;
    }
    return UNIT_STEP_NOTHING;
}

enum activity activity_from_name(const char *active)
{
    if (!active || !*active)
        return ACTIVITY_UNKNOWN;
    if (strcmp(active, "active") == 0)
        return ACTIVITY_ACTIVE;
    if (strcmp(active, "inactive") == 0)
        return ACTIVITY_INACTIVE;
    if (strcmp(active, "failed") == 0)
        return ACTIVITY_FAILED;
    return ACTIVITY_CHANGING;
}

const char *unit_step_name(enum unit_step step)
{
    static const char *const names[] = {
        [UNIT_STEP_INVALID] = "invalid",
        [UNIT_STEP_NOTHING] = "nothing",
        [UNIT_STEP_FETCH] = "fetch",
        [UNIT_STEP_INSTALL] = "install",
        [UNIT_STEP_RELOAD] = "reload",
        [UNIT_STEP_START] = "start",
        [UNIT_STEP_NOTE_STARTED] = "note started",
        [UNIT_STEP_STOP] = "stop",
        [UNIT_STEP_RESET] = "reset",
        [UNIT_STEP_REMOVE] = "remove",
        [UNIT_STEP_RELEASED] = "released",
        [UNIT_STEP_FORGET] = "forget",
    };
    return (size_t)step < sizeof(names) / sizeof(names[0]) ? names[step] : "invalid";
}
