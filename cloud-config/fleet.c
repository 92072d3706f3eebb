/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/settings.h"
#include "cloud-config/roles.h"
#include "cloud-config/scalar.h"
#include "cloud-config/schema.h"
#include "units/metadata.h"

/* --- what musterd will say to a value --- */

static int check_ttl(const char *value, struct error *err)
{
    int64_t ttl_ms;
    return setting_read_ttl(value, &ttl_ms, err);
}

static int check_timeout(const char *value, struct error *err)
{
    int64_t timeout_ms;
    return setting_read_timeout(value, &timeout_ms, err);
}

static int check_servers(const char *value, struct error *err)
{
    autostrv servers = NULL;
    return setting_read_servers(value, &servers, err);
}

static int check_key_prefix(const char *value, struct error *err)
{
    autofree char *prefix = NULL;
    return setting_read_key_prefix(value, &prefix, err);
}

static int check_verbosity(const char *value, struct error *err)
{
    unsigned int level;
    return setting_read_verbosity(value, &level, err);
}

static int check_metadata(const char *value, struct error *err)
{
    struct metadata_rule *rules = NULL;
    size_t count = 0;
    int r = metadata_parse(value, &rules, &count, err);
    if (r == 0)
        metadata_free(rules, count);
    return r;
}

/* --- the options --- */

/* In the order in which they are written. */
static const struct option {
    const char *key;
    const char *variable;
    enum field_type type;
    int (*check)(const char *value, struct error *err); /* -EINVAL and why; NULL: any will do */
    bool unused;                                        /* fleet's; musterd does not read it */
} options[] = {
    {"agent_ttl",                  "FLEET_AGENT_TTL",                 FIELD_STRING, check_ttl,        false},
    { "authorized_keys_file",      "FLEET_AUTHORIZED_KEYS_FILE",      FIELD_STRING, NULL,             true },
    { "disable_engine",            "FLEET_DISABLE_ENGINE",            FIELD_BOOL,   NULL,             false},
    { "engine_reconcile_interval", "FLEET_ENGINE_RECONCILE_INTERVAL", FIELD_FLOAT,  NULL,             true },
    { "etcd_cafile",               "FLEET_ETCD_CAFILE",               FIELD_STRING, NULL,             false},
    { "etcd_certfile",             "FLEET_ETCD_CERTFILE",             FIELD_STRING, NULL,             false},
    { "etcd_keyfile",              "FLEET_ETCD_KEYFILE",              FIELD_STRING, NULL,             false},
    { "etcd_key_prefix",           "FLEET_ETCD_KEY_PREFIX",           FIELD_STRING, check_key_prefix, false},
    { "etcd_request_timeout",      "FLEET_ETCD_REQUEST_TIMEOUT",      FIELD_FLOAT,  check_timeout,    false},
    { "etcd_servers",              "FLEET_ETCD_SERVERS",              FIELD_STRING, check_servers,    false},
    { "etcd_username",             "FLEET_ETCD_USERNAME",             FIELD_STRING, NULL,             false},
    { "etcd_password",             "FLEET_ETCD_PASSWORD",             FIELD_STRING, NULL,             false},
    { "metadata",                  "FLEET_METADATA",                  FIELD_STRING, check_metadata,   false},
    { "public_ip",                 "FLEET_PUBLIC_IP",                 FIELD_STRING, NULL,             false},
    { "roles",                     "FLEET_ROLES",                     FIELD_STRING, NULL,             false},
    { "role_priority",             "FLEET_ROLE_PRIORITY",             FIELD_STRING, NULL,             false},
    { "token_limit",               "FLEET_TOKEN_LIMIT",               FIELD_INT,    NULL,             true },
    { "verbosity",                 "FLEET_VERBOSITY",                 FIELD_INT,    check_verbosity,  false},
    { "verify_units",              "FLEET_VERIFY_UNITS",              FIELD_BOOL,   NULL,             true },
};
enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

/* The roles and priorities that stand. */
struct roles {
    char **wanted;
    char **priorities;
};

static void roles_done(struct roles *roles)
{
    strv_free(roles->wanted);
    strv_free(roles->priorities);
}
#define autoroles __attribute__((cleanup(roles_done))) struct roles

static int read_roles(const struct node *fleet, struct report *report, struct roles *ret,
                      struct error *err)
{
    const struct node_entry *wanted = node_find_entry(fleet, "roles");
    const struct node_entry *priorities = node_find_entry(fleet, "role_priority");
    int r = 0;
    if (wanted)
        r = roles_read(node_text(wanted->value), wanted->line, report, &ret->wanted, err);
    if (priorities && r == 0)
        r = roles_read_priorities(node_text(priorities->value), priorities->line, ret->wanted,
                                  report, &ret->priorities, err);
    return r;
}

/* systemd drops a variable that holds a control character other than these two. */
static bool systemd_takes(const char *value)
{
    for (; *value; value++)
        if (((unsigned char)*value < 0x20 && *value != '\n' && *value != '\t') || *value == 0x7f)
            return false;
    return true;
}

/* *ret is what musterd will be given; NULL where the file sets nothing (see fleet_drop_in()). */
static int read_value(const struct option *option, const struct node *node, char **ret,
                      struct error *err)
{
    int64_t number;
    double fraction;
    char printed[SCALAR_FLOAT_ROOM];
    if (option->type == FIELD_BOOL && node && node->kind == NODE_BOOL) {
        *ret = strdup(node_bool(node) ? "true" : "false");
    } else if (option->type == FIELD_INT && node_int(node, &number)) {
        *ret = text_format("%" PRId64, number);
    } else if (option->type == FIELD_FLOAT && node_float(node, &fraction)) {
        scalar_print_float(fraction, printed);
        *ret = strdup(printed);
    } else if (option->type == FIELD_STRING && *node_text(node)) {
        *ret = strdup(node_text(node));
    } else {
        return 0;
    }
    return *ret ? 0 : error_oom(err);
}

/* Local errors: a machine with a musterd that refuses to start still wants its host name and
 * files. */
static int check_value(const struct option *option, const struct node_entry *entry,
                       struct report *report, struct error *err)
{
    autofree char *value = NULL;
    struct error why = { 0 };
    int r = read_value(option, entry->value, &value, err);
    if (r < 0 || !value || !option->check)
        return r;
    r = option->check(value, &why);
    if (r == -ENOMEM)
        return error_oom(err);
    if (r < 0)
        report_add(report, REPORT_LOCAL_ERROR, entry->line, "%s: %s", option->key, why.text);
    return 0;
}

int fleet_validate(const struct node *fleet, struct report *report, struct error *err)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct node_entry *entry = node_find_entry(fleet, options[i].key);
        if (!entry)
            continue;
        if (!systemd_takes(node_text(entry->value)))
            report_add(report, REPORT_ERROR, entry->line,
                       "\"%s\" holds a control character, which an environment variable cannot",
                       options[i].key);
        int r = check_value(&options[i], entry, report, err);
        if (r < 0)
            return r;
    }
    autoroles roles = { 0 };
    return read_roles(fleet, report, &roles, err);
}

void fleet_warn_unused(const struct node *fleet, struct report *report)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct node_entry *entry = node_find_entry(fleet, options[i].key);
        if (entry && options[i].unused)
            report_add(report, REPORT_WARNING, entry->line, "\"%s\" is not used by muster",
                       options[i].key);
    }
}

void fleet_add_environment(struct text *text, const char *name, const char *value)
{
    text_addf(text, "Environment=\"%s=", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            text_addf(text, "\\%c", *value);
        else if (*value == '%')
            text_add(text, "%%");
        else if (*value == '\n')
            text_add(text, "\\n");
        else if (*value == '\t')
            text_add(text, "\\t");
        else
            text_add_bytes(text, value, 1);
    }
    text_add(text, "\"\n");
}

static int add_option(struct text *text, const struct option *option, const struct node *node,
                      struct error *err)
{
    autofree char *value = NULL;
    int r = read_value(option, node, &value, err);
    if (r == 0 && value)
        fleet_add_environment(text, option->variable, value);
    return r;
}

static void add_list(struct text *text, const char *variable, char *const *pairs)
{
    autotext joined = { 0 };
    for (; pairs && *pairs; pairs++)
        text_addf(&joined, "%s%s", joined.length ? "," : "", *pairs);
    if (joined.length)
        fleet_add_environment(text, variable, joined.data);
    text->failed |= joined.failed;
}

bool fleet_is_secret(const struct node *fleet)
{
    return *node_text(node_find(fleet, "etcd_password")) != '\0';
}

int fleet_drop_in(const struct node *fleet, char **ret, struct error *err)
{
    autoroles roles = { 0 };
    autoreport ignored = { 0 }; /* fleet_validate() has reported it already */
    int r = read_roles(fleet, &ignored, &roles, err);
    if (r < 0)
        return r;
    autotext lines = { 0 };
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].key, "roles") == 0)
            add_list(&lines, options[i].variable, roles.wanted);
        else if (strcmp(options[i].key, "role_priority") == 0)
            add_list(&lines, options[i].variable, roles.priorities);
        else
            r = add_option(&lines, &options[i], node_find(fleet, options[i].key), err);
        if (r < 0)
            return r;
    }
    if (lines.failed)
        return error_oom(err);
    *ret = lines.length ? text_format("[Service]\n%s", lines.data) : strdup("");
    return *ret ? 0 : error_oom(err);
}
