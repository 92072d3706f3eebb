/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/sim/sched.h"

#define SORT(title, rules, ...)                          \
    {                                                    \
        .name = (title), .x_fleet = (rules), __VA_ARGS__ \
    }
const struct sim_sort sim_sorts[UNITS] = {
    SORT("c1.service", "{\"conflicts\":[\"c*.service\"]}", .group = 'c'),
    SORT("c2.service", "{\"conflicts\":[\"c*.service\"]}", .group = 'c'),
    SORT("c3.service", "{}", .group = 'c'),
    SORT("plain.service", "{}", .replaced_by = "new.service", .breaks = true),
    SORT("new.service", "{\"replaces\":[\"plain.service\"]}"),
    SORT("rack.service", "{}", .roams = true, .breaks = true),
    SORT("kvm.service", "{\"capabilities\":[\"kvm\"],\"prefer\":[\"rack=r2\"]}", .kvm = true),
    SORT("pinned.service", "{\"machine_id\":\"bbbbbbbb\"}", .machine = 'b'),
    SORT("port1.service", "{\"ports\":[\"80\"]}", .group = 'p'),
    SORT("port2.service", "{\"ports\":[\"10.0.0.1:80\"]}", .group = 'p'),
    SORT("m@1.service", "{\"max_per_machine\":1,\"spread\":\"rack\"}", .group = 'm'),
    SORT("m@2.service", "{\"max_per_machine\":1,\"spread\":\"rack\"}", .group = 'm'),
    SORT("m@3.service", "{\"max_per_machine\":1,\"spread\":\"rack\"}", .group = 'm'),
    SORT("stays.service", "{\"failover\":\"never\"}", .stays = true, .priority = 4),
    SORT("beside.service", "{\"machine_of\":[\"stays.service\"]}", .peers = { "stays.service" },
         .priority = 4),
    SORT("follows.service", "{\"machine_of\":[\"c1.service\"]}", .peers = { "c1.service" }),
    SORT("active.service", "{\"metadata\":[\"role.db=active\"]}", .role = "active"),
    SORT("spare.service", "{\"metadata\":[\"role.db=standby\"]}", .role = "standby"),
    SORT("t@1.service", "{}"),
    SORT("t@2.service", "{}"),
    SORT("t@3.service", "{}"),
    SORT("high.service", "{\"memory\":70,\"priority\":9}", .memory = 70, .priority = 9),
    SORT("mid.service", "{\"memory\":60,\"priority\":4}", .memory = 60, .priority = 4),
    SORT("low.service", "{\"memory\":45}", .memory = 45),
    SORT("least.service", "{\"memory\":40,\"priority\":-3}", .memory = 40, .priority = -3),
    SORT("x.service", "{\"machine_of\":[\"y.service\"]}", .peers = { "y.service" }, .priority = 4),
    SORT("y.service",
         "{\"machine_of\":[\"x.service\"],\"memory\":65,\"priority\":4,\"metadata\":[\"rack=r1\"]}",
         .peers = { "x.service" }, .memory = 65, .priority = 4, .rack = "r1"),
    /* Tied loosely: p may be elsewhere than stays, as long as z is nowhere. */
    SORT("p.service", "{\"memory\":30,\"priority\":4}", .memory = 30, .priority = 4),
    SORT("q.service", "{\"machine_of\":[\"p.service\"],\"memory\":35,\"priority\":4}",
         .peers = { "p.service" }, .memory = 35, .priority = 4),
    SORT("z.service", "{\"machine_of\":[\"p.service\",\"stays.service\"]}",
         .peers = { "p.service", "stays.service" }, .priority = 4),
    SORT("first.service", "{\"start_first\":true}", .first = true),
    SORT("heavy.service", "{\"start_first\":true,\"memory\":30,\"metadata\":[\"rack=r1\"]}",
         .memory = 30, .rack = "r1", .first = true),
    SORT(GLOBAL, "{\"global\":true}"),
    SORT("near.service", "{\"global\":true,\"metadata\":[\"rack=r2\"]}", .rack = "r2"),
};

const struct sim_sort *sim_sort_named(const char *name)
{
    for (size_t i = 0; name && i < UNITS; i++)
        if (strcmp(sim_sorts[i].name, name) == 0)
            return &sim_sorts[i];
    return NULL;
}

static size_t number_of(const struct sim_sort *sort)
{
    return (size_t)(sort - sim_sorts);
}

/* --- what the store says of them --- */

/* Machines whose assignment of the unit says so; '\0' at the end. */
size_t sim_homes_of(struct sim *sim, const char *name, char homes[MACHINES_MAX + 1])
{
    size_t count = 0;
    for (size_t i = 0; i < sim->machines; i++)
        if (sim_findf(sim, "nodes/%c/units/%s", sim_letter(i), name))
            homes[count++] = sim_letter(i);
    homes[count] = '\0';
    return count;
}

char sim_successor_of(struct sim *sim, const char *name)
{
    for (size_t i = 0; i < sim->machines; i++) {
        char m = sim_letter(i);
        if (*sim_field_of(sim_findf(sim, "nodes/%c/units/%s", m, name), "moves_from"))
            return m;
    }
    return '\0';
}

static bool is_assigned(struct sim *sim, const struct sim_sort *sort, char m)
{
    return sim_findf(sim, "nodes/%c/units/%s", m, sort->name) != NULL;
}

size_t sim_count_holders(struct sim *sim, char holders[MACHINES_MAX + 1])
{
    size_t count = 0;
    for (unsigned int i = 0; i < sim->machines; i++) {
        const struct entry *slot = sim_findf(sim, "slots/db/%u", i);
        if (slot && count < sim->machines)
            holders[count++] = *sim_field_of(slot, "machine");
    }
    holders[count] = '\0';
    return count;
}

const char *sim_metadata_of(struct sim *sim, char m, const char *key)
{
    const struct entry *member = sim_findf(sim, "members/%c", m);
    const char *value =
        member ? json_string_value(json_object_get(json_object_get(member->value, "metadata"), key))
               : NULL;
    return value ? value : "";
}

bool sim_is_wanted(struct sim *sim, const struct sim_sort *sort)
{
    const char *desired = sim_field_of(sim_findf(sim, "units/%s", sort->name), "desired");
    return *desired && strcmp(desired, "inactive") != 0;
}

bool sim_is_readable(struct sim *sim, const struct sim_sort *sort)
{
    return !*sim_field_of(sim_findf(sim, "units/%s", sort->name), "problem");
}

bool sim_is_to_run(struct sim *sim, const char *unit)
{
    return text_equal(sim_field_of(sim_findf(sim, "units/%s", unit), "desired"), "launched");
}

/* --- who is placed with whom --- */

struct sim_set sim_closure(const struct sim_sort *sort)
{
    struct sim_set set = { 0 };
    set.has[number_of(sort)] = true;
    for (bool grows = true; grows;) {
        grows = false;
        for (size_t i = 0; i < UNITS; i++)
            for (size_t j = 0; set.has[i] && j < PEERS_MAX && sim_sorts[i].peers[j]; j++) {
                bool *has = &set.has[number_of(sim_sort_named(sim_sorts[i].peers[j]))];
                grows = grows || !*has;
                *has = true;
            }
    }
    return set;
}

bool sim_waits_for_unwanted(struct sim *sim, const struct sim_sort *sort)
{
    const struct sim_set set = sim_closure(sort);
    for (size_t i = 0; i < UNITS; i++)
        if (set.has[i] && &sim_sorts[i] != sort &&
            (!sim_is_wanted(sim, &sim_sorts[i]) || !sim_is_readable(sim, &sim_sorts[i])))
            return true;
    return false;
}

static bool takes_part(struct sim *sim, const struct sim_sort *sort)
{
    return sim_is_wanted(sim, sort) && sim_is_readable(sim, sort) &&
           !sim_waits_for_unwanted(sim, sort);
}

static bool follows(const struct sim_sort *sort, const struct sim_sort *peer)
{
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (text_equal(sort->peers[i], peer->name))
            return true;
    return false;
}

struct sim_set sim_party(struct sim *sim, const struct sim_sort *sort)
{
    struct sim_set set = { 0 };
    set.has[number_of(sort)] = true;
    for (bool grows = takes_part(sim, sort); grows;) {
        grows = false;
        for (size_t i = 0; i < UNITS; i++)
            for (size_t j = 0; set.has[i] && j < UNITS; j++) {
                const struct sim_sort *other = &sim_sorts[j];
                if (set.has[j] || !takes_part(sim, other) ||
                    !(follows(&sim_sorts[i], other) || follows(other, &sim_sorts[i])))
                    continue;
                set.has[j] = true;
                grows = true;
            }
    }
    return set;
}

int sim_memory_of(const struct sim_set *set)
{
    int memory = 0;
    for (size_t i = 0; i < UNITS; i++)
        memory += set->has[i] ? sim_sorts[i].memory : 0;
    return memory;
}

int sim_priority_of(const struct sim_set *set)
{
    int priority = 9;
    for (size_t i = 0; i < UNITS; i++)
        if (set->has[i] && sim_sorts[i].priority < priority)
            priority = sim_sorts[i].priority;
    return priority;
}

/* --- where they may be --- */

static const char *rack_of(struct sim *sim, const struct sim_sort *sort)
{
    const struct entry *unit = sim_findf(sim, "units/%s", sort->name);
    const char *rule = NULL;
    if (!sort->roams || !unit)
        return sort->rack;
    rule = json_string_value(
        json_array_get(json_object_get(json_object_get(unit->value, "x-fleet"), "metadata"), 0));
    return rule ? rule + strlen("rack=") : NULL;
}

static bool role_fits(struct sim *sim, char m, const char *wish)
{
    char holders[MACHINES_MAX + 1];
    const json_t *require =
        json_object_get(sim_findf(sim, "roles/db")->value, "require"); /* rack=r1, or nothing */
    (void)sim_count_holders(sim, holders);
    if (strchr(holders, m))
        return strcmp(wish, "active") == 0;
    const char *priority = sim_field_of(sim_findf(sim, "members/%c", m), "role_priority");
    return strcmp(wish, "standby") == 0 && strcmp(priority, "db=0") != 0 &&
           (json_array_size(require) == 0 || strcmp(sim_metadata_of(sim, m, "rack"), "r1") == 0);
}

static bool has_kvm(struct sim *sim, char m)
{
    const struct entry *member = sim_findf(sim, "members/%c", m);
    return member && json_array_size(json_object_get(member->value, "capabilities")) > 0;
}

static bool suits(struct sim *sim, const struct sim_sort *sort, char m)
{
    const char *rack = rack_of(sim, sort);
    return (!rack || strcmp(sim_metadata_of(sim, m, "rack"), rack) == 0) &&
           (!sort->role || role_fits(sim, m, sort->role)) &&
           (!sort->machine || sort->machine == m) && (!sort->kvm || has_kvm(sim, m));
}

/* There, or coming along. */
static bool is_beside(struct sim *sim, const struct sim_set *with, const char *name, char m)
{
    const struct sim_sort *sort = sim_sort_named(name);
    return with->has[number_of(sort)] || is_assigned(sim, sort, m);
}

static bool stands(struct sim *sim, const struct sim_sort *sort, char m, const struct sim_set *with)
{
    if (!suits(sim, sort, m) || (sort->replaced_by && is_beside(sim, with, sort->replaced_by, m)))
        return false;
    for (size_t i = 0; i < PEERS_MAX && sort->peers[i]; i++)
        if (!is_beside(sim, with, sort->peers[i], m))
            return false;
    for (size_t i = 0; i < UNITS; i++)
        if (&sim_sorts[i] != sort && sort->group && sim_sorts[i].group == sort->group &&
            is_beside(sim, with, sim_sorts[i].name, m))
            return false;
    return true;
}

bool sim_rules_hold(struct sim *sim, const struct sim_sort *sort, char m)
{
    const struct sim_set nobody = { 0 };
    return stands(sim, sort, m, &nobody);
}

/* Those of the set are taken for gone from wherever they are. */
static bool has_room(struct sim *sim, const struct sim_set *set, char m, bool beside_all)
{
    int asked = sim_memory_of(set);
    int used = 0;
    for (size_t i = 0; i < UNITS; i++)
        if (!set->has[i] && (beside_all || sim_sorts[i].priority >= sim_priority_of(set)) &&
            is_assigned(sim, &sim_sorts[i], m))
            used += sim_sorts[i].memory;
    return asked == 0 || used + asked <= MEMORY;
}

/* The machine waits for another to fit, who is no less important. */
static bool is_reserved(struct sim *sim, const struct sim_set *set, char m)
{
    for (size_t i = 0; sim_memory_of(set) > 0 && i < UNITS; i++)
        if (!set->has[i] && sim_sorts[i].priority >= sim_priority_of(set) &&
            sim_has_reserved(sim, &sim_sorts[i], m))
            return true;
    return false;
}

bool sim_all_fit(struct sim *sim, const struct sim_set *set, char m, bool beside_all)
{
    for (size_t i = 0; i < UNITS; i++)
        if (set->has[i] && !stands(sim, &sim_sorts[i], m, set))
            return false;
    return sim_takes_newcomers(sim, m) && has_room(sim, set, m, beside_all) &&
           !is_reserved(sim, set, m);
}
