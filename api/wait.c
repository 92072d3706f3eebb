/* SPDX-License-Identifier: Apache-2.0 */
#include "api/wait.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum wait_goal wait_goal_from_name(const char *name)
{
    static const struct {
        const char *name;
        enum wait_goal goal;
    } goals[] = {
        {"launched",  WAIT_GOAL_LAUNCHED},
        { "loaded",   WAIT_GOAL_LOADED  },
        { "stopped",  WAIT_GOAL_STOPPED },
        { "inactive", WAIT_GOAL_INACTIVE},
        { "gone",     WAIT_GOAL_GONE    },
    };
    for (size_t i = 0; name && i < sizeof(goals) / sizeof(goals[0]); i++) {
        if (text_equal(goals[i].name, name))
            return goals[i].goal;
    }
    return WAIT_GOAL_INVALID;
}

const char *wait_state_name(enum wait_state state)
{
    switch (state) {
    case WAIT_STATE_WAITING:
        return "waiting";
    case WAIT_STATE_DONE:
        return "done";
    case WAIT_STATE_UNPLACEABLE:
        return "unplaceable";
    case WAIT_STATE_FAILED:
        return "failed";
    case WAIT_STATE_ABSENT:
        return "absent";
    case WAIT_STATE_OVERTAKEN:
        return "overtaken";
    case WAIT_STATE_INVALID:
        break;
    }
    return "invalid";
}

static void answer(struct wait_answer *ret, enum wait_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void answer(struct wait_answer *ret, enum wait_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(ret->reason, sizeof(ret->reason), format, args);
    va_end(args);
    text_make_utf8(ret->reason); /* it may be cut anywhere, and JSON takes whole characters only */
    ret->state = state;
}

/* The one reason for silence that says more than what is missing: nobody is there to decide. */
static void answer_missing(const struct wait_facts *facts, const char *what,
                           struct wait_answer *ret)
{
    ret->leaderless = facts->silent && !facts->has_leader;
    if (!facts->silent)
        answer(ret, WAIT_STATE_WAITING, "%s", "");
    else if (facts->has_leader)
        answer(ret, WAIT_STATE_WAITING, "waiting for %s", what);
    else
        answer(ret, WAIT_STATE_WAITING,
               "waiting for %s: there is no leader that could decide (is any musterd running?)",
               what);
}

static bool state_counts(const struct wait_copy *copy)
{
    return copy->state && copy->registration && copy->state->registration == copy->registration &&
           copy->state->assignment_revision >= copy->assignment_mod;
}

static void copy_done(const struct wait_copy *copy, struct wait_answer *ret)
{
    answer(ret, WAIT_STATE_DONE, "%s", "");
    ret->machine = copy->machine;
    ret->unit = copy->state;
}

static void copy_failed(const struct wait_copy *copy, struct wait_answer *ret)
{
    const struct record_state *state = copy->state;
    if (*state->problem)
        answer(ret, WAIT_STATE_FAILED, "%s", state->problem);
    else
        answer(ret, WAIT_STATE_FAILED, "%s (%s), result: %s; its journal there says why",
               state->active, state->sub, *state->result ? state->result : "unknown");
    ret->machine = copy->machine;
    ret->unit = state;
}

static void answer_absent(const struct wait_copy *copy, struct wait_answer *ret)
{
    answer(ret, WAIT_STATE_ABSENT, "recorded; machine %s is absent, its copy may still run",
           copy->machine);
}

/* A oneshot that has ended well is inactive, and has an invocation to show that it ran. */
static bool ran_to_its_end(const struct record_state *state)
{
    return text_equal(state->active, "inactive") && text_equal(state->result, "success") &&
           *state->invocation;
}

static void evaluate_running(const struct wait_copy *copy, struct wait_answer *ret)
{
    const struct record_state *state = copy->state;
    bool runs = text_equal(state->active, "active") || text_equal(state->active, "reloading");
    if (runs || (!*state->problem && ran_to_its_end(state)))
        copy_done(copy, ret);
    else if (*state->problem || text_equal(state->active, "failed"))
        copy_failed(copy, ret);
    else
        answer(ret, WAIT_STATE_WAITING, "%s on %s", state->active, copy->machine);
}

/* Every stop takes its moment; it is worth a word only once that has become long. */
static void evaluate_loaded(const struct wait_facts *facts, const struct wait_copy *copy,
                            struct wait_answer *ret)
{
    const struct record_state *state = copy->state;
    bool rests = text_equal(state->active, "inactive") || text_equal(state->active, "failed");
    if (*state->problem)
        copy_failed(copy, ret);
    else if (rests)
        copy_done(copy, ret);
    else if (facts->silent)
        answer(ret, WAIT_STATE_WAITING, "%s on %s", state->active, copy->machine);
    else
        answer(ret, WAIT_STATE_WAITING, "%s", "");
}

/* One machine's answer to an assignment that carries out our change. */
static void evaluate_copy(const struct wait_facts *facts, const struct wait_copy *copy,
                          enum wait_goal goal, struct wait_answer *ret)
{
    enum want want = goal == WAIT_GOAL_LAUNCHED ? WANT_RUN : WANT_LOADED;
    char what[ERROR_TEXT_MAX];
    if (copy->assignment->want != want) {
        (void)snprintf(what, sizeof(what), "%s to release it", copy->machine);
        answer_missing(facts, what, ret);
    } else if (!copy->registration && goal == WAIT_GOAL_STOPPED) {
        answer_absent(copy, ret);
    } else if (!copy->registration) {
        answer(ret, WAIT_STATE_WAITING,
               "machine %s is absent; the unit stays with it until the "
               "leader moves it",
               copy->machine);
    } else if (!state_counts(copy)) {
        (void)snprintf(what, sizeof(what), "%s to report on it", copy->machine);
        answer_missing(facts, what, ret);
    } else if (goal == WAIT_GOAL_LAUNCHED) {
        evaluate_running(copy, ret);
    } else {
        evaluate_loaded(facts, copy, ret);
    }
}

/* Of several copies (a global unit) the one that is furthest from done speaks. */
static int rank(enum wait_state state)
{
    switch (state) {
    case WAIT_STATE_FAILED:
        return 3;
    case WAIT_STATE_WAITING:
        return 2;
    case WAIT_STATE_ABSENT:
        return 1;
    case WAIT_STATE_INVALID:
    case WAIT_STATE_DONE:
    case WAIT_STATE_UNPLACEABLE:
    case WAIT_STATE_OVERTAKEN:
        break;
    }
    return 0;
}

/* The copy that a successor was to follow, and that runs on without it; NULL: there is none. */
static const struct wait_copy *find_predecessor(const struct wait_facts *facts,
                                                const struct wait_copy *successor)
{
    const char *moves_from = successor->assignment->moves_from;
    for (size_t i = 0; moves_from && *moves_from && i < facts->copy_count; i++) {
        const struct wait_copy *copy = &facts->copies[i];
        if (copy != successor && copy->state && copy->registration &&
            copy->state->registration == copy->registration &&
            text_equal(copy->state->active, "active"))
            return copy;
    }
    return NULL;
}

static void add_predecessor(const struct wait_facts *facts, const struct wait_copy *successor,
                            struct wait_answer *ret)
{
    char failure[ERROR_TEXT_MAX];
    const struct wait_copy *old =
        ret->state == WAIT_STATE_FAILED ? find_predecessor(facts, successor) : NULL;
    if (!old)
        return;
    memcpy(failure, ret->reason, sizeof(failure));
    answer(ret, WAIT_STATE_FAILED, "the copy on %s, which it was to follow, runs on; %s",
           old->machine, failure);
}

static void evaluate_placed(const struct wait_facts *facts, enum wait_goal goal, int64_t revision,
                            struct wait_answer *ret)
{
    bool any = false;
    for (size_t i = 0; i < facts->copy_count; i++) {
        const struct wait_copy *copy = &facts->copies[i];
        struct wait_answer one = { .state = WAIT_STATE_INVALID };
        if (!copy->assignment || copy->assignment->unit_revision < revision)
            continue;
        evaluate_copy(facts, copy, goal, &one);
        add_predecessor(facts, copy, &one);
        if (!any || rank(one.state) > rank(ret->state))
            *ret = one;
        any = true;
    }
    if (any)
        return;
    bool unplaced = facts->verdict && facts->verdict->unit_revision >= revision;
    if (unplaced && goal == WAIT_GOAL_STOPPED)
        answer(ret, WAIT_STATE_DONE, "%s", "");
    else if (unplaced)
        answer(ret, WAIT_STATE_UNPLACEABLE, "%s", facts->verdict->reason);
    else
        answer_missing(facts, "the leader to choose a machine", ret);
}

/* A problem that it had before it was to leave says nothing of its leaving. */
static bool cannot_leave(const struct wait_copy *copy)
{
    return copy->assignment && copy->assignment->want == WANT_RELEASE && state_counts(copy) &&
           *copy->state->problem;
}

/* Until no assignment and no state remain. */
static void evaluate_removed(const struct wait_facts *facts, struct wait_answer *ret)
{
    char what[ERROR_TEXT_MAX];
    for (size_t i = 0; i < facts->copy_count; i++) {
        const struct wait_copy *copy = &facts->copies[i];
        if (!copy->assignment && !copy->state)
            continue;
        if (!copy->registration) {
            answer_absent(copy, ret);
            return;
        }
        if (cannot_leave(copy)) {
            answer(ret, WAIT_STATE_WAITING, "on %s: %s", copy->machine, copy->state->problem);
            return;
        }
        (void)snprintf(what, sizeof(what), "%s to stop it", copy->machine);
        answer_missing(facts, what, ret);
        return;
    }
    answer(ret, WAIT_STATE_DONE, "%s", "");
}

static enum desired desired_of(enum wait_goal goal)
{
    switch (goal) {
    case WAIT_GOAL_LAUNCHED:
        return DESIRED_LAUNCHED;
    case WAIT_GOAL_LOADED:
    case WAIT_GOAL_STOPPED:
        return DESIRED_LOADED;
    case WAIT_GOAL_INACTIVE:
        return DESIRED_INACTIVE;
    case WAIT_GOAL_GONE:
    case WAIT_GOAL_INVALID:
        break;
    }
    return DESIRED_INVALID;
}

/* Somebody else wanted something else after us. Sets the answer and returns true. */
static bool is_overtaken(const struct wait_facts *facts, enum wait_goal goal,
                         struct wait_answer *ret)
{
    if (goal == WAIT_GOAL_GONE) {
        if (facts->unit_mod)
            answer(ret, WAIT_STATE_OVERTAKEN, "the unit has been submitted again meanwhile");
        return facts->unit_mod != 0;
    }
    if (!facts->unit_mod)
        answer(ret, WAIT_STATE_OVERTAKEN, "there is no such unit any more");
    else if (facts->desired != desired_of(goal))
        answer(ret, WAIT_STATE_OVERTAKEN, "the unit has been set to %s meanwhile",
               desired_name(facts->desired));
    else
        return false;
    return true;
}

void wait_evaluate(const struct wait_facts *facts, enum wait_goal goal, int64_t revision,
                   struct wait_answer *ret)
{
    *ret = (struct wait_answer){ .state = WAIT_STATE_WAITING };
    if (facts->store_revision < revision) {
        if (facts->silent)
            answer(ret, WAIT_STATE_WAITING, "the store (etcd) does not answer");
        return;
    }
    if (is_overtaken(facts, goal, ret))
        return;
    if (goal == WAIT_GOAL_INACTIVE || goal == WAIT_GOAL_GONE)
        evaluate_removed(facts, ret);
    else
        evaluate_placed(facts, goal, revision, ret);
}
