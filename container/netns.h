/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces, as far as plugins and joining need them. */
#ifndef CONTAINER_NETNS_H
#define CONTAINER_NETNS_H

#include <sys/types.h>

#include "base/error.h"

enum { NETNS_PATH_SIZE = 64 };

/* Where a process's namespace can be opened. */
void netns_path(pid_t pid, char ret[NETNS_PATH_SIZE]);

/* What tells one namespace from another as long as it lives; caller frees. */
int netns_identity(const char *path, char **ret, struct error *err);

/* Plugins set sysctls of the host's side, and /proc/sys is read-only where systemd itself runs in a
 * container. For a mount namespace of our own only. */
int netns_open_sysctls(struct error *err);

/* A fresh namespace that looks to a plugin like one that is gone: with an interface of that name
 * and these addresses ("10.0.0.3", with or without a prefix; NULL: none). Gives a descriptor, with
 * which it goes; others find it at /proc/PID/fd. */
int netns_decoy(const char *interface, char *const *addresses, struct error *err);

#endif
