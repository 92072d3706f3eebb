/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata: what a machine says of itself, and what a unit asks of a machine. Here because the
 * agent, the scheduler and those who only judge a configuration read one grammar.
 */
#ifndef UNITS_METADATA_H
#define UNITS_METADATA_H

#include <stddef.h>

#include "base/error.h"

struct metadata_rule {
    char *key;
    char *value;
};

/* "k=v,k=v" (fleet's metadata grammar) into rules sorted by key; the last of equal keys wins.
 * -EINVAL names the faulty piece; a caller adds the key. Free with metadata_free(). */
int metadata_parse(const char *text, struct metadata_rule **ret, size_t *ret_count,
                   struct error *err);
void metadata_free(struct metadata_rule *rules, size_t count);
/* Adds a rule, or gives the key a new value. Keeps no order: metadata_sort() before it is shown. */
int metadata_set(struct metadata_rule **rules, size_t *count, const char *key, const char *value,
                 struct error *err);
void metadata_sort(struct metadata_rule *rules, size_t count);

#endif
