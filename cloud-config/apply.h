/* SPDX-License-Identifier: Apache-2.0 */
/* Carries a plan out. Each file is written beside its target and renamed over it, so a reader sees
 * the old one or the new one, and a link at the target is replaced, not followed. */
#ifndef CLOUD_CONFIG_APPLY_H
#define CLOUD_CONFIG_APPLY_H

#include <stddef.h>

#include "cloud-config/plan.h"

struct apply_options {
    /* NULL for the machine itself. Else all paths lie below this directory, and programs are not
     * run but told to say(): a rehearsal that needs no root. */
    const char *root;
    void (*say)(const char *line); /* what else the operator should know, while it happens */
};

/* The first step that fails ends it; *ret_done is then, too, how many steps have been done. */
int apply_plan(const struct plan *plan, const struct apply_options *options, size_t *ret_done,
               struct error *err);

#endif
