/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/user_data.h"

#include <stdbool.h>
#include <string.h>

#include <jansson.h>

static bool is_cloud_config(const char *data, size_t length)
{
    const char *end = memchr(data, '\n', length);
    size_t line = end ? (size_t)(end - data) : length;
    while (line && memchr(" \t\r\v\f", data[line - 1], 5))
        line--;
    static const char header[] = "#cloud-config";
    return line == sizeof(header) - 1 && memcmp(data, header, line) == 0;
}

static bool is_ignition(const char *data, size_t length)
{
    json_t *root = json_loadb(data, length, 0, NULL);
    bool old = json_is_integer(json_object_get(root, "ignitionVersion"));
    bool is = json_is_string(json_object_get(json_object_get(root, "ignition"), "version"));
    json_decref(root);
    return old || is;
}

enum user_data_kind user_data_kind(const char *data, size_t length)
{
    if (!length)
        return USER_DATA_EMPTY;
    if (length >= 2 && memcmp(data, "\x1f\x8b", 2) == 0)
        return USER_DATA_GZIP;
    if (length >= 2 && memcmp(data, "#!", 2) == 0)
        return USER_DATA_SCRIPT;
    if (is_cloud_config(data, length))
        return USER_DATA_CLOUD_CONFIG;
    return is_ignition(data, length) ? USER_DATA_IGNITION : USER_DATA_UNKNOWN;
}
