/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of CNI (the Container Network Interface, specification 1.0.0), pure: what a file of
 * /etc/cni/net.d says, what a plugin is told, and what it answers. Who runs plugins is
 * container/cni_plugin.h.
 */
#ifndef CONTAINER_CNI_H
#define CONTAINER_CNI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

/* A network: a chain of plugins, of which each gets the result of the one before. */
struct cni_network {
    char *name;
    json_t *json; /* a list of plugins, also where the file had a single one */
};

/* From the text of a .conflist, or of a .conf with one plugin. -EINVAL. */
int cni_network_read(const char *text, size_t length, struct cni_network **ret, struct error *err);
int cni_network_from_json(json_t *json, struct cni_network **ret, struct error *err);
void cni_network_free(struct cni_network *network);
DEFINE_AUTOPTR(cni_network);

size_t cni_plugin_count(const struct cni_network *network);
const char *cni_plugin_type(const struct cni_network *network, size_t index); /* its program */
bool cni_plugin_can(const struct cni_network *network, size_t index, const char *capability);
bool cni_network_can(const struct cni_network *network, const char *capability);

/* The plugin masquerades and undoes that only where it still finds the container's interface. */
bool cni_plugin_wants_namespace(const struct cni_network *network, size_t index);

/* What one container wants of one network; it is kept as JSON until the container is gone. */
struct cni_request {
    const char *interface;
    char *const *addresses; /* "10.0.0.3", without the length of a prefix; NULL: any */
    const char *mac;        /* NULL: any */
    char *const *aliases;   /* NULL: none */
    json_t *ports;          /* array as the capability portMappings has it; NULL: none */
};
int cni_request_to_json(const struct cni_request *request, json_t **ret, struct error *err);

/* What the plugin reads from stdin. request is what cni_request_to_json() made; result is that of
 * the plugin before (ADD) or of the whole chain (DEL), NULL: none. lease_directory is where
 * host-local keeps its leases unless the network says otherwise. */
int cni_plugin_input(const struct cni_network *network, size_t index, const json_t *request,
                     json_t *result, const char *lease_directory, json_t **ret, struct error *err);

/* Where host-local keeps this network's leases; NULL: no plugin of it uses host-local. */
int cni_lease_path(const struct cni_network *network, const char *lease_directory, char **ret,
                   struct error *err);

/* A result, checked: what it says can be taken for granted afterwards. -EPROTO. */
int cni_result_read(const char *text, size_t length, json_t **ret, struct error *err);

/* The container's addresses ("10.0.0.3/16") in a result, their gateways, and its MAC (borrowed;
 * NULL: not told). */
int cni_result_addresses(const json_t *result, char ***ret, struct error *err);
int cni_result_gateways(const json_t *result, char ***ret, struct error *err);
const char *cni_result_mac(const json_t *result);

/* "nameservers", "search" or "options" of what the network says of names. */
int cni_result_dns(const json_t *result, const char *field, char ***ret, struct error *err);

/* What a plugin that failed says in its answer, on one line; NULL: its answer is no error. */
char *cni_failure_text(const char *answer, size_t length);

/* The container's name to plugins, which take letters, digits and "_.-" only, and iptables, whose
 * comments end at 255 bytes. No two units have the same. NULL if memory ran out. */
char *cni_container_id(const char *unit);

#endif
