/* SPDX-License-Identifier: Apache-2.0 */
/* The few functions of units/ that the scheduler links, for its own tests: so that libscheduler.a
 * is tested without the parser of unit files. */
#include <string.h>

#include "base/text.h"
#include "scheduler/records.h"

const char *failover_name(enum failover failover)
{
    switch (failover) {
    case FAILOVER_AT_LEAST_ONCE:
        return "at-least-once";
    case FAILOVER_NEVER:
        return "never";
    case FAILOVER_INVALID:
        break;
    }
    return NULL;
}

enum failover failover_from_name(const char *name)
{
    if (text_equal(name, "at-least-once"))
        return FAILOVER_AT_LEAST_ONCE;
    return text_equal(name, "never") ? FAILOVER_NEVER : FAILOVER_INVALID;
}

void requirements_free(struct requirements *requirements)
{
    if (!requirements)
        return;
    free(requirements->machine_id);
    strv_free(requirements->machine_of);
    strv_free(requirements->conflicts);
    for (size_t i = 0; i < requirements->metadata_count; i++) {
        free(requirements->metadata[i].key);
        free(requirements->metadata[i].value);
    }
    free(requirements->metadata);
    free(requirements);
}

static int copy_metadata(const struct requirements *from, struct requirements *to,
                         struct error *err)
{
    if (from->metadata_count == 0)
        return 0;
    to->metadata = calloc(from->metadata_count, sizeof(*to->metadata));
    if (!to->metadata)
        return error_oom(err);
    for (; to->metadata_count < from->metadata_count; to->metadata_count++) {
        struct metadata_rule *rule = &to->metadata[to->metadata_count];
        rule->key = strdup(from->metadata[to->metadata_count].key);
        rule->value = strdup(from->metadata[to->metadata_count].value);
        if (!rule->key || !rule->value)
            return error_oom(err);
    }
    return 0;
}

int requirements_copy(const struct requirements *from, struct requirements **ret, struct error *err)
{
    autoptr(requirements) to = calloc(1, sizeof(*to));
    if (!to)
        return error_oom(err);
    to->global = from->global;
    to->failover = from->failover;
    if (from->machine_id && !(to->machine_id = strdup(from->machine_id)))
        return error_oom(err);
    int r = strv_copy(from->machine_of, &to->machine_of, err);
    if (r == 0)
        r = strv_copy(from->conflicts, &to->conflicts, err);
    if (r == 0)
        r = copy_metadata(from, to, err);
    if (r == 0)
        *ret = take_ptr(to);
    return r;
}
