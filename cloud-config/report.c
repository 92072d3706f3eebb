/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_done(struct report *report)
{
    for (size_t i = 0; i < report->count; i++)
        free(report->entries[i].message);
    free(report->entries);
    *report = (struct report){ 0 };
}

static bool make_room(struct report *report)
{
    if (report->count & (report->count - 1))
        return true;
    size_t room = report->count ? 2 * report->count : 1;
    struct report_entry *entries = reallocarray(report->entries, room, sizeof(*entries));
    if (entries)
        report->entries = entries;
    return entries != NULL;
}

void report_add(struct report *report, enum report_kind kind, int line, const char *format, ...)
{
    char *message = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&message, format, args);
    va_end(args);
    if (n < 0 || !make_room(report)) {
        if (n >= 0)
            free(message);
        report->failed = true;
        return;
    }
    report->entries[report->count++] = (struct report_entry){ kind, line, message };
}

struct order {
    struct report_entry entry;
    size_t index;
};

static int compare(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    if (x->entry.line != y->entry.line)
        return x->entry.line < y->entry.line ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

void report_sort(struct report *report)
{
    if (report->count < 2)
        return;
    struct order *order = calloc(report->count, sizeof(*order));
    if (!order) {
        report->failed = true;
        return;
    }
    for (size_t i = 0; i < report->count; i++)
        order[i] = (struct order){ report->entries[i], i };
    qsort(order, report->count, sizeof(*order), compare);
    for (size_t i = 0; i < report->count; i++)
        report->entries[i] = order[i].entry;
    free(order);
}

bool report_forbids_apply(const struct report *report)
{
    bool forbids = report->failed;
    for (size_t i = 0; i < report->count; i++)
        forbids |= report->entries[i].kind == REPORT_ERROR;
    return forbids;
}

static const char *kind_name(enum report_kind kind)
{
    switch (kind) {
    case REPORT_ERROR:
    case REPORT_LOCAL_ERROR:
        return "error";
    case REPORT_WARNING:
        return "warning";
    case REPORT_INFO:
        return "info";
    case REPORT_INVALID:
        break;
    }
    return "invalid";
}

/* A message quotes the file; control characters in it must not reach a terminal. */
static void add_visible(struct text *text, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == 0x7f)
            text_addf(text, "\\x%02x", c);
        else
            text_add_bytes(text, s, 1);
    }
}

void report_print(const struct report *report, struct text *text)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct report_entry *entry = &report->entries[i];
        text_addf(text, "line %d: %s: ", entry->line, kind_name(entry->kind));
        add_visible(text, entry->message);
        text_add(text, "\n");
    }
}
