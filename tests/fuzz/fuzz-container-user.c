/* SPDX-License-Identifier: Apache-2.0 */
/* User, passwd and group of an image, one after the other and parted by NUL. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "container/user.h"
#include "tests/fuzz/piece.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autofree char *said = piece(&data, &size);
    autofree char *passwd = piece(&data, &size);
    autofree char *group = piece(&data, &size);
    autoptr(user) user = NULL;
    if (!said || !passwd || !group)
        return 0;
    if (user_resolve(said, passwd, group, &user, NULL) == 0 && user->oci.uid == UINT32_MAX)
        abort();
    return 0;
}
