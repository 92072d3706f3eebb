/* SPDX-License-Identifier: Apache-2.0 */
/* The value and its JSON; container_read.c fills it from a unit file. */
#include "units/container.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "units/container_value.h"

void container_clear_volumes(struct container *container)
{
    for (size_t i = 0; i < container->volume_count; i++) {
        free(container->volumes[i].source);
        free(container->volumes[i].destination);
    }
    free(container->volumes);
    container->volumes = NULL;
    container->volume_count = 0;
}

void container_free(struct container *container)
{
    if (!container)
        return;
    free(container->image);
    strv_free(container->exec);
    strv_free(container->environment);
    container_clear_volumes(container);
    free(container->host_name);
    free(container);
}

int container_add_volume(struct container *container, const char *source, const char *destination,
                         bool read_only, struct error *err)
{
    struct container_volume *grown =
        reallocarray(container->volumes, container->volume_count + 1, sizeof(*grown));
    if (!grown)
        return error_oom(err);
    container->volumes = grown;
    struct container_volume *volume = &grown[container->volume_count++];
    volume->source = strdup(source);
    volume->destination = strdup(destination);
    volume->read_only = read_only;
    return volume->source && volume->destination ? 0 : error_oom(err);
}

const char *container_network_name(enum container_network network)
{
    switch (network) {
    case CONTAINER_NETWORK_NONE:
        return "none";
    case CONTAINER_NETWORK_HOST:
        return "host";
    case CONTAINER_NETWORK_INVALID:
        break;
    }
    return NULL;
}

enum container_network container_network_from_name(const char *name)
{
    if (strcmp(name, "none") == 0)
        return CONTAINER_NETWORK_NONE;
    if (strcmp(name, "host") == 0)
        return CONTAINER_NETWORK_HOST;
    return CONTAINER_NETWORK_INVALID;
}

static int volumes_to_json(const struct container *container, json_t **ret, struct error *err)
{
    autojson list = json_array();
    for (size_t i = 0; i < container->volume_count; i++) {
        const struct container_volume *volume = &container->volumes[i];
        json_t *object = json_pack("{s:s, s:s, s:b}", "source", volume->source, "destination",
                                   volume->destination, "readOnly", (int)volume->read_only);
        if (json_array_append_new(list, object) < 0)
            return error_oom(err);
    }
    *ret = take_ptr(list);
    return *ret ? 0 : error_oom(err);
}

int container_to_json(const struct container *container, json_t **ret, struct error *err)
{
    autojson volumes = NULL;
    int r = volumes_to_json(container, &volumes, err);
    if (r < 0)
        return r;
    autojson environment = json_from_strv(container->environment);
    autojson exec = container->exec ? json_from_strv(container->exec) : json_null();
    *ret = json_pack("{s:s, s:O, s:O, s:O, s:s, s:s, s:b}", "image", container->image, "exec", exec,
                     "environment", environment, "volumes", volumes, "hostName",
                     container->host_name, "network", container_network_name(container->network),
                     "notify", (int)container->notify);
    return *ret ? 0 : error_oom(err);
}

static int copy_string_field(const json_t *json, const char *name, char **ret, struct error *err)
{
    const char *value = NULL;
    int r = json_field_string(json, name, &value, err);
    if (r < 0)
        return r;
    *ret = strdup(value);
    return *ret ? 0 : error_oom(err);
}

static int volume_from_json(const json_t *json, struct container *container, struct error *err)
{
    const char *source = NULL;
    const char *destination = NULL;
    bool read_only = false;
    int r = json_field_string(json, "source", &source, err);
    if (r >= 0)
        r = json_field_string(json, "destination", &destination, err);
    if (r >= 0)
        r = json_field_bool_or(json, "readOnly", false, &read_only, err);
    return r < 0 ? r : container_add_volume(container, source, destination, read_only, err);
}

static int volumes_from_json(const json_t *json, struct container *container, struct error *err)
{
    json_t *list = NULL;
    int r = json_field_array_or_null(json, "volumes", &list, err);
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(list, i, item) {
        if (r < 0)
            break;
        r = volume_from_json(item, container, err);
        if (r < 0)
            return error_prefix(err, r, "field \"volumes\" item %zu", i);
    }
    return r;
}

/* An absent or null list is the image's own command; an empty one cannot come out of a unit. */
static int fields_from_json(const json_t *json, struct container *container, struct error *err)
{
    const char *network = NULL;
    int r = copy_string_field(json, "image", &container->image, err);
    if (r >= 0)
        r = copy_string_field(json, "hostName", &container->host_name, err);
    if (r >= 0)
        r = json_field_strv(json, "exec", &container->exec, err);
    if (r >= 0)
        r = json_field_strv(json, "environment", &container->environment, err);
    if (r >= 0)
        r = volumes_from_json(json, container, err);
    if (r >= 0)
        r = json_field_bool_or(json, "notify", false, &container->notify, err);
    if (r >= 0)
        r = json_field_string(json, "network", &network, err);
    if (r < 0)
        return r;
    container->network = container_network_from_name(network);
    if (container->network == CONTAINER_NETWORK_INVALID)
        return error_set(err, -EPROTO, "field \"network\" is \"%s\", neither none nor host",
                         network);
    return 0;
}

int container_from_json(const json_t *json, struct container **ret, struct error *err)
{
    autoptr(container) container = calloc(1, sizeof(*container));
    if (!container)
        return error_oom(err);
    int r = fields_from_json(json, container, err);
    if (r < 0)
        return r;
    *ret = take_ptr(container);
    return 0;
}
