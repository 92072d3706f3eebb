/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of file this is, by its first line. */
#ifndef CLOUD_CONFIG_USER_DATA_H
#define CLOUD_CONFIG_USER_DATA_H

#include <stddef.h>

enum user_data_kind {
    USER_DATA_UNKNOWN = 0,
    USER_DATA_EMPTY,
    USER_DATA_SCRIPT,       /* begins with "#!" */
    USER_DATA_CLOUD_CONFIG, /* the first line is "#cloud-config", blanks after it allowed */
    USER_DATA_IGNITION,     /* JSON with an Ignition version: for another program */
    USER_DATA_GZIP,
};

enum user_data_kind user_data_kind(const char *data, size_t length);

#endif
