/* SPDX-License-Identifier: Apache-2.0 */
/* What validation found: entries "line N: kind: message", sorted by line. */
#ifndef CLOUD_CONFIG_REPORT_H
#define CLOUD_CONFIG_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* An error that is local leaves the rest of the file usable: the thing it names is left out (a
 * role), or those who are given it will judge: the system a path below /usr and a unit's name,
 * musterd its settings. Any other error stops an apply before
 * it begins. */
enum report_kind {
    REPORT_INVALID = 0,
    REPORT_ERROR,
    REPORT_LOCAL_ERROR,
    REPORT_WARNING,
    REPORT_INFO,
};

struct report_entry {
    enum report_kind kind;
    int line;
    char *message;
};

struct report {
    struct report_entry *entries;
    size_t count;
    bool failed; /* memory ran out: the report is not whole, and nobody may act on it */
};

/* Zero-initialise; free with report_done(). */
void report_done(struct report *report);
#define autoreport __attribute__((cleanup(report_done))) struct report

void report_add(struct report *report, enum report_kind kind, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* By line; entries of one line stay in the order of the rules that made them. */
void report_sort(struct report *report);
bool report_forbids_apply(const struct report *report);
void report_print(const struct report *report, struct text *text);

#endif
