/* SPDX-License-Identifier: Apache-2.0 */
/* coreos.fleet: the options of the agent, handed over as environment variables in a drop-in. */
#ifndef CLOUD_CONFIG_FLEET_H
#define CLOUD_CONFIG_FLEET_H

#include <stdbool.h>

#include "base/text.h"
#include "cloud-config/document.h"
#include "cloud-config/report.h"

#define FLEET_UNIT    "fleet.service"
#define FLEET_DROP_IN "/run/systemd/system/fleet.service.d/20-cloudinit.conf"

/* Reports what is wrong with values that the schema lets pass. */
int fleet_validate(const struct node *fleet, struct report *report, struct error *err);

/* Warns of options of fleet's that musterd does not read. */
void fleet_warn_unused(const struct node *fleet, struct report *report);

/* The text of the drop-in; "" if the section sets nothing. Roles that are wrong are left out.
 *
 * An empty string sets nothing (so public-ip: $public_ipv4 is harmless where there is none), but
 * false and 0 are values like others and are written. */
int fleet_drop_in(const struct node *fleet, char **ret, struct error *err);

/* Holds the drop-in a password? Then it is root's alone to read. */
bool fleet_is_secret(const struct node *fleet);

/* Adds Environment="NAME=VALUE" as systemd reads it: quotes, backslashes, line ends and '%' lose
 * their meaning, so that a value cannot become a setting of its own. */
void fleet_add_environment(struct text *text, const char *name, const char *value);

#endif
