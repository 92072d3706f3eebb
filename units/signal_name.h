/* SPDX-License-Identifier: Apache-2.0 */
/* Signals by name, as signal(7) and systemd have them: "SIGTERM", "SIGRTMIN+3". */
#ifndef UNITS_SIGNAL_NAME_H
#define UNITS_SIGNAL_NAME_H

/* "SIGTERM" of "TERM", "sigterm" or "15", until the next call; NULL: there is none. */
const char *signal_name_find(const char *text);

/* The number of a name that signal_name_find() gave. -EINVAL: it is none. */
int signal_name_number(const char *name);

#endif
