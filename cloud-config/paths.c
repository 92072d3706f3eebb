/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/paths.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* The length of path without its last component. */
static size_t parent_length(const char *path, size_t length)
{
    while (length && path[length - 1] != '/')
        length--;
    return length ? length - 1 : 0;
}

char *path_clean(const char *path)
{
    autofree char *clean = malloc(strlen(path) + 2);
    if (!clean)
        return NULL;
    size_t length = 0;
    while (*path) {
        size_t piece = strcspn(path, "/");
        if (piece == 2 && memcmp(path, "..", 2) == 0) {
            length = parent_length(clean, length);
        } else if (piece && !(piece == 1 && *path == '.')) {
            clean[length++] = '/';
            memcpy(clean + length, path, piece);
            length += piece;
        }
        path += piece;
        path += *path == '/';
    }
    if (!length)
        clean[length++] = '/';
    clean[length] = '\0';
    return take_ptr(clean);
}

bool path_is_file_name(const char *name)
{
    return *name && strlen(name) < 256 && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

bool path_is_network_unit(const char *name)
{
    return text_ends_with(name, ".network") || text_ends_with(name, ".netdev") ||
           text_ends_with(name, ".link");
}

char *path_of_unit(const char *name, bool runtime)
{
    return text_format("%s/systemd/%s/%s", runtime ? "/run" : "/etc",
                       path_is_network_unit(name) ? "network" : "system", name);
}
