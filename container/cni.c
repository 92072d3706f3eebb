/* SPDX-License-Identifier: Apache-2.0 */
#include "container/cni.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"

enum { CONTAINER_ID_MAX = 128 };

static const char standard_version[] = "1.0.0";

/* --- networks --- */

void cni_network_free(struct cni_network *network)
{
    if (!network)
        return;
    free(network->name);
    json_decref(network->json);
    free(network);
}

static const json_t *plugin_at(const struct cni_network *network, size_t index)
{
    return json_array_get(json_object_get(network->json, "plugins"), index);
}

size_t cni_plugin_count(const struct cni_network *network)
{
    return json_array_size(json_object_get(network->json, "plugins"));
}

const char *cni_plugin_type(const struct cni_network *network, size_t index)
{
    return json_string_value(json_object_get(plugin_at(network, index), "type"));
}

static bool is_true(const json_t *object, const char *field)
{
    return json_is_true(json_object_get(object, field));
}

bool cni_plugin_can(const struct cni_network *network, size_t index, const char *capability)
{
    return is_true(json_object_get(plugin_at(network, index), "capabilities"), capability);
}

bool cni_network_can(const struct cni_network *network, const char *capability)
{
    for (size_t i = 0; i < cni_plugin_count(network); i++)
        if (cni_plugin_can(network, i, capability))
            return true;
    return false;
}

bool cni_plugin_wants_namespace(const struct cni_network *network, size_t index)
{
    const char *type = cni_plugin_type(network, index);
    return (strcmp(type, "bridge") == 0 || strcmp(type, "ptp") == 0) &&
           is_true(plugin_at(network, index), "ipMasq");
}

/* As the specification has names of networks; they become names of files here. */
static bool is_name(const char *name)
{
    if (!isalnum((unsigned char)*name))
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
            return false;
    return true;
}

static int plugin_check(const json_t *plugin, struct error *err)
{
    const char *type = NULL;
    json_t *part = NULL;
    if (!json_is_object(plugin))
        return error_set(err, -EINVAL, "a plugin that is no object");
    int r = json_field_string(plugin, "type", &type, err);
    if (r == 0)
        r = json_field_object_or_null(plugin, "capabilities", &part, err);
    if (r == 0)
        r = json_field_object_or_null(plugin, "args", &part, err);
    if (r == 0)
        r = json_field_object_or_null(plugin, "ipam", &part, err);
    if (r < 0)
        return error_prefix(err, -EINVAL, "plugin");
    if (!is_name(type))
        return error_set(err, -EINVAL, "plugin type \"%s\" is no name of a program", type);
    return 0;
}

static int network_check(const json_t *json, const char **ret_name, struct error *err)
{
    const char *version = NULL;
    json_t *plugins = NULL;
    int r = json_field_string(json, "name", ret_name, err);
    if (r == 0)
        r = json_field_string_or(json, "cniVersion", standard_version, &version, err);
    if (r == 0)
        r = json_field_array_or_null(json, "plugins", &plugins, err);
    if (r < 0)
        return error_prefix(err, -EINVAL, "network");
    if (!is_name(*ret_name))
        return error_set(err, -EINVAL,
                         "network name \"%s\": letters, digits and \"_.-\" are allowed, after a "
                         "letter or digit",
                         *ret_name);
    if (!json_array_size(plugins))
        return error_set(err, -EINVAL, "network %s has no plugins", *ret_name);
    for (size_t i = 0; r == 0 && i < json_array_size(plugins); i++)
        r = plugin_check(json_array_get(plugins, i), err);
    return r < 0 ? error_prefix(err, r, "network %s", *ret_name) : 0;
}

int cni_network_from_json(json_t *json, struct cni_network **ret, struct error *err)
{
    const char *name = NULL;
    int r = network_check(json, &name, err);
    if (r < 0)
        return r;
    autoptr(cni_network) network = calloc(1, sizeof(*network));
    if (!network)
        return error_oom(err);
    network->name = strdup(name);
    network->json = json_incref(json);
    if (!network->name)
        return error_oom(err);
    *ret = take_ptr(network);
    return 0;
}

/* A file with a single plugin is that plugin's object with the network's name in it. */
static json_t *list_of_one(json_t *plugin)
{
    return json_pack("{s:O*, s:O*, s:[O]}", "name", json_object_get(plugin, "name"), "cniVersion",
                     json_object_get(plugin, "cniVersion"), "plugins", plugin);
}

int cni_network_read(const char *text, size_t length, struct cni_network **ret, struct error *err)
{
    autojson json = NULL;
    int r = json_read(text, length, &json, err);
    if (r < 0)
        return error_prefix(err, -EINVAL, "network");
    if (!json_is_object(json))
        return error_set(err, -EINVAL, "network: the file holds no object");
    if (json_object_get(json, "plugins"))
        return cni_network_from_json(json, ret, err);
    autojson list = list_of_one(json);
    return list ? cni_network_from_json(list, ret, err) : error_oom(err);
}

int cni_lease_path(const struct cni_network *network, const char *lease_directory, char **ret,
                   struct error *err)
{
    for (size_t i = 0; i < cni_plugin_count(network); i++) {
        const json_t *ipam = json_object_get(plugin_at(network, i), "ipam");
        const char *type = json_string_value(json_object_get(ipam, "type"));
        const char *own = json_string_value(json_object_get(ipam, "dataDir"));
        if (!text_equal(type, "host-local"))
            continue;
        *ret = text_format("%s/%s", own && *own ? own : lease_directory, network->name);
        return *ret ? 0 : error_oom(err);
    }
    *ret = NULL;
    return 0;
}

/* --- what plugins are told --- */

static json_t *array_or_null(char *const *list)
{
    return list && *list ? json_from_strv(list) : NULL;
}

int cni_request_to_json(const struct cni_request *request, json_t **ret, struct error *err)
{
    *ret = json_pack("{s:s, s:o*, s:s*, s:o*, s:O*}", "interface", request->interface, "addresses",
                     array_or_null(request->addresses), "mac", request->mac, "aliases",
                     array_or_null(request->aliases), "ports", request->ports);
    return *ret ? 0 : error_oom(err);
}

/* By the capability if the plugin has it; else the way of before capabilities, which plugins that
 * do not know it leave alone. */
static int put_wish(const struct cni_network *network, size_t index, json_t *runtime, json_t *args,
                    const char *capability, json_t *value, struct error *err)
{
    if (!value)
        return 0;
    json_t *to = cni_plugin_can(network, index, capability) ? runtime : args;
    return to && json_object_set(to, capability, value) < 0 ? error_oom(err) : 0;
}

static json_t *aliases_by_network(const struct cni_network *network, const json_t *request)
{
    json_t *aliases = json_object_get(request, "aliases");
    return aliases ? json_pack("{s:O}", network->name, aliases) : NULL;
}

static int put_wishes(const struct cni_network *network, size_t index, const json_t *request,
                      json_t *runtime, json_t *args, struct error *err)
{
    autojson aliases = aliases_by_network(network, request);
    int r =
        put_wish(network, index, runtime, args, "ips", json_object_get(request, "addresses"), err);
    if (r == 0)
        r = put_wish(network, index, runtime, args, "mac", json_object_get(request, "mac"), err);
    if (r == 0)
        r = put_wish(network, index, runtime, NULL, "aliases", aliases, err);
    if (r == 0)
        r = put_wish(network, index, runtime, NULL, "portMappings",
                     json_object_get(request, "ports"), err);
    return r;
}

/* args.cni of the plugin's own configuration, with more in it. */
static int put_args(json_t *input, const json_t *more, struct error *err)
{
    if (!json_object_size(more))
        return 0;
    json_t *old = json_object_get(input, "args");
    autojson args = old ? json_deep_copy(old) : json_object();
    json_t *cni = json_object_get(args, "cni");
    autojson merged = json_is_object(cni) ? json_incref(cni) : json_object();
    if (!args || !merged || json_object_update(merged, (json_t *)more) < 0 ||
        json_object_set(args, "cni", merged) < 0 || json_object_set(input, "args", args) < 0)
        return error_oom(err);
    return 0;
}

/* Leases outlive containers that a power cut ended, unless they lie where a boot begins anew. */
static int put_lease_directory(json_t *input, const char *directory, struct error *err)
{
    json_t *ipam = json_object_get(input, "ipam");
    if (!text_equal(json_string_value(json_object_get(ipam, "type")), "host-local") ||
        json_object_get(ipam, "dataDir"))
        return 0;
    return json_object_set_new(ipam, "dataDir", json_string(directory)) < 0 ? error_oom(err) : 0;
}

static int put_frame(json_t *input, const struct cni_network *network, json_t *result,
                     struct error *err)
{
    json_t *version = json_object_get(network->json, "cniVersion");
    int r = json_object_set_new(input, "name", json_string(network->name));
    if (r == 0 && version)
        r = json_object_set(input, "cniVersion", version);
    else if (r == 0)
        r = json_object_set_new(input, "cniVersion", json_string(standard_version));
    if (r == 0 && result)
        r = json_object_set(input, "prevResult", result);
    (void)json_object_del(input, "capabilities");
    return r < 0 ? error_oom(err) : 0;
}

int cni_plugin_input(const struct cni_network *network, size_t index, const json_t *request,
                     json_t *result, const char *lease_directory, json_t **ret, struct error *err)
{
    autojson input = json_deep_copy(plugin_at(network, index));
    autojson runtime = json_object();
    autojson args = json_object();
    if (!input || !runtime || !args)
        return error_oom(err);
    int r = put_frame(input, network, result, err);
    if (r == 0)
        r = put_lease_directory(input, lease_directory, err);
    if (r == 0)
        r = put_wishes(network, index, request, runtime, args, err);
    if (r == 0)
        r = put_args(input, args, err);
    if (r == 0 && json_object_size(runtime) && json_object_set(input, "runtimeConfig", runtime) < 0)
        r = error_oom(err);
    if (r < 0)
        return r;
    *ret = take_ptr(input);
    return 0;
}

/* --- what plugins answer --- */

static int ips_check(const json_t *result, struct error *err)
{
    json_t *ips = NULL;
    int r = json_field_array_or_null(result, "ips", &ips, err);
    for (size_t i = 0; r == 0 && i < json_array_size(ips); i++) {
        const json_t *ip = json_array_get(ips, i);
        const char *text = NULL;
        int64_t interface = 0;
        r = json_field_string(ip, "address", &text, err);
        if (r == 0)
            r = json_field_string_or(ip, "gateway", "", &text, err);
        if (r == 0)
            r = json_field_int_or(ip, "interface", -1, &interface, err);
        if (r < 0)
            return error_prefix(err, r, "ips[%zu]", i);
    }
    return r;
}

static int interfaces_check(const json_t *result, struct error *err)
{
    json_t *interfaces = NULL;
    int r = json_field_array_or_null(result, "interfaces", &interfaces, err);
    for (size_t i = 0; r == 0 && i < json_array_size(interfaces); i++) {
        const json_t *interface = json_array_get(interfaces, i);
        const char *text = NULL;
        r = json_field_string(interface, "name", &text, err);
        if (r == 0)
            r = json_field_string_or(interface, "mac", "", &text, err);
        if (r == 0)
            r = json_field_string_or(interface, "sandbox", "", &text, err);
        if (r < 0)
            return error_prefix(err, r, "interfaces[%zu]", i);
    }
    return r;
}

static int dns_check(const json_t *result, struct error *err)
{
    static const char *const lists[] = { "nameservers", "search", "options" };
    json_t *dns = NULL;
    int r = json_field_object_or_null(result, "dns", &dns, err);
    for (size_t i = 0; r == 0 && dns && i < sizeof(lists) / sizeof(lists[0]); i++) {
        autostrv list = NULL;
        r = json_field_strv(dns, lists[i], &list, err);
    }
    return r;
}

int cni_result_read(const char *text, size_t length, json_t **ret, struct error *err)
{
    autojson result = NULL;
    int r = json_read(text, length, &result, err);
    if (r == 0 && !json_is_object(result))
        r = error_set(err, -EPROTO, "it is no object");
    if (r == 0)
        r = ips_check(result, err);
    if (r == 0)
        r = interfaces_check(result, err);
    if (r == 0)
        r = dns_check(result, err);
    if (r < 0)
        return error_prefix(err, -EPROTO, "result of a plugin");
    *ret = take_ptr(result);
    return 0;
}

/* Interfaces on the host's side have no sandbox; an address need not name its interface. */
static bool is_inside(const json_t *result, const json_t *ip)
{
    json_t *index = json_object_get(ip, "interface");
    if (!index || json_integer_value(index) < 0)
        return true;
    const json_t *interface =
        json_array_get(json_object_get(result, "interfaces"), (size_t)json_integer_value(index));
    const char *sandbox = json_string_value(json_object_get(interface, "sandbox"));
    return sandbox && *sandbox;
}

static int add_ips(const json_t *result, const char *field, char ***ret, struct error *err)
{
    autostrv list = NULL;
    size_t i = 0;
    const json_t *ip = NULL;
    json_array_foreach(json_object_get(result, "ips"), i, ip) {
        const char *text = json_string_value(json_object_get(ip, field));
        int r = text && *text && is_inside(result, ip) ? strv_add(&list, text, err) : 0;
        if (r < 0)
            return r;
    }
    *ret = take_ptr(list);
    return 0;
}

int cni_result_addresses(const json_t *result, char ***ret, struct error *err)
{
    return add_ips(result, "address", ret, err);
}

int cni_result_gateways(const json_t *result, char ***ret, struct error *err)
{
    return add_ips(result, "gateway", ret, err);
}

const char *cni_result_mac(const json_t *result)
{
    size_t i = 0;
    const json_t *interface = NULL;
    json_array_foreach(json_object_get(result, "interfaces"), i, interface) {
        const char *sandbox = json_string_value(json_object_get(interface, "sandbox"));
        const char *mac = json_string_value(json_object_get(interface, "mac"));
        if (sandbox && *sandbox && mac && *mac)
            return mac;
    }
    return NULL;
}

int cni_result_dns(const json_t *result, const char *field, char ***ret, struct error *err)
{
    const json_t *dns = json_object_get(result, "dns");
    if (!json_is_object(dns)) {
        *ret = NULL;
        return 0;
    }
    return json_field_strv(dns, field, ret, err);
}

/* Plugins put the answers of programs of theirs into messages, lines and all. */
static void join_lines(char *text)
{
    for (char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
}

char *cni_failure_text(const char *answer, size_t length)
{
    autojson json = NULL;
    const char *message = "";
    const char *details = "";
    if (json_read(answer, length, &json, NULL) < 0 || !json_is_object(json) ||
        json_field_string_or(json, "msg", "", &message, NULL) < 0 || !*message)
        return NULL;
    (void)json_field_string_or(json, "details", "", &details, NULL);
    autofree char *text = text_format("%s%s%s", message, *details ? ": " : "", details);
    if (!text)
        return NULL;
    join_lines(text);
    return strdup(text_trim(text));
}

char *cni_container_id(const char *unit)
{
    char digest[DIGEST_HEX_SIZE];
    autotext id = { 0 };
    text_add(&id, "muster-");
    for (const char *c = unit; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr(".-", *c))
            text_add_bytes(&id, c, 1);
        else
            text_addf(&id, "_%02x", (unsigned char)*c);
    }
    if (id.length <= CONTAINER_ID_MAX)
        return text_take(&id);
    digest_sha256_hex(unit, strlen(unit), digest);
    return text_format("muster-%s", digest);
}
