/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words for systemd, as sd_notify(3) has them, that never wait. A socket of datagrams holds a few
 * hundred; when PID 1 has hundreds of services to start it reads none for seconds, and sd_notify()
 * would keep our loop as long.
 */
#ifndef AGENT_NOTIFY_H
#define AGENT_NOTIFY_H

#include <sys/types.h>

/* text: "WATCHDOG=1" and the like. pid: in whose name, which root may choose; 0: our own, and
 * so where the kernel does not let us, as sd_pid_notify(3) does. Positive:
 * sent. 0: nobody listens ($NOTIFY_SOCKET is not set). -EAGAIN: systemd has too much to read; say
 * it again later. */
int notify_send(pid_t pid, const char *text);

#endif
