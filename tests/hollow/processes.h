/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that a drive starts, and what the kernel tells of them. They die with the drive,
 * and it dies with them: each function ends the program, with the reason, if it cannot, or if one
 * has ended by itself. */
#ifndef TESTS_HOLLOW_PROCESSES_H
#define TESTS_HOLLOW_PROCESSES_H

#include <stdint.h>
#include <sys/types.h>

#include "tests/hollow/hearers.h"
#include "tests/hollow/machines.h"

/* What is wrong, and the end of the program. */
void hollow_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* What they say goes to logs in the directory; the one of machines is known. Caller frees. */
char *process_log(const struct machines_options *options);
pid_t process_start_machines(const struct machines_options *options);
pid_t process_start_hearers(const struct hearers_options *options);
void process_signal(pid_t pid, int signo);
/* Waits until it has ended after the signal. */
void process_end(pid_t pid, int signo);

/* Finds out whether all of them run still: for who is told that a child has ended. */
void processes_check(void);

/* Processor time so far. */
int64_t process_cpu_ms(pid_t pid);
/* Resident memory. */
int64_t process_rss_kb(pid_t pid);

#endif
