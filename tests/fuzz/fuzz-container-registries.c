/* SPDX-License-Identifier: Apache-2.0 */
/* A short name and two files in the form of registries.conf, parted by NUL: what the name is found
 * to be comes of the files, or is refused. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "container/registries.h"
#include "tests/fuzz/piece.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autofree char *name = piece(&data, &size);
    autofree char *first = piece(&data, &size);
    autofree char *second = piece(&data, &size);
    autofree char *found = NULL;
    autoptr(registries) registries = calloc(1, sizeof(*registries));
    if (!name || !first || !second || !registries || registries_take(registries, first, NULL) < 0 ||
        registries_take(registries, second, NULL) < 0)
        return 0;
    if (strv_length(registries->aliases) % 2 != 0)
        abort();
    bool is_known = registries->aliases || strv_length(registries->search) == 1;
    if (registries_find(registries, name, &found, NULL) == 0 && !is_known)
        abort();
    return 0;
}
