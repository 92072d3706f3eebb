/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cloud-config/roles.h"
#include "cloud-config/scalar.h"
#include "cloud-config/schema.h"

/* In the order in which they are written. */
static const struct option {
    const char *key;
    const char *variable;
    enum field_type type;
} options[] = {
    {"agent_ttl",                  "FLEET_AGENT_TTL",                 FIELD_STRING},
    { "authorized_keys_file",      "FLEET_AUTHORIZED_KEYS_FILE",      FIELD_STRING},
    { "disable_engine",            "FLEET_DISABLE_ENGINE",            FIELD_BOOL  },
    { "engine_reconcile_interval", "FLEET_ENGINE_RECONCILE_INTERVAL", FIELD_FLOAT },
    { "etcd_cafile",               "FLEET_ETCD_CAFILE",               FIELD_STRING},
    { "etcd_certfile",             "FLEET_ETCD_CERTFILE",             FIELD_STRING},
    { "etcd_keyfile",              "FLEET_ETCD_KEYFILE",              FIELD_STRING},
    { "etcd_key_prefix",           "FLEET_ETCD_KEY_PREFIX",           FIELD_STRING},
    { "etcd_request_timeout",      "FLEET_ETCD_REQUEST_TIMEOUT",      FIELD_FLOAT },
    { "etcd_servers",              "FLEET_ETCD_SERVERS",              FIELD_STRING},
    { "etcd_username",             "FLEET_ETCD_USERNAME",             FIELD_STRING},
    { "etcd_password",             "FLEET_ETCD_PASSWORD",             FIELD_STRING},
    { "metadata",                  "FLEET_METADATA",                  FIELD_STRING},
    { "public_ip",                 "FLEET_PUBLIC_IP",                 FIELD_STRING},
    { "roles",                     "FLEET_ROLES",                     FIELD_STRING},
    { "role_priority",             "FLEET_ROLE_PRIORITY",             FIELD_STRING},
    { "token_limit",               "FLEET_TOKEN_LIMIT",               FIELD_INT   },
    { "verbosity",                 "FLEET_VERBOSITY",                 FIELD_INT   },
    { "verify_units",              "FLEET_VERIFY_UNITS",              FIELD_BOOL  },
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

int fleet_validate(const struct node *fleet, struct report *report, struct error *err)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct node_entry *entry = node_find_entry(fleet, options[i].key);
        if (entry && !systemd_takes(node_text(entry->value)))
            report_add(report, REPORT_ERROR, entry->line,
                       "\"%s\" holds a control character, which an environment variable cannot",
                       options[i].key);
    }
    autoroles roles = { 0 };
    return read_roles(fleet, report, &roles, err);
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

static void add_list(struct text *text, const char *variable, char *const *pairs)
{
    autotext joined = { 0 };
    for (; pairs && *pairs; pairs++)
        text_addf(&joined, "%s%s", joined.length ? "," : "", *pairs);
    if (joined.length)
        fleet_add_environment(text, variable, joined.data);
    text->failed |= joined.failed;
}

static void add_number(struct text *text, const char *variable, const struct node *value)
{
    int64_t number;
    char printed[24];
    if (!node_int(value, &number))
        return;
    (void)snprintf(printed, sizeof(printed), "%" PRId64, number);
    fleet_add_environment(text, variable, printed);
}

static void add_float(struct text *text, const char *variable, const struct node *value)
{
    double number;
    char printed[SCALAR_FLOAT_ROOM];
    if (!node_float(value, &number))
        return;
    scalar_print_float(number, printed);
    fleet_add_environment(text, variable, printed);
}

static void add_option(struct text *text, const struct option *option, const struct node *value)
{
    if (option->type == FIELD_BOOL && value && value->kind == NODE_BOOL)
        fleet_add_environment(text, option->variable, node_bool(value) ? "true" : "false");
    else if (option->type == FIELD_INT)
        add_number(text, option->variable, value);
    else if (option->type == FIELD_FLOAT)
        add_float(text, option->variable, value);
    else if (option->type == FIELD_STRING && *node_text(value))
        fleet_add_environment(text, option->variable, node_text(value));
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
            add_option(&lines, &options[i], node_find(fleet, options[i].key));
    }
    if (lines.failed)
        return error_oom(err);
    *ret = lines.length ? text_format("[Service]\n%s", lines.data) : strdup("");
    return *ret ? 0 : error_oom(err);
}
