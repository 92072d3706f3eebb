/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop_bus.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"

struct loop_bus {
    struct loop *loop; /* borrowed */
    sd_bus *bus;
    int fd; /* the descriptor that io watches; the bus owns it */
    struct loop_io *io;
    struct loop_timer *timer;
    struct loop_timer *lost; /* reports the loss from the loop, never from inside sd-bus */
    struct loop_prepare *prepare;
    loop_bus_lost_fn on_lost;
    void *userdata;
    int lost_code;
};

static void report_lost(struct loop_bus *bridge, int code)
{
    if (bridge->lost_code)
        return;
    bridge->lost_code = code;
    loop_io_free(take_ptr(bridge->io));
    loop_timer_cancel(bridge->timer);
    loop_timer_set(bridge->lost, 0);
}

static void drain(struct loop_bus *bridge)
{
    int r = 1;
    while (r > 0 && !bridge->lost_code)
        r = sd_bus_process(bridge->bus, NULL);
    if (r < 0)
        report_lost(bridge, r);
}

static void on_io(struct loop_io *io, int events, void *userdata)
{
    (void)io;
    (void)events;
    drain(userdata);
}

static void on_timer(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    drain(userdata);
}

static void on_lost_timer(struct loop_timer *timer, void *userdata)
{
    struct loop_bus *bridge = userdata;
    (void)timer;
    bridge->on_lost(bridge, bridge->lost_code, bridge->userdata);
}

static int watch_fd(struct loop_bus *bridge, int fd, int events)
{
    if (bridge->io && bridge->fd == fd) {
        loop_io_set(bridge->io, events);
        return 0;
    }
    loop_io_free(take_ptr(bridge->io));
    bridge->fd = fd;
    return loop_io_new(bridge->loop, "bus", fd, events, on_io, bridge, &bridge->io, NULL);
}

static void on_prepare(struct loop_prepare *prepare, void *userdata)
{
    struct loop_bus *bridge = userdata;
    (void)prepare;
    if (bridge->lost_code)
        return;
    int fd = sd_bus_get_fd(bridge->bus);
    int events = sd_bus_get_events(bridge->bus);
    uint64_t until_us = UINT64_MAX;
    int r = sd_bus_get_timeout(bridge->bus, &until_us);
    if (fd < 0 || events < 0 || r < 0) {
        report_lost(bridge, fd < 0 ? fd : events < 0 ? events : r);
        return;
    }
    int wanted = (events & POLLIN ? LOOP_READ : 0) | (events & POLLOUT ? LOOP_WRITE : 0);
    r = watch_fd(bridge, fd, wanted);
    if (r < 0) {
        report_lost(bridge, r);
        return;
    }
    /* Absolute CLOCK_MONOTONIC in microseconds; 0 or past means now, and rounding up never spins.
     */
    if (until_us == UINT64_MAX)
        loop_timer_cancel(bridge->timer);
    else
        loop_timer_set(bridge->timer, (int64_t)((until_us + 999) / 1000) - clock_mono_ms());
}

int loop_bus_new(struct loop *loop, sd_bus *bus, loop_bus_lost_fn on_lost, void *userdata,
                 struct loop_bus **ret, struct error *err)
{
    autoptr(loop_bus) bridge = calloc(1, sizeof(*bridge));
    if (!bridge)
        return error_oom(err);
    *bridge = (struct loop_bus){
        .loop = loop, .fd = -1, .bus = sd_bus_ref(bus), .on_lost = on_lost, .userdata = userdata
    };
    int r = loop_timer_new(loop, "bus timeout", on_timer, bridge, &bridge->timer, err);
    if (r < 0)
        return r;
    r = loop_timer_new(loop, "bus lost", on_lost_timer, bridge, &bridge->lost, err);
    if (r < 0)
        return r;
    r = loop_prepare_new(loop, "bus", on_prepare, bridge, &bridge->prepare, err);
    if (r < 0)
        return r;
    *ret = take_ptr(bridge);
    return 0;
}

void loop_bus_free(struct loop_bus *bridge)
{
    if (!bridge)
        return;
    loop_prepare_free(bridge->prepare);
    loop_io_free(bridge->io);
    loop_timer_free(bridge->timer);
    loop_timer_free(bridge->lost);
    sd_bus_unref(bridge->bus);
    free(bridge);
}
