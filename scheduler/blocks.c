/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/blocks.h"

#include <stdlib.h>
#include <string.h>

/* An action among those that are sorted, and the head of its block. */
struct seat {
    const struct action *head;
    const struct action *action;
};

size_t block_length(const struct plan *plan, size_t first)
{
    size_t end = first + 1;
    while (end < plan->count && plan->actions[end].is_joined)
        end++;
    return end - first;
}

/* Within a block, and where heads are alike, the plan's order stays. */
static int compare_seats(const void *a, const void *b)
{
    const struct seat *left = a;
    const struct seat *right = b;
    int r = 0;
    if (left->head != right->head) {
        r = strcmp(left->head->machine, right->head->machine);
        r = r != 0 ? r : strcmp(left->head->unit, right->head->unit);
    }
    return r != 0 ? r : (left->action > right->action) - (left->action < right->action);
}

/* Moves each action to its seat, in place: a plan may have a million. */
static void take_seats(struct action *actions, struct seat *seats, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct action moved = actions[i];
        size_t at = i;
        size_t from = (size_t)(seats[at].action - actions);
        while (from != i) {
            actions[at] = actions[from];
            seats[at].action = &actions[at];
            at = from;
            from = (size_t)(seats[at].action - actions);
        }
        actions[at] = moved;
        seats[at].action = &actions[at];
    }
}

static void sort(struct action *actions, struct seat *seats, size_t count)
{
    const struct action *head = actions;
    for (size_t i = 0; i < count; i++) {
        if (!actions[i].is_joined)
            head = &actions[i];
        seats[i] = (struct seat){ .head = head, .action = &actions[i] };
    }
    qsort(seats, count, sizeof(*seats), compare_seats);
    take_seats(actions, seats, count);
}

/* ACTION_INVALID: a block that stays where it is. */
static enum action_kind sortable_kind(const struct action *block, size_t length)
{
    enum action_kind kind = block->kind;
    for (size_t i = 0; i < length; i++)
        if (block[i].kind != kind)
            return ACTION_INVALID;
    return kind == ACTION_ASSIGN || kind == ACTION_DROP ? kind : ACTION_INVALID;
}

void blocks_sort(struct plan *plan)
{
    autofree struct seat *seats = calloc(plan->count + 1, sizeof(*seats));
    if (!seats)
        return;
    for (size_t from = 0; from < plan->count;) {
        size_t length = block_length(plan, from);
        enum action_kind kind = sortable_kind(&plan->actions[from], length);
        size_t to = from + length;
        while (kind != ACTION_INVALID && to < plan->count) {
            length = block_length(plan, to);
            if (sortable_kind(&plan->actions[to], length) != kind)
                break;
            to += length;
        }
        if (kind != ACTION_INVALID)
            sort(&plan->actions[from], seats, to - from);
        from = to;
    }
}
