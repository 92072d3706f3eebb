/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of bytes, by libcrypto: the name of a blob, and how generated files are compared. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>

enum { DIGEST_HEX_SIZE = 65 };

/* 64 lower-case hex digits and a NUL. */
void digest_sha256_hex(const void *data, size_t length, char ret[DIGEST_HEX_SIZE]);

#endif
