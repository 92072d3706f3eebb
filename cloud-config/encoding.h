/* SPDX-License-Identifier: Apache-2.0 */
/* The encodings of a file's content. */
#ifndef CLOUD_CONFIG_ENCODING_H
#define CLOUD_CONFIG_ENCODING_H

#include <stddef.h>

#include "base/error.h"

/* Standard base64: padding required, line ends ignored, blanks and the URL alphabet refused. The
 * bytes, with a NUL after them, are the caller's. -EINVAL if it is not that. */
int encoding_base64_decode(const char *text, char **ret, size_t *ret_length, struct error *err);

/* What content in the given encoding ("" for none) stands for. -EINVAL if it cannot be decoded or
 * the encoding is unknown; -EOPNOTSUPP for the gzip ones, which this version cannot unpack. */
int encoding_decode(const char *encoding, const char *content, size_t length, char **ret,
                    size_t *ret_length, struct error *err);

#endif
