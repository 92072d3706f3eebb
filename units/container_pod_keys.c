/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods: the keys of [Pod], which are some of a container's, and those by which a container of
 * [Container] belongs to one.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "units/container_take.h"
#include "units/quadlet.h"

/* --- Pod=, StartWithPod= --- */

static int take_pod(struct reading *reading, const struct unit_option *option, void *field,
                    struct error *err)
{
    autofree char *value = NULL;
    autofree char *unit = NULL;
    struct error reason = { 0 };
    char **pod = field;
    int r = take_expanded(reading, option, &value, err);
    if (r < 0)
        return r;
    if (*value && !text_ends_with(value, ".pod"))
        return unit_option_error(err, option, "want the name of a .pod file, such as web.pod");
    r = *value ? quadlet_service(value, NULL, &unit, &reason) : 0;
    if (r < 0)
        return take_failed(option, r, &reason, err);
    free(*pod);
    *pod = take_ptr(unit);
    return 0;
}

const struct container_key container_pod_keys[] = {
    {"Pod",           take_pod,              CONTAINER_FIELD(pod)               },
    { "StartWithPod", take_boolean_inverted, CONTAINER_FIELD(starts_without_pod)},
    { NULL,           NULL,                  0                                  },
};

/* What all containers of a pod have in common is said once, where it belongs. */
static const char *key_of_pod(const struct reading *reading)
{
    const struct container *c = reading->container;
    const struct {
        const char *key;
        bool said;
    } keys[] = {
        {"Network",                   c->network != CONTAINER_NETWORK_INVALID},
        { "PublishPort",              c->port_count > 0                      },
        { "IP",                       c->ip                                  },
        { "IP6",                      c->ip6                                 },
        { "NetworkAlias",             c->network_aliases                     },
        { "DNS",                      c->dns                                 },
        { "DNSOption",                c->dns_options                         },
        { "DNSSearch",                c->dns_search                          },
        { "AddHost",                  c->add_hosts                           },
        { "HostName",                 c->host_name                           },
        { "ShmSize",                  c->shm_bytes                           },
        { "UIDMap",                   c->uid_map_count > 0                   },
        { "GIDMap",                   c->gid_map_count > 0                   },
        { "SubUIDMap",                c->sub_uid                             },
        { "SubGIDMap",                c->sub_gid                             },
        { "UserNS",                   c->userns != CONTAINER_USERNS_INVALID  },
        { "PodmanArgs=--ipc",         c->host_ipc                            },
        { "PodmanArgs=--uts",         c->host_uts                            },
        { "PodmanArgs=--mac-address", c->mac                                 },
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i].said)
            return keys[i].key;
    return NULL;
}

static int settle_member(struct reading *reading, struct error *err)
{
    struct container *c = reading->container;
    const char *key = key_of_pod(reading);
    if (key)
        return error_set(
            err, -EINVAL,
            "[Container] has both Pod= and %s=: the containers of a pod share that, so "
            "it is said in [Pod] of the .pod file",
            key);
    c->network = CONTAINER_NETWORK_UNIT;
    c->network_target = strdup(c->pod);
    return c->network_target ? 0 : error_oom(err);
}

/* --- [Pod] --- */

/* Each but PodName= is the key of [Container] that has its name. */
static const char *const pod_keys[] = {
    "AddHost",     "DNS",       "DNSOption", "DNSSearch",    "GIDMap",  "HostName",    "IP",
    "IP6",         "Label",     "Network",   "NetworkAlias", "PodName", "PublishPort", "ShmSize",
    "StopTimeout", "SubGIDMap", "SubUIDMap", "UIDMap",       "UserNS",  "Volume",      NULL,
};

const char *container_pod_key(const char *key)
{
    if (strcmp(key, "PodName") == 0)
        return "ContainerName";
    for (const char *const *known = pod_keys; *known; known++)
        if (strcmp(*known, key) == 0)
            return *known;
    return NULL;
}

static const struct {
    const char *key;
    const char *reason;
    bool idle; /* it is taken, and does nothing */
} beside[] = {
    {"ContainersConfModule", "there is no containers.conf here",                        true },
    { "ExitPolicy",          "a pod is there as long as the cluster wants it",          true },
    { "GlobalArgs",          "there is no podman to give them to",                      false},
    { "PodmanArgs",          "limits of a container are its own, in its [Service]",     false},
    { "ServiceName",         "the containers of a pod find it by the name of its file", false},
};
enum { BESIDE_COUNT = sizeof(beside) / sizeof(beside[0]) };

int container_take_beside_pod(struct reading *reading, const struct unit_option *option,
                              struct error *err)
{
    for (size_t i = 0; i < BESIDE_COUNT; i++) {
        if (strcmp(beside[i].key, option->key) != 0)
            continue;
        return beside[i].idle ? take_warning(reading, option, beside[i].reason, err)
                              : error_set(err, -EINVAL, "line %u: [Pod] %s= is not taken: %s",
                                          option->line, option->key, beside[i].reason);
    }
    return take_unknown_key(option, pod_keys, err);
}

/* What holds a pod together does nothing but be there, and may nothing. */
static int settle_infra(struct container *c, struct error *err)
{
    for (size_t i = 0; i < c->mount_count; i++)
        if (c->mounts[i].type == CONTAINER_MOUNT_VOLUME && !c->mounts[i].source)
            return error_set(err, -EINVAL,
                             "[Pod] Volume=%s: the containers of the pod share it, so it needs a "
                             "name or a path",
                             c->mounts[i].destination);
    c->read_only = c->no_read_only_tmpfs = c->no_new_privileges = true;
    return strv_add(&c->drop_capabilities, "ALL", err);
}

int container_settle_pod(struct reading *reading, struct error *err)
{
    if (reading->container->is_pod)
        return settle_infra(reading->container, err);
    return reading->container->pod ? settle_member(reading, err) : 0;
}
