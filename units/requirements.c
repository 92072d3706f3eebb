/* SPDX-License-Identifier: Apache-2.0 */
#include "units/requirements.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "units/specifier.h"
#include "units/unit_file.h"
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
};

typedef int (*take_value_fn)(struct reading *reading, const struct unit_option *option,
                             char *const *pieces, struct error *err);

static void clear_metadata(struct requirements *requirements)
{
    for (size_t i = 0; i < requirements->metadata_count; i++) {
        free(requirements->metadata[i].key);
        free(requirements->metadata[i].value);
    }
    free(requirements->metadata);
    requirements->metadata = NULL;
    requirements->metadata_count = 0;
}

void requirements_free(struct requirements *requirements)
{
    if (!requirements)
        return;
    free(requirements->machine_id);
    strv_free(requirements->machine_of);
    clear_metadata(requirements);
    strv_free(requirements->conflicts);
    free(requirements);
}

static const struct {
    enum failover failover;
    const char *name;
} failover_names[] = {
    {FAILOVER_AT_LEAST_ONCE, "at-least-once"},
    { FAILOVER_NEVER,        "never"        },
};

const char *failover_name(enum failover failover)
{
    for (size_t i = 0; i < sizeof(failover_names) / sizeof(failover_names[0]); i++)
        if (failover_names[i].failover == failover)
            return failover_names[i].name;
    return NULL;
}

enum failover failover_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof(failover_names) / sizeof(failover_names[0]); i++)
        if (text_equal(failover_names[i].name, name))
            return failover_names[i].failover;
    return FAILOVER_INVALID;
}

static int add_metadata(struct requirements *requirements, const char *key, size_t key_length,
                        const char *value, struct error *err)
{
    struct metadata_rule *grown =
        reallocarray(requirements->metadata, requirements->metadata_count + 1, sizeof(*grown));
    if (!grown)
        return error_oom(err);
    requirements->metadata = grown;
    struct metadata_rule *rule = &grown[requirements->metadata_count++];
    rule->key = strndup(key, key_length);
    rule->value = strdup(value);
    return rule->key && rule->value ? 0 : error_oom(err);
}

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
        r = specifier_expand_all(pieces, reading->unit_name, &reason);
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

static int take_metadata(struct reading *reading, const struct unit_option *option,
                         char *const *pieces, struct error *err)
{
    if (!pieces)
        clear_metadata(reading->requirements);
    for (; pieces && *pieces; pieces++) {
        const char *piece = *pieces;
        const char *equals = strchr(piece, '=');
        if (!equals || equals == piece || !equals[1] || strchr(equals + 1, '='))
            return unit_option_error(err, option,
                                     "\"%s\" is no KEY=VALUE; write MachineMetadata=region=eu, or "
                                     "\"region=eu\" \"disk=ssd\"",
                                     piece);
        int r =
            add_metadata(reading->requirements, piece, (size_t)(equals - piece), equals + 1, err);
        if (r < 0)
            return r;
    }
    return 0;
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
static int take_conflict_piece(struct reading *reading, const struct unit_option *option,
                               const char *piece, struct error *err)
{
    autostrv globs = NULL;
    int r = strv_split(piece, blanks, &globs, err);
    for (char **glob = globs; r >= 0 && glob && *glob; glob++) {
        if (!is_glob(*glob))
            return unit_option_error(err, option,
                                     "\"%s\" is no pattern: a [ is not closed, or nothing follows "
                                     "a \\",
                                     *glob);
        if (!strv_contains(reading->requirements->conflicts, *glob))
            r = strv_add(&reading->requirements->conflicts, *glob, err);
    }
    return r;
}

static int take_conflicts(struct reading *reading, const struct unit_option *option,
                          char *const *pieces, struct error *err)
{
    reading->conflict_option = option;
    if (!pieces) {
        strv_free(reading->requirements->conflicts);
        reading->requirements->conflicts = NULL;
    }
    for (; pieces && *pieces; pieces++) {
        int r = take_conflict_piece(reading, option, *pieces, err);
        if (r < 0)
            return r;
    }
    return 0;
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

static int refuse_replaces(struct reading *reading, const struct unit_option *option,
                           char *const *pieces, struct error *err)
{
    (void)reading;
    (void)pieces;
    return unit_option_error(err, option, "not supported yet; a later version brings it");
}

/* --- the section --- */

static const struct {
    const char *key;
    take_value_fn take;
} keys[] = {
    {"MachineID",                   take_machine_id  },
    { "MachineOf",                  take_machine_of  },
    { "MachineMetadata",            take_metadata    },
    { "Conflicts",                  take_conflicts   },
    { "Global",                     take_global      },
    { "Failover",                   take_failover    },
    { "Replaces",                   refuse_replaces  },
    { "X-ConditionMachineID",       take_condition_id},
    { "X-ConditionMachineBootID",   take_boot_id     },
    { "X-ConditionMachineOf",       take_machine_of  },
    { "X-ConditionMachineMetadata", take_metadata    },
    { "X-Conflicts",                take_conflicts   },
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
                     "MachineMetadata=, Conflicts=, Global= and Failover=",
                     option->line, option->key);
}

static int check_size(const struct requirements *requirements, const struct unit_option *option,
                      struct error *err)
{
    if (requirements->metadata_count > LIST_MAX ||
        strv_length(requirements->machine_of) > LIST_MAX ||
        strv_length(requirements->conflicts) > LIST_MAX)
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
static int check_peers_against_conflicts(const struct reading *reading, struct error *err)
{
    char **globs = reading->requirements->conflicts;
    for (char **glob = globs; glob && *glob; glob++)
        for (char **peer = reading->requirements->machine_of; peer && *peer; peer++)
            if (text_glob_match(*glob, *peer))
                return unit_option_error(err, reading->conflict_option,
                                         "\"%s\" matches %s, which MachineOf= wants on the same "
                                         "machine",
                                         *glob, *peer);
    return 0;
}

static int check_combinations(const struct reading *reading, struct error *err)
{
    const struct requirements *q = reading->requirements;
    const char *beside_id = q->machine_of ? "MachineOf" : q->conflicts ? "Conflicts" : "Global";
    if (q->machine_id && (q->machine_of || q->conflicts || q->global))
        return error_set(err, -EINVAL,
                         "[X-Fleet]: MachineID= says where; %s= cannot be used beside it",
                         beside_id);
    if (q->global && q->machine_of)
        return error_set(err, -EINVAL,
                         "[X-Fleet]: Global= is for every machine; MachineOf= cannot be used "
                         "beside it");
    return check_peers_against_conflicts(reading, err);
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
    choose_machine_id(reading);
    return check_combinations(reading, err);
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

static int copy_fields(const struct requirements *from, struct requirements *to, struct error *err)
{
    to->global = from->global;
    to->failover = from->failover;
    to->machine_id = from->machine_id ? strdup(from->machine_id) : NULL;
    if (from->machine_id && !to->machine_id)
        return error_oom(err);
    int r = strv_copy(from->machine_of, &to->machine_of, err);
    if (r >= 0)
        r = strv_copy(from->conflicts, &to->conflicts, err);
    for (size_t i = 0; r >= 0 && i < from->metadata_count; i++) {
        const struct metadata_rule *rule = &from->metadata[i];
        r = add_metadata(to, rule->key, strlen(rule->key), rule->value, err);
    }
    return r;
}

int requirements_copy(const struct requirements *from, struct requirements **ret, struct error *err)
{
    autoptr(requirements) copy = calloc(1, sizeof(*copy));
    if (!copy)
        return error_oom(err);
    int r = copy_fields(from, copy, err);
    if (r < 0)
        return r;
    *ret = take_ptr(copy);
    return 0;
}
