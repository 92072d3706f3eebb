/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd's specifiers in what muster itself reads; the rest of a unit is systemd's to expand.
 */
#ifndef UNITS_SPECIFIER_H
#define UNITS_SPECIFIER_H

#include "base/error.h"

/* What differs from machine to machine. */
struct specifier_machine {
    const char *host_name;
    const char *id; /* of machine-id(5) */
};

/* Stands for one that is not known yet. */
extern const struct specifier_machine specifier_any_machine;

/* For the unit p-j@i.service: %n p-j@i.service, %N p-j@i, %p p-j, %i i, %j j (the prefix after its
 * last dash), %f the instance, or else the prefix, as a path; %P, %I and %J unescape p, i and j; %%
 * is a percent sign. What the system's manager has: %t /run, %S /var/lib, %C /var/cache, %L
 * /var/log, %E /etc, %T /tmp, %V /var/tmp, %u and %g root, %U and %G 0, %h /root. With a machine
 * (NULL: it has to be the same on each) %H its name, %l the same up to the first dot, %m its id.
 * -EINVAL: any other, or a name that does not unescape. Caller frees *ret. */
int specifier_expand(const char *value, const char *unit_name,
                     const struct specifier_machine *machine, char **ret, struct error *err);

/* The same, on each string of a list, in place. On failure the list is half-way but whole. */
int specifier_expand_all(char **list, const char *unit_name,
                         const struct specifier_machine *machine, struct error *err);

#endif
