/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of config.json that have files of their own. Inside units/ only. */
#ifndef UNITS_OCI_PARTS_H
#define UNITS_OCI_PARTS_H

#include "units/oci.h"

/* Where things that muster brings appear inside. */
extern const char oci_notify_socket_inside[];
extern const char oci_init_inside[];

/* Builders give NULL if memory ran out, and json_pack() passes a NULL on. */
json_t *oci_array_of(const char *const *list);

/* "mounts" */
int oci_mounts(const struct oci_input *input, json_t **ret, struct error *err);
/* "linux" */
int oci_linux(const struct oci_input *input, json_t **ret, struct error *err);
/* "process.capabilities" for this user */
int oci_process_capabilities(const struct oci_input *input, json_t **ret, struct error *err);

#endif
