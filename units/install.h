/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What [Install] asks for, as far as it means something where a cluster decides what runs. Nobody
 * enables units there: while a unit is on a machine, it has there the links that "systemctl enable"
 * would make.
 */
#ifndef UNITS_INSTALL_H
#define UNITS_INSTALL_H

#include "base/error.h"
#include "units/container.h"
#include "units/specifier.h"
#include "units/unit_file.h"

/* Of WantedBy=, RequiredBy= and UpheldBy= "OTHER.wants/UNIT" and the like, of Alias= a name; and a
 * container is wanted by its pod, unless it says otherwise. container: NULL if it is none. *ret is
 * left alone where there are none; caller frees with strv_free(). Whether the machine has OTHER is
 * not known here. -EINVAL: no name of a unit, or an alias of another type. */
int install_links(const struct unit_file *file, const struct container *container,
                  const char *unit_name, const struct specifier_machine *machine, char ***ret,
                  struct error *err);

#endif
