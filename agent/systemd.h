/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd as the agent needs it: jobs with their results, and the states of the units it watches,
 * told as systemd signals them. One interface, two implementations: systemd_bus.c over D-Bus, and
 * systemd_fake.c for tests.
 *
 * Every job ends with exactly one callback, never from inside the call that ordered it, also when
 * the bus is lost
 * (-EAGAIN: whether it happened is unknown; look at the unit's state). "Not loaded" counts as
 * stopped and as reset, but not as started.
 */
#ifndef AGENT_SYSTEMD_H
#define AGENT_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/loop.h"

struct systemd;

/* systemd's own words; "" while unknown. */
struct systemd_status {
    char load[24];
    char active[24];
    char sub[32];
    char result[32];
    char invocation[33];
    char status_text[256]; /* what the service says of itself (STATUS=) */
    char fragment[256];    /* path of the file it was loaded from */
    bool need_reload;      /* the file changed since it was loaded */
    int64_t main_pid;      /* of a service; 0: none runs */
    bool without_file;     /* loaded with no file: systemd made it up for others' sake */
};

struct systemd_callbacks {
    /* A watched unit's status as it is now; also once after systemd_watch(). */
    void (*on_status)(const char *unit, const struct systemd_status *status, void *userdata);
    /* The bus is there (again), or lost. When it comes back every watched unit's status is told
     * anew. */
    void (*on_connected)(bool connected, void *userdata);
};

/* code 0: done. Else negative, and reason in words: -EAGAIN bus lost or job superseded, -EIO the
 * job failed, -ETIMEDOUT systemd did not answer: whether the order was taken is unknown. */
typedef void (*systemd_done_fn)(const char *unit, int code, const char *reason, void *userdata);

struct systemd_vtable {
    void (*free)(struct systemd *systemd);
    int (*watch)(struct systemd *systemd, const char *unit, struct error *err);
    void (*unwatch)(struct systemd *systemd, const char *unit);
    int (*start)(struct systemd *systemd, const char *unit, systemd_done_fn fn, void *userdata,
                 struct error *err);
    int (*stop)(struct systemd *systemd, const char *unit, systemd_done_fn fn, void *userdata,
                struct error *err);
    int (*restart)(struct systemd *systemd, const char *unit, systemd_done_fn fn, void *userdata,
                   struct error *err);
    int (*kill)(struct systemd *systemd, const char *unit, systemd_done_fn fn, void *userdata,
                struct error *err);
    int (*reset_failed)(struct systemd *systemd, const char *unit, systemd_done_fn fn,
                        void *userdata, struct error *err);
    int (*reload)(struct systemd *systemd, systemd_done_fn fn, void *userdata, struct error *err);
    int (*is_stopping)(struct systemd *systemd, systemd_done_fn fn, void *userdata,
                       struct error *err);
};

/* First member of each implementation's struct. */
struct systemd {
    const struct systemd_vtable *vtable;
};

static inline void systemd_free(struct systemd *systemd)
{
    if (systemd)
        systemd->vtable->free(systemd);
}
DEFINE_AUTOPTR(systemd);

static inline int systemd_watch(struct systemd *s, const char *unit, struct error *err)
{
    return s->vtable->watch(s, unit, err);
}

static inline void systemd_unwatch(struct systemd *s, const char *unit)
{
    s->vtable->unwatch(s, unit);
}

/* StartUnit in mode replace; done when the job is. */
static inline int systemd_start(struct systemd *s, const char *unit, systemd_done_fn fn,
                                void *userdata, struct error *err)
{
    return s->vtable->start(s, unit, fn, userdata, err);
}

static inline int systemd_stop(struct systemd *s, const char *unit, systemd_done_fn fn,
                               void *userdata, struct error *err)
{
    return s->vtable->stop(s, unit, fn, userdata, err);
}

/* TryRestartUnit: only if it runs or is being started. Done when the job is. */
static inline int systemd_restart(struct systemd *s, const char *unit, systemd_done_fn fn,
                                  void *userdata, struct error *err)
{
    return s->vtable->restart(s, unit, fn, userdata, err);
}

/* SIGKILL to the service's main process; what follows is its Restart='s to say. */
static inline int systemd_kill(struct systemd *s, const char *unit, systemd_done_fn fn,
                               void *userdata, struct error *err)
{
    return s->vtable->kill(s, unit, fn, userdata, err);
}

static inline int systemd_reset_failed(struct systemd *s, const char *unit, systemd_done_fn fn,
                                       void *userdata, struct error *err)
{
    return s->vtable->reset_failed(s, unit, fn, userdata, err);
}

/* A daemon-reload: costs PID 1 time in proportion to all its units, so only when systemd says it is
 * needed. */
static inline int systemd_reload(struct systemd *s, systemd_done_fn fn, void *userdata,
                                 struct error *err)
{
    return s->vtable->reload(s, fn, userdata, err);
}

/* code 0: the system is shutting down; -EALREADY: it is not. */
static inline int systemd_is_stopping(struct systemd *s, systemd_done_fn fn, void *userdata,
                                      struct error *err)
{
    return s->vtable->is_stopping(s, fn, userdata, err);
}

/* Over the system bus; connects and reconnects by itself. */
int systemd_bus_new(struct loop *loop, const struct systemd_callbacks *callbacks, void *userdata,
                    struct systemd **ret, struct error *err);

#endif
