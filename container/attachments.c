/* SPDX-License-Identifier: Apache-2.0 */
#include "container/attachments.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "container/cni.h"
#include "container/cni_networks.h"
#include "container/cni_plugin.h"
#include "container/lock.h"
#include "container/netns.h"
#include "container/ports.h"

enum { RECORD_MAX_BYTES = 4 * 1024 * 1024 };

static const uint64_t undo_time_usec = 60ULL * 1000 * 1000;

static const char lease_directory[] = PLACE_CNI "/leases";

/* No network is called so: names do not begin with a dot. */
static const char ports_lock[] = PLACE_CNI "/.ports.lock";

/* --- records --- */

static int record_read(const char *path, json_t **ret, struct error *err)
{
    autofree char *text = NULL;
    size_t length = 0;
    int r = file_read(path, RECORD_MAX_BYTES, &text, &length, err);
    if (r == 0)
        r = json_read(text, length, ret, err);
    return r;
}

static int record_write(const struct place *place, const json_t *record, struct error *err)
{
    autofree char *text = NULL;
    int r = json_write(record, &text, err);
    return r < 0 ? r : file_write(place->cni, text, strlen(text), 0600, err);
}

/* --- ports of others --- */

struct others {
    glob_t paths;
    json_t **records; /* owned */
    char **units;     /* owned */
    struct ports_holder *holders;
    size_t count;
};

static void others_done(struct others *others)
{
    for (size_t i = 0; i < others->count; i++)
        json_decref(others->records[i]);
    free(others->records);
    free(others->holders);
    strv_free(others->units);
    globfree(&others->paths);
}

/* ".../containers/UNIT/cni.json" */
static char *unit_of(const char *path)
{
    const char *end = strrchr(path, '/');
    const char *start = memrchr(path, '/', (size_t)(end - path));
    return strndup(start + 1, (size_t)(end - start - 1));
}

/* One that cannot be read has just gone, or claims nothing that anybody could tell. */
static int others_add(struct others *others, const struct place *place, const char *path,
                      struct error *err)
{
    autojson record = NULL;
    autofree char *unit = unit_of(path);
    if (!unit)
        return error_oom(err);
    if (strcmp(unit, place->unit) == 0 || record_read(path, &record, NULL) < 0)
        return 0;
    int r = strv_add(&others->units, unit, err);
    if (r < 0)
        return r;
    others->holders[others->count] = (struct ports_holder){
        .unit = others->units[others->count],
        .ports = json_object_get(record, "ports"),
    };
    others->records[others->count++] = take_ptr(record);
    return 0;
}

static int others_read(struct others *others, const struct place *place, struct error *err)
{
    int r = glob(PLACE_RUN_DIRECTORY "/containers/*/cni.json", GLOB_NOSORT, NULL, &others->paths);
    if (r == GLOB_NOSPACE)
        return error_oom(err);
    size_t count = others->paths.gl_pathc;
    others->records = calloc(count + 1, sizeof(void *));
    others->holders = calloc(count + 1, sizeof(*others->holders));
    if (!others->records || !others->holders)
        return error_oom(err);
    r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = others_add(others, place, others->paths.gl_pathv[i], err);
    return r;
}

/* --- requests --- */

struct wishes {
    char **addresses;
    char **aliases;
    const char *mac;       /* borrowed */
    const char *interface; /* borrowed; NULL: by its number */
};

static void wishes_done(struct wishes *wishes)
{
    strv_free(wishes->addresses);
    strv_free(wishes->aliases);
}

static int add_option(struct wishes *wishes, const char *option, struct error *err)
{
    const char *value = strchr(option, '=');
    if (!value)
        return error_set(err, -EPROTO, "option \"%s\" of a network is not KEY=VALUE", option);
    value++;
    if (text_starts_with(option, "ip=") || text_starts_with(option, "ip6="))
        return strv_add(&wishes->addresses, value, err);
    if (text_starts_with(option, "alias="))
        return strv_add(&wishes->aliases, value, err);
    if (text_starts_with(option, "mac="))
        wishes->mac = value;
    else if (text_starts_with(option, "interface_name="))
        wishes->interface = value;
    else
        return error_set(err, -EPROTO, "option \"%s\" of a network is not known", option);
    return 0;
}

/* What the unit says once and for all is meant for its only network; names for each. */
static int add_of_unit(struct wishes *wishes, const struct container *container, struct error *err)
{
    bool exact = container->ip || container->ip6 || container->mac;
    int r = 0;
    if (exact && container->network_count > 1)
        return error_set(err, -EINVAL,
                         "IP=, IP6= and a MAC address are for one network, and there are %zu: say "
                         "Network=NAME:ip=ADDRESS instead",
                         container->network_count);
    if (container->ip)
        r = strv_add(&wishes->addresses, container->ip, err);
    if (r == 0 && container->ip6)
        r = strv_add(&wishes->addresses, container->ip6, err);
    if (container->mac)
        wishes->mac = container->mac;
    for (char **alias = container->network_aliases; r == 0 && alias && *alias; alias++)
        r = strv_add(&wishes->aliases, *alias, err);
    return r;
}

static int wishes_read(struct wishes *wishes, const struct container *container, size_t index,
                       struct error *err)
{
    int r = add_of_unit(wishes, container, err);
    for (char **option = container->networks[index].options; r == 0 && option && *option; option++)
        r = add_option(wishes, *option, err);
    return r;
}

/* *ports goes to the first network that can publish them, and is NULL then. */
static int request_build(const struct cni_network *network, const struct container *container,
                         size_t index, json_t **ports, json_t **ret, struct error *err)
{
    char number[32];
    __attribute__((cleanup(wishes_done))) struct wishes wishes = { 0 };
    (void)snprintf(number, sizeof(number), "eth%zu", index);
    int r = wishes_read(&wishes, container, index, err);
    if (r < 0)
        return r;
    bool publishes = cni_network_can(network, "portMappings");
    const struct cni_request request = {
        .interface = wishes.interface ? wishes.interface : number,
        .addresses = wishes.addresses,
        .mac = wishes.mac,
        .aliases = wishes.aliases,
        .ports = publishes ? *ports : NULL,
    };
    if (publishes)
        *ports = NULL;
    return cni_request_to_json(&request, ret, err);
}

static int attachment_plan(const struct container *container, size_t index, json_t **ports,
                           json_t *attachments, struct error *err)
{
    autoptr(cni_network) network = NULL;
    autojson request = NULL;
    int r = cni_networks_find(container->networks[index].name, &network, err);
    if (r == 0)
        r = request_build(network, container, index, ports, &request, err);
    if (r < 0)
        return r;
    json_t *attachment = json_pack("{s:O, s:O}", "network", network->json, "request", request);
    return json_array_append_new(attachments, attachment) < 0 ? error_oom(err) : 0;
}

static int record_plan(const struct container *container, json_t *ports, json_t **ret,
                       struct error *err)
{
    autojson attachments = json_array();
    json_t *unpublished = ports;
    int r = attachments ? 0 : error_oom(err);
    for (size_t i = 0; r == 0 && i < container->network_count; i++)
        r = attachment_plan(container, i, &unpublished, attachments, err);
    if (r == 0 && unpublished)
        r = error_set(err, -EINVAL,
                      "PublishPort=: no network of the unit has the plugin portmap, which could "
                      "publish ports");
    if (r < 0)
        return r;
    *ret = json_pack("{s:O*, s:O}", "ports", ports, "attachments", attachments);
    return *ret ? 0 : error_oom(err);
}

/* A port is ours from when the record says so; two that choose at once would both find it free. */
static int record_begin(const struct place *place, const struct container *container, json_t **ret,
                        struct error *err)
{
    autoclose int lock = container->port_count ? lock_take(ports_lock, NULL, err) : -1;
    if (container->port_count && lock < 0)
        return lock;
    __attribute__((cleanup(others_done))) struct others others = { 0 };
    autojson ports = NULL;
    int r = container->port_count ? others_read(&others, place, err) : 0;
    if (r == 0)
        r = ports_choose(container, others.holders, others.count, &ports, err);
    if (r == 0)
        r = record_plan(container, ports, ret, err);
    return r < 0 ? r : record_write(place, *ret, err);
}

/* --- plugins --- */

struct attachment {
    json_t *json; /* borrowed; of the record */
    struct cni_network *network;
    char *container;
};

static void attachment_done(struct attachment *attachment)
{
    cni_network_free(attachment->network);
    free(attachment->container);
}

static int attachment_read(const struct place *place, json_t *json, struct attachment *ret,
                           struct error *err)
{
    ret->json = json;
    ret->container = cni_container_id(place->unit);
    if (!ret->container)
        return error_oom(err);
    return cni_network_from_json(json_object_get(json, "network"), &ret->network, err);
}

static struct cni_call call_of(const struct attachment *attachment, const char *net_namespace)
{
    return (struct cni_call){
        .network = attachment->network,
        .request = json_object_get(attachment->json, "request"),
        .container = attachment->container,
        .net_namespace = net_namespace,
        .lease_directory = lease_directory,
    };
}

/* bridge is not made to meet itself while it makes its bridge, nor portmap anywhere. Undoing meets
 * nobody but portmap: fifty that end at once need not wait for each other. */
struct locks {
    int network;
    int ports;
};

static void locks_done(struct locks *locks)
{
    cleanup_close(&locks->network);
    cleanup_close(&locks->ports);
}
#define autolocks __attribute__((cleanup(locks_done))) struct locks

static int locks_take(const struct attachment *attachment, bool alone, struct locks *ret,
                      struct error *err)
{
    autofree char *path = text_format("%s/%s.lock", PLACE_CNI, attachment->network->name);
    if (!path)
        return error_oom(err);
    ret->network = alone ? lock_take(path, NULL, err) : -1;
    if (alone && ret->network < 0)
        return ret->network;
    bool publishes = json_object_get(json_object_get(attachment->json, "request"), "ports");
    ret->ports = publishes ? lock_take(ports_lock, NULL, err) : -1;
    return publishes && ret->ports < 0 ? ret->ports : 0;
}

static int attach(const struct place *place, pid_t pid, json_t *json, struct error *err)
{
    char net_namespace[NETNS_PATH_SIZE];
    __attribute__((cleanup(attachment_done))) struct attachment attachment = { 0 };
    autolocks locks = { -1, -1 };
    json_t *result = NULL;
    netns_path(pid, net_namespace);
    int r = attachment_read(place, json, &attachment, err);
    if (r == 0)
        r = locks_take(&attachment, true, &locks, err);
    if (r < 0)
        return r;
    const struct cni_call call = call_of(&attachment, net_namespace);
    r = cni_add(&call, &result, err);
    if (r < 0)
        return r;
    return json_object_set_new(json, "result", result) < 0 ? error_oom(err) : 0;
}

/* Without a result, host-local knows whether an address was given: a lease is a file with the
 * address as its name and the container on its first line. */
static int leased_addresses(const struct attachment *attachment, char ***ret, struct error *err)
{
    autofree char *directory = NULL;
    autofree char *pattern = NULL;
    glob_t paths = { 0 };
    int r = cni_lease_path(attachment->network, lease_directory, &directory, err);
    if (r < 0 || !directory)
        return r;
    pattern = text_format("%s/[0-9a-f]*", directory);
    if (!pattern)
        return error_oom(err);
    if (glob(pattern, GLOB_NOSORT, NULL, &paths) == GLOB_NOSPACE)
        r = error_oom(err);
    for (size_t i = 0; r == 0 && i < paths.gl_pathc; i++) {
        autofree char *holder = NULL;
        if (file_read(paths.gl_pathv[i], 4096, &holder, NULL, NULL) < 0)
            continue;
        holder[strcspn(holder, "\r\n")] = '\0';
        if (strcmp(holder, attachment->container) == 0)
            r = strv_add(ret, strrchr(paths.gl_pathv[i], '/') + 1, err);
    }
    globfree(&paths);
    return r;
}

static int decoy_open(const struct attachment *attachment, struct error *err)
{
    json_t *request = json_object_get(attachment->json, "request");
    json_t *result = json_object_get(attachment->json, "result");
    const char *interface = json_string_value(json_object_get(request, "interface"));
    autostrv addresses = NULL;
    int r = result ? cni_result_addresses(result, &addresses, err)
                   : leased_addresses(attachment, &addresses, err);
    return r < 0 ? r : netns_decoy(interface ? interface : "eth0", addresses, err);
}

static bool wants_decoy(const struct attachment *attachment)
{
    for (size_t i = 0; i < cni_plugin_count(attachment->network); i++)
        if (cni_plugin_wants_namespace(attachment->network, i))
            return true;
    return false;
}

/* The container is dead and its namespace with it, but for a moment or for who has joined it. */
static int detach(const struct place *place, json_t *json, struct error *err)
{
    char net_namespace[NETNS_PATH_SIZE] = "";
    __attribute__((cleanup(attachment_done))) struct attachment attachment = { 0 };
    autolocks locks = { -1, -1 };
    int r = attachment_read(place, json, &attachment, err);
    if (r == 0)
        r = locks_take(&attachment, false, &locks, err);
    if (r < 0)
        return r;
    autoclose int decoy = -1;
    if (wants_decoy(&attachment)) {
        decoy = decoy_open(&attachment, err);
        if (decoy < 0)
            return decoy;
        (void)snprintf(net_namespace, sizeof(net_namespace), "/proc/%d/fd/%d", (int)getpid(),
                       decoy);
    }
    const struct cni_call call = call_of(&attachment, net_namespace);
    return cni_delete(&call, json_object_get(json, "result"), err);
}

int attachments_make(const struct place *place, const struct container *container, pid_t pid,
                     json_t **ret, struct error *err)
{
    autojson record = NULL;
    int r = file_make_dirs(lease_directory, 0700, err);
    if (r == 0)
        r = record_begin(place, container, &record, err);
    if (r == 0)
        r = netns_open_sysctls(err);
    size_t i = 0;
    json_t *attachment = NULL;
    json_array_foreach(json_object_get(record, "attachments"), i, attachment) {
        if (r == 0)
            r = attach(place, pid, attachment, err);
        if (r == 0)
            r = record_write(place, record, err);
    }
    if (r < 0)
        return r;
    *ret = take_ptr(record);
    return 0;
}

int attachments_undo(const struct place *place, struct error *err)
{
    autojson record = NULL;
    if (access(place->cni, F_OK) < 0)
        return 0;
    int r = record_read(place->cni, &record, err);
    if (r < 0)
        return error_prefix(err, r, "%s", place->cni);
    /* Where many end at once, or a plugin is slow, being cut off would leave what is undone here.
     */
    (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)undo_time_usec);
    r = netns_open_sysctls(err);
    json_t *attachments = json_object_get(record, "attachments");
    for (size_t i = json_array_size(attachments); i-- > 0;) {
        int failed = detach(place, json_array_get(attachments, i), r < 0 ? NULL : err);
        if (r == 0)
            r = failed;
    }
    return r < 0 ? r : file_remove(place->cni, err);
}
