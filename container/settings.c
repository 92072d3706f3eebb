/* SPDX-License-Identifier: Apache-2.0 */
#include "container/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"
#include "base/text.h"

const char *container_runtime_name(enum container_runtime runtime)
{
    return runtime == CONTAINER_RUNTIME_RUNC ? "runc" : "crun";
}

static int set_runtime(struct container_settings *settings, const char *value, struct error *err)
{
    if (strcmp(value, "crun") == 0)
        settings->runtime = CONTAINER_RUNTIME_CRUN;
    else if (strcmp(value, "runc") == 0)
        settings->runtime = CONTAINER_RUNTIME_RUNC;
    else
        return error_set(err, -EINVAL, "\"%s\" is neither crun nor runc", value);
    return 0;
}

/* As 20G, 512M (of 1024), or 10%. */
static int set_images_max_size(struct container_settings *settings, const char *value,
                               struct error *err)
{
    static const char units[] = "KMGT";
    size_t digits = strspn(value, "0123456789");
    const char *unit = value[digits] ? strchr(units, value[digits]) : NULL;
    bool percent = value[digits] == '%';
    autofree char *number = strndup(value, digits);
    uint64_t n = 0;
    if (!number)
        return error_oom(err);
    if ((!unit && !percent) || value[digits + 1] ||
        text_parse_u64(number, percent ? 100 : 1024 * 1024, &n, NULL) < 0 || n == 0)
        return error_set(err, -EINVAL, "\"%s\" is no size like 20G or 512M, nor a part like 10%%",
                         value);
    settings->images_max_size = (struct container_bound){
        .bytes = percent ? 0 : (int64_t)(n << (10 * (unsigned int)(unit - units + 1))),
        .percent = percent ? (int64_t)n : 0,
    };
    return 0;
}

static int set_network(struct container_settings *settings, const char *value, struct error *err)
{
    static const struct {
        const char *word;
        enum container_network_mode mode;
    } modes[] = {
        {"bridge", CONTAINER_NETWORK_BRIDGE},
        { "none",  CONTAINER_NETWORK_NONE  },
        { "host",  CONTAINER_NETWORK_HOST  },
    };
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(value, modes[i].word) == 0) {
            settings->network = modes[i].mode;
            return 0;
        }
    }
    return error_set(err, -EINVAL, "\"%s\" is neither bridge, none nor host", value);
}

/* In seconds, of which an hour is more than anybody waits for. */
static int set_registry_timeout(struct container_settings *settings, const char *value,
                                struct error *err)
{
    uint64_t seconds = 0;
    if (text_parse_u64(value, 3600, &seconds, NULL) < 0 || seconds == 0)
        return error_set(err, -EINVAL, "\"%s\" is no number of seconds from 1 to 3600", value);
    settings->registry_timeout_ms = (int64_t)seconds * 1000;
    return 0;
}

static const struct {
    const char *key;
    const char *standard;
    int (*set)(struct container_settings *settings, const char *value, struct error *err);
} keys[] = {
    {"runtime",           "crun",   set_runtime         },
    { "images_max_size",  "10%",    set_images_max_size },
    { "network",          "bridge", set_network         },
    { "registry_timeout", "60",     set_registry_timeout},
};
enum { KEY_COUNT = sizeof(keys) / sizeof(keys[0]) };

static int set_key(void *userdata, const char *key, const char *value, struct error *err)
{
    const char *names[KEY_COUNT + 1] = { NULL };
    for (size_t i = 0; i < KEY_COUNT; i++) {
        names[i] = keys[i].key;
        if (strcmp(key, keys[i].key) != 0)
            continue;
        int r = keys[i].set(userdata, value, err);
        return r < 0 ? error_prefix(err, r, "%s", key) : 0;
    }
    return settings_unknown_key(key, names, err);
}

static int read_environment(struct container_settings *settings, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < KEY_COUNT; i++) {
        autofree char *name = text_format("MUSTER_CONTAINER_%s", keys[i].key);
        if (!name)
            return error_oom(err);
        for (char *c = name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        const char *value = getenv(name);
        if (value)
            r = keys[i].set(settings, value, err);
        if (r < 0)
            return error_prefix(err, r, "environment %s", name);
    }
    return r;
}

int container_settings_read(const char *path, struct container_settings **ret, struct error *err)
{
    autoptr(container_settings) settings = calloc(1, sizeof(*settings));
    if (!settings)
        return error_oom(err);
    struct error why = { 0 };
    int r = 0;
    for (size_t i = 0; r == 0 && i < KEY_COUNT; i++)
        r = keys[i].set(settings, keys[i].standard, err);
    if (r < 0)
        return r;
    r = settings_read_file(path ? path : SYSCONFDIR "/muster/container.conf", set_key, settings,
                           &why);
    if (r < 0 && (r != -ENOENT || path))
        return error_set(err, r, "%s", why.text);
    r = read_environment(settings, err);
    if (r < 0)
        return r;
    *ret = take_ptr(settings);
    return 0;
}

void container_settings_free(struct container_settings *settings)
{
    free(settings);
}
