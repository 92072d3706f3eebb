/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop of the mind, for tests that run a cluster in one process: base/loop.h without libev, on
 * base/clock's fake clock. A program that lists base/loop_fake.c among its sources has it in the
 * place of base/loop.c; nothing else pays for it.
 *
 * There may be any number of loops, one for each machine. A loop runs what is due when it is told
 * to, and the test moves the clock on to where the next timer is due. Descriptors, signals,
 * children and what is to be done before a wait are taken and never come.
 */
#ifndef BASE_LOOP_FAKE_H
#define BASE_LOOP_FAKE_H

#include "base/loop.h"

/* When the next timer is due, on the boot clock; INT64_MAX if none is set. */
int64_t loop_fake_next_ms(const struct loop *loop);

/* Runs what is due, not what that makes due; returns how many callbacks ran. */
size_t loop_fake_run_due(struct loop *loop);

/* Whether loop_stop() was called. */
bool loop_fake_is_stopped(const struct loop *loop);

#endif
