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

/* Placed for the first time, so that its own assignment has all that is to be said. */
static bool is_placement(const struct action *action)
{
    return action->kind == ACTION_ASSIGN && !action->more;
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

static void tell_many(const struct decisions *decisions, size_t count, const struct action *first,
                      const struct action *last)
{
    const struct log_fields fields = { .epoch = decisions->epoch };
    log_write(LOG_LEVEL_INFO, &fields,
              "leader: assign %zu units more, from %s on %.8s to %s on %.8s; "
              "musterctl status tells the reason of each",
              count, first->unit, first->machine, last->unit, last->machine);
}

void decisions_tell(struct decisions *decisions, const struct action *actions,
                    const char *const *reasons, size_t count)
{
    const struct action *first = NULL;
    const struct action *last = NULL;
    size_t untold = 0;
    for (size_t i = 0; i < count; i++) {
        const struct action *action = &actions[i];
        if (!is_placement(action) || decisions->placed < DECISIONS_PLACED_MAX) {
            decisions->placed += is_placement(action);
            tell_one(decisions, action, reasons[i]);
            continue;
        }
        first = first ? first : action;
        last = action;
        untold++;
    }
    if (untold)
        tell_many(decisions, untold, first, last);
}

void decisions_end(const struct decisions *decisions, size_t count, bool refused)
{
    const struct log_fields fields = { .epoch = decisions->epoch };
    if (count > DECISIONS_PLACED_MAX)
        log_write(LOG_LEVEL_INFO, &fields, "leader: %zu actions written in %" PRId64 " ms%s", count,
                  clock_boot_ms() - decisions->began_ms, refused ? ", but for those refused" : "");
}
