/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/health.h"

#include <string.h>

static const char *const state_names[] = {
    [HEALTH_INVALID] = "",
    [HEALTH_NONE] = "",
    [HEALTH_STARTING] = "starting",
    [HEALTH_HEALTHY] = "healthy",
    [HEALTH_UNHEALTHY] = "unhealthy",
};

const char *health_state_name(enum health_state state)
{
    return state_names[state];
}

enum health_state health_state_from_name(const char *name)
{
    for (enum health_state state = HEALTH_STARTING; state <= HEALTH_UNHEALTHY; state++)
        if (strcmp(state_names[state], name) == 0)
            return state;
    return HEALTH_NONE;
}

void health_init(struct health *health)
{
    *health = (struct health){ .state = HEALTH_NONE, .phase = HEALTH_PHASE_REST };
}

static void set_state(struct health *health, enum health_state state, struct health_actions *ret)
{
    if (health->state == state)
        return;
    health->state = state;
    health->said = false;
    ret->tell = true;
}

/* What an earlier musterd found holds until a check says otherwise; so the next failure of what was
 * unhealthy is one more of those. */
static void come_up(struct health *health, const struct container_health *rules,
                    const struct health_event *event, int64_t now_ms, struct health_actions *ret)
{
    bool running = health->phase == HEALTH_PHASE_RUN;
    bool ending = running || health->phase == HEALTH_PHASE_END;
    ret->end = running;
    health->up = true;
    health->phase = ending ? HEALTH_PHASE_END : HEALTH_PHASE_WAIT;
    health->up_since_ms = event->since_ms;
    health->due_ms = now_ms + event->delay_ms;
    health->startup = rules->startup_command && event->known == HEALTH_STARTING;
    health->failures = event->known == HEALTH_UNHEALTHY ? rules->retries : 0;
    health->successes = 0;
    health->said = false;
    set_state(health, event->known, ret);
}

static void go_down(struct health *health, struct health_actions *ret)
{
    if (!health->up)
        return;
    health->up = false;
    ret->end = health->phase == HEALTH_PHASE_RUN;
    health->phase = health->phase == HEALTH_PHASE_WAIT ? HEALTH_PHASE_REST : HEALTH_PHASE_END;
    if (health->state != HEALTH_UNHEALTHY)
        set_state(health, HEALTH_NONE, ret);
}

static void rest_until_next(struct health *health, const struct container_health *rules,
                            int64_t now_ms)
{
    health->due_ms = now_ms + (health->startup ? rules->startup_interval_ms : rules->interval_ms);
}

static void pass(struct health *health, const struct container_health *rules, int64_t now_ms,
                 struct health_actions *ret)
{
    if (!health->startup) {
        health->failures = 0;
        ret->ready = true;
        set_state(health, HEALTH_HEALTHY, ret);
    } else if (++health->successes >= rules->startup_successes) {
        health->startup = false;
        health->failures = 0;
        health->due_ms = now_ms;
        set_state(health, HEALTH_STARTING, ret);
    }
}

/* The first failure of a start is told too: it may be all that whoever waits for it gets to see. */
static void say_once(struct health *health, struct health_actions *ret)
{
    ret->tell = ret->tell || (health->state == HEALTH_STARTING && !health->said);
    health->said = true;
}

static void fail_startup(struct health *health, const struct container_health *rules,
                         struct health_actions *ret)
{
    health->successes = 0;
    health->failures++;
    if (!rules->startup_retries || health->failures < rules->startup_retries) {
        say_once(health, ret);
        return;
    }
    set_state(health, HEALTH_UNHEALTHY, ret);
    ret->on_failure = CONTAINER_ON_FAILURE_RESTART;
}

static void fail(struct health *health, const struct container_health *rules, int64_t now_ms,
                 struct health_actions *ret)
{
    if (health->startup) {
        fail_startup(health, rules, ret);
        return;
    }
    bool forgiven =
        health->state == HEALTH_STARTING && now_ms - health->up_since_ms < rules->start_period_ms;
    if (!forgiven)
        health->failures++;
    if (health->failures < rules->retries) {
        say_once(health, ret);
        return;
    }
    set_state(health, HEALTH_UNHEALTHY, ret);
    ret->on_failure = rules->on_failure;
}

/* The check is over. What one says that was told to end was counted then, or is of a container that
 * is gone. */
static void ended(struct health *health, const struct container_health *rules,
                  const struct health_event *event, int64_t now_ms, struct health_actions *ret)
{
    if (health->phase == HEALTH_PHASE_END) {
        health->phase = health->up ? HEALTH_PHASE_WAIT : HEALTH_PHASE_REST;
        return;
    }
    if (health->phase != HEALTH_PHASE_RUN)
        return;
    health->phase = HEALTH_PHASE_WAIT;
    rest_until_next(health, rules, now_ms);
    if (event->kind == HEALTH_EVENT_NOT_YET)
        health->due_ms = now_ms + event->delay_ms;
    else if (event->kind == HEALTH_EVENT_PASSED)
        pass(health, rules, now_ms, ret);
    else
        fail(health, rules, now_ms, ret);
}

static void tick(struct health *health, const struct container_health *rules, int64_t now_ms,
                 struct health_actions *ret)
{
    if (now_ms < health->due_ms)
        return;
    if (health->phase == HEALTH_PHASE_WAIT) {
        health->phase = HEALTH_PHASE_RUN;
        health->due_ms = now_ms + (health->startup ? rules->startup_timeout_ms : rules->timeout_ms);
        ret->run = true;
    } else if (health->phase == HEALTH_PHASE_RUN) {
        health->phase = HEALTH_PHASE_END;
        rest_until_next(health, rules, now_ms);
        ret->end = true;
        fail(health, rules, now_ms, ret);
    }
}

struct health_actions health_step(struct health *health, const struct container_health *rules,
                                  const struct health_event *event, int64_t now_ms)
{
    struct health_actions actions = { .on_failure = CONTAINER_ON_FAILURE_NONE };
    switch (event->kind) {
    case HEALTH_EVENT_UP:
        come_up(health, rules, event, now_ms, &actions);
        break;
    case HEALTH_EVENT_DOWN:
        go_down(health, &actions);
        break;
    case HEALTH_EVENT_TICK:
        tick(health, rules, now_ms, &actions);
        break;
    case HEALTH_EVENT_PASSED:
    case HEALTH_EVENT_FAILED:
    case HEALTH_EVENT_NOT_YET:
        ended(health, rules, event, now_ms, &actions);
        break;
    case HEALTH_EVENT_INVALID:
        break;
    }
    bool due = health->phase == HEALTH_PHASE_WAIT || health->phase == HEALTH_PHASE_RUN;
    actions.wake_ms = due ? health->due_ms : -1;
    return actions;
}
