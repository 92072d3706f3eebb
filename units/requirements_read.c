/* SPDX-License-Identifier: Apache-2.0 */
/* The [X-Fleet] section: a function per key, and what does not go together. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "units/amount.h"
#include "units/quadlet.h"
#include "units/requirements_parts.h"
#include "units/specifier.h"
#include "units/unit_name.h"

/* Placement compares these lists with each other and walks them for every machine. */
enum { LIST_MAX = 256 };

/* fleet's order: MachineID= beats its two old names, and the first value of each counts. */
enum id_rank { ID_MODERN, ID_CONDITION, ID_BOOT, ID_RANKS };

struct reading {
    struct requirements *requirements;
    const char *unit_name;
    char *machine_ids[ID_RANKS];
    const struct unit_option *conflict_option; /* the last that named any, for errors */
    const struct unit_option *replace_option;
    bool asked[RESOURCES];
};

typedef int (*take_value_fn)(struct reading *reading, const struct unit_option *option,
                             char *const *pieces, struct error *err);

/* --- pieces of a value --- */

static const char blanks[] = " \t";

/* Words as fleet has them: "…" holds one together, and there are no escapes (a backslash belongs to
 * globs and to names). Moves *s past the word. */
static int next_piece(const char **s, char **ret, struct error *reason)
{
    const char *start = *s;
    bool quoted = *start == '"';
    size_t length = 0;
    if (quoted) {
        const char *end = strchr(++start, '"');
        if (!end)
            return error_set(reason, -EINVAL, "a quote \" is not closed");
        if (end[1] && !strchr(blanks, end[1]))
            return error_set(reason, -EINVAL, "a quote \" ends inside a word; write \"a\" \"b\"");
        length = (size_t)(end - start);
    } else {
        length = strcspn(start, blanks);
    }
    *ret = strndup(start, length);
    *s = start + length + (quoted ? 1 : 0);
    return *ret ? 0 : error_oom(reason);
}

static int split_pieces(const char *value, char ***ret, struct error *reason)
{
    autostrv pieces = NULL;
    size_t count = 0;
    for (const char *p = value + strspn(value, blanks); *p; p += strspn(p, blanks)) {
        if (++count > LIST_MAX)
            return error_set(reason, -EINVAL, "more than %d values", LIST_MAX);
        autofree char *piece = NULL;
        int r = next_piece(&p, &piece, reason);
        if (r >= 0)
            r = strv_add(&pieces, piece, reason);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(pieces);
    return 0;
}

static int read_pieces(const struct reading *reading, const struct unit_option *option, char ***ret,
                       struct error *err)
{
    autostrv pieces = NULL;
    struct error reason = { 0 };
    int r = split_pieces(option->value, &pieces, &reason);
    if (r >= 0)
        r = specifier_expand_all(pieces, reading->unit_name, NULL, &reason);
    if (r == -EINVAL)
        return unit_option_error(err, option, "%s", reason.text);
    if (r < 0)
        return error_set(err, r, "%s", reason.text);
    *ret = take_ptr(pieces);
    return 0;
}

/* --- one function per key --- */

static bool is_machine_id(const char *s)
{
    size_t length = strspn(s, "0123456789abcdef");
    return !s[length] && (length == 32 || length == 8);
}

static int take_ranked_id(struct reading *reading, enum id_rank rank,
                          const struct unit_option *option, char *const *pieces, struct error *err)
{
    if (!pieces || reading->machine_ids[rank])
        return 0;
    if (strv_length(pieces) > 1 || !is_machine_id(pieces[0]))
        return unit_option_error(err, option,
                                 "a machine id is 32 lower-case hexadecimal digits, or the first 8 "
                                 "of them; list-machines shows them");
    reading->machine_ids[rank] = strdup(pieces[0]);
    return reading->machine_ids[rank] ? 0 : error_oom(err);
}

static int take_machine_id(struct reading *reading, const struct unit_option *option,
                           char *const *pieces, struct error *err)
{
    return take_ranked_id(reading, ID_MODERN, option, pieces, err);
}

static int take_condition_id(struct reading *reading, const struct unit_option *option,
                             char *const *pieces, struct error *err)
{
    return take_ranked_id(reading, ID_CONDITION, option, pieces, err);
}

static int take_boot_id(struct reading *reading, const struct unit_option *option,
                        char *const *pieces, struct error *err)
{
    return take_ranked_id(reading, ID_BOOT, option, pieces, err);
}

static int check_peer(const struct reading *reading, const struct unit_option *option,
                      const char *peer, struct error *err)
{
    struct error reason = { 0 };
    if (strpbrk(peer, "*?["))
        return unit_option_error(err, option, "\"%s\" is a pattern; name each unit in full", peer);
    if (unit_name_check(peer, &reason) < 0)
        return unit_option_error(err, option, "%s", reason.text);
    if (unit_name_is_template(peer))
        return unit_option_error(err, option, "%s is a template, which runs nowhere", peer);
    if (strcmp(peer, reading->unit_name) == 0)
        return unit_option_error(err, option, "a unit cannot be its own peer");
    return 0;
}

static int take_machine_of(struct reading *reading, const struct unit_option *option,
                           char *const *pieces, struct error *err)
{
    struct requirements *requirements = reading->requirements;
    if (!pieces) {
        strv_free(requirements->machine_of);
        requirements->machine_of = NULL;
    }
    for (; pieces && *pieces; pieces++) {
        int r = check_peer(reading, option, *pieces, err);
        if (r >= 0 && !strv_contains(requirements->machine_of, *pieces))
            r = strv_add(&requirements->machine_of, *pieces, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_rule(const struct unit_option *option, const char *piece,
                    struct metadata_rule **rules, size_t *count, struct error *err)
{
    const char *equals = strchr(piece, '=');
    if (!equals || equals == piece || !equals[1] || strchr(equals + 1, '='))
        return unit_option_error(err, option,
                                 "\"%s\" is no KEY=VALUE; write %s=region=eu, or "
                                 "\"region=eu\" \"disk=ssd\"",
                                 piece, option->key);
    return requirements_add_rule(rules, count, piece, (size_t)(equals - piece), equals + 1, err);
}

static int take_rules(const struct unit_option *option, char *const *pieces,
                      struct metadata_rule **rules, size_t *count, struct error *err)
{
    int r = 0;
    if (!pieces)
        requirements_clear_rules(rules, count);
    for (; r >= 0 && pieces && *pieces; pieces++)
        r = add_rule(option, *pieces, rules, count, err);
    return r;
}

static int take_metadata(struct reading *reading, const struct unit_option *option,
                         char *const *pieces, struct error *err)
{
    return take_rules(option, pieces, &reading->requirements->metadata,
                      &reading->requirements->metadata_count, err);
}

static int take_prefer(struct reading *reading, const struct unit_option *option,
                       char *const *pieces, struct error *err)
{
    return take_rules(option, pieces, &reading->requirements->prefer,
                      &reading->requirements->prefer_count, err);
}

static bool is_name_of(const char *s, const char *letters)
{
    return *s && !s[strspn(s, letters)];
}

#define LOWER_LETTERS "abcdefghijklmnopqrstuvwxyz"
#define UPPER_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS        "0123456789"

/* A machine that holds the role says so in its metadata. */
static int take_role(struct reading *reading, const struct unit_option *option, char *const *pieces,
                     struct error *err)
{
    int r = 0;
    for (; r >= 0 && pieces && *pieces; pieces++) {
        if (!is_name_of(*pieces, LOWER_LETTERS DIGITS "_-"))
            return unit_option_error(
                err, option, "\"%s\" is no role; list-roles shows those that there are", *pieces);
        autofree char *key = text_format("role.%s", *pieces);
        if (!key)
            return error_oom(err);
        r = requirements_add_rule(&reading->requirements->metadata,
                                  &reading->requirements->metadata_count, key, strlen(key),
                                  "active", err);
    }
    return r;
}

static int take_capabilities(struct reading *reading, const struct unit_option *option,
                             char *const *pieces, struct error *err)
{
    char ***list = &reading->requirements->capabilities;
    int r = 0;
    if (!pieces) {
        strv_free(*list);
        *list = NULL;
    }
    for (; r >= 0 && pieces && *pieces; pieces++) {
        if (!is_name_of(*pieces, LOWER_LETTERS UPPER_LETTERS DIGITS "_.-"))
            return unit_option_error(err, option,
                                     "\"%s\" is no capability; write a word such as kvm", *pieces);
        if (!strv_contains(*list, *pieces))
            r = strv_add(list, *pieces, err);
    }
    return r;
}

/* "" where the value is empty, which takes back what was said before. */
static const char *only_piece(char *const *pieces)
{
    if (!pieces)
        return "";
    return pieces[1] ? NULL : pieces[0];
}

static int take_spread(struct reading *reading, const struct unit_option *option,
                       char *const *pieces, struct error *err)
{
    const char *key = only_piece(pieces);
    if (!key || (*key && !is_name_of(key, LOWER_LETTERS UPPER_LETTERS DIGITS "_.-")))
        return unit_option_error(err, option, "write one key of metadata: Spread=rack");
    free(reading->requirements->spread);
    reading->requirements->spread = *key ? strdup(key) : NULL;
    return *key && !reading->requirements->spread ? error_oom(err) : 0;
}

enum { MAX_PER_MACHINE_MAX = 100000, PRIORITY_LIMIT = 1000000 };

static int take_max_per_machine(struct reading *reading, const struct unit_option *option,
                                char *const *pieces, struct error *err)
{
    const char *text = only_piece(pieces);
    uint64_t number = 0;
    if (!text ||
        (*text && (text_parse_u64(text, MAX_PER_MACHINE_MAX, &number, NULL) < 0 || number == 0)))
        return unit_option_error(err, option,
                                 "write how many instances of the template one machine may have, "
                                 "from 1 to %d",
                                 MAX_PER_MACHINE_MAX);
    reading->requirements->max_per_machine = (unsigned int)number;
    return 0;
}

static int take_priority(struct reading *reading, const struct unit_option *option,
                         char *const *pieces, struct error *err)
{
    const char *text = only_piece(pieces);
    uint64_t number = 0;
    bool negative = text && *text == '-';
    if (!text ||
        (*text && text_parse_u64(text + (negative ? 1 : 0), PRIORITY_LIMIT, &number, NULL) < 0))
        return unit_option_error(err, option,
                                 "write a number from -%d to %d; the higher is served first, 0 is "
                                 "the default",
                                 PRIORITY_LIMIT, PRIORITY_LIMIT);
    reading->requirements->priority = negative ? -(int)number : (int)number;
    return 0;
}

static int take_request(struct reading *reading, enum resource resource,
                        int (*parse)(const char *, int64_t *, struct error *),
                        const struct unit_option *option, char *const *pieces, struct error *err)
{
    struct error reason = { 0 };
    const char *text = only_piece(pieces);
    int64_t amount = 0;
    if (!text)
        return unit_option_error(err, option, "write one value");
    if (*text && parse(text, &amount, &reason) < 0)
        return unit_option_error(err, option, "%s", reason.text);
    reading->asked[resource] = *text != '\0';
    reading->requirements->requests[resource] = amount;
    return 0;
}

static int take_cpu(struct reading *reading, const struct unit_option *option, char *const *pieces,
                    struct error *err)
{
    return take_request(reading, RESOURCE_CPU, amount_parse_cpu, option, pieces, err);
}

static int take_memory(struct reading *reading, const struct unit_option *option,
                       char *const *pieces, struct error *err)
{
    return take_request(reading, RESOURCE_MEMORY, amount_parse_bytes, option, pieces, err);
}

static int take_tasks(struct reading *reading, const struct unit_option *option,
                      char *const *pieces, struct error *err)
{
    return take_request(reading, RESOURCE_TASKS, amount_parse_count, option, pieces, err);
}

/* One character of a glob's [class]; NULL where there must be one and is none. */
static const char *skip_class_character(const char *p)
{
    bool escaped = *p == '\\';
    if (escaped)
        p++;
    if (!*p || (!escaped && (*p == '-' || *p == ']')))
        return NULL;
    return p + 1;
}

/* p stands after '['; returns what follows the ']'. */
static const char *skip_class(const char *p)
{
    if (*p == '^')
        p++;
    do {
        p = skip_class_character(p);
        if (p && *p == '-')
            p = skip_class_character(p + 1);
    } while (p && *p && *p != ']');
    return p && *p == ']' ? p + 1 : NULL;
}

/* What Go's path.Match, which fleet used, calls a good pattern. */
static bool is_glob(const char *pattern)
{
    const char *p = pattern;
    while (p && *p) {
        if (*p == '[')
            p = skip_class(p + 1);
        else if (*p == '\\')
            p = p[1] ? p + 2 : NULL;
        else
            p++;
    }
    return p != NULL;
}

/* A quoted piece may hold several patterns: fleet splits it again. */
static int take_glob_piece(char ***list, const struct unit_option *option, const char *piece,
                           struct error *err)
{
    autostrv globs = NULL;
    int r = strv_split(piece, blanks, &globs, err);
    for (char **glob = globs; r >= 0 && glob && *glob; glob++) {
        if (!is_glob(*glob))
            return unit_option_error(err, option,
                                     "\"%s\" is no pattern: a [ is not closed, or nothing follows "
                                     "a \\",
                                     *glob);
        if (!strv_contains(*list, *glob))
            r = strv_add(list, *glob, err);
    }
    return r;
}

static int take_globs(char ***list, const struct unit_option *option, char *const *pieces,
                      struct error *err)
{
    int r = 0;
    if (!pieces) {
        strv_free(*list);
        *list = NULL;
    }
    for (; r >= 0 && pieces && *pieces; pieces++)
        r = take_glob_piece(list, option, *pieces, err);
    return r;
}

static int take_conflicts(struct reading *reading, const struct unit_option *option,
                          char *const *pieces, struct error *err)
{
    reading->conflict_option = option;
    return take_globs(&reading->requirements->conflicts, option, pieces, err);
}

static int take_replaces(struct reading *reading, const struct unit_option *option,
                         char *const *pieces, struct error *err)
{
    reading->replace_option = option;
    return take_globs(&reading->requirements->replaces, option, pieces, err);
}

static int take_global(struct reading *reading, const struct unit_option *option,
                       char *const *pieces, struct error *err)
{
    struct error reason = { 0 };
    if (!pieces) {
        reading->requirements->global = false;
        return 0;
    }
    if (strv_length(pieces) > 1 ||
        unit_boolean_parse(pieces[0], &reading->requirements->global, &reason) < 0)
        return unit_option_error(err, option, "write true or false");
    return 0;
}

static int take_failover(struct reading *reading, const struct unit_option *option,
                         char *const *pieces, struct error *err)
{
    const char *name = pieces ? pieces[0] : failover_name(FAILOVER_AT_LEAST_ONCE);
    if (strcmp(name, "at-most-once") == 0)
        return unit_option_error(err, option,
                                 "not supported yet, a later version brings it; at-least-once (the "
                                 "default) and never are");
    enum failover failover = failover_from_name(name);
    if (failover == FAILOVER_INVALID || strv_length(pieces) > 1)
        return unit_option_error(err, option, "write at-least-once or never");
    reading->requirements->failover = failover;
    return 0;
}

static int take_move_order(struct reading *reading, const struct unit_option *option,
                           char *const *pieces, struct error *err)
{
    const char *order = pieces ? pieces[0] : "stop-first";
    bool start_first = strcmp(order, "start-first") == 0;
    if (strv_length(pieces) > 1 || (!start_first && strcmp(order, "stop-first") != 0))
        return unit_option_error(err, option, "write stop-first (the default) or start-first");
    reading->requirements->start_first = start_first;
    return 0;
}

/* --- the section --- */

static const struct {
    const char *key;
    take_value_fn take;
} keys[] = {
    {"MachineID",                   take_machine_id     },
    { "MachineOf",                  take_machine_of     },
    { "MachineMetadata",            take_metadata       },
    { "MachineCapability",          take_capabilities   },
    { "Role",                       take_role           },
    { "Conflicts",                  take_conflicts      },
    { "Replaces",                   take_replaces       },
    { "MaxPerMachine",              take_max_per_machine},
    { "Prefer",                     take_prefer         },
    { "Spread",                     take_spread         },
    { "CPURequest",                 take_cpu            },
    { "MemoryRequest",              take_memory         },
    { "TasksRequest",               take_tasks          },
    { "Priority",                   take_priority       },
    { "Global",                     take_global         },
    { "Failover",                   take_failover       },
    { "MoveOrder",                  take_move_order     },
    { "X-ConditionMachineID",       take_condition_id   },
    { "X-ConditionMachineBootID",   take_boot_id        },
    { "X-ConditionMachineOf",       take_machine_of     },
    { "X-ConditionMachineMetadata", take_metadata       },
    { "X-Conflicts",                take_conflicts      },
};
enum { KEY_COUNT = sizeof(keys) / sizeof(keys[0]) };

static int unknown_key(const struct unit_option *option, struct error *err)
{
    const char *known[KEY_COUNT + 1] = { NULL };
    for (size_t i = 0; i < KEY_COUNT; i++)
        known[i] = keys[i].key;
    const char *nearest = text_nearest(option->key, known);
    if (nearest)
        return error_set(err, -EINVAL, "line %u: [X-Fleet] has no key %.60s=; did you mean %s=?",
                         option->line, option->key, nearest);
    return error_set(err, -EINVAL,
                     "line %u: [X-Fleet] has no key %.60s=; there are MachineID=, MachineOf=, "
                     "MachineMetadata=, Conflicts=, Global=, Failover= and those of "
                     "muster.unit(5)",
                     option->line, option->key);
}

static int check_size(const struct requirements *requirements, const struct unit_option *option,
                      struct error *err)
{
    if (requirements->metadata_count > LIST_MAX || requirements->prefer_count > LIST_MAX ||
        strv_length(requirements->machine_of) > LIST_MAX ||
        strv_length(requirements->conflicts) > LIST_MAX ||
        strv_length(requirements->replaces) > LIST_MAX ||
        strv_length(requirements->capabilities) > LIST_MAX)
        return unit_option_error(err, option, "more than %d values", LIST_MAX);
    return 0;
}

static int take_option(struct reading *reading, const struct unit_option *option, struct error *err)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].key, option->key) != 0)
            continue;
        autostrv pieces = NULL;
        int r = read_pieces(reading, option, &pieces, err);
        if (r >= 0)
            r = keys[i].take(reading, option, pieces, err);
        return r < 0 ? r : check_size(reading->requirements, option, err);
    }
    return unknown_key(option, err);
}

static void choose_machine_id(struct reading *reading)
{
    for (int rank = 0; rank < ID_RANKS && !reading->requirements->machine_id; rank++)
        reading->requirements->machine_id = take_ptr(reading->machine_ids[rank]);
}

/* A unit that must be beside one it may not be beside runs nowhere. */
static int check_peers_against(const struct reading *reading, char *const *globs,
                               const struct unit_option *option, struct error *err)
{
    for (char *const *glob = globs; glob && *glob; glob++)
        for (char **peer = reading->requirements->machine_of; peer && *peer; peer++)
            if (text_glob_match(*glob, *peer))
                return unit_option_error(err, option,
                                         "\"%s\" matches %s, which MachineOf= wants on the same "
                                         "machine",
                                         *glob, *peer);
    return 0;
}

static int refuse_beside(const char *key, const char *meaning, const char *other, struct error *err)
{
    return error_set(err, -EINVAL, "[X-Fleet]: %s= %s; %s= cannot be used beside it", key, meaning,
                     other);
}

static int check_combinations(const struct reading *reading, struct error *err)
{
    const struct requirements *q = reading->requirements;
    const char *beside_id = q->machine_of  ? "MachineOf"
                            : q->conflicts ? "Conflicts"
                            : q->replaces  ? "Replaces"
                            : q->global    ? "Global"
                                           : NULL;
    if (q->machine_id && beside_id)
        return refuse_beside("MachineID", "says where", beside_id, err);
    if (q->global && (q->machine_of || q->replaces))
        return refuse_beside("Global", "is for every machine",
                             q->machine_of ? "MachineOf" : "Replaces", err);
    const char *beside_order = q->global                       ? "Global"
                               : q->machine_of                 ? "MachineOf"
                               : q->failover == FAILOVER_NEVER ? "Failover=never"
                                                               : NULL;
    if (q->start_first && beside_order)
        return error_set(err, -EINVAL,
                         "[X-Fleet]: MoveOrder=start-first has two copies of one unit run for a "
                         "while, on two machines; %s cannot be used beside it",
                         beside_order);
    if (q->replaces && q->conflicts)
        return refuse_beside("Replaces", "drives away what it names", "Conflicts", err);
    int r = check_peers_against(reading, q->conflicts, reading->conflict_option, err);
    return r < 0 ? r : check_peers_against(reading, q->replaces, reading->replace_option, err);
}

/* A container is where its pod is. What is wanted on every machine finds the pod there. */
static int follow_pod(struct reading *reading, const struct unit_file *file, struct error *err)
{
    struct requirements *requirements = reading->requirements;
    autofree char *value = NULL;
    autofree char *pod = NULL;
    const char *said = unit_file_get(file, "Container", "Pod");
    if (!said || !*said || requirements->global)
        return 0;
    int r = specifier_expand(said, reading->unit_name, &specifier_any_machine, &value, err);
    if (r < 0)
        return r;
    if (!text_ends_with(value, ".pod"))
        return 0; /* whose key it is says so */
    r = quadlet_service(value, NULL, &pod, err);
    if (r == 0 && !strv_contains(requirements->machine_of, pod))
        r = strv_add(&requirements->machine_of, pod, err);
    return r;
}

static int read_section(struct reading *reading, const struct unit_file *file, struct error *err)
{
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->options[i].section, "X-Fleet") != 0)
            continue;
        int r = take_option(reading, &file->options[i], err);
        if (r < 0)
            return r;
    }
    const char *type = unit_file_get(file, "Service", "Type");
    reading->requirements->ends = type && strcmp(type, "oneshot") == 0;
    choose_machine_id(reading);
    int r = follow_pod(reading, file, err);
    if (r == 0)
        r = check_combinations(reading, err);
    return r < 0 ? r
                 : requirements_read_load(file, reading->unit_name, reading->asked,
                                          reading->requirements, err);
}

int requirements_read(const struct unit_file *file, const char *unit_name,
                      struct requirements **ret, struct error *err)
{
    autoptr(requirements) requirements = calloc(1, sizeof(*requirements));
    if (!requirements)
        return error_oom(err);
    requirements->failover = FAILOVER_AT_LEAST_ONCE;
    struct reading reading = { .requirements = requirements, .unit_name = unit_name };
    int r = read_section(&reading, file, err);
    for (int rank = 0; rank < ID_RANKS; rank++)
        free(reading.machine_ids[rank]);
    if (r < 0)
        return r;
    *ret = take_ptr(requirements);
    return 0;
}
