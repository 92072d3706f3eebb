/* SPDX-License-Identifier: Apache-2.0 */
#include "container/network.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "container/attachments.h"
#include "container/cni.h"
#include "container/name_files.h"
#include "container/neighbours.h"
#include "container/netns.h"
#include "container/ports.h"
#include "container/tree.h"

enum { FILE_MAX_BYTES = 1024 * 1024 };

static const char own_address[] = "127.0.0.1";

void network_done(struct network *network)
{
    free(network->net_namespace);
    json_decref(network->joined);
    free(network->resolv_conf);
    free(network->hosts);
    free(network->host_name);
}

/* What attaching has found out; all empty where nothing was attached. */
struct findings {
    char **addresses; /* with the length of their prefix */
    char **gateways;
    char **servers;
    char **search;
    char **options;
    char **ports;
};

static void findings_done(struct findings *findings)
{
    strv_free(findings->addresses);
    strv_free(findings->gateways);
    strv_free(findings->servers);
    strv_free(findings->search);
    strv_free(findings->options);
    strv_free(findings->ports);
}
#define autofindings __attribute__((cleanup(findings_done))) struct findings

/* --- the container that is joined --- */

static int summary_read(const char *path, json_t **ret, struct error *err)
{
    autofree char *text = NULL;
    size_t length = 0;
    int r = file_read(path, FILE_MAX_BYTES, &text, &length, err);
    return r < 0 ? r : json_read(text, length, ret, err);
}

static int pid_read(const char *path, pid_t *ret)
{
    autofree char *text = NULL;
    uint64_t pid = 0;
    int r = file_read(path, 64, &text, NULL, NULL);
    if (r == 0)
        r = text_parse_u64(text_trim(text), INT_MAX, &pid, NULL);
    if (r == 0)
        *ret = (pid_t)pid;
    return r;
}

/* A pid may have been given to a stranger since: its namespace has to be the one we knew. */
static bool is_namespace_of(const json_t *summary, const char *path)
{
    autofree char *now = NULL;
    const char *then = NULL;
    return json_field_string(summary, "namespace", &then, NULL) == 0 &&
           netns_identity(path, &now, NULL) == 0 && strcmp(then, now) == 0;
}

static int target_find(const struct container *container, struct place **ret,
                       struct network *ret_network, struct error *err)
{
    autoptr(place) target = NULL;
    autojson summary = NULL;
    char path[NETNS_PATH_SIZE];
    pid_t pid = 0;
    int r = place_new(container->network_target ? container->network_target : "", &target, err);
    if (r < 0)
        return error_prefix(err, r, "Network=");
    if (pid_read(target->pid, &pid) == 0)
        netns_path(pid, path);
    if (pid == 0 || summary_read(target->network, &summary, NULL) < 0 ||
        !is_namespace_of(summary, path))
        return error_set(
            err, -ENOENT,
            "Network=%s: no container of it runs on this machine, so there is no network "
            "to join; MachineOf=%s in [X-Fleet] keeps the two together",
            target->unit, target->unit);
    ret_network->net_namespace = strdup(path);
    if (!ret_network->net_namespace)
        return error_oom(err);
    ret_network->owner = pid;
    ret_network->joined = take_ptr(summary);
    *ret = take_ptr(target);
    return 0;
}

static int path_find(const struct container *container, struct network *ret, struct error *err)
{
    const char *said = container->network_target ? container->network_target : "";
    if (access(said, F_OK) < 0)
        return error_errno(err, -errno, "Network=ns:%s", said);
    ret->net_namespace = strdup(said);
    return ret->net_namespace ? 0 : error_oom(err);
}

/* *ret: the container that is joined; NULL: none is. */
static int namespace_find(const struct container *container, struct place **ret,
                          struct network *ret_network, struct error *err)
{
    return container->network == CONTAINER_NETWORK_UNIT
               ? target_find(container, ret, ret_network, err)
           : container->network == CONTAINER_NETWORK_PATH ? path_find(container, ret_network, err)
                                                          : 0;
}

/* --- files --- */

static int file_make(const char *path, const char *text, char **ret, struct error *err)
{
    int r = file_write(path, text, strlen(text), 0644, err);
    if (r < 0)
        return r;
    *ret = strdup(path);
    return *ret ? 0 : error_oom(err);
}

static bool is_own(const struct container *container)
{
    return container->network != CONTAINER_NETWORK_HOST;
}

/* systemd-resolved listens on the machine's loopback, and has the servers that it asks in a file
 * beside. */
static int base_resolv_conf(const struct container *container, const struct place *target,
                            char **ret, struct error *err)
{
    static const char of_resolved[] = "/run/systemd/resolve/resolv.conf";
    if (target && file_read(target->resolv_conf, FILE_MAX_BYTES, ret, NULL, NULL) == 0)
        return 0;
    autofree char *text = NULL;
    if (file_read("/etc/resolv.conf", FILE_MAX_BYTES, &text, NULL, NULL) < 0)
        text = strdup("");
    if (text && is_own(container) && name_files_only_loopback(text)) {
        char *beside = NULL;
        if (file_read(of_resolved, FILE_MAX_BYTES, &beside, NULL, NULL) == 0) {
            free(text);
            text = beside;
        }
    }
    *ret = take_ptr(text);
    return *ret ? 0 : error_oom(err);
}

static bool wants_resolv_conf(const struct container *container)
{
    if (strv_contains(container->dns, "none"))
        return false;
    return container->network != CONTAINER_NETWORK_NONE || container->dns ||
           container->dns_search || container->dns_options;
}

static int resolv_conf_text(const struct container *container, const struct place *target,
                            const struct findings *findings, char **ret, struct error *err)
{
    autofree char *base = NULL;
    int r = base_resolv_conf(container, target, &base, err);
    if (r < 0)
        return r;
    const struct name_files_resolver resolver = {
        .container = container,
        .base = base,
        .servers = findings->servers,
        .search = findings->search,
        .options = findings->options,
        .keep_loopback = !is_own(container) || target,
    };
    return name_files_resolv_conf(&resolver, ret, err);
}

static int hosts_text(const struct container *container, const struct place *target,
                      const struct findings *findings, char **ret, struct error *err)
{
    autofree char *base = NULL;
    const char *path = target ? target->hosts : is_own(container) ? NULL : "/etc/hosts";
    if (path && file_read(path, FILE_MAX_BYTES, &base, NULL, NULL) == 0)
        base[name_files_own_length(base)] = '\0';
    const struct name_files_hosts hosts = {
        .container = container,
        .base = base,
        .gateway = !is_own(container)   ? own_address
                   : findings->gateways ? findings->gateways[0]
                                        : NULL,
        .addresses = findings->addresses,
        .fallback = own_address,
    };
    return name_files_hosts(&hosts, ret, err);
}

/* The addresses are not known yet; AddHost=…:host-gateway waits for them. */
static int hosts_make(const struct place *place, const struct container *container,
                      const struct place *target, char **ret, struct error *err)
{
    static const struct findings none = { 0 };
    autofree char *text = NULL;
    int r = container->network == CONTAINER_NETWORK_BRIDGE
                ? 0
                : hosts_text(container, target, &none, &text, err);
    return r < 0 ? r : file_make(place->hosts, text ? text : "", ret, err);
}

static int resolv_conf_make(const struct place *place, const struct container *container,
                            const struct place *target, char **ret, struct error *err)
{
    static const struct findings none = { 0 };
    autofree char *text = NULL;
    if (!wants_resolv_conf(container))
        return 0;
    int r = resolv_conf_text(container, target, &none, &text, err);
    return r < 0 ? r : file_make(place->resolv_conf, text, ret, err);
}

static int host_name_make(const struct place *place, const struct container *container, char **ret,
                          struct error *err)
{
    autofree char *text = text_format("%s\n", container->host_name);
    return text ? file_make(place->host_name, text, ret, err) : error_oom(err);
}

int network_prepare(const struct place *place, const struct container *container,
                    struct network *ret, struct error *err)
{
    autoptr(place) target = NULL;
    int r = namespace_find(container, &target, ret, err);
    if (r == 0)
        r = resolv_conf_make(place, container, target, &ret->resolv_conf, err);
    if (r == 0)
        r = hosts_make(place, container, target, &ret->hosts, err);
    return r < 0 ? r : host_name_make(place, container, &ret->host_name, err);
}

/* --- after the plugins --- */

static int add_all(char ***list, char *const *words, struct error *err)
{
    int r = 0;
    for (; r == 0 && words && *words; words++)
        r = strv_add(list, *words, err);
    return r;
}

static int add_addresses(const json_t *result, struct findings *ret, struct error *err)
{
    autostrv addresses = NULL;
    autostrv gateways = NULL;
    int r = cni_result_addresses(result, &addresses, err);
    if (r == 0)
        r = cni_result_gateways(result, &gateways, err);
    if (r == 0)
        r = add_all(&ret->addresses, addresses, err);
    return r < 0 ? r : add_all(&ret->gateways, gateways, err);
}

static int add_names(const json_t *result, const char *field, char ***list, struct error *err)
{
    autostrv words = NULL;
    int r = cni_result_dns(result, field, &words, err);
    return r < 0 ? r : add_all(list, words, err);
}

static int findings_read(const json_t *record, struct findings *ret, struct error *err)
{
    size_t i = 0;
    const json_t *attachment = NULL;
    int r = 0;
    json_array_foreach(json_object_get(record, "attachments"), i, attachment) {
        const json_t *result = json_object_get(attachment, "result");
        if (r == 0)
            r = add_addresses(result, ret, err);
        if (r == 0)
            r = add_names(result, "nameservers", &ret->servers, err);
        if (r == 0)
            r = add_names(result, "search", &ret->search, err);
        if (r == 0)
            r = add_names(result, "options", &ret->options, err);
    }
    return r < 0 ? r : ports_words(json_object_get(record, "ports"), &ret->ports, err);
}

static int files_complete(const struct place *place, const struct container *container,
                          const struct network *network, const struct findings *findings,
                          struct error *err)
{
    autofree char *hosts = NULL;
    autofree char *resolv_conf = NULL;
    int r = hosts_text(container, NULL, findings, &hosts, err);
    if (r == 0)
        r = file_rewrite(network->hosts, hosts, err);
    if (r == 0 && network->resolv_conf && findings->servers)
        r = resolv_conf_text(container, NULL, findings, &resolv_conf, err);
    if (r == 0 && resolv_conf)
        r = file_rewrite(place->resolv_conf, resolv_conf, err);
    return r;
}

static json_t *plain_addresses(char *const *addresses)
{
    json_t *array = json_array();
    for (; array && addresses && *addresses; addresses++) {
        size_t length = strcspn(*addresses, "/");
        if (json_array_append_new(array, json_stringn(*addresses, length)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static int summary_write(const struct place *place, const char *identity, json_t *networks,
                         const struct findings *findings, const json_t *joined, struct error *err)
{
    autofree char *text = NULL;
    json_t *theirs = json_object_get(joined, "addresses");
    autojson summary =
        json_pack("{s:s, s:o, s:o, s:O*}", "namespace", identity, "addresses",
                  theirs ? json_incref(theirs) : plain_addresses(findings->addresses), "ports",
                  json_from_strv(findings->ports), "networks", networks);
    if (!summary)
        return error_oom(err);
    int r = json_write(summary, &text, err);
    return r < 0 ? r : file_write(place->network, text, strlen(text), 0644, err);
}

/* What others are to know. Whoever joins another is reached as that one is. */
static int tell(const struct place *place, const struct container *container, const json_t *record,
                const struct findings *findings, const json_t *joined, pid_t pid, struct error *err)
{
    char path[NETNS_PATH_SIZE];
    autofree char *identity = NULL;
    autojson networks = NULL;
    netns_path(pid, path);
    int r = netns_identity(path, &identity, err);
    if (r == 0)
        r = neighbours_networks(container, record, joined, &networks, err);
    if (r == 0)
        r = summary_write(place, identity, networks, findings, joined, err);
    return r < 0 ? r : neighbours_meet(place, networks, err);
}

int network_attach(const struct place *place, const struct container *container,
                   const struct network *network, pid_t pid, struct error *err)
{
    autojson record = NULL;
    autofindings findings = { 0 };
    int r = 0;
    if (container->network == CONTAINER_NETWORK_BRIDGE) {
        r = attachments_make(place, container, pid, &record, err);
        if (r == 0)
            r = findings_read(record, &findings, err);
        if (r == 0)
            r = files_complete(place, container, network, &findings, err);
    }
    return r < 0 ? r : tell(place, container, record, &findings, network->joined, pid, err);
}

int network_detach(const struct place *place, struct error *err)
{
    const char *const files[] = { place->network, place->resolv_conf, place->hosts,
                                  place->host_name };
    int r = attachments_undo(place, err);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        int failed = tree_remove(files[i], r < 0 ? NULL : err);
        if (r == 0)
            r = failed;
    }
    int left = neighbours_leave(place, r < 0 ? NULL : err);
    return r < 0 ? r : left;
}
