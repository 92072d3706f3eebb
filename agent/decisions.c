/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/decisions.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

void decisions_begin(struct decisions *decisions, int64_t epoch)
{
    *decisions = (struct decisions){ .epoch = epoch, .began_ms = clock_boot_ms() };
}

static bool is_in_store(const struct action *action)
{
    if (action->kind == ACTION_VERDICT)
        return true;
    return action->kind == ACTION_ASSIGN && action_assignment_mod(action) == 0 &&
           !action_more(action)->moves_from;
}

static void tell_one(const struct decisions *decisions, const struct action *action,
                     const char *reason)
{
    const struct log_fields fields = { .unit = action->unit,
                                       .machine = action->machine,
                                       .epoch = decisions->epoch };
    autofree char *made = reason ? NULL : action_reason(action);
    if (!reason)
        reason = made ? made : "";
    log_write(LOG_LEVEL_INFO, &fields, "leader: %s %s%s%.8s: %s", action_kind_name(action->kind),
              action_subject(action), action->machine ? " on " : "",
              action->machine ? action->machine : "", reason);
}

static void tell_rest(const struct decisions *decisions, size_t count, const struct action *first,
                      const struct action *last)
{
    const struct log_fields fields = { .epoch = decisions->epoch };
    log_write(
        LOG_LEVEL_INFO, &fields,
        "leader: and %zu more, from %s %s to %s %s; musterctl status tells the reason of each",
        count, action_kind_name(first->kind), first->unit, action_kind_name(last->kind),
        last->unit);
}

void decisions_tell(struct decisions *decisions, const struct action *actions,
                    const char *const *reasons, size_t count)
{
    const struct action *first = NULL;
    const struct action *last = NULL;
    size_t rest = 0;
    for (size_t i = 0; i < count; i++) {
        const struct action *action = &actions[i];
        const bool in_store = is_in_store(action);
        if (!in_store || decisions->told < DECISIONS_TOLD_MAX) {
            decisions->told += in_store;
            tell_one(decisions, action, reasons[i]);
            continue;
        }
        first = first ? first : action;
        last = action;
        rest++;
    }
    if (rest)
        tell_rest(decisions, rest, first, last);
}

void decisions_end(const struct decisions *decisions, size_t written, size_t count)
{
    const struct log_fields fields = { .epoch = decisions->epoch };
    if (count > DECISIONS_TOLD_MAX)
        log_write(LOG_LEVEL_INFO, &fields, "leader: %zu of %zu actions written in %" PRId64 " ms",
                  written, count, clock_boot_ms() - decisions->began_ms);
}
