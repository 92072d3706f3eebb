/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a cloud-config: structure and types, the values that some keys take, and what only
 * shows when keys are seen together. Time grows with the size of the file, not with its square.
 *
 * A wrong type or an unknown key is a warning, and the field counts as absent; a value that cannot
 * be carried out is an error, and one error keeps the whole file from being applied (report.h tells
 * the exceptions).
 */
#ifndef CLOUD_CONFIG_VALIDATE_H
#define CLOUD_CONFIG_VALIDATE_H

#include "cloud-config/document.h"
#include "cloud-config/report.h"

/* Negative only if memory ran out. */
int validate_document(const struct node *root, struct report *report, struct error *err);

/* What an apply passes over: keys that this version only knows, and units without a name; and
 * relative paths, which it takes from "/". Nothing of it makes a file invalid. */
void validate_unapplied(const struct node *root, struct report *report);

#endif
