/* SPDX-License-Identifier: Apache-2.0 */
/* What a plain YAML scalar means, and numbers as Go prints them. */
#ifndef CLOUD_CONFIG_SCALAR_H
#define CLOUD_CONFIG_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "cloud-config/document.h"

/* The type of an unquoted scalar: YAML 1.1's words for booleans and null; 10, 0644, 0o644, 0x1f,
 * 0b101, 1_000; 2.5, 1e3, .5, .inf. There are no sexagesimals and no dates. */
enum node_kind scalar_kind(const char *text);

/* Of a text that scalar_kind() called an integer; false if 64 bits cannot hold it. */
bool scalar_parse_int(const char *text, int64_t *ret);
double scalar_parse_float(const char *text);

enum { SCALAR_FLOAT_ROOM = 48 };

/* As Go's %v prints it: the fewest digits that read back the same, with an exponent (of two digits
 * at least) below 1e-04 and from 1e+06 on. C's %g alone keeps six digits, or trailing noise. */
void scalar_print_float(double value, char ret[SCALAR_FLOAT_ROOM]);

#endif
