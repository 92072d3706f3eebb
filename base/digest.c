/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <openssl/sha.h>
#include <stdio.h>

void digest_sha256_hex(const void *data, size_t length, char ret[DIGEST_HEX_SIZE])
{
    unsigned char raw[SHA256_DIGEST_LENGTH];
    (void)SHA256(data, length, raw);
    for (size_t i = 0; i < sizeof(raw); i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", raw[i]);
}
