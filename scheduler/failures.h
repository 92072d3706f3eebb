/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the failures were, in words, of copies whose state says that they have failed. They lie
 * beside the copies, of which few have failed, and by copy: one unit may have failed on many
 * machines, on each in its own way.
 */
#ifndef SCHEDULER_FAILURES_H
#define SCHEDULER_FAILURES_H

#include "scheduler/model_data.h"

/* In place of what was noted of the copy before. False: memory ran out, and nothing is noted. */
bool failure_note(struct model *model, const struct placement *placement, const char *words);
/* It has not failed, as far as is known; or nothing is known of it any more. */
void failure_forget(struct model *model, const struct placement *placement);
/* "unknown" of a copy that has not failed. Borrowed until the copy's next state. */
const char *failure_of(const struct model *model, const struct placement *placement);

void failures_done(struct model *model);

#endif
