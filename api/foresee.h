/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes of a model if all goes well: the leader's plans are carried out in it, step after
 * step, and every agent that is there does at once what it is told. Pure; time stands still, so
 * nothing comes up that has to be waited for: no machine is lost, no back-off ends, and rollouts
 * that are under way stand.
 */
#ifndef API_FORESEE_H
#define API_FORESEE_H

#include <jansson.h>

#include "api/view.h"

/* A model, and where its store would be. */
struct future {
    struct model *model; /* borrowed */
    int64_t revision;    /* of the last write */
};

/* What was seen of units on the way, from first to last. */
struct foresight;
int foresight_new(struct foresight **ret, struct error *err);
void foresight_free(struct foresight *foresight);
DEFINE_AUTOPTR(foresight);

/* What the agents have been told and not answered yet is answered. */
int foresee_answers(const struct view *view, struct future *future, struct error *err);
/* Goes on until nothing more comes. 1: it did not come to an end within a hundred steps, and the
 * model is as far as that. foresight: what is noted; or NULL. */
int foresee(struct future *future, struct foresight *foresight, struct error *err);

/* A list of what became of each unit: {"unit", "action", "machine", "from", "reason"}; machine and
 * from where they say something. action: "place" on machine; "move" from one to the other; "leave"
 * machine, for nowhere; "change" on it, where it stays; "wait", who was nowhere. NULL: memory ran
 * out. */
json_t *foresight_json(const struct foresight *foresight);

#endif
