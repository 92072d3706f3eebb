/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of memory and of processors, as people write them in units and settings. */
#ifndef UNITS_AMOUNT_H
#define UNITS_AMOUNT_H

#include <stdint.h>

#include "base/error.h"

enum { CPU_MILLI = 1000 }; /* thousandths of a processor in a whole one */

/* "512M", "1.5G", "2048": bytes; K, M, G, T are powers of 1024, in either case, and may be followed
 * by "B" or "iB". -EINVAL otherwise. */
int amount_parse_bytes(const char *text, int64_t *ret_bytes, struct error *err);
/* "2", "0.5", "50%", "500m": thousandths of a processor. -EINVAL otherwise. */
int amount_parse_cpu(const char *text, int64_t *ret_milli, struct error *err);
/* Decimal digits. -EINVAL otherwise. */
int amount_parse_count(const char *text, int64_t *ret, struct error *err);

#endif
