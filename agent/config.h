/* SPDX-License-Identifier: Apache-2.0 */
/*
 * musterd's configuration: /etc/muster/musterd.conf ("key = value" lines, '#' comments), then the
 * environment over it.
 *
 * Every key may come as MUSTER_<KEY> or, so that a cloud-config written for fleet works unchanged,
 * as FLEET_<KEY> (which coreos.fleet becomes); MUSTER_ wins over FLEET_, and the environment over
 * the file. An unknown key in the file is refused with the nearest known one.
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "scheduler/records.h"

struct config {
    char **etcd_servers; /* etcd_servers: comma list; default http://127.0.0.1:2379 */
    char *etcd_cafile;   /* "" if none, as the next two */
    char *etcd_certfile;
    char *etcd_keyfile;
    char *etcd_username; /* "" if none; then one of the next two is set */
    char *etcd_password; /* a secret: never in a message */
    char *etcd_password_file;
    char *etcd_key_prefix;      /* default STORE_PREFIX_DEFAULT; ends in '/' */
    int64_t request_timeout_ms; /* etcd_request_timeout, in seconds as fleet has it; default 1 */
    char *public_ip;            /* default: the address of the default route's interface */
    struct metadata_rule *metadata;
    size_t metadata_count;
    int64_t ttl_ms;      /* agent_ttl; default 10s, at least 2s, whole seconds */
    char *roles;         /* roles: "web=2,db=3"; "" if none */
    char *role_priority; /* role_priority: "db=200,*=0"; "" if none */
    bool may_lead;       /* disable_engine=true makes it false */
    bool verbose;        /* verbosity > 0 */
    /* What of the machine units may be promised. */
    int64_t cpu_milli;    /* cpu; -1, the default: what the machine has; 0: not counted */
    int64_t memory_bytes; /* memory; the same */
    int64_t tasks;        /* tasks; the same */
    int64_t reserve_cpu_milli, reserve_memory_bytes, reserve_tasks; /* reserve_…; default 0 */
    int64_t overcommit_cpu, overcommit_memory; /* overcommit_…, per cent; default 100 */
    char **capabilities; /* capabilities: words beside those that the machine finds itself */
    char *socket_path;   /* socket; default /run/muster/muster.sock; "", in tests: no API */
};

/* path NULL: the default file, which may be absent. -EINVAL: file, line or variable, and what would
 * be right. */
int config_read(const char *path, struct config **ret, struct error *err);
void config_free(struct config *config);
DEFINE_AUTOPTR(config);

/* Sets one key as if read; where names its origin in messages. For the file, the environment and
 * tests. */
int config_set(struct config *config, const char *key, const char *value, struct error *err);

/* All defaults. */
int config_new(struct config **ret, struct error *err);

#endif
