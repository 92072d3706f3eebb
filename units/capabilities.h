/* SPDX-License-Identifier: Apache-2.0 */
/* Linux capabilities by name (capabilities(7)); Docker's default list. */
#ifndef UNITS_CAPABILITIES_H
#define UNITS_CAPABILITIES_H

/* All that a kernel of today knows, and what a container has unless it says otherwise. Both end
 * with NULL. */
extern const char *const capabilities_all[];
extern const char *const capabilities_default[];

/* "CAP_NET_ADMIN" of "net_admin", "NET_ADMIN" or "CAP_NET_ADMIN"; NULL: there is none. */
const char *capability_find(const char *name);

#endif
