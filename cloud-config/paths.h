/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as a cloud-config gives them, and where systemd wants the files of a unit. */
#ifndef CLOUD_CONFIG_PATHS_H
#define CLOUD_CONFIG_PATHS_H

#include <stdbool.h>

/* Absolute, without ".", "..", or repeated '/'; a relative path is taken from "/". By the text
 * alone: links are not followed. NULL if memory ran out. */
char *path_clean(const char *path);

/* Unit and drop-in names become file names, so they may hold no '/' and be neither "." nor "..". */
bool path_is_file_name(const char *name);

/* .network, .netdev and .link files belong to systemd-networkd. */
bool path_is_network_unit(const char *name);

/* "/etc/systemd/system/NAME" and its relatives; NULL if memory ran out. */
char *path_of_unit(const char *name, bool runtime);

#endif
