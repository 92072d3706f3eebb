/* SPDX-License-Identifier: Apache-2.0 */
/*
 * musterd, wired: the parts of this folder, one store client, one systemd, the API, and what flows
 * between them.
 *
 * Order of a start: whose store is it (identity.h) → the registration (presence.h) and, side by
 * side, the mirror of this machine's own keys, which feeds the runner → once registered: the member
 * record, the roles' seeds, candidacy for leader. The API listens from the beginning, so that a
 * musterd without its store can say so.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>

#include "agent/config.h"
#include "agent/machine.h"
#include "agent/systemd.h"
#include "base/loop.h"
#include "kvclient/kv.h"

struct agent;

/* What is around it. A program in which many agents live gives each a machine of its own. */
struct agent_world {
    const char *run;               /* /run/muster */
    const char *state;             /* /var/lib/muster */
    const char *links;             /* /run/systemd/system */
    const char *helper;            /* muster-container */
    const struct machine *machine; /* NULL: this one */
    struct kv *kv;                 /* shared with others; NULL: a client of the agent's own */
    int (*systemd_new)(struct loop *loop, const struct systemd_callbacks *callbacks, void *userdata,
                       struct systemd **ret, struct error *err);
    bool shares_process; /* with other agents: its memory is not this one's to give back */
};

/* Everything borrowed. Begins at once; the caller runs the loop. -EBUSY: another musterd runs here.
 */
int agent_new(struct loop *loop, const struct config *config, const struct agent_world *world,
              struct agent **ret, struct error *err);
void agent_free(struct agent *agent);
DEFINE_AUTOPTR(agent);

/* Ends cleanly: leadership is given back, the lease only if the whole system goes down and no unit
 * of ours runs; then the loop is stopped. */
void agent_stop(struct agent *agent);

/* What the process should exit with once the loop has stopped. */
int agent_exit_code(const struct agent *agent);

#endif
