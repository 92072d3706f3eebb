/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/role_settings.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "units/metadata.h"
#include "units/unit_file.h"

typedef int (*apply_fn)(struct record_role *role, const char *value, struct error *err);

/* --- one setting --- */

static int read_nodes(const char *value, int64_t *ret, struct error *err)
{
    uint64_t number = 0;
    int r = text_parse_u64(value, ROLE_NODES_MAX, &number, err);
    if (r < 0)
        return r;
    *ret = (int64_t)number;
    return 0;
}

static int set_nodes(struct record_role *role, const char *value, struct error *err)
{
    return read_nodes(value, &role->nodes, err);
}

static int set_min_nodes(struct record_role *role, const char *value, struct error *err)
{
    return *value ? read_nodes(value, &role->min_nodes, err) : (role->min_nodes = 1, 0);
}

/* A list between commas takes the place of what was there. */
static int set_list(char ***list, const char *value, struct error *err)
{
    autostrv words = NULL;
    int r = strv_split(value, ", ", &words, err);
    if (r < 0)
        return r;
    strv_free(*list);
    *list = take_ptr(words);
    return 0;
}

static int set_require(struct record_role *role, const char *value, struct error *err)
{
    autostrv pairs = NULL;
    int r = strv_split(value, ", ", &pairs, err);
    for (char **pair = pairs; r == 0 && pair && *pair; pair++) {
        struct metadata_rule *rules = NULL;
        size_t count = 0;
        r = metadata_parse(*pair, &rules, &count, err);
        metadata_free(rules, count);
    }
    return r < 0 ? r : set_list(&role->require, value, err);
}

static int set_spread(struct record_role *role, const char *value, struct error *err)
{
    if (strpbrk(value, "= ,"))
        return error_set(err, -EINVAL, "\"%s\" is not one metadata key", value);
    return text_replace(&role->spread, value, err);
}

static int set_conflicts(struct record_role *role, const char *value, struct error *err)
{
    return set_list(&role->conflicts, value, err);
}

static int set_when_short(struct record_role *role, const char *value, struct error *err)
{
    if (*value && !text_equal(role_short_name(role_short_from_name(value)), value))
        return error_set(err, -EINVAL, "\"%s\" is none of run, hold, stop", value);
    return text_replace(&role->when_short, value, err);
}

static int set_fail_back(struct record_role *role, const char *value, struct error *err)
{
    if (!*value)
        role->fail_back = false;
    else if (unit_boolean_parse(value, &role->fail_back, NULL) < 0)
        return error_set(err, -EINVAL, "\"%s\" is neither yes nor no", value);
    return 0;
}

static int read_duration(const char *value, int64_t fallback, int64_t *ret, struct error *err)
{
    if (*value)
        return text_parse_duration_ms(value, ret, err);
    *ret = fallback;
    return 0;
}

static int set_fail_back_after(struct record_role *role, const char *value, struct error *err)
{
    return read_duration(value, ROLE_FAIL_BACK_AFTER_MS, &role->fail_back_after_ms, err);
}

static int set_promote_after(struct record_role *role, const char *value, struct error *err)
{
    return read_duration(value, 0, &role->promote_after_ms, err);
}

/* --- all of them --- */

static const struct setting {
    const char *key;
    apply_fn apply;
} settings_known[] = {
    {"nodes",            set_nodes          },
    { "min-nodes",       set_min_nodes      },
    { "require",         set_require        },
    { "spread",          set_spread         },
    { "conflicts",       set_conflicts      },
    { "when-short",      set_when_short     },
    { "fail-back",       set_fail_back      },
    { "fail-back-after", set_fail_back_after},
    { "promote-after",   set_promote_after  },
};
enum { SETTINGS = sizeof(settings_known) / sizeof(settings_known[0]) };

static int unknown_key(const char *key, struct error *err)
{
    const char *names[SETTINGS + 1] = { NULL };
    for (size_t i = 0; i < SETTINGS; i++)
        names[i] = settings_known[i].key;
    const char *near = text_nearest(key, names);
    return error_set(err, -EINVAL, "a role has no setting \"%s\"%s%s%s", key,
                     near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

static int apply_one(struct record_role *role, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals)
        return error_set(err, -EINVAL, "\"%s\" is not KEY=VALUE", text);
    autofree char *key = strndup(text, (size_t)(equals - text));
    if (!key)
        return error_oom(err);
    for (size_t i = 0; i < SETTINGS; i++) {
        struct error why = { 0 };
        if (!text_equal(settings_known[i].key, key))
            continue;
        int r = settings_known[i].apply(role, equals + 1, &why);
        return r < 0 ? error_set(err, r, "%s: %s", key, why.text) : 0;
    }
    return unknown_key(key, err);
}

static int refuse_name(const char *what, const char *name, struct error *err)
{
    return error_set(err, -EINVAL,
                     "%sinvalid role name \"%s\" (want a-z 0-9 - _, 1 to 63 characters)", what,
                     name);
}

static int check_conflicts(const struct record_role *role, const char *name, struct error *err)
{
    for (char **other = role->conflicts; other && *other; other++) {
        if (!role_name_is_valid(*other))
            return refuse_name("conflicts: ", *other, err);
        if (text_equal(*other, name))
            return error_set(err, -EINVAL, "role \"%s\" conflicts with itself", name);
    }
    return 0;
}

static int check(const struct record_role *role, const char *name, struct error *err)
{
    if (!role_name_is_valid(name))
        return refuse_name("", name, err);
    if (role->nodes < 0)
        return error_set(err, -EINVAL, "role \"%s\" has no \"nodes\": say nodes=N", name);
    if (role->nodes > 0 && role->min_nodes > role->nodes)
        return error_set(err, -EINVAL, "role \"%s\": min-nodes %d is more than nodes %d", name,
                         (int)role->min_nodes, (int)role->nodes);
    return check_conflicts(role, name, err);
}

/* What a role is of which nobody has said anything yet; nodes -1: it must be said. */
static const struct record_role blank = { .min_nodes = 1,
                                          .generation = 1,
                                          .fail_back_after_ms = ROLE_FAIL_BACK_AFTER_MS };

int role_settings_apply(struct record_role *role, const char *name, char *const *settings,
                        struct error *err)
{
    bool is_new = role->generation == 0;
    autorecord(role) changed = { 0 };
    int r = record_role_copy(is_new ? &blank : role, &changed, err);
    if (is_new)
        changed.nodes = -1;
    for (; r == 0 && settings && *settings; settings++)
        r = apply_one(&changed, *settings, err);
    if (r == 0)
        r = check(&changed, name, err);
    if (r < 0)
        return r;
    record_role_done(role);
    *role = changed;
    changed = (struct record_role){ 0 };
    return 0;
}
