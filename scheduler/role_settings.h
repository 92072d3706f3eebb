/* SPDX-License-Identifier: Apache-2.0 */
/* What people may say of a role: "nodes=3", "require=disk=ssd" … Pure. */
#ifndef SCHEDULER_ROLE_SETTINGS_H
#define SCHEDULER_ROLE_SETTINGS_H

#include "base/error.h"
#include "scheduler/records.h"

/*
 * Applies "key=value" settings to a role's record, in order; a role that is new is given zeroed.
 * The keys, whose values are as cloud-config has them:
 *   nodes=N  min-nodes=N  require=KEY=VALUE[,…]  spread=KEY  conflicts=ROLE[,…]
 *   when-short=run|hold|stop  fail-back=yes|no  fail-back-after=DURATION  promote-after=DURATION
 * An empty value resets the key to its default. -EINVAL: what is wrong and what would be right;
 * *role is then as it was.
 */
int role_settings_apply(struct record_role *role, const char *name, char *const *settings,
                        struct error *err);

#endif
