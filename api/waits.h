/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Those who wait for a unit: GET /v1/wait?unit=X&goal=launched&revision=R. Answered from the
 * cache's mirror, which is held while somebody waits. Lines: {"state":"waiting","reason":…} when
 * the reason changes, one final line of any other state; an empty line now and then, to notice a
 * client that has gone.
 */
#ifndef API_WAITS_H
#define API_WAITS_H

#include "base/error.h"

struct api;
struct call;
struct waits;

int waits_new(struct api *api, struct waits **ret, struct error *err);
void waits_free(struct waits *waits);
/* The call is going away; NULL waits and calls that do not wait are fine. */
void waits_forget(struct waits *waits, const struct call *call);

#endif
