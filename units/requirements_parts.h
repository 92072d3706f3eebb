/* SPDX-License-Identifier: Apache-2.0 */
/* How the parts of requirements_read() put together what they read. For units/ alone. */
#ifndef UNITS_REQUIREMENTS_PARTS_H
#define UNITS_REQUIREMENTS_PARTS_H

#include "units/requirements.h"
#include "units/unit_file.h"

int requirements_add_rule(struct metadata_rule **rules, size_t *count, const char *key,
                          size_t key_length, const char *value, struct error *err);
void requirements_clear_rules(struct metadata_rule **rules, size_t *count);
int requirements_add_port(struct requirements *requirements, const struct port_claim *claim,
                          struct error *err);

/* What the file says outside of [X-Fleet]: limits, which are requests where none are made, and
 * ports of the host. asked: requests that have been made. What is not understood is left to those
 * whose keys these are. -ENOMEM, or -EINVAL for too many ports. */
int requirements_read_load(const struct unit_file *file, const char *unit_name,
                           const bool asked[RESOURCES], struct requirements *requirements,
                           struct error *err);

#endif
