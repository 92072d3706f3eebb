/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/turns.h"

#include <stdlib.h>

/* Who follows others by more steps than this may have its turn before them. */
enum { FOLLOW_DEPTH_MAX = 256 };

/* Each unit is measured once a step, in the order of age, so that a cycle is always cut at the
 * same place. Whom a destroyed one followed is known only to a leader that has read it. */
static unsigned int follow_depth(const struct model *model, const struct unit *unit,
                                 unsigned int so_far)
{
    struct follow_set *set = unit->follows;
    if (!set || !unit->exists || so_far == FOLLOW_DEPTH_MAX)
        return 0;
    if (set->depth_round == model->depth_round)
        return set->depth;
    set->depth_round = model->depth_round;
    set->depth = 0;
    unsigned int deepest = 0;
    for (size_t i = 0; i < set->count; i++) {
        unsigned int depth = 1 + follow_depth(model, set->links[i].peer, so_far + 1);
        deepest = depth > deepest ? depth : deepest;
    }
    set->depth = deepest;
    return deepest;
}

/* What runs everywhere goes nowhere because of that, and is not gone through. */
static bool is_on_lost_machine(struct step *step, const struct unit *unit)
{
    const struct placement *p = NULL;
    if (!unit->placements || unit_is_global(unit))
        return false;
    LL_FOREACH2(unit->placements, p, unit_next) {
        step->model->effort.walked++;
        if (p->assignment_mod > 0 && step_machine_status(step, p->key.machine) == MACHINE_LOST)
            return true;
    }
    return false;
}

/* Peers before those that follow them, once it is measured. */
static unsigned int depth_of(const struct model *model, const struct unit *unit)
{
    const struct follow_set *set = unit->follows;
    return set && set->depth_round == model->depth_round ? set->depth : 0;
}

/* Of as high a priority as all, where no group has one, without a look at theirs. */
static int compare_priorities(const struct model *model, const struct unit *left,
                              const struct unit *right)
{
    if (model->index.prioritized == 0 || unit_priority(left) == unit_priority(right))
        return 0;
    return unit_priority(left) > unit_priority(right) ? -1 : 1;
}

int turns_compare(const struct model *model, const struct unit *left, const struct unit *right)
{
    unsigned int left_depth = depth_of(model, left);
    unsigned int right_depth = depth_of(model, right);
    if (left->is_lost != right->is_lost)
        return left->is_lost ? -1 : 1;
    if (left_depth != right_depth)
        return left_depth < right_depth ? -1 : 1;
    int by_priority = compare_priorities(model, left, right);
    return by_priority ? by_priority : unit_compare_ages(left, right);
}

static int compare_marked(const void *a, const void *b, void *userdata)
{
    struct unit *const *left = a;
    struct unit *const *right = b;
    return turns_compare(userdata, *left, *right);
}

void turns_sort(struct model *model, struct unit **units, size_t count)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted */
    qsort_r(units, count, sizeof(*units), compare_marked, model);
}

static void look_at_marked(struct step *step, struct turns *ret)
{
    enum { AHEAD = 16 };
    const struct model *model = step->model;
    struct unit *const *units = model->marked_units;
    size_t count = model->marked_unit_count;
    *ret = (struct turns){ .is_sorted = true };
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            index_fetch(units[i + AHEAD], offsetof(struct unit, own));
        if (units[i]->is_lost || units[i]->placements) /* what is not written stays clean */
            units[i]->is_lost = is_on_lost_machine(step, units[i]);
        ret->newcomers += !units[i]->placements && !units[i]->pending;
        ret->any_follows = ret->any_follows || units[i]->follows;
        ret->is_sorted =
            ret->is_sorted && (i == 0 || turns_compare(model, units[i - 1], units[i]) <= 0);
    }
}

/* None has a depth until all are sorted. */
void turns_order(struct step *step, struct turns *ret)
{
    struct model *model = step->model;
    model->depth_round++;
    look_at_marked(step, ret);
    if (!ret->is_sorted)
        turns_sort(model, model->marked_units, model->marked_unit_count);
    for (size_t i = 0; ret->any_follows && i < model->marked_unit_count; i++)
        (void)follow_depth(model, model->marked_units[i], 0);
    if (ret->any_follows)
        turns_sort(model, model->marked_units, model->marked_unit_count);
}
