/* SPDX-License-Identifier: Apache-2.0 */
/* What reading a container from a unit file and from JSON have in common. Inside units/ only. */
#ifndef UNITS_CONTAINER_VALUE_H
#define UNITS_CONTAINER_VALUE_H

#include "units/container.h"
#include "units/unit_file.h"

/* The words of the enums, for shape_word() and shape_word_find(). */
extern const char *const container_pull_words[];
extern const char *const container_mount_words[];
extern const char *const container_network_words[];
extern const char *const container_cgroups_words[];
extern const char *const container_userns_words[];
extern const char *const container_notify_words[];
extern const char *const container_on_failure_words[];
extern const char *const container_log_words[];
extern const char *const container_secret_words[];
extern const char *const container_auto_update_words[];

/* An empty assignment drops what was said before; of mounts, by the same key. */
void container_clear_mounts(struct container *container, const char *key);
void container_clear_ports(struct container *container);
void container_clear_networks(struct container *container);
void container_clear_devices(struct container *container);
void container_clear_secrets(struct container *container);
void container_clear_ulimits(struct container *container);

/* [[IP:]HOST:]CONTAINER[/PROTOCOL], the ports alone or in ranges, into a zeroed port; host_port 0:
 * the machine may choose. Cuts up the text. What was set stays on failure, for the owner. -EINVAL
 * with what would be right. */
int container_port_parse(char *text, struct container_port *port, struct error *err);

/* What --cpus in the PodmanArgs= of the file come to, in thousandths of a processor; 0: nothing.
 * What is wrong with them is left to whose keys they are. -ENOMEM. */
int container_podman_cpus(const struct unit_file *file, const char *unit_name, int64_t *ret_milli,
                          struct error *err);

/* "web@1.service" gives "web-1". NULL if memory ran out. */
char *container_default_host_name(const char *unit_name);

/* Each word that nobody said becomes the one that holds then. */
void container_set_defaults(struct container *container);

#endif
