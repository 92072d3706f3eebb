/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The [Container] section (keys of Podman's Quadlet) as a plain value, and its JSON, which is what
 * the agent leaves for muster-container in spec.json. What a key means stands in muster.unit(5);
 * Podman's documentation of Quadlet is the source.
 *
 * Some keys are systemd's affair once they are read: limits, devices, the stop. translate.c writes
 * them into the [Service] of the unit; here they are kept for those who ask.
 */
#ifndef UNITS_CONTAINER_H
#define UNITS_CONTAINER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct unit_file;
struct specifier_machine;

/* --- words of keys; the second of each, but for mounts and networks, is what holds where nothing
 * is said --- */

enum container_pull {
    CONTAINER_PULL_INVALID = 0,
    CONTAINER_PULL_MISSING, /* only what is not here */
    CONTAINER_PULL_ALWAYS,
    CONTAINER_PULL_NEVER,
    CONTAINER_PULL_NEWER, /* if the registry has another; that it cannot be asked is no failure */
};

enum container_mount_type {
    CONTAINER_MOUNT_INVALID = 0,
    CONTAINER_MOUNT_BIND,   /* source: absolute host path */
    CONTAINER_MOUNT_VOLUME, /* source: name of a volume on the machine; NULL: anonymous, goes with
                               the container */
    CONTAINER_MOUNT_TMPFS,
    CONTAINER_MOUNT_RAMFS,
    CONTAINER_MOUNT_DEVPTS,
    CONTAINER_MOUNT_IMAGE, /* source: reference of an image */
    CONTAINER_MOUNT_GLOB,  /* source: pattern of host paths, each below the destination */
};

enum container_network_mode {
    CONTAINER_NETWORK_INVALID = 0, /* what the machine has for those that do not say */
    CONTAINER_NETWORK_NONE,        /* a namespace of its own with loopback only */
    CONTAINER_NETWORK_HOST,
    CONTAINER_NETWORK_BRIDGE, /* networks[] by CNI */
    CONTAINER_NETWORK_UNIT,   /* the namespace of another unit's container: network_target */
    CONTAINER_NETWORK_PATH,   /* a namespace bound to a file: network_target */
};

enum container_cgroups {
    CONTAINER_CGROUPS_INVALID = 0,
    CONTAINER_CGROUPS_SPLIT,   /* the service's own */
    CONTAINER_CGROUPS_ENABLED, /* a scope of its own */
};

enum container_userns {
    CONTAINER_USERNS_INVALID = 0,
    CONTAINER_USERNS_HOST,    /* none of its own */
    CONTAINER_USERNS_AUTO,    /* a range that no other container of the machine has */
    CONTAINER_USERNS_KEEP_ID, /* for a manager that runs as root: as auto, but uid 0 is root's */
    CONTAINER_USERNS_MAP,     /* uid_maps, gid_maps */
};

enum container_notify {
    CONTAINER_NOTIFY_INVALID = 0,
    CONTAINER_NOTIFY_NO,      /* ready when the process is started */
    CONTAINER_NOTIFY_YES,     /* the program inside says READY=1 itself */
    CONTAINER_NOTIFY_HEALTHY, /* ready when the health check first passes */
};

enum container_on_failure {
    CONTAINER_ON_FAILURE_INVALID = 0,
    CONTAINER_ON_FAILURE_NONE,
    CONTAINER_ON_FAILURE_KILL, /* the service then does as its Restart= says */
    CONTAINER_ON_FAILURE_RESTART,
    CONTAINER_ON_FAILURE_STOP,
};

enum container_log {
    CONTAINER_LOG_INVALID = 0,
    CONTAINER_LOG_JOURNALD,
    CONTAINER_LOG_NONE,
    CONTAINER_LOG_PASSTHROUGH, /* the service's own StandardOutput= and StandardError= */
};

enum container_secret_type {
    CONTAINER_SECRET_INVALID = 0,
    CONTAINER_SECRET_MOUNT, /* a file; target is its path inside */
    CONTAINER_SECRET_ENV,   /* target is a variable */
};

enum container_auto_update {
    CONTAINER_AUTO_UPDATE_INVALID = 0,
    CONTAINER_AUTO_UPDATE_NO,
    CONTAINER_AUTO_UPDATE_REGISTRY,
    CONTAINER_AUTO_UPDATE_LOCAL,
};

/* --- parts --- */

struct container_mount {
    enum container_mount_type type;
    char *source;      /* by type */
    char *destination; /* absolute path inside */
    char **options;    /* as mount(8) and the OCI runtime know them, in order: "ro", "rslave",
                          "size=64m" … */
    bool read_only;
    bool chown;    /* U: the source is given to the container's user first */
    bool overlay;  /* O: what is written does not reach the source */
    bool no_copy;  /* a volume: the image's files at the destination are not copied into it at first
                    */
    bool idmap;    /* its files belong inside to whom they belong outside */
    char *subpath; /* of an image or volume; NULL: all of it */
    const char *key; /* that said so, while it is read; not in the JSON */
};

struct container_port {
    char *host_ip;     /* NULL: all addresses */
    int64_t host_port; /* 0: any that is free */
    int64_t container_port;
    int64_t count;  /* of a range; at least 1 */
    char *protocol; /* "tcp", "udp", "sctp" */
};

struct container_network {
    char *name;     /* of a CNI network; "podman" is muster's default bridge */
    char **options; /* "ip=10.0.0.3", "mac=…", "alias=…", "interface_name=…" */
};

struct container_secret {
    char *name;
    enum container_secret_type type;
    char *target; /* never NULL */
    int64_t uid, gid, mode;
};

struct container_device {
    char *host;
    char *inside;
    char *permissions; /* of "rwm" */
    bool optional;     /* skipped where the machine has none */
};

struct container_ulimit {
    char *name;         /* "nofile"; "host": the limits of the service stay as they are */
    int64_t soft, hard; /* -1: unlimited */
};

struct container_id_map {
    int64_t inside, host, count;
};

struct container_health {
    char **command; /* as executed; NULL: there is no check */
    int64_t interval_ms, timeout_ms, start_period_ms;
    int64_t retries;
    enum container_on_failure on_failure;
    bool disabled;          /* HealthCmd=none: not even the image's own */
    char **startup_command; /* NULL: no separate check at the start */
    int64_t startup_interval_ms, startup_timeout_ms;
    int64_t startup_retries;   /* failures before it is restarted; 0: any number */
    int64_t startup_successes; /* until the start counts as done */
};

struct container {
    /* pods */
    bool is_pod; /* of a [Pod]: it runs nothing, and holds what the pod's containers share */
    char *pod;   /* the unit of the pod that it belongs to; NULL: none */
    bool starts_without_pod; /* the start of the pod does not start it */
    /* the image */
    char *image; /* reference: "docker.io/library/busybox:1", "oci:PATH[:TAG]", …; NULL: rootfs */
    char *rootfs; /* absolute path of a directory; NULL: image */
    bool rootfs_overlay;
    enum container_pull pull;
    int64_t pull_retries;        /* 0: none said, which is three; -1: not once */
    int64_t pull_retry_delay_ms; /* 0: a second, then twice as long each time */
    enum container_auto_update auto_update;
    /* the process */
    char *name;         /* ContainerName=; NULL: systemd-%N */
    char **entrypoint;  /* NULL: the image's; empty: none */
    char **exec;        /* arguments after the entrypoint; NULL: the image's own command */
    char **environment; /* "K=V", each K once */
    bool oneshot;       /* Type=oneshot of [Service]: the start lasts as long as the container */
    char **environment_names; /* variables of the service that are handed on */
    char **environment_files; /* absolute host paths, '-' before what may be missing */
    bool environment_host;    /* all variables of the service are handed on */
    bool no_http_proxy;       /* proxy variables of the service are not handed on */
    char *working_directory;  /* NULL: the image's */
    char *user;               /* "USER[:GROUP]"; NULL: the image's */
    char **groups;            /* more groups, names or numbers */
    bool run_init;
    char *timezone;  /* "local", or a name of the zone database; NULL: the image's */
    char *host_name; /* never NULL: the unit's name without suffix, '@' as '-', unless it says */
    struct container_ulimit *ulimits;
    size_t ulimit_count;
    char **sysctls; /* "net.core.somaxconn=1024" */
    enum container_notify notify;
    enum container_log log;
    char **labels;      /* "K=V" */
    char **annotations; /* "K=V" */
    /* what it may */
    bool privileged;
    bool no_new_privileges;
    char **add_capabilities; /* "CAP_…", or "ALL" */
    char **drop_capabilities;
    char *seccomp_profile; /* absolute path, or "unconfined"; NULL: the default */
    char *apparmor;        /* profile, or "unconfined"; NULL: none is set */
    char **mask;           /* paths */
    char **unmask;         /* paths and globs, or "ALL" */
    struct container_device *devices;
    size_t device_count;
    bool host_ipc, host_pid, host_uts;
    /* files */
    bool read_only;
    bool no_read_only_tmpfs; /* a read-only root has no tmpfs on /run, /tmp and /var/tmp */
    bool volatile_tmp;
    int64_t shm_bytes; /* 0: 64 MiB */
    struct container_mount *mounts;
    size_t mount_count;
    struct container_secret *secrets;
    size_t secret_count;
    /* users */
    enum container_userns userns;
    int64_t userns_size;        /* auto: how many ids; 0: 65536 */
    int64_t keep_uid, keep_gid; /* keep-id: where root's own id appears; 0: at 0 */
    char *sub_uid, *sub_gid;    /* owner of the ranges in /etc/subuid, subgid; NULL: "containers" */
    struct container_id_map *uid_maps;
    size_t uid_map_count;
    struct container_id_map *gid_maps;
    size_t gid_map_count;
    /* network */
    enum container_network_mode network;
    char *network_target; /* a unit's name, or a path */
    struct container_network *networks;
    size_t network_count;
    char **network_aliases;
    char *ip, *ip6, *mac;
    struct container_port *ports;
    size_t port_count;
    char **dns; /* addresses; "none": no resolv.conf is made */
    char **dns_options;
    char **dns_search;
    char **add_hosts; /* "NAME:ADDRESS", the address may be "host-gateway" */
    /* limits and life, which systemd keeps */
    int64_t memory_bytes;      /* 0: none said */
    int64_t memory_swap_bytes; /* -1: unlimited, 0: none said; beyond memory_bytes */
    int64_t pids;              /* 0: none said, -1: unlimited */
    int64_t cpu_permille;      /* of one processor; 0: none said */
    enum container_cgroups cgroups;
    char *slice;           /* --cgroup-parent; NULL: none said */
    char *stop_signal;     /* "SIGINT"; NULL: the image's, else SIGTERM */
    int64_t stop_seconds;  /* 0: none said */
    char **reload_command; /* runs inside */
    char *reload_signal;
    char **device_rules; /* beyond devices[]: "char 10:200 rwm" */
    struct container_health health;
    /* not in the JSON */
    char *
        *warnings; /* keys that are taken and do nothing here, each with its line and the reason */
};

/* *ret NULL if the file has no [Container], nor a [Pod] in its place. -EINVAL with line, key, value
 * and what would be right. Keys that muster cannot honour are refused with the reason; unknown ones
 * with the nearest known. Words are split and unquoted, specifiers expanded (specifier.h); in Exec=
 * "$$" is "$" as in Quadlet, and no variable is. */
int container_read(const struct unit_file *file, const char *unit_name,
                   const struct specifier_machine *machine, struct container **ret,
                   struct error *err);
void container_free(struct container *container);
DEFINE_AUTOPTR(container);

/* For one that says no network: the machine's bridge. */
int container_use_bridge(struct container *container, struct error *err);

void container_drop_mounts(struct container *container);
/* NULL: nothing is mounted there. */
const struct container_mount *container_mount_at(const struct container *container,
                                                 const char *destination);

int container_to_json(const struct container *container, json_t **ret, struct error *err);
int container_from_json(const json_t *json, struct container **ret, struct error *err);

#endif
