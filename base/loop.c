/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

#include "base/clock.h"

struct loop {
    struct ev_loop *ev;
    ev_check turn_begin;
    ev_prepare turn_end;
    int64_t turn_began_ms;
    int64_t stall_ms;
    const char *turn_name;  /* the last watcher that ran in this turn; borrowed */
    const char *stall_name; /* the same of the longest turn; borrowed */
};

struct loop_timer {
    ev_timer ev;
    struct loop *loop; /* borrowed */
    const char *name;  /* borrowed */
    loop_timer_fn fn;
    void *userdata;
};

struct loop_io {
    ev_io ev;
    struct loop *loop; /* borrowed */
    const char *name;  /* borrowed */
    loop_io_fn fn;
    void *userdata;
};

struct loop_signal {
    ev_signal ev;
    struct loop *loop; /* borrowed */
    loop_signal_fn fn;
    void *userdata;
};

struct loop_child {
    ev_child ev;
    struct loop *loop; /* borrowed */
    const char *name;  /* borrowed */
    loop_child_fn fn;
    void *userdata;
};

struct loop_prepare {
    ev_prepare ev;
    struct loop *loop; /* borrowed */
    const char *name;  /* borrowed */
    loop_prepare_fn fn;
    void *userdata;
};

static void on_turn_begin(struct ev_loop *ev, ev_check *watcher, int events)
{
    struct loop *loop = watcher->data;
    (void)ev;
    (void)events;
    loop->turn_began_ms = clock_mono_ms();
    loop->turn_name = "";
}

static void on_turn_end(struct ev_loop *ev, ev_prepare *watcher, int events)
{
    struct loop *loop = watcher->data;
    (void)ev;
    (void)events;
    int64_t took_ms = loop->turn_began_ms ? clock_mono_ms() - loop->turn_began_ms : 0;
    if (took_ms > loop->stall_ms) {
        loop->stall_ms = took_ms;
        loop->stall_name = loop->turn_name;
    }
}

int loop_new(struct loop **ret, struct error *err)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return error_oom(err);
    loop->ev = ev_default_loop(EVFLAG_AUTO | EVFLAG_NOENV);
    if (!loop->ev) {
        free(loop);
        return error_set(err, -EIO, "the event loop cannot be made (no epoll?)");
    }
    loop->turn_name = "";
    loop->stall_name = "";
    ev_check_init(&loop->turn_begin, on_turn_begin);
    ev_set_priority(&loop->turn_begin, EV_MAXPRI);
    loop->turn_begin.data = loop;
    ev_check_start(loop->ev, &loop->turn_begin);
    ev_unref(loop->ev);
    ev_prepare_init(&loop->turn_end, on_turn_end);
    ev_set_priority(&loop->turn_end, EV_MAXPRI);
    loop->turn_end.data = loop;
    ev_prepare_start(loop->ev, &loop->turn_end);
    ev_unref(loop->ev);
    *ret = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    ev_ref(loop->ev);
    ev_check_stop(loop->ev, &loop->turn_begin);
    ev_ref(loop->ev);
    ev_prepare_stop(loop->ev, &loop->turn_end);
    ev_loop_destroy(loop->ev);
    free(loop);
}

void loop_run(struct loop *loop)
{
    (void)ev_run(loop->ev, 0);
}

void loop_stop(struct loop *loop)
{
    ev_break(loop->ev, EVBREAK_ALL);
}

void loop_run_once(struct loop *loop, bool wait)
{
    (void)ev_run(loop->ev, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
}

int64_t loop_take_stall_ms(struct loop *loop, const char **ret_name)
{
    int64_t stall_ms = loop->stall_ms;
    *ret_name = loop->stall_name;
    loop->stall_ms = 0;
    loop->stall_name = "";
    return stall_ms;
}

static void on_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
    struct loop_timer *timer = watcher->data;
    (void)ev;
    (void)events;
    timer->loop->turn_name = timer->name;
    timer->fn(timer, timer->userdata);
}

int loop_timer_new(struct loop *loop, const char *name, loop_timer_fn fn, void *userdata,
                   struct loop_timer **ret, struct error *err)
{
    struct loop_timer *timer = calloc(1, sizeof(*timer));
    if (!timer)
        return error_oom(err);
    *timer = (struct loop_timer){ .loop = loop, .name = name, .fn = fn, .userdata = userdata };
    ev_timer_init(&timer->ev, on_timer, 0, 0);
    timer->ev.data = timer;
    *ret = timer;
    return 0;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    ev_timer_stop(timer->loop->ev, &timer->ev);
    free(timer);
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
    ev_timer_stop(timer->loop->ev, &timer->ev);
    if (delay_ms > 0)
        ev_now_update(timer->loop->ev);
    ev_timer_set(&timer->ev, delay_ms > 0 ? (double)delay_ms / 1000.0 : 0.0, 0);
    ev_timer_start(timer->loop->ev, &timer->ev);
}

void loop_timer_cancel(struct loop_timer *timer)
{
    ev_timer_stop(timer->loop->ev, &timer->ev);
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
    return ev_is_active(&timer->ev) || ev_is_pending(&timer->ev);
}

static void on_io(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct loop_io *io = watcher->data;
    (void)ev;
    io->loop->turn_name = io->name;
    io->fn(io, (events & EV_READ ? LOOP_READ : 0) | (events & EV_WRITE ? LOOP_WRITE : 0),
           io->userdata);
}

static int to_ev(int events)
{
    return (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);
}

int loop_io_new(struct loop *loop, const char *name, int fd, int events, loop_io_fn fn,
                void *userdata, struct loop_io **ret, struct error *err)
{
    struct loop_io *io = calloc(1, sizeof(*io));
    if (!io)
        return error_oom(err);
    *io = (struct loop_io){ .loop = loop, .name = name, .fn = fn, .userdata = userdata };
    ev_io_init(&io->ev, on_io, fd, to_ev(events));
    io->ev.data = io;
    if (events)
        ev_io_start(loop->ev, &io->ev);
    *ret = io;
    return 0;
}

void loop_io_free(struct loop_io *io)
{
    if (!io)
        return;
    ev_io_stop(io->loop->ev, &io->ev);
    free(io);
}

void loop_io_set(struct loop_io *io, int events)
{
    ev_io_stop(io->loop->ev, &io->ev);
    ev_io_set(&io->ev, io->ev.fd, to_ev(events));
    if (events)
        ev_io_start(io->loop->ev, &io->ev);
}

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int events)
{
    struct loop_signal *signal = watcher->data;
    (void)ev;
    (void)events;
    signal->loop->turn_name = "signal";
    signal->fn(signal, signal->userdata);
}

int loop_signal_new(struct loop *loop, int signo, loop_signal_fn fn, void *userdata,
                    struct loop_signal **ret, struct error *err)
{
    struct loop_signal *signal = calloc(1, sizeof(*signal));
    if (!signal)
        return error_oom(err);
    *signal = (struct loop_signal){ .loop = loop, .fn = fn, .userdata = userdata };
    ev_signal_init(&signal->ev, on_signal, signo);
    signal->ev.data = signal;
    ev_signal_start(loop->ev, &signal->ev);
    *ret = signal;
    return 0;
}

void loop_signal_free(struct loop_signal *signal)
{
    if (!signal)
        return;
    ev_signal_stop(signal->loop->ev, &signal->ev);
    free(signal);
}

static void on_child(struct ev_loop *ev, ev_child *watcher, int events)
{
    struct loop_child *child = watcher->data;
    (void)events;
    ev_child_stop(ev, watcher); /* the number may be another's from now on */
    child->loop->turn_name = child->name;
    child->fn(child, watcher->rstatus, child->userdata);
}

int loop_child_new(struct loop *loop, const char *name, pid_t pid, loop_child_fn fn, void *userdata,
                   struct loop_child **ret, struct error *err)
{
    struct loop_child *child = calloc(1, sizeof(*child));
    if (!child)
        return error_oom(err);
    *child = (struct loop_child){ .loop = loop, .name = name, .fn = fn, .userdata = userdata };
    ev_child_init(&child->ev, on_child, pid, 0);
    child->ev.data = child;
    ev_child_start(loop->ev, &child->ev);
    *ret = child;
    return 0;
}

void loop_child_free(struct loop_child *child)
{
    if (!child)
        return;
    ev_child_stop(child->loop->ev, &child->ev);
    free(child);
}

pid_t loop_child_pid(const struct loop_child *child)
{
    return child->ev.pid;
}

static void on_prepare(struct ev_loop *ev, ev_prepare *watcher, int events)
{
    struct loop_prepare *prepare = watcher->data;
    (void)ev;
    (void)events;
    prepare->fn(prepare, prepare->userdata);
}

int loop_prepare_new(struct loop *loop, const char *name, loop_prepare_fn fn, void *userdata,
                     struct loop_prepare **ret, struct error *err)
{
    struct loop_prepare *prepare = calloc(1, sizeof(*prepare));
    if (!prepare)
        return error_oom(err);
    *prepare = (struct loop_prepare){ .loop = loop, .name = name, .fn = fn, .userdata = userdata };
    ev_prepare_init(&prepare->ev, on_prepare);
    prepare->ev.data = prepare;
    ev_prepare_start(loop->ev, &prepare->ev);
    ev_unref(loop->ev); /* a bridge alone does not keep the loop running */
    *ret = prepare;
    return 0;
}

void loop_prepare_free(struct loop_prepare *prepare)
{
    if (!prepare)
        return;
    ev_ref(prepare->loop->ev);
    ev_prepare_stop(prepare->loop->ev, &prepare->ev);
    free(prepare);
}
