/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop_fake.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"

struct loop {
    struct loop_timer *timers; /* that are set, by when they are due, then by when they were set */
    uint64_t turn;
    bool stopped;
};

struct loop_timer {
    struct loop *loop; /* borrowed */
    loop_timer_fn fn;
    void *userdata;
    bool set;
    int64_t due_ms;
    uint64_t set_in_turn;
    struct loop_timer *prev;
    struct loop_timer *next;
};

/* Whatever never comes here. */
struct loop_io {
    int unused;
};

struct loop_signal {
    int unused;
};

struct loop_child {
    pid_t pid;
};

struct loop_prepare {
    int unused;
};

int loop_new(struct loop **ret, struct error *err)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return error_oom(err);
    *ret = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    assert(!loop || !loop->timers);
    free(loop);
}

int64_t loop_fake_next_ms(const struct loop *loop)
{
    return loop->timers ? loop->timers->due_ms : INT64_MAX;
}

/* The first that is due and was not set in this very turn. */
static struct loop_timer *find_due(const struct loop *loop)
{
    int64_t now_ms = clock_boot_ms();
    struct loop_timer *timer = loop->timers;
    while (timer && timer->due_ms <= now_ms && timer->set_in_turn == loop->turn)
        timer = timer->next;
    return timer && timer->due_ms <= now_ms ? timer : NULL;
}

size_t loop_fake_run_due(struct loop *loop)
{
    size_t ran = 0;
    struct loop_timer *timer = NULL;
    loop->turn++;
    while (!loop->stopped && (timer = find_due(loop))) {
        loop_timer_cancel(timer);
        timer->fn(timer, timer->userdata);
        ran++;
    }
    return ran;
}

bool loop_fake_is_stopped(const struct loop *loop)
{
    return loop->stopped;
}

void loop_run_once(struct loop *loop, bool wait)
{
    if (wait && loop->timers && loop->timers->due_ms > clock_boot_ms())
        clock_fake_set(loop->timers->due_ms);
    (void)loop_fake_run_due(loop);
}

void loop_run(struct loop *loop)
{
    while (!loop->stopped && loop->timers)
        loop_run_once(loop, true);
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

int64_t loop_take_stall_ms(struct loop *loop, const char **ret_name)
{
    (void)loop;
    *ret_name = "";
    return 0;
}

int loop_timer_new(struct loop *loop, const char *name, loop_timer_fn fn, void *userdata,
                   struct loop_timer **ret, struct error *err)
{
    struct loop_timer *timer = calloc(1, sizeof(*timer));
    (void)name;
    if (!timer)
        return error_oom(err);
    *timer = (struct loop_timer){ .loop = loop, .fn = fn, .userdata = userdata };
    *ret = timer;
    return 0;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    loop_timer_cancel(timer);
    free(timer);
}

static int compare_due(const struct loop_timer *a, const struct loop_timer *b)
{
    return a->due_ms <= b->due_ms ? -1 : 1;
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
    loop_timer_cancel(timer);
    timer->set = true;
    timer->due_ms = clock_boot_ms() + (delay_ms > 0 ? delay_ms : 0);
    timer->set_in_turn = timer->loop->turn;
    DL_INSERT_INORDER(timer->loop->timers, timer, compare_due);
}

void loop_timer_cancel(struct loop_timer *timer)
{
    if (timer->set)
        DL_DELETE(timer->loop->timers, timer);
    timer->set = false;
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
    return timer->set;
}

int loop_io_new(struct loop *loop, const char *name, int fd, int events, loop_io_fn fn,
                void *userdata, struct loop_io **ret, struct error *err)
{
    struct loop_io *io = calloc(1, sizeof(*io));
    (void)loop;
    (void)name;
    (void)fd;
    (void)events;
    (void)fn;
    (void)userdata;
    if (!io)
        return error_oom(err);
    *ret = io;
    return 0;
}

void loop_io_free(struct loop_io *io)
{
    free(io);
}

void loop_io_set(struct loop_io *io, int events)
{
    (void)io;
    (void)events;
}

int loop_signal_new(struct loop *loop, int signo, loop_signal_fn fn, void *userdata,
                    struct loop_signal **ret, struct error *err)
{
    struct loop_signal *signal = calloc(1, sizeof(*signal));
    (void)loop;
    (void)signo;
    (void)fn;
    (void)userdata;
    if (!signal)
        return error_oom(err);
    *ret = signal;
    return 0;
}

void loop_signal_free(struct loop_signal *signal)
{
    free(signal);
}

int loop_child_new(struct loop *loop, const char *name, pid_t pid, loop_child_fn fn, void *userdata,
                   struct loop_child **ret, struct error *err)
{
    struct loop_child *child = calloc(1, sizeof(*child));
    (void)loop;
    (void)name;
    (void)fn;
    (void)userdata;
    if (!child)
        return error_oom(err);
    child->pid = pid;
    *ret = child;
    return 0;
}

void loop_child_free(struct loop_child *child)
{
    free(child);
}

pid_t loop_child_pid(const struct loop_child *child)
{
    return child->pid;
}

int loop_prepare_new(struct loop *loop, const char *name, loop_prepare_fn fn, void *userdata,
                     struct loop_prepare **ret, struct error *err)
{
    struct loop_prepare *prepare = calloc(1, sizeof(*prepare));
    (void)loop;
    (void)name;
    (void)fn;
    (void)userdata;
    if (!prepare)
        return error_oom(err);
    *ret = prepare;
    return 0;
}

void loop_prepare_free(struct loop_prepare *prepare)
{
    free(prepare);
}
