/* SPDX-License-Identifier: Apache-2.0 */
/* What units have in common, each kept once: groups, their families, classes and patterns. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "scheduler/askers.h"
#include "scheduler/bits.h"
#include "scheduler/match.h"
#include "scheduler/model_data.h"
#include "scheduler/sleepers.h"
#include "units/unit_name.h"

/* --- how they are found --- */

#define DEFINE_KIND(type, member)                                     \
    static uint64_t type##_hash_of(const void *item)                  \
    {                                                                 \
        return ((const struct type *)item)->hash;                     \
    }                                                                 \
    static bool type##_is(const void *item, const void *key)          \
    {                                                                 \
        return strcmp(((const struct type *)item)->member, key) == 0; \
    }                                                                 \
    static const struct table_kind type##_kind = { type##_hash_of, type##_is }

DEFINE_KIND(machine_class, key);
DEFINE_KIND(family, name);
DEFINE_KIND(group, key);
DEFINE_KIND(pattern, glob);
DEFINE_KIND(port_set, key);

/* --- requirements written down: equal text, equal meaning --- */

static void write_list(char name, char *const *list, struct text *key)
{
    for (; list && *list; list++)
        text_addf(key, "%c%s\n", name, *list);
}

static void write_rules(char name, const struct metadata_rule *rules, size_t count,
                        struct text *key)
{
    for (size_t i = 0; i < count; i++)
        text_addf(key, "%c%s=%s\n", name, rules[i].key, rules[i].value);
}

/* What is asked of the machine itself. */
static void write_class(const struct requirements *rules, struct text *key)
{
    if (rules->machine_id)
        text_addf(key, "i%s\n", rules->machine_id);
    write_rules('m', rules->metadata, rules->metadata_count, key);
    write_list('a', rules->capabilities, key);
}

static void write_load(const struct requirements *rules, struct text *key)
{
    for (size_t i = 0; i < RESOURCES; i++)
        text_addf(key, "%" PRId64 " ", rules->requests[i]);
    for (size_t i = 0; i < rules->port_count; i++)
        text_addf(key, "%s/%u/%s ", rules->ports[i].protocol, rules->ports[i].port,
                  rules->ports[i].address);
    text_add(key, "\n");
}

static void write_group(const char *family, const struct requirements *rules, struct text *key)
{
    text_addf(key, "%s\n", family);
    if (!rules)
        return;
    text_addf(key, "%d %d %d %d %u %d\n", rules->global, rules->ends, rules->start_first,
              rules->failover, rules->max_per_machine, rules->priority);
    write_load(rules, key);
    write_class(rules, key);
    write_rules('p', rules->prefer, rules->prefer_count, key);
    write_list('o', rules->machine_of, key);
    write_list('c', rules->conflicts, key);
    write_list('r', rules->replaces, key);
    if (rules->spread)
        text_addf(key, "s%s\n", rules->spread);
}

/* --- classes --- */

static int copy_class_rules(const struct requirements *from, struct requirements **ret)
{
    const struct requirements wanted = { .machine_id = from->machine_id,
                                         .metadata = from->metadata,
                                         .metadata_count = from->metadata_count,
                                         .capabilities = from->capabilities };
    return requirements_copy(&wanted, ret, NULL);
}

static void class_free(struct machine_class *class)
{
    if (class)
        requirements_free(class->rules);
    if (class)
        free(class->bits);
    free(class);
}

static void judge_machines(const struct model *model, struct machine_class *class)
{
    for (size_t i = 0; i < model->machine_count; i++)
        if (match_class(model, class->rules, model->index.by_number[i]).kind == REFUSAL_NONE)
            bits_set(class->bits, model->index.by_number[i]->number);
}

static bool class_sees_roles(const struct requirements *rules)
{
    for (size_t i = 0; i < rules->metadata_count; i++)
        if (text_starts_with(rules->metadata[i].key, "role."))
            return true;
    return false;
}

static struct machine_class *class_new(struct model *model, const struct requirements *rules,
                                       const char *key)
{
    struct index *index = &model->index;
    struct machine_class *class = calloc(1, sizeof(*class) + strlen(key) + 1);
    if (!class)
        return NULL;
    memcpy(class->key, key, strlen(key));
    class->hash = table_hash_text(key);
    class->sees_roles = class_sees_roles(rules);
    class->counted_at = UINT64_MAX;
    if (!index->stale)
        class->bits = calloc(index->words + 1, sizeof(*class->bits));
    if (copy_class_rules(rules, &class->rules) < 0 || (!index->stale && !class->bits) ||
        !table_add(&index->classes, &machine_class_kind, class)) {
        class_free(class);
        return NULL;
    }
    if (!index->stale)
        judge_machines(model, class);
    return class;
}

static struct machine_class *class_get(struct model *model, const struct requirements *rules)
{
    autotext text = { 0 };
    write_class(rules, &text);
    autofree char *key = text_take(&text);
    if (!key)
        return NULL;
    struct machine_class *class =
        table_find(&model->index.classes, &machine_class_kind, table_hash_text(key), key);
    if (!class)
        class = class_new(model, rules, key);
    if (class)
        class->groups++;
    return class;
}

static void class_put(struct index *index, struct machine_class *class)
{
    if (!class || --class->groups > 0)
        return;
    table_remove(&index->classes, &machine_class_kind, class);
    class_free(class);
}

/* --- patterns --- */

/* Where the star of p@* or p@*.service stands, if the rest has no wildcard. */
static bool is_template_pattern(const char *glob)
{
    const char *star = strpbrk(glob, "*?[\\");
    return star && *star == '*' && star > glob && star[-1] == '@' &&
           strchr(glob, '@') == star - 1 && (star[1] == '\0' || star[1] == '.') &&
           !strpbrk(star + 1, "*?[\\");
}

static enum pattern_kind kind_of(const char *glob)
{
    if (!strpbrk(glob, "*?[\\"))
        return PATTERN_NAME;
    return is_template_pattern(glob) ? PATTERN_TEMPLATE : PATTERN_GLOB;
}

/* A template's pattern matches its instances alike: any of them shows it. */
static bool pattern_matches_family(const struct pattern *pattern, const struct family *family)
{
    autofree char *instance = NULL;
    const char *at = strchr(family->name, '@');
    if (!unit_name_is_template(family->name))
        return false;
    instance = text_format("%.*s@x%s", (int)(at - family->name), family->name, at + 1);
    return instance && text_glob_match(pattern->glob, instance);
}

static bool family_add_pattern(struct family *family, struct pattern *pattern)
{
    struct pattern **grown = reallocarray(family->patterns, family->pattern_count + 1,
                                          /* NOLINTNEXTLINE(bugprone-sizeof-expression) */
                                          sizeof(*grown));
    if (!grown)
        return false;
    family->patterns = grown;
    grown[family->pattern_count++] = pattern;
    return true;
}

static void family_drop_pattern(struct family *family, const struct pattern *pattern)
{
    for (size_t i = 0; i < family->pattern_count; i++)
        if (family->patterns[i] == pattern)
            family->patterns[i--] = family->patterns[--family->pattern_count];
}

static bool link_family(struct family *family, struct pattern *pattern)
{
    if (!family_add_pattern(family, pattern))
        return false;
    assert(pattern->family_count < PATTERN_FAMILIES);
    pattern->families[pattern->family_count++] = family;
    return true;
}

/* The families whose instances it matches: for p@* one per type of unit. */
static bool link_families(struct index *index, struct pattern *pattern)
{
    static const char *const types[PATTERN_FAMILIES] = { ".service", ".socket", ".timer", ".path",
                                                         ".target" };
    const char *at = strchr(pattern->glob, '@');
    for (size_t i = 0; i < PATTERN_FAMILIES; i++) {
        autofree char *name =
            text_format("%.*s@%s", (int)(at - pattern->glob), pattern->glob, types[i]);
        struct family *family =
            name ? table_find(&index->families, &family_kind, table_hash_text(name), name) : NULL;
        if (!name ||
            (family && pattern_matches_family(pattern, family) && !link_family(family, pattern)))
            return false;
    }
    return true;
}

static void unlink_families(struct pattern *pattern)
{
    while (pattern->family_count > 0)
        family_drop_pattern(pattern->families[--pattern->family_count], pattern);
}

bool pattern_matches_on(const struct pattern *pattern, uint32_t machine)
{
    for (size_t i = 0; i < pattern->family_count; i++)
        if (bag_has(bag_sum(&pattern->families[i]->here), machine))
            return true;
    return bag_has(&pattern->matching, machine);
}

uint32_t pattern_count_on(const struct pattern *pattern, uint32_t machine)
{
    uint32_t count = bag_count(&pattern->matching, machine);
    for (size_t i = 0; i < pattern->family_count; i++)
        count += bag_count(bag_sum(&pattern->families[i]->here), machine);
    return count;
}

/* Units that are there already: as index_occupy() would have done. */
static void note_unit(struct model *model, struct pattern *pattern, const struct unit *unit)
{
    const struct placement *p = NULL;
    for (p = unit->placements; p; p = p->unit_next)
        if (placement_occupies(p) &&
            !bag_add(&pattern->matching, p->key.machine->number, model->index.words))
            model->index.stale = true;
}

static void note_units(struct model *model, struct pattern *pattern)
{
    const struct unit *named =
        pattern->kind == PATTERN_NAME ? model_unit(model, pattern->glob) : NULL;
    if (named)
        note_unit(model, pattern, named);
    for (size_t i = 0; pattern->kind == PATTERN_GLOB && i < model->units.room; i++) {
        const struct unit *unit = model->units.slots[i];
        if (unit && text_glob_match(pattern->glob, unit->name))
            note_unit(model, pattern, unit);
    }
}

/* Room for every pattern in the lists, so that nothing fails later. */
static bool reserve_patterns(struct index *index)
{
    size_t room = index->patterns.count + 1;
    if ((room & (room - 1)) != 0)
        return true; /* there is: it doubles at powers of two */
    /* NOLINTBEGIN(bugprone-sizeof-expression): pointers are what is kept */
    struct pattern **globs = reallocarray(index->globs, room * 2, sizeof(*globs));
    if (!globs)
        return false;
    index->globs = globs;
    struct pattern **matched = reallocarray(index->matched, room * 2, sizeof(*matched));
    /* NOLINTEND(bugprone-sizeof-expression) */
    if (!matched)
        return false;
    index->matched = matched;
    return true;
}

static void count_pattern(struct index *index, struct pattern *pattern)
{
    if (pattern->kind == PATTERN_NAME)
        index->name_count++;
    else if (pattern->kind == PATTERN_GLOB)
        index->globs[index->glob_count++] = pattern;
}

static void uncount_pattern(struct index *index, const struct pattern *pattern)
{
    if (pattern->kind == PATTERN_NAME)
        index->name_count--;
    for (size_t i = 0; pattern->kind == PATTERN_GLOB && i < index->glob_count; i++)
        if (index->globs[i] == pattern)
            index->globs[i--] = index->globs[--index->glob_count];
}

static void pattern_free(struct pattern *pattern)
{
    bag_done(&pattern->matching);
    free(pattern);
}

static struct pattern *pattern_new(struct model *model, const char *glob)
{
    struct index *index = &model->index;
    struct pattern *pattern = calloc(1, sizeof(*pattern) + strlen(glob) + 1);
    if (!pattern)
        return NULL;
    memcpy(pattern->glob, glob, strlen(glob));
    pattern->hash = table_hash_text(glob);
    pattern->kind = kind_of(glob);
    if (!reserve_patterns(index) || !table_add(&index->patterns, &pattern_kind, pattern)) {
        pattern_free(pattern);
        return NULL;
    }
    count_pattern(index, pattern);
    if (pattern->kind == PATTERN_TEMPLATE && !link_families(index, pattern)) {
        unlink_families(pattern);
        table_remove(&index->patterns, &pattern_kind, pattern);
        pattern_free(pattern);
        return NULL;
    }
    if (!index->stale)
        note_units(model, pattern);
    return pattern;
}

static struct pattern *pattern_get(struct model *model, const char *glob)
{
    struct pattern *pattern =
        table_find(&model->index.patterns, &pattern_kind, table_hash_text(glob), glob);
    if (!pattern)
        pattern = pattern_new(model, glob);
    if (pattern)
        pattern->groups++;
    return pattern;
}

static void pattern_put(struct index *index, struct pattern *pattern)
{
    if (--pattern->groups > 0)
        return;
    unlink_families(pattern);
    uncount_pattern(index, pattern);
    table_remove(&index->patterns, &pattern_kind, pattern);
    pattern_free(pattern);
}

static struct pattern *pattern_named(const struct index *index, const char *glob)
{
    return table_find(&index->patterns, &pattern_kind, table_hash_text(glob), glob);
}

size_t index_matched(struct model *model, const struct unit *unit, struct pattern ***ret)
{
    struct index *index = &model->index;
    const struct family *family = unit->group->family;
    size_t count = family->pattern_count;
    if (index->name_count == 0 && index->glob_count == 0) {
        *ret = family->patterns;
        return count;
    }
    if (count > 0)
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept */
        memcpy(index->matched, family->patterns, count * sizeof(*index->matched));
    struct pattern *named = index->name_count > 0 ? pattern_named(index, unit->name) : NULL;
    if (named && named->kind == PATTERN_NAME)
        index->matched[count++] = named;
    for (size_t i = 0; i < index->glob_count; i++)
        if (text_glob_match(index->globs[i]->glob, unit->name))
            index->matched[count++] = index->globs[i];
    *ret = index->matched;
    return count;
}

/* --- families --- */

static void pattern_drop_family(struct pattern *pattern, const struct family *family)
{
    for (size_t i = 0; i < pattern->family_count; i++)
        if (pattern->families[i] == family)
            pattern->families[i--] = pattern->families[--pattern->family_count];
}

static void family_free(struct family *family)
{
    for (size_t i = 0; i < family->pattern_count; i++)
        pattern_drop_family(family->patterns[i], family);
    free(family->tallies);
    free(family->patterns);
    free(family);
}

/* p@* and p@*.service, if anybody declares them. */
static bool family_find_patterns(const struct index *index, struct family *family)
{
    const char *at = strchr(family->name, '@');
    const char *const types[] = { "", at ? at + 1 : "" };
    for (size_t i = 0; at && unit_name_is_template(family->name) && i < 2; i++) {
        autofree char *glob =
            text_format("%.*s@*%s", (int)(at - family->name), family->name, types[i]);
        struct pattern *pattern = glob ? pattern_named(index, glob) : NULL;
        if (!glob || (pattern && !link_family(family, pattern)))
            return false;
    }
    return true;
}

static struct family *family_new(struct index *index, const char *name)
{
    struct family *family = calloc(1, sizeof(*family) + strlen(name) + 1);
    if (!family)
        return NULL;
    memcpy(family->name, name, strlen(name));
    family->hash = table_hash_text(name);
    family->is_template = unit_name_is_template(name);
    if (!family_find_patterns(index, family) ||
        !table_add(&index->families, &family_kind, family)) {
        family_free(family);
        return NULL;
    }
    return family;
}

static struct family *family_get(struct index *index, const char *name)
{
    struct family *family = table_find(&index->families, &family_kind, table_hash_text(name), name);
    if (!family)
        family = family_new(index, name);
    if (family)
        family->groups++;
    return family;
}

static void family_put(struct index *index, struct family *family)
{
    if (!family || --family->groups > 0)
        return;
    table_remove(&index->families, &family_kind, family);
    family_free(family);
}

/* --- ports --- */

static struct port_set *port_new(struct index *index, const char *key)
{
    struct port_set *port = calloc(1, sizeof(*port) + strlen(key) + 1);
    if (!port)
        return NULL;
    memcpy(port->key, key, strlen(key));
    port->hash = table_hash_text(key);
    if (!table_add(&index->ports, &port_set_kind, port)) {
        free(port);
        return NULL;
    }
    return port;
}

static struct port_set *port_get(struct index *index, const char *key)
{
    struct port_set *port = table_find(&index->ports, &port_set_kind, table_hash_text(key), key);
    if (!port)
        port = port_new(index, key);
    if (port)
        port->groups++;
    return port;
}

static void port_put(struct index *index, struct port_set *port)
{
    if (--port->groups > 0)
        return;
    table_remove(&index->ports, &port_set_kind, port);
    free(port);
}

static bool add_port(struct index *index, struct port_set **list, uint32_t *count,
                     const char *protocol, unsigned int number, const char *address)
{
    autofree char *key = address ? text_format("%s/%u/%s", protocol, number, address)
                                 : text_format("%s/%u", protocol, number);
    struct port_set *port = key ? port_get(index, key) : NULL;
    if (port)
        list[(*count)++] = port;
    return port != NULL;
}

/* Who wants it on all addresses is in the way of everybody, who wants it on one in the way of those
 * who want that one or all. */
static bool group_add_port(struct index *index, struct group *group, const struct port_claim *claim)
{
    const char *protocol = claim->protocol;
    const char *address = claim->address;
    bool is_added =
        add_port(index, group->ports, &group->port_count, protocol, claim->port, NULL) &&
        add_port(index, group->ports, &group->port_count, protocol, claim->port, address);
    if (*address)
        return is_added &&
               add_port(index, group->shut, &group->shut_count, protocol, claim->port, "") &&
               add_port(index, group->shut, &group->shut_count, protocol, claim->port, address);
    return is_added &&
           add_port(index, group->shut, &group->shut_count, protocol, claim->port, NULL);
}

static bool group_add_ports(struct index *index, struct group *group)
{
    const struct requirements *rules = group->requirements;
    bool is_added = true;
    if (rules->port_count == 0)
        return true;
    /* NOLINTBEGIN(bugprone-sizeof-expression): pointers are what is kept */
    group->ports = calloc(2 * rules->port_count, sizeof(*group->ports));
    group->shut = calloc(2 * rules->port_count, sizeof(*group->shut));
    /* NOLINTEND(bugprone-sizeof-expression) */
    if (!group->ports || !group->shut)
        return false;
    for (size_t i = 0; is_added && i < rules->port_count; i++)
        is_added = group_add_port(index, group, &rules->ports[i]);
    return is_added;
}

/* --- groups --- */

static void put_patterns(struct index *index, struct pattern **patterns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pattern_put(index, patterns[i]);
    free(patterns);
}

static void put_ports(struct index *index, struct port_set **ports, size_t count)
{
    for (size_t i = 0; i < count; i++)
        port_put(index, ports[i]);
    free(ports);
}

/* The sums that its bag is part of. What the bags hold while the index is stale means nothing. */
static void join(struct index *index, struct bag_sum *sum, const struct bag *here)
{
    bool is_joined = bag_sum_join(sum, here, index->words);
    index->stale = index->stale || !is_joined;
}

static void group_join(struct index *index, struct group *group)
{
    join(index, &group->family->here, &group->here);
    for (size_t i = 0; i < group->conflict_count; i++)
        join(index, &group->conflicts[i]->conflicting, &group->here);
    for (size_t i = 0; i < group->replace_count; i++)
        join(index, &group->replaces[i]->replacing, &group->here);
    for (size_t i = 0; i < group->port_count; i++)
        join(index, &group->ports[i]->taken, &group->here);
}

static void group_quit(struct group *group)
{
    bag_sum_quit(&group->family->here, &group->here);
    for (size_t i = 0; i < group->conflict_count; i++)
        bag_sum_quit(&group->conflicts[i]->conflicting, &group->here);
    for (size_t i = 0; i < group->replace_count; i++)
        bag_sum_quit(&group->replaces[i]->replacing, &group->here);
    for (size_t i = 0; i < group->port_count; i++)
        bag_sum_quit(&group->ports[i]->taken, &group->here);
}

static bool has_priority(const struct group *group)
{
    return group->requirements && group->requirements->priority != 0;
}

static void group_free(struct model *model, struct group *group)
{
    struct index *index = &model->index;
    index->prioritized -= has_priority(group);
    put_patterns(index, group->conflicts, group->conflict_count);
    put_patterns(index, group->replaces, group->replace_count);
    put_ports(index, group->ports, group->port_count);
    put_ports(index, group->shut, group->shut_count);
    class_put(index, group->class);
    class_put(index, group->preferred);
    index_tally_put(model, group->family, group->tally);
    family_put(index, group->family);
    requirements_free(group->requirements);
    bag_done(&group->here);
    sleepers_free(group->asleep);
    free(group);
}

static bool get_patterns(struct model *model, char *const *globs, struct pattern ***ret,
                         uint32_t *count)
{
    if (!globs)
        return true;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept */
    *ret = calloc(strv_length(globs) + 1, sizeof(**ret));
    for (; *ret && *globs; globs++) {
        struct pattern *pattern = pattern_get(model, *globs);
        if (!pattern)
            return false;
        (*ret)[(*count)++] = pattern;
    }
    return *ret != NULL;
}

static bool group_prefer(struct model *model, struct group *group)
{
    const struct requirements wish = { .metadata = group->requirements->prefer,
                                       .metadata_count = group->requirements->prefer_count };
    if (wish.metadata_count > 0)
        group->preferred = class_get(model, &wish);
    return wish.metadata_count == 0 || group->preferred;
}

static bool group_spread(struct model *model, struct group *group)
{
    const char *key = group->requirements->spread;
    if (key)
        group->tally = index_tally_get(model, group->family, key);
    return !key || group->tally;
}

static bool asks_room(const struct requirements *rules)
{
    for (size_t i = 0; i < RESOURCES; i++)
        if (rules->requests[i] > 0)
            return true;
    return false;
}

static bool is_plain(const struct group *group)
{
    return group->class->key[0] == '\0' && !group->preferred && !group->tally &&
           !group->asks_room && group->max_per_machine == 0 && group->conflict_count == 0 &&
           group->replace_count == 0 && group->port_count == 0 && group->shut_count == 0;
}

static bool group_get_parts(struct model *model, struct group *group)
{
    const struct requirements *rules = group->requirements;
    return get_patterns(model, rules->conflicts, &group->conflicts, &group->conflict_count) &&
           get_patterns(model, rules->replaces, &group->replaces, &group->replace_count) &&
           group_add_ports(&model->index, group) && group_prefer(model, group) &&
           group_spread(model, group);
}

static bool group_fill(struct model *model, struct group *group, const char *family,
                       const struct requirements *requirements)
{
    group->family = family_get(&model->index, family);
    if (!group->family || !requirements)
        return group->family != NULL;
    group->class = class_get(model, requirements);
    memcpy(group->requests, requirements->requests, sizeof(group->requests));
    group->asks_room = asks_room(requirements);
    group->priority = requirements->priority;
    group->max_per_machine = requirements->max_per_machine;
    group->failover = requirements->failover;
    group->is_global = requirements->global;
    if (!group->class || requirements_copy(requirements, &group->requirements, NULL) < 0)
        return false;
    model->index.prioritized += has_priority(group);
    if (!group_get_parts(model, group))
        return false;
    group->is_plain = is_plain(group);
    return true;
}

static struct group *group_new(struct model *model, const char *key, const char *family,
                               const struct requirements *requirements)
{
    struct group *group = calloc(1, sizeof(*group) + strlen(key) + 1);
    if (!group)
        return NULL;
    memcpy(group->key, key, strlen(key));
    group->hash = table_hash_text(key);
    group->hopeless_at = UINT64_MAX;
    group->futile_at = UINT64_MAX;
    if (!group_fill(model, group, family, requirements) ||
        !table_add(&model->index.groups, &group_kind, group)) {
        group_free(model, group);
        return NULL;
    }
    group_join(&model->index, group);
    return group;
}

static char *family_name(const char *unit_name)
{
    return unit_name_is_instance(unit_name) ? unit_name_template(unit_name) : strdup(unit_name);
}

struct group *index_group_get(struct model *model, const char *unit_name,
                              const struct requirements *requirements)
{
    autotext text = { 0 };
    autofree char *family = family_name(unit_name);
    if (!family)
        return NULL;
    write_group(family, requirements, &text);
    autofree char *key = text_take(&text);
    if (!key)
        return NULL;
    struct group *group = table_find(&model->index.groups, &group_kind, table_hash_text(key), key);
    if (!group)
        group = group_new(model, key, family, requirements);
    if (group)
        group->units++;
    return group;
}

void index_group_put(struct model *model, struct group *group)
{
    if (!group || --group->units > 0)
        return;
    table_remove(&model->index.groups, &group_kind, group);
    asker_forget(model, group);
    group_quit(group);
    group_free(model, group);
}
