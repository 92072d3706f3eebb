/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units before they are submitted, as this machine's systemd sees them: "systemd-analyze verify",
 * run by musterctl and not by musterd. musterctl may wait for it; musterd's loop may not, and what
 * strangers send need not be read by one more program as root. Who uses the API goes without.
 *
 * systemd refuses little, and warns of more: a unit that it would not load is refused, of the rest
 * it is told. That a program of ExecStart= or a unit of Requires= is not on this machine says
 * nothing of the others.
 */
#ifndef CLI_VERIFY_H
#define CLI_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct verify_unit {
    const char *name; /* borrowed, as is the text */
    const char *text;
};

/* Each a sentence about one unit. Zero-initialise. */
struct verify_report {
    char **refusals;
    char **warnings;
};

void verify_report_done(struct verify_report *report);

/* What systemd-analyze has to say of these units together; nothing if it is not installed. Units
 * that unit_check() does not take are left to whoever does. -errno: it could not be run. */
int verify_units(const struct verify_unit *units, size_t count, struct verify_report *ret,
                 struct error *err);

/* The reading of its output, for units whose files lie in directory. has_lines: the files are the
 * texts as submitted, so that numbers of lines mean something (one for each unit). */
int verify_read(const char *output, const char *directory, const struct verify_unit *units,
                const bool *has_lines, size_t count, struct verify_report *ret, struct error *err);

#endif
