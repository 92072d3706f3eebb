/* SPDX-License-Identifier: Apache-2.0 */
#include "units/unit_rules.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "units/unit_name.h"

/* systemd's UNIT_NAME_MAX counts the NUL. */
enum { SYSTEMD_NAME_MAX = 255, NEEDED_MAX = 12 };

/* What systemd refuses to load a unit of the type without: one of these in its own section. */
static const struct type_rule {
    const char *type;
    const char *section;
    const char *needed[NEEDED_MAX]; /* empty: nothing is needed */
} types[] = {
    {"service",    "Service",   { "ExecStart", "ExecStop", "SuccessAction" }                                          },
    { "socket",
     "Socket",                  { "ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO", "ListenSpecial",
        "ListenNetlink", "ListenMessageQueue", "ListenUSBFunction" }                                    },
    { "timer",
     "Timer",                   { "OnCalendar", "OnActiveSec", "OnBootSec", "OnStartupSec", "OnUnitActiveSec",
        "OnUnitInactiveSec", "OnClockChange", "OnTimezoneChange" }                                       },
    { "path",
     "Path",                    { "PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty" }},
    { "mount",     "Mount",     { "What" }                                                                            },
    { "automount", "Automount", { "Where" }                                                                           },
    { "swap",      "Swap",      { "What" }                                                                            },
    { "slice",     "Slice",     { NULL }                                                                              },
    { "target",    NULL,        { NULL }                                                                              },
};

static const struct type_rule *find_type(const char *type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].type, type) == 0)
            return &types[i];
    return NULL;
}

const char *unit_rules_own_section(const char *type)
{
    const struct type_rule *rule = find_type(type);
    return rule ? rule->section : NULL;
}

int unit_rules_check_name(const char *name, struct error *err)
{
    int r = unit_name_check(name, err);
    if (r < 0)
        return r;
    if (strlen(name) > SYSTEMD_NAME_MAX)
        return error_set(err, -EINVAL, "unit name is %zu bytes long; systemd runs none over %d",
                         strlen(name), SYSTEMD_NAME_MAX);
    if (!find_type(unit_name_type(name)))
        return error_set(err, -EINVAL, "%s: systemd starts no %s from a file", name,
                         unit_name_type(name));
    return 0;
}

/* --- sections --- */

static bool is_section_of(const char *section, const char *type)
{
    const char *own = unit_rules_own_section(type);
    if (text_starts_with(section, "X-"))
        return strcasecmp(section, "X-Fleet") != 0 || strcmp(section, "X-Fleet") == 0;
    return strcmp(section, "Unit") == 0 || strcmp(section, "Install") == 0 ||
           text_equal(section, own) || strcmp(section, "Container") == 0 ||
           strcmp(section, "Pod") == 0 || strcmp(section, "Quadlet") == 0;
}

int unit_rules_check_sections(const struct unit_file *file, const char *name, struct error *err)
{
    const char *type = unit_name_type(name);
    const char *own = unit_rules_own_section(type);
    /* The own section stands last, for it may be NULL. */
    const char *const known[] = { "Unit", "Install", "X-Fleet", "Container", "Pod", own, NULL };
    for (size_t i = 0; i < file->section_count; i++) {
        const struct unit_section *section = &file->sections[i];
        if (is_section_of(section->name, type))
            continue;
        const char *nearest = text_nearest(section->name, known);
        if (nearest)
            return error_set(err, -EINVAL, "line %u: [%.60s] means nothing; did you mean [%s]?",
                             section->line, section->name, nearest);
        return error_set(err, -EINVAL,
                         "line %u: [%.60s] means nothing in a .%s (sections of your own begin "
                         "with X-)",
                         section->line, section->name, type);
    }
    return 0;
}

/* --- something to run --- */

static bool has_any(const struct unit_file *file, const struct type_rule *rule)
{
    bool has = !rule->needed[0];
    for (size_t i = 0; i < NEEDED_MAX && rule->needed[i]; i++)
        has = has || unit_file_has_value(file, rule->section, rule->needed[i]);
    /* SuccessAction= is the one that lives elsewhere. */
    return has || (strcmp(rule->type, "service") == 0 &&
                   unit_file_has_value(file, "Unit", "SuccessAction"));
}

int unit_rules_check_runs(const struct unit_file *file, const char *name, struct error *err)
{
    const struct type_rule *rule = find_type(unit_name_type(name));
    if (!rule || has_any(file, rule))
        return 0;
    if (strcmp(rule->type, "service") == 0)
        return error_set(err, -EINVAL,
                         "%s has nothing to run: neither ExecStart= in [Service] nor a [Container]",
                         name);
    return error_set(err, -EINVAL, "%s does nothing: [%s] needs %s=%s", name, rule->section,
                     rule->needed[0], rule->needed[1] ? " or one of its kind" : "");
}

/* --- beside [Container] and [Pod] --- */

static const char of_user[] = "say who runs inside the container in its image";
static const char of_root[] = "the container has its image for a root";
static const char of_pod[] = "a pod runs nothing itself; say it of its containers";

static const struct service_rule {
    const char *key;
    const char *allowed[4]; /* besides the empty value */
    const char *reason;
    const char *of_pod; /* the reason beside [Pod]; NULL: the same */
} service_rules[] = {
    {"User",           { NULL },                      of_user,                                  of_pod                                              },
    { "Group",         { NULL },                      of_user,                                  of_pod                                              },
    { "DynamicUser",   { "no", "false", "0", "off" }, of_user,                                  of_pod                                              },
    { "ExecStart",
     { NULL },
     "say Exec= in [Container]",                                                                "a pod runs nothing itself; its containers say Pod="},
    { "Type",          { "notify", "oneshot" },       "leave it out, or say notify or oneshot", NULL                                                },
    { "NotifyAccess",  { "all" },                     "leave it out or say all",                NULL                                                },
    { "Delegate",
     { "yes", "true", "1", "on" },
     "leave it out or say yes: the container lives in the service's cgroup",                    NULL                                                },
    { "KillMode",
     { "mixed", "control-group" },
     "mixed and control-group are right for a container",                                       NULL                                                },
    { "RootDirectory", { NULL },                      of_root,                                  of_pod                                              },
    { "RootImage",     { NULL },                      of_root,                                  of_pod                                              },
};

static bool is_allowed(const struct service_rule *rule, const char *value)
{
    bool allowed = !*value;
    for (size_t i = 0; i < 4 && rule->allowed[i]; i++)
        allowed = allowed || strcmp(rule->allowed[i], value) == 0;
    return allowed;
}

static int check_service_option(const struct unit_option *option, bool is_pod, struct error *err)
{
    for (size_t i = 0; i < sizeof(service_rules) / sizeof(service_rules[0]); i++) {
        const struct service_rule *rule = &service_rules[i];
        if (strcmp(rule->key, option->key) == 0 && !is_allowed(rule, option->value))
            return unit_option_error(err, option, "not beside [%s]: %s",
                                     is_pod ? "Pod" : "Container",
                                     is_pod && rule->of_pod ? rule->of_pod : rule->reason);
    }
    return 0;
}

int unit_rules_check_container(const struct unit_file *file, const char *name, struct error *err)
{
    if (strcmp(unit_name_type(name), "service") != 0)
        return error_set(err, -EINVAL, "%s: only a .service may have a [Container] or [Pod]", name);
    bool is_pod = unit_file_has_section(file, "Pod");
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->options[i].section, "Service") != 0)
            continue;
        int r = check_service_option(&file->options[i], is_pod, err);
        if (r < 0)
            return r;
    }
    return 0;
}
