/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this machine tells the cluster of its units: states/<machine>/<unit>, written only when they
 * differ from what the store has, under the present registration, several in one transaction.
 *
 * Each write compares the registration and the assignment that the state answers, so that no state
 * outlives its assignment: once the leader has moved a unit, what its old machine still had to say
 * is refused. And it compares the state that it replaces, so that one whose answer was lost does
 * not land on top of a later one; one write of a unit is under way at a time, and after an unknown
 * outcome the key is read first.
 *
 * A state on its way (activating, deactivating) is written only if it lasts REPORT_TRANSIENT_MS:
 * most starts cost one write. Unwritten reports wait out an unreachable store and a lost
 * registration.
 */
#ifndef AGENT_REPORTS_H
#define AGENT_REPORTS_H

#include <stdbool.h>

#include "base/loop.h"
#include "kvclient/kv.h"
#include "scheduler/records.h"

enum { REPORT_TRANSIENT_MS = 200 };

struct reports;

/* on_refused: the store says that the registration under which we write is not there. */
struct reports_config {
    struct loop *loop; /* borrowed, as the others */
    struct kv *kv;
    const char *prefix;
    const char *machine;
    void (*on_refused)(void *userdata);
    void *userdata;
};

int reports_new(const struct reports_config *config, struct reports **ret, struct error *err);
void reports_free(struct reports *reports);
DEFINE_AUTOPTR(reports);

/* The registration to write under; 0: none, keep everything until there is one. A new one makes
 * every report due again. */
void reports_set_registration(struct reports *reports, int64_t registration);

/* What the store has already, read by a restarted musterd: equal reports are not written again. A
 * state whose unit is never reported is deleted by reports_delete_strangers(). */
int reports_note_stored(struct reports *reports, const char *unit, int64_t mod_revision,
                        const struct record_state *state, struct error *err);
/* Deletes the stored states of units that are not assigned here (an earlier musterd was killed
 * between two writes). */
void reports_delete_strangers(struct reports *reports,
                              bool (*is_assigned)(const char *unit, void *userdata),
                              void *userdata);

/* The state of a unit as it is now; registration is filled in here. Copied. transient: see above.
 */
int reports_put(struct reports *reports, const char *unit, const struct record_state *state,
                bool transient, struct error *err);

/* The unit is no longer ours: the leader deletes its state; we only stop writing it. */
void reports_forget(struct reports *reports, const char *unit);

#endif
