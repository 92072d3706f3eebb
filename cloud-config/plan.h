/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do for a model, in order: a list of steps, made without looking at the machine.
 *
 *   hostname; write_files as listed; of each unit its content, drop-ins, mask (or, at run time,
 *   unmask) and enablement; the drop-in of coreos.fleet; then one daemon-reload if a unit changed,
 *   one restart of networkd if a network unit was listed, and the units' commands.
 *
 * Commands that start something are queued, not waited for (systemctl --no-block): muster-cloudinit
 * itself is a unit that runs before those it starts, and waiting for them would be waiting for
 * itself. A stop is waited for.
 */
#ifndef CLOUD_CONFIG_PLAN_H
#define CLOUD_CONFIG_PLAN_H

#include <sys/types.h>

#include "base/text.h"
#include "cloud-config/model.h"

enum step_kind {
    STEP_INVALID = 0,
    STEP_HOSTNAME, /* text is the name */
    STEP_WRITE,    /* path, data, length, mode, owner */
    STEP_MASK,     /* path becomes a link to /dev/null */
    STEP_UNMASK,   /* path is removed if it is such a link, or empty */
    STEP_RUN,      /* argv */
};

struct step {
    enum step_kind kind;
    char *text;
    char *path;
    char *data;
    size_t length;
    mode_t mode;
    char *owner; /* "" for none */
    char **argv;
};

struct plan {
    struct step *steps;
    size_t count;
};

void plan_free(struct plan *plan);
DEFINE_AUTOPTR(plan);

int plan_build(const struct model *model, struct plan **ret, struct error *err);

/* One line, without its end: "write /etc/a (mode 0644, 3 bytes)". */
void step_print(const struct step *step, struct text *text);

/* All steps, and below each file its content. */
void plan_print(const struct plan *plan, struct text *text);

#endif
