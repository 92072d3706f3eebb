/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/schema.h"

#include <regex.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool is_encoding(const char *text)
{
    static const char *const words[] = { "base64",      "b64",    "gz",       "gzip", "gz+base64",
                                         "gzip+base64", "gz+b64", "gzip+b64", NULL };
    return is_one_of(text, words);
}

/* 644, 0644, 4755, 04755. */
static bool is_permissions(const char *text)
{
    size_t length = strlen(text);
    if (strspn(text, "01234567") != length)
        return false;
    return length == 3 || length == 4 || (length == 5 && text[0] == '0');
}

static bool is_command(const char *text)
{
    static const char *const words[] = { "start",
                                         "stop",
                                         "restart",
                                         "reload",
                                         "try-restart",
                                         "reload-or-restart",
                                         "reload-or-try-restart",
                                         NULL };
    return is_one_of(text, words);
}

static bool is_strategy(const char *text)
{
    static const char *const words[] = { "etcd-lock", "reboot", "off", NULL };
    return is_one_of(text, words);
}

static bool is_proxy(const char *text)
{
    static const char *const words[] = { "on", "off", "readonly", NULL };
    return is_one_of(text, words);
}

static bool is_when_short(const char *text)
{
    static const char *const words[] = { "run", "hold", "stop", NULL };
    return is_one_of(text, words);
}

static bool is_on_isolation(const char *text)
{
    static const char *const words[] = { "keep", "stop", NULL };
    return is_one_of(text, words);
}

static bool is_role_reboot(const char *text)
{
    static const char *const words[] = { "hold", "handover", NULL };
    return is_one_of(text, words);
}

/* The windows come once in a file, so compiling an expression each time is no cost; a long text is
 * refused unseen, because nested repetition makes regexec slow on it. */
static bool matches(const char *text, const char *expression)
{
    regex_t compiled;
    if (strlen(text) > 64 || regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool match = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return match;
}

static bool is_window_start(const char *text)
{
    return matches(text, "^(([sS][uU][nN]|[mM][oO][nN]|[tT][uU][eE]|[wW][eE][dD]|[tT][hH][uU]|"
                         "[fF][rR][iI]|[sS][aA][tT]) )?0*([0-9]|1[0-9]|2[0-3]):"
                         "0*([0-9]|[1-5][0-9])$");
}

static bool is_window_length(const char *text)
{
    return matches(text, "^[-+]?([0-9]*(\\.[0-9]*)?[a-z]+)+$");
}

#define OLD_ETCD  "etcd2 options no longer work for etcd"
#define OLD_FETCH "trying to fetch from a remote endpoint introduces too many intermittent errors"
#define OLD_CA    "ca_file obsoleted by trusted_ca_file and client_cert_auth"
#define OLD_PEER  "peer_ca_file obsoleted by peer_trusted_ca_file and peer_client_cert_auth"

static const struct schema_field user_fields[] = {
    {.name = "name",            .type = FIELD_STRING },
    { .name = "passwd",                        .type = FIELD_STRING },
    { .name = "gecos",.type = FIELD_STRING },
    { .name = "homedir",          .type = FIELD_STRING },
    { .name = "no_create_home",                        .type = FIELD_BOOL },
    { .name = "primary_group",.type = FIELD_STRING },
    { .name = "groups", .type = FIELD_STRING_LIST },
    { .name = "no_user_group",                        .type = FIELD_BOOL },
    { .name = "system",          .type = FIELD_BOOL },
    { .name = "no_log_init",         .type = FIELD_BOOL },
    { .name = "shell",                        .type = FIELD_STRING },
    { .name = "ssh_authorized_keys",.type = FIELD_STRING_LIST },
    { .name = "coreos_ssh_import_github",         .type = FIELD_STRING, .deprecated = OLD_FETCH },
    { .name = "coreos_ssh_import_github_users",
     .type = FIELD_STRING_LIST,
     .deprecated = OLD_FETCH },
    { .name = "coreos_ssh_import_url",.type = FIELD_STRING, .deprecated = OLD_FETCH },
    { 0         },
};

static const struct schema_field file_fields[] = {
    {.name = "path",        .type = FIELD_STRING },
    { .name = "content",                    .type = FIELD_STRING, .raw = true },
    { .name = "encoding",.type = FIELD_STRING, .accepts = is_encoding },
    { .name = "permissions",                    .type = FIELD_STRING, .accepts = is_permissions },
    { .name = "owner",                    .type = FIELD_STRING },
    { 0                   },
};

static const struct schema_field drop_in_fields[] = {
    {.name = "name",        .type = FIELD_STRING },
    { .name = "content",                    .type = FIELD_STRING },
    { 0},
};

static const struct schema_field unit_fields[] = {
    {.name = "name",            .type = FIELD_STRING },
    { .name = "content",                        .type = FIELD_STRING },
    { .name = "drop_ins",.type = FIELD_STRUCT_LIST, .fields = drop_in_fields },
    { .name = "runtime",       .type = FIELD_BOOL },
    { .name = "mask", .type = FIELD_BOOL },
    { .name = "enable",        .type = FIELD_BOOL },
    { .name = "command",                        .type = FIELD_STRING, .accepts = is_command },
    { 0      },
};

static const struct schema_field fleet_fields[] = {
    {.name = "agent_ttl",             .type = FIELD_STRING },
    { .name = "authorized_keys_file",                              .type = FIELD_STRING },
    { .name = "disable_engine",.type = FIELD_BOOL },
    { .name = "engine_reconcile_interval",       .type = FIELD_FLOAT },
    { .name = "etcd_cafile",                              .type = FIELD_STRING },
    { .name = "etcd_certfile",      .type = FIELD_STRING },
    { .name = "etcd_keyfile",          .type = FIELD_STRING },
    { .name = "etcd_key_prefix",                              .type = FIELD_STRING },
    { .name = "etcd_request_timeout",      .type = FIELD_FLOAT },
    { .name = "etcd_servers",         .type = FIELD_STRING },
    { .name = "etcd_username",                              .type = FIELD_STRING },
    { .name = "etcd_password",.type = FIELD_STRING },
    { .name = "metadata", .type = FIELD_STRING },
    { .name = "public_ip",                              .type = FIELD_STRING },
    { .name = "roles",   .type = FIELD_STRING },
    { .name = "role_priority",        .type = FIELD_STRING },
    { .name = "token_limit",                              .type = FIELD_INT },
    { .name = "verbosity",                              .type = FIELD_INT },
    { .name = "verify_units",             .type = FIELD_BOOL },
    { 0                             },
};

static const struct schema_field role_fields[] = {
    {.name = "name",                .type = FIELD_STRING },
    { .name = "nodes",                            .type = FIELD_INT },
    { .name = "min_nodes",.type = FIELD_INT },
    { .name = "require",          .type = FIELD_STRING_OR_LIST },
    { .name = "spread",                            .type = FIELD_STRING },
    { .name = "conflicts",.type = FIELD_STRING_LIST },
    { .name = "promote_after",             .type = FIELD_STRING },
    { .name = "fail_back",                            .type = FIELD_BOOL },
    { .name = "fail_back_after",             .type = FIELD_STRING },
    { .name = "when_short",      .type = FIELD_STRING, .accepts = is_when_short },
    { .name = "on_isolation",                            .type = FIELD_STRING, .accepts = is_on_isolation },
    { .name = "reboot",.type = FIELD_STRING, .accepts = is_role_reboot },
    { .name = "reboot_grace",    .type = FIELD_STRING },
    { .name = "metadata",                            .type = FIELD_STRING },
    { .name = "generation",    .type = FIELD_INT },
    { 0                           },
};

static const struct schema_field locksmith_fields[] = {
    {.name = "endpoint",       .type = FIELD_STRING },
    { .name = "etcd_cafile",                       .type = FIELD_STRING },
    { .name = "etcd_certfile",.type = FIELD_STRING },
    { .name = "etcd_keyfile", .type = FIELD_STRING },
    { .name = "etcd_username",                       .type = FIELD_STRING },
    { .name = "etcd_password",    .type = FIELD_STRING },
    { .name = "group", .type = FIELD_STRING },
    { .name = "window_start",                       .type = FIELD_STRING, .accepts = is_window_start },
    { .name = "window_length", .type = FIELD_STRING, .accepts = is_window_length },
    { 0        },
};

static const struct schema_field update_fields[] = {
    {.name = "reboot_strategy", .type = FIELD_STRING, .accepts = is_strategy },
    { .name = "group",   .type = FIELD_STRING },
    { .name = "server",          .type = FIELD_STRING },
    { 0                       },
};

static const struct schema_field flannel_fields[] = {
    {.name = "etcd_endpoints", .type = FIELD_STRING },
    { .name = "etcd_cafile",                       .type = FIELD_STRING },
    { .name = "etcd_certfile",.type = FIELD_STRING },
    { .name = "etcd_keyfile", .type = FIELD_STRING },
    { .name = "etcd_prefix",                       .type = FIELD_STRING },
    { .name = "etcd_username",    .type = FIELD_STRING },
    { .name = "etcd_password",   .type = FIELD_STRING },
    { .name = "ip_masq",                       .type = FIELD_STRING },
    { .name = "subnet_file", .type = FIELD_STRING },
    { .name = "interface", .type = FIELD_STRING },
    { .name = "public_ip",                       .type = FIELD_STRING },
    { 0},
};

static const struct schema_field oem_fields[] = {
    {.name = "id",          .type = FIELD_STRING },
    { .name = "name",                    .type = FIELD_STRING },
    { .name = "version_id",.type = FIELD_STRING },
    { .name = "home_url", .type = FIELD_STRING },
    { .name = "bug_report_url",                    .type = FIELD_STRING },
    { 0},
};

static const struct schema_field etcd2_fields[] = {
    {.name = "advertise_client_urls",        .type = FIELD_STRING },
    { .name = "ca_file",                                     .type = FIELD_STRING, .deprecated = OLD_CA },
    { .name = "cert_file",.type = FIELD_STRING },
    { .name = "client_cert_auth",                                     .type = FIELD_BOOL },
    { .name = "cors",                                     .type = FIELD_STRING },
    { .name = "data_dir",            .type = FIELD_STRING },
    { .name = "debug",                                     .type = FIELD_BOOL },
    { .name = "discovery",.type = FIELD_STRING },
    { .name = "discovery_fallback",                    .type = FIELD_STRING },
    { .name = "discovery_proxy",                                     .type = FIELD_STRING },
    { .name = "discovery_srv",.type = FIELD_STRING },
    { .name = "election_timeout",                   .type = FIELD_INT },
    { .name = "enable_pprof",                                     .type = FIELD_BOOL },
    { .name = "force_new_cluster",.type = FIELD_BOOL },
    { .name = "heartbeat_interval",             .type = FIELD_INT },
    { .name = "initial_advertise_peer_urls",                                     .type = FIELD_STRING },
    { .name = "initial_cluster",                                   .type = FIELD_STRING },
    { .name = "initial_cluster_state",            .type = FIELD_STRING },
    { .name = "initial_cluster_token",                                     .type = FIELD_STRING },
    { .name = "key_file",.type = FIELD_STRING },
    { .name = "listen_client_urls",           .type = FIELD_STRING },
    { .name = "listen_peer_urls",                                     .type = FIELD_STRING },
    { .name = "log_package_levels",         .type = FIELD_STRING },
    { .name = "max_snapshots", .type = FIELD_INT },
    { .name = "max_wals",                                     .type = FIELD_INT },
    { .name = "name",.type = FIELD_STRING },
    { .name = "peer_ca_file",       .type = FIELD_STRING, .deprecated = OLD_PEER },
    { .name = "peer_cert_file",                                     .type = FIELD_STRING },
    { .name = "peer_client_cert_auth",.type = FIELD_BOOL },
    { .name = "peer_key_file",                    .type = FIELD_STRING },
    { .name = "peer_trusted_ca_file",                                     .type = FIELD_STRING },
    { .name = "proxy",        .type = FIELD_STRING, .accepts = is_proxy },
    { .name = "proxy_dial_timeout",            .type = FIELD_INT },
    { .name = "proxy_failure_wait",                                     .type = FIELD_INT },
    { .name = "proxy_read_timeout",          .type = FIELD_INT },
    { .name = "proxy_refresh_interval",               .type = FIELD_INT },
    { .name = "proxy_write_timeout",                                     .type = FIELD_INT },
    { .name = "snapshot_count",.type = FIELD_INT },
    { .name = "strict_reconfig_check",                        .type = FIELD_BOOL },
    { .name = "trusted_ca_file",                                     .type = FIELD_STRING },
    { .name = "wal_dir",            .type = FIELD_STRING },
    { 0                                    },
};

static const struct schema_field etcd_fields[] = {
    {.name = "addr",                   .type = FIELD_STRING },
    { .name = "advertise_client_urls",                               .type = FIELD_STRING, .deprecated = OLD_ETCD },
    { .name = "bind_addr",.type = FIELD_STRING },
    { .name = "ca_file",                               .type = FIELD_STRING },
    { .name = "cert_file",                               .type = FIELD_STRING },
    { .name = "cluster_active_size",               .type = FIELD_INT },
    { .name = "cluster_remove_delay",                               .type = FIELD_FLOAT },
    { .name = "cluster_sync_interval",.type = FIELD_FLOAT },
    { .name = "cors",   .type = FIELD_STRING },
    { .name = "data_dir",                               .type = FIELD_STRING },
    { .name = "discovery",.type = FIELD_STRING },
    { .name = "discovery_fallback", .type = FIELD_STRING, .deprecated = OLD_ETCD },
    { .name = "discovery_proxy",                               .type = FIELD_STRING, .deprecated = OLD_ETCD },
    { .name = "discovery_srv",          .type = FIELD_STRING, .deprecated = OLD_ETCD },
    { .name = "election_timeout",              .type = FIELD_INT, .deprecated = OLD_ETCD },
    { .name = "force_new_cluster",                               .type = FIELD_BOOL, .deprecated = OLD_ETCD },
    { .name = "graphite_host",                              .type = FIELD_STRING },
    { .name = "heartbeat_interval",    .type = FIELD_INT, .deprecated = OLD_ETCD },
    { .name = "http_read_timeout",          .type = FIELD_FLOAT },
    { .name = "http_write_timeout",       .type = FIELD_FLOAT },
    { .name = "initial_advertise_peer_urls",          .type = FIELD_STRING, .deprecated = OLD_ETCD },
    { .name = "initial_cluster",         .type = FIELD_STRING, .deprecated = OLD_ETCD },
    { .name = "initial_cluster_state",          .type = FIELD_STRING, .deprecated = OLD_ETCD },
    { .name = "initial_cluster_token",      .type = FIELD_STRING, .deprecated = OLD_ETCD },
    { .name = "key_file",          .type = FIELD_STRING },
    { .name = "listen_client_urls",     .type = FIELD_STRING, .deprecated = OLD_ETCD },
    { .name = "listen_peer_urls",          .type = FIELD_STRING, .deprecated = OLD_ETCD },
    { .name = "max_result_buffer",         .type = FIELD_INT },
    { .name = "max_retry_attempts",                               .type = FIELD_INT },
    { .name = "max_snapshots",            .type = FIELD_INT, .deprecated = OLD_ETCD },
    { .name = "max_wals",                               .type = FIELD_INT, .deprecated = OLD_ETCD },
    { .name = "name",    .type = FIELD_STRING },
    { .name = "peer_addr",    .type = FIELD_STRING },
    { .name = "peer_bind_addr",                               .type = FIELD_STRING },
    { .name = "peer_ca_file",   .type = FIELD_STRING },
    { .name = "peer_cert_file",                               .type = FIELD_STRING },
    { .name = "peer_election_timeout",    .type = FIELD_INT },
    { .name = "peer_heartbeat_interval",                               .type = FIELD_INT },
    { .name = "peer_key_file",   .type = FIELD_STRING },
    { .name = "peers",                               .type = FIELD_STRING },
    { .name = "peers_file",       .type = FIELD_STRING },
    { .name = "proxy",                               .type = FIELD_STRING, .deprecated = OLD_ETCD },
    { .name = "retry_interval",   .type = FIELD_FLOAT },
    { .name = "snapshot",    .type = FIELD_BOOL },
    { .name = "snapshot_count",          .type = FIELD_INT },
    { .name = "trace",      .type = FIELD_STRING },
    { .name = "verbose",          .type = FIELD_BOOL },
    { .name = "very_verbose",     .type = FIELD_BOOL },
    { .name = "very_very_verbose",                               .type = FIELD_BOOL },
    { 0},
};

static const struct schema_field coreos_fields[] = {
    {.name = "units",         .type = FIELD_STRUCT_LIST, .fields = unit_fields },
    { .name = "fleet",  .type = FIELD_STRUCT, .fields = fleet_fields },
    { .name = "roles",        .type = FIELD_STRUCT_LIST, .fields = role_fields, .unapplied = true },
    { .name = "locksmith", .type = FIELD_STRUCT, .fields = locksmith_fields, .unapplied = true },
    { .name = "update",        .type = FIELD_STRUCT, .fields = update_fields, .unapplied = true },
    { .name = "flannel",  .type = FIELD_STRUCT, .fields = flannel_fields, .unapplied = true },
    { .name = "oem",                      .type = FIELD_STRUCT, .fields = oem_fields, .unapplied = true },
    { .name = "etcd2",
     .type = FIELD_STRUCT,
     .fields = etcd2_fields,
     .deprecated = "etcd2 is no longer shipped in Container Linux",
     .unapplied = true },
    { .name = "etcd",
     .type = FIELD_STRUCT,
     .fields = etcd_fields,
     .deprecated = "etcd is no longer shipped in Container Linux",
     .unapplied = true },
    { 0      },
};

const struct schema_field schema_root[] = {
    {.name = "hostname",         .type = FIELD_STRING },
    { .name = "write_files",                         .type = FIELD_STRUCT_LIST, .fields = file_fields },
    { .name = "coreos",.type = FIELD_STRUCT, .fields = coreos_fields },
    { .name = "users",                         .type = FIELD_STRUCT_LIST, .fields = user_fields, .unapplied = true },
    { .name = "ssh_authorized_keys",                              .type = FIELD_STRING_LIST, .unapplied = true },
    { .name = "manage_etc_hosts",                         .type = FIELD_STRING, .unapplied = true },
    { 0},
};

const struct schema_field *schema_find(const struct schema_field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

enum { MAX_FIELDS = 64 };

const char *schema_nearest(const struct schema_field *fields, const char *name)
{
    const char *names[MAX_FIELDS + 1] = { 0 };
    for (size_t i = 0; i < MAX_FIELDS && fields[i].name; i++)
        names[i] = fields[i].name;
    return text_nearest(name, names);
}

const char *schema_type_name(enum field_type type)
{
    switch (type) {
    case FIELD_STRING:
        return "string";
    case FIELD_INT:
        return "int";
    case FIELD_FLOAT:
        return "float64";
    case FIELD_BOOL:
        return "bool";
    case FIELD_STRUCT:
        return "struct";
    case FIELD_STRING_LIST:
        return "[]string";
    case FIELD_STRUCT_LIST:
        return "[]struct";
    case FIELD_STRING_OR_LIST:
        return "string or []string";
    case FIELD_INVALID:
        break;
    }
    return "invalid";
}
