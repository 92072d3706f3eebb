/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images as Image= takes them: a transport and a place, or a reference in a registry
 * (distribution's grammar: [HOST[:PORT]/]PATH[:TAG][@sha256:HEX]).
 */
#ifndef UNITS_IMAGE_NAME_H
#define UNITS_IMAGE_NAME_H

#include "base/error.h"

/* -EINVAL and what would be right. */
int image_name_check(const char *name, struct error *err);

#endif
