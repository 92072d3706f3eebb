/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of a program: the only place that knows libev.
 *
 * One loop, one thread. Every watcher has a name, which a stall report prints. A watcher may be
 * freed at any time, also by a callback of its own. Callbacks must not block.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

struct loop;
struct loop_timer;
struct loop_io;
struct loop_signal;
struct loop_child;
struct loop_prepare;

int loop_new(struct loop **ret, struct error *err);
void loop_free(struct loop *loop); /* every watcher must have been freed */
DEFINE_AUTOPTR(loop);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Handles what is due now, waiting for the first event if wait is set. For tests and short
 * programs. */
void loop_run_once(struct loop *loop, bool wait);

/* How long the longest turn of the loop lasted since the last call, and which watcher's callback
 * ran in it (borrowed, "" if none): a leader asks before it trusts what it knew. */
int64_t loop_take_stall_ms(struct loop *loop, const char **ret_name);

/* A one-shot timer, made idle. Ownership: the caller's. name must outlive it (a literal). */
typedef void (*loop_timer_fn)(struct loop_timer *timer, void *userdata);
int loop_timer_new(struct loop *loop, const char *name, loop_timer_fn fn, void *userdata,
                   struct loop_timer **ret, struct error *err);
void loop_timer_free(struct loop_timer *timer);
DEFINE_AUTOPTR(loop_timer);
/* Arms it anew, delay_ms from now; 0 or less means in the next turn. */
void loop_timer_set(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_cancel(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);

enum { LOOP_READ = 1, LOOP_WRITE = 2 };
/* Watches a descriptor, which stays the caller's and must be open until the watcher is freed. */
typedef void (*loop_io_fn)(struct loop_io *io, int events, void *userdata);
int loop_io_new(struct loop *loop, const char *name, int fd, int events, loop_io_fn fn,
                void *userdata, struct loop_io **ret, struct error *err);
void loop_io_free(struct loop_io *io);
DEFINE_AUTOPTR(loop_io);
void loop_io_set(struct loop_io *io, int events); /* 0: watch nothing for now */

typedef void (*loop_signal_fn)(struct loop_signal *signal, void *userdata);
int loop_signal_new(struct loop *loop, int signo, loop_signal_fn fn, void *userdata,
                    struct loop_signal **ret, struct error *err);
void loop_signal_free(struct loop_signal *signal);
DEFINE_AUTOPTR(loop_signal);

/* Called once, when a child of this process has ended, with its status as waitpid() gives it. The
 * loop reaps every child of the process: nobody else may wait for one, and the watcher must be made
 * before the loop runs again. Freeing it ends neither the child nor the reaping. */
typedef void (*loop_child_fn)(struct loop_child *child, int status, void *userdata);
int loop_child_new(struct loop *loop, const char *name, pid_t pid, loop_child_fn fn, void *userdata,
                   struct loop_child **ret, struct error *err);
void loop_child_free(struct loop_child *child);
DEFINE_AUTOPTR(loop_child);
pid_t loop_child_pid(const struct loop_child *child);

/* Called before each wait of the loop: where a bridge re-reads what its library wants to be
 * watched. */
typedef void (*loop_prepare_fn)(struct loop_prepare *prepare, void *userdata);
int loop_prepare_new(struct loop *loop, const char *name, loop_prepare_fn fn, void *userdata,
                     struct loop_prepare **ret, struct error *err);
void loop_prepare_free(struct loop_prepare *prepare);
DEFINE_AUTOPTR(loop_prepare);

#endif
