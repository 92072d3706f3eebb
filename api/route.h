/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler answers which method and path. */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "api/call.h"

/* Hands the call to its handler; 404 and 405 where there is none. */
void route_call(struct call *call);

/* Does path fit the pattern ("/v1/units/{name}")? *ret_name is then a copy of what stands for
 * {name}, NULL if the pattern has none. -ENOENT: it does not. Pure; for route_call() and its
 * tests. */
int route_match(const char *pattern, const char *path, char **ret_name);

/* The handlers, by the file that holds them. */
void machines_list(struct call *call);
void machines_fleet_list(struct call *call);
void operations_machine(struct call *call);
void operations_cordon(struct call *call);
void operations_uncordon(struct call *call);
void operations_drain(struct call *call);
void operations_brake(struct call *call);
void operations_set_brake(struct call *call);
void operations_set_role(struct call *call);
void operations_remove_role(struct call *call);
void operations_rebalance(struct call *call);
void operations_set_mode(struct call *call);
void units_list(struct call *call);
void units_show(struct call *call);
void units_why(struct call *call);
void units_fleet_list(struct call *call);
void units_fleet_show(struct call *call);
void plan_show(struct call *call);
void changes_submit(struct call *call);
void changes_desired(struct call *call);
void changes_destroy(struct call *call);
void changes_fleet_put(struct call *call);
void changes_fleet_destroy(struct call *call);
void states_fleet_list(struct call *call);
void states_fleet_show(struct call *call);
void roles_list(struct call *call);
void rollouts_list(struct call *call);
void rollouts_show(struct call *call);
void rollouts_order(struct call *call);
void status_show(struct call *call);
void status_health(struct call *call);
void waits_start(struct call *call);

#endif
