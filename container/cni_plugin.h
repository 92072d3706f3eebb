/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the plugins of a CNI network (Debian's package containernetworking-plugins). */
#ifndef CONTAINER_CNI_PLUGIN_H
#define CONTAINER_CNI_PLUGIN_H

#include <jansson.h>

#include "base/error.h"
#include "container/cni.h"

#define CNI_PATH "/usr/lib/cni:/opt/cni/bin:/usr/libexec/cni"

struct cni_call {
    const struct cni_network *network;
    const json_t *request;     /* of cni_request_to_json() */
    const char *container;     /* of cni_container_id() */
    const char *net_namespace; /* a path; "": it is gone */
    const char *lease_directory;
};

/* From the first plugin to the last. The caller owns *ret. After a failure some of the plugins may
 * have done their work: cni_delete() undoes it. The error names network and plugin. */
int cni_add(const struct cni_call *call, json_t **ret, struct error *err);

/* From the last plugin to the first, each with result (NULL: there was none). All are run, and the
 * first failure told; what is gone already is no failure. */
int cni_delete(const struct cni_call *call, json_t *result, struct error *err);

#endif
