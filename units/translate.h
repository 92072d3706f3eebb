/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the text that a person submitted to what a machine needs: the systemd unit, and for a unit
 * with [Container] the container's specification for muster-container. Pure: the same input gives
 * the same bytes, so a changed hash means a changed unit.
 */
#ifndef UNITS_TRANSLATE_H
#define UNITS_TRANSLATE_H

#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "units/specifier.h"

struct translation {
    char *unit_text;      /* what goes to /run/muster/units/<name> */
    char *container_json; /* what goes to /run/muster/containers/<name>/spec.json; NULL: not a
                             container */
    char **links;         /* further names for it below systemd's folder (install.h); NULL: none */
};

/* Everything that can be told from the text alone: name, syntax, [X-Fleet], [Container], and that
 * there is something to run. What submit runs before the first write. A template is checked as if
 * its instance were called "i". -EINVAL. */
int unit_check(const char *name, const char *text, size_t length, struct error *err);

/* Of a unit that unit_check() finds well: what in it will have no effect, a line each; *ret is left
 * alone where there is nothing to say. Caller frees with strv_free(). */
int unit_warnings(const char *name, const char *text, size_t length, char ***ret,
                  struct error *err);

/* Where a unit is to run. */
struct unit_host {
    const char *helper; /* absolute path of muster-container */
    struct specifier_machine machine;
};

/* For the agent, on its way to systemd: checks all of the above but [X-Fleet], which is the
 * leader's. Defaults that the user may override stand
 * before his lines, what the helper relies on after them. -EINVAL; a template is refused. */
int unit_translate(const char *name, const char *text, size_t length, const struct unit_host *host,
                   struct translation **ret, struct error *err);
void translation_free(struct translation *translation);
DEFINE_AUTOPTR(translation);

#endif
