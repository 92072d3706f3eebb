/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/settings.h"
#include "base/text.h"
#include "units/amount.h"

typedef int (*setter_fn)(struct config *config, const char *value, struct error *err);

static int set_etcd_servers(struct config *config, const char *value, struct error *err)
{
    autostrv list = NULL;
    int r = setting_read_servers(value, &list, err);
    if (r < 0)
        return r;
    strv_free(config->etcd_servers);
    config->etcd_servers = take_ptr(list);
    return 0;
}

static int set_cafile(struct config *config, const char *value, struct error *err)
{
    return text_replace(&config->etcd_cafile, value, err);
}

static int set_certfile(struct config *config, const char *value, struct error *err)
{
    return text_replace(&config->etcd_certfile, value, err);
}

static int set_keyfile(struct config *config, const char *value, struct error *err)
{
    return text_replace(&config->etcd_keyfile, value, err);
}

static int set_username(struct config *config, const char *value, struct error *err)
{
    return text_replace(&config->etcd_username, value, err);
}

static int set_password(struct config *config, const char *value, struct error *err)
{
    return text_replace(&config->etcd_password, value, err);
}

static int set_password_file(struct config *config, const char *value, struct error *err)
{
    if (*value && value[0] != '/')
        return error_set(err, -EINVAL, "\"%s\" is not an absolute path", value);
    return text_replace(&config->etcd_password_file, value, err);
}

static int set_key_prefix(struct config *config, const char *value, struct error *err)
{
    autofree char *prefix = NULL;
    int r = setting_read_key_prefix(value, &prefix, err);
    return r < 0 ? r : text_replace(&config->etcd_key_prefix, prefix, err);
}

static int set_request_timeout(struct config *config, const char *value, struct error *err)
{
    return setting_read_timeout(value, &config->request_timeout_ms, err);
}

static int set_public_ip(struct config *config, const char *value, struct error *err)
{
    return text_replace(&config->public_ip, value, err);
}

static int set_metadata(struct config *config, const char *value, struct error *err)
{
    struct metadata_rule *rules = NULL;
    size_t count = 0;
    int r = metadata_parse(value, &rules, &count, err);
    if (r < 0)
        return r;
    metadata_free(config->metadata, config->metadata_count);
    config->metadata = rules;
    config->metadata_count = count;
    return 0;
}

static int set_ttl(struct config *config, const char *value, struct error *err)
{
    return setting_read_ttl(value, &config->ttl_ms, err);
}

static int check_role_numbers(const char *value, unsigned int max, bool star, struct error *err)
{
    struct role_number *numbers = NULL;
    size_t count = 0;
    int r = role_numbers_parse(value, max, star, &numbers, &count, err);
    free(numbers);
    return r;
}

static int set_roles(struct config *config, const char *value, struct error *err)
{
    int r = check_role_numbers(value, ROLE_NODES_MAX, false, err);
    return r < 0 ? r : text_replace(&config->roles, value, err);
}

static int set_role_priority(struct config *config, const char *value, struct error *err)
{
    int r = check_role_numbers(value, 255, true, err);
    return r < 0 ? r : text_replace(&config->role_priority, value, err);
}

static int parse_bool(const char *value, bool *ret, struct error *err)
{
    static const char *const yes[] = { "true", "yes", "on", "1", NULL };
    static const char *const no[] = { "false", "no", "off", "0", NULL };
    for (size_t i = 0; yes[i]; i++) {
        if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
            *ret = strcasecmp(value, yes[i]) == 0;
            return 0;
        }
    }
    return error_set(err, -EINVAL, "\"%s\" is neither true nor false", value);
}

static int set_disable_engine(struct config *config, const char *value, struct error *err)
{
    bool disabled = false;
    int r = parse_bool(value, &disabled, err);
    if (r == 0)
        config->may_lead = !disabled;
    return r;
}

static int set_verbosity(struct config *config, const char *value, struct error *err)
{
    unsigned int level = 0;
    int r = setting_read_verbosity(value, &level, err);
    if (r == 0)
        config->verbose = level > 0;
    return r;
}

/* --- room for units --- */

typedef int (*parse_amount_fn)(const char *text, int64_t *ret, struct error *err);

/* "auto": what the machine has. */
static int set_amount(int64_t *field, parse_amount_fn parse, const char *value, struct error *err)
{
    int64_t amount = 0;
    if (strcmp(value, "auto") == 0) {
        *field = -1;
        return 0;
    }
    int r = parse(value, &amount, err);
    if (r == 0)
        *field = amount;
    return r;
}

static int set_cpu(struct config *config, const char *value, struct error *err)
{
    return set_amount(&config->cpu_milli, amount_parse_cpu, value, err);
}

static int set_memory(struct config *config, const char *value, struct error *err)
{
    return set_amount(&config->memory_bytes, amount_parse_bytes, value, err);
}

static int set_tasks(struct config *config, const char *value, struct error *err)
{
    return set_amount(&config->tasks, amount_parse_count, value, err);
}

static int set_reserve_cpu(struct config *config, const char *value, struct error *err)
{
    return amount_parse_cpu(value, &config->reserve_cpu_milli, err);
}

static int set_reserve_memory(struct config *config, const char *value, struct error *err)
{
    return amount_parse_bytes(value, &config->reserve_memory_bytes, err);
}

static int set_reserve_tasks(struct config *config, const char *value, struct error *err)
{
    return amount_parse_count(value, &config->reserve_tasks, err);
}

static int set_percent(int64_t *field, const char *value, struct error *err)
{
    autofree char *digits = strdup(value);
    uint64_t percent = 0;
    if (!digits)
        return error_oom(err);
    size_t length = strlen(digits);
    if (length > 1 && digits[length - 1] == '%')
        digits[length - 1] = '\0';
    if (text_parse_u64(digits, OVERCOMMIT_MAX, &percent, NULL) < 0 || percent == 0)
        return error_set(err, -EINVAL, "\"%s\": write per cent, from 1 to %d", value,
                         OVERCOMMIT_MAX);
    *field = (int64_t)percent;
    return 0;
}

static int set_overcommit_cpu(struct config *config, const char *value, struct error *err)
{
    return set_percent(&config->overcommit_cpu, value, err);
}

static int set_overcommit_memory(struct config *config, const char *value, struct error *err)
{
    return set_percent(&config->overcommit_memory, value, err);
}

static int set_capabilities(struct config *config, const char *value, struct error *err)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "_.-";
    autostrv words = NULL;
    int r = strv_split(value, ", \t", &words, err);
    if (r < 0)
        return r;
    for (char **word = words; word && *word; word++)
        if ((*word)[strspn(*word, letters)])
            return error_set(err, -EINVAL, "\"%s\" is no capability; write words such as kvm",
                             *word);
    strv_free(config->capabilities);
    config->capabilities = take_ptr(words);
    return 0;
}

static int set_socket(struct config *config, const char *value, struct error *err)
{
    if (value[0] != '/')
        return error_set(err, -EINVAL, "\"%s\" is not an absolute path", value);
    return text_replace(&config->socket_path, value, err);
}

static const struct {
    const char *key;
    setter_fn set;
} settings[] = {
    {"etcd_servers",          set_etcd_servers     },
    { "etcd_cafile",          set_cafile           },
    { "etcd_certfile",        set_certfile         },
    { "etcd_keyfile",         set_keyfile          },
    { "etcd_username",        set_username         },
    { "etcd_password",        set_password         },
    { "etcd_password_file",   set_password_file    },
    { "etcd_key_prefix",      set_key_prefix       },
    { "etcd_request_timeout", set_request_timeout  },
    { "public_ip",            set_public_ip        },
    { "metadata",             set_metadata         },
    { "agent_ttl",            set_ttl              },
    { "roles",                set_roles            },
    { "role_priority",        set_role_priority    },
    { "disable_engine",       set_disable_engine   },
    { "verbosity",            set_verbosity        },
    { "cpu",                  set_cpu              },
    { "memory",               set_memory           },
    { "tasks",                set_tasks            },
    { "reserve_cpu",          set_reserve_cpu      },
    { "reserve_memory",       set_reserve_memory   },
    { "reserve_tasks",        set_reserve_tasks    },
    { "overcommit_cpu",       set_overcommit_cpu   },
    { "overcommit_memory",    set_overcommit_memory},
    { "capabilities",         set_capabilities     },
    { "socket",               set_socket           },
};
enum { SETTING_COUNT = sizeof(settings) / sizeof(settings[0]) };

static int unknown_key(const char *key, struct error *err)
{
    const char *names[SETTING_COUNT + 1] = { NULL };
    for (size_t i = 0; i < SETTING_COUNT; i++)
        names[i] = settings[i].key;
    return settings_unknown_key(key, names, err);
}

int config_set(struct config *config, const char *key, const char *value, struct error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].key, key) != 0)
            continue;
        int r = settings[i].set(config, value, err);
        return r < 0 ? error_prefix(err, r, "%s", key) : 0;
    }
    return unknown_key(key, err);
}

int config_new(struct config **ret, struct error *err)
{
    static const struct {
        const char *key;
        const char *value;
    } defaults[] = {
        {"etcd_servers",          "http://127.0.0.1:2379"  },
        { "etcd_cafile",          ""                       },
        { "etcd_certfile",        ""                       },
        { "etcd_keyfile",         ""                       },
        { "etcd_username",        ""                       },
        { "etcd_password",        ""                       },
        { "etcd_password_file",   ""                       },
        { "etcd_key_prefix",      STORE_PREFIX_DEFAULT     },
        { "etcd_request_timeout", "1"                      },
        { "public_ip",            ""                       },
        { "agent_ttl",            "10s"                    },
        { "roles",                ""                       },
        { "role_priority",        ""                       },
        { "cpu",                  "auto"                   },
        { "memory",               "auto"                   },
        { "tasks",                "auto"                   },
        { "overcommit_cpu",       "100"                    },
        { "overcommit_memory",    "100"                    },
        { "socket",               "/run/muster/muster.sock"},
    };
    autoptr(config) config = calloc(1, sizeof(*config));
    if (!config)
        return error_oom(err);
    config->may_lead = true;
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        int r = config_set(config, defaults[i].key, defaults[i].value, err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(config);
    return 0;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    strv_free(config->etcd_servers);
    free(config->etcd_cafile);
    free(config->etcd_certfile);
    free(config->etcd_keyfile);
    free(config->etcd_username);
    if (config->etcd_password)
        explicit_bzero(config->etcd_password, strlen(config->etcd_password));
    free(config->etcd_password);
    free(config->etcd_password_file);
    free(config->etcd_key_prefix);
    free(config->public_ip);
    metadata_free(config->metadata, config->metadata_count);
    free(config->roles);
    free(config->role_priority);
    strv_free(config->capabilities);
    free(config->socket_path);
    free(config);
}

static int set_line(void *userdata, const char *key, const char *value, struct error *err)
{
    return config_set(userdata, key, value, err);
}

static int read_file(struct config *config, const char *path, bool may_be_absent, struct error *err)
{
    struct error why = { 0 };
    int r = settings_read_file(path, set_line, config, &why);
    if (r == -ENOENT && may_be_absent)
        return 0;
    return r < 0 ? error_set(err, r, "%s", why.text) : 0;
}

static int read_environment(struct config *config, const char *family, struct error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        autofree char *name = text_format("%s_%s", family, settings[i].key);
        if (!name)
            return error_oom(err);
        for (char *c = name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        const char *value = getenv(name);
        if (!value)
            continue;
        int r = config_set(config, settings[i].key, value, err);
        if (r < 0)
            return error_prefix(err, r, "environment %s", name);
    }
    return 0;
}

int config_read(const char *path, struct config **ret, struct error *err)
{
    autoptr(config) config = NULL;
    int r = config_new(&config, err);
    if (r < 0)
        return r;
    r = read_file(config, path ? path : SYSCONFDIR "/muster/musterd.conf", !path, err);
    if (r < 0)
        return r;
    r = read_environment(config, "FLEET", err);
    if (r < 0)
        return r;
    r = read_environment(config, "MUSTER", err);
    if (r < 0)
        return r;
    *ret = take_ptr(config);
    return 0;
}
