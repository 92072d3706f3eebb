/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time in milliseconds. Deadlines are monotonic; wall time is for display only. A test may replace
 * all three clocks by one that it moves itself.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC: for timers inside this process. */
int64_t clock_mono_ms(void);

/* CLOCK_BOOTTIME: goes on while the machine is suspended; what leases and proofs are counted on. */
int64_t clock_boot_ms(void);

/* CLOCK_REALTIME since the epoch: for display, never compared. */
int64_t clock_wall_ms(void);

/* From now on every clock says now_ms. A negative value brings the real ones back. */
void clock_fake_set(int64_t now_ms);

#endif
