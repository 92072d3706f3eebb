/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of the record of a rollout, and its history. */
#include <string.h>

#include "base/text.h"
#include "scheduler/records.h"

bool rollout_has_reached(const struct record_rollout *rollout, const struct record_unit *unit)
{
    if (!rollout->restart)
        return text_equal(unit->blob, rollout->blob);
    return unit->desired != DESIRED_LAUNCHED || unit->restart_revision >= rollout->since_revision;
}

bool rollout_has_reached_copy(const struct record_rollout *rollout, const struct record_unit *unit,
                              const char *blob, int64_t assignment_mod)
{
    if (!rollout->restart)
        return text_equal(blob, rollout->blob);
    return rollout_has_reached(rollout, unit) && assignment_mod >= unit->restart_revision;
}

char *rollout_copy_name(const char *unit, const char *machine)
{
    return text_format("%s/%s", unit, machine);
}

bool rollout_has_copy(const struct record_rollout *rollout, const char *unit, const char *machine,
                      enum want want, bool is_there)
{
    if (want == WANT_RELEASE)
        return false;
    autofree char *name = is_there ? NULL : rollout_copy_name(unit, machine);
    return is_there || (name && strv_contains(rollout->changing, name));
}

/* The oldest, but for the last good one: that is where an undo goes. */
static void forget_one(struct record_rollout *rollout)
{
    const struct rollout_version *good = rollout_last_good(rollout, rollout->blob);
    size_t i = good == &rollout->versions[0] ? 1 : 0;
    free(rollout->versions[i].blob);
    free(rollout->versions[i].how);
    rollout->version_count--;
    memmove(&rollout->versions[i], &rollout->versions[i + 1],
            (rollout->version_count - i) * sizeof(*rollout->versions));
}

int rollout_add_version(struct record_rollout *rollout, const char *blob, const char *how,
                        int64_t since_ms, struct error *err)
{
    size_t count = rollout->version_count;
    struct rollout_version version = {
        .version = count > 0 ? rollout->versions[count - 1].version + 1 : 1,
        .blob = strdup(blob),
        .since_ms = since_ms,
        .how = strdup(how),
    };
    char *target = strdup(blob);
    struct rollout_version *grown =
        reallocarray(rollout->versions, count + 1, sizeof(*rollout->versions));
    if (grown)
        rollout->versions = grown;
    if (!grown || !version.blob || !version.how || !target) {
        free(version.blob);
        free(version.how);
        free(target);
        return error_oom(err);
    }
    grown[rollout->version_count++] = version;
    free(rollout->blob);
    rollout->blob = target;
    rollout->version = version.version;
    while (rollout->version_count > ROLLOUT_VERSIONS_MAX)
        forget_one(rollout);
    return 0;
}

struct rollout_version *rollout_version_find(const struct record_rollout *rollout, int64_t version)
{
    for (size_t i = 0; i < rollout->version_count; i++)
        if (rollout->versions[i].version == version)
            return &rollout->versions[i];
    return NULL;
}

const struct rollout_version *rollout_last_good(const struct record_rollout *rollout,
                                                const char *other_than)
{
    for (size_t i = rollout->version_count; i > 0; i--) {
        const struct rollout_version *version = &rollout->versions[i - 1];
        if (version->good && !text_equal(version->blob, other_than))
            return version;
    }
    return NULL;
}
