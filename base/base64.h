/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 as RFC 4648 §4 has it, with padding: the form of bytes in JSON. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/text.h"

void base64_add(struct text *t, const void *bytes, size_t length);

/* The bytes and a NUL after them, the caller's. -EPROTO if it is not base64. */
int base64_read(const char *s, size_t length, char **ret, size_t *ret_length, struct error *err);

#endif
