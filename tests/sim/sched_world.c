/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/sched.h"

#include "base/chance.h"

#define SORT(title, rules, ...)                          \
    {                                                    \
        .name = (title), .x_fleet = (rules), __VA_ARGS__ \
    }
const struct sim_sort sim_sorts[UNITS] = {
    SORT("c1.service", "{\"conflicts\":[\"c*.service\"]}", .group = 'c'),
    SORT("c2.service", "{\"conflicts\":[\"c*.service\"]}", .group = 'c'),
    SORT("c3.service", "{}", .group = 'c'),
    SORT("plain.service", "{}"),
    SORT("rack.service", "{\"metadata\":[\"rack=r1\"]}", .rack = "r1"),
    SORT("stays.service", "{\"failover\":\"never\"}", .stays = true),
    SORT("beside.service", "{\"machine_of\":[\"stays.service\"]}", .peer = "stays.service"),
    SORT("follows.service", "{\"machine_of\":[\"c1.service\"]}", .peer = "c1.service"),
    SORT("active.service", "{\"metadata\":[\"role.db=active\"]}", .role = "active"),
    SORT("spare.service", "{\"metadata\":[\"role.db=standby\"]}", .role = "standby"),
    SORT("t@1.service", "{}"),
    SORT("t@2.service", "{}"),
    SORT("t@3.service", "{}"),
    SORT("high.service", "{\"memory\":70,\"priority\":9}", .memory = 70, .priority = 9),
    SORT("mid.service", "{\"memory\":60,\"priority\":4}", .memory = 60, .priority = 4),
    SORT("low.service", "{\"memory\":45}", .memory = 45),
    SORT("least.service", "{\"memory\":40,\"priority\":-3}", .memory = 40, .priority = -3),
    SORT("x.service", "{\"machine_of\":[\"y.service\"]}", .priority = 4, .twin = "y.service"),
    SORT("y.service",
         "{\"machine_of\":[\"x.service\"],\"memory\":65,\"priority\":4,\"metadata\":[\"rack=r1\"]}",
         .memory = 65, .priority = 4, .rack = "r1", .twin = "x.service"),
    SORT("first.service", "{\"start_first\":true}", .first = true),
    SORT("heavy.service", "{\"start_first\":true,\"memory\":30,\"metadata\":[\"rack=r1\"]}",
         .memory = 30, .rack = "r1", .first = true),
    SORT(GLOBAL, "{\"global\":true}"),
};

/* --- story and chance --- */

uint64_t sim_dice(struct sim *sim, uint64_t sides)
{
    return chance_below(&sim->random, sides);
}

void sim_tell(struct sim *sim, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    text_addf(&sim->story, "%" PRId64 ": %s\n", sim->now_ms, line);
}

void sim_broken(struct sim *sim, const char *what, const char *which)
{
    fprintf(stderr, "%s\nseed %" PRIu64 ": %s (%s)\n", sim->story.data, sim->seed, what, which);
    fail();
}

void sim_require(struct sim *sim, bool holds, const char *what, const char *which)
{
    if (!holds)
        sim_broken(sim, what, which);
}

/* --- the store --- */

enum { KEY_BYTES = 128 };

static void format_key(char ret[static KEY_BYTES], const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void format_key(char ret[static KEY_BYTES], const char *format, va_list args)
{
    int length = vsnprintf(ret, KEY_BYTES, format, args);
    assert_in_range(length, 1, KEY_BYTES - 1); /* cut short it would be another's */
}

struct entry *sim_find(struct sim *sim, const char *key)
{
    for (size_t i = 0; i < KEYS_MAX; i++)
        if (sim->store[i].value && strcmp(sim->store[i].key, key) == 0)
            return &sim->store[i];
    return NULL;
}

struct entry *sim_findf(struct sim *sim, const char *format, ...)
{
    char key[KEY_BYTES];
    va_list args;
    va_start(args, format);
    format_key(key, format, args);
    va_end(args);
    return sim_find(sim, key);
}

static void notify(struct sim *sim, const char *key, json_t *value, int64_t create)
{
    struct event *grown = realloc(sim->events, (sim->event_count + 1) * sizeof(*grown));
    assert_non_null(grown);
    sim->events = grown;
    grown[sim->event_count++] =
        (struct event){ strdup(key), json_incref(value), create, sim->revision };
}

/* Takes value. */
static void put(struct sim *sim, const char *key, json_t *value)
{
    struct entry *entry = sim_find(sim, key);
    assert_non_null(value);
    sim->revision++;
    for (size_t i = 0; !entry && i < KEYS_MAX; i++)
        if (!sim->store[i].value) {
            entry = &sim->store[i];
            entry->key = strdup(key);
            entry->create = sim->revision;
        }
    assert_non_null(entry);
    json_decref(entry->value);
    entry->value = value;
    entry->mod = sim->revision;
    notify(sim, key, value, entry->create);
}

static void del(struct sim *sim, const char *key)
{
    struct entry *entry = sim_find(sim, key);
    if (!entry)
        return;
    sim->revision++;
    notify(sim, key, json_null(), 0);
    json_decref(entry->value);
    free(entry->key);
    *entry = (struct entry){ 0 };
}

void sim_deliver(struct sim *sim)
{
    for (size_t i = 0; i < sim->event_count; i++) {
        struct event *e = &sim->events[i];
        feed(sim->model, e->key, e->create, e->mod, e->value, sim->now_ms);
        json_decref(e->value);
        free(e->key);
    }
    sim->event_count = 0;
}

/* A new leader reads everything, in an order of its own. */
void sim_new_leader(struct sim *sim)
{
    sim_deliver(sim);
    model_free(sim->model);
    assert_int_equal(model_new(&sim->model, NULL), 0);
    size_t start = sim_dice(sim, KEYS_MAX);
    for (size_t i = 0; i < KEYS_MAX; i++) {
        const struct entry *e = &sim->store[(start + i * 7) % KEYS_MAX];
        if (e->value)
            feed(sim->model, e->key, e->create, e->mod, e->value, sim->now_ms);
    }
    model_touch_all(sim->model);
    sim_tell(sim, "a new leader");
}

/* --- the world --- */

char sim_letter(size_t machine)
{
    return (char)('a' + machine);
}

bool sim_is_present(struct sim *sim, char m)
{
    return sim_findf(sim, "nodes/%c/presence", m) != NULL;
}

json_t *sim_record(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    json_t *value = json_vpack_ex(NULL, 0, format, args);
    va_end(args);
    assert_non_null(value);
    return value;
}

void sim_putf(struct sim *sim, json_t *value, const char *format, ...)
{
    char key[KEY_BYTES];
    va_list args;
    va_start(args, format);
    format_key(key, format, args);
    va_end(args);
    sim_tell(sim, "put %s", key);
    put(sim, key, value);
}

void sim_delf(struct sim *sim, const char *format, ...)
{
    char key[KEY_BYTES];
    va_list args;
    va_start(args, format);
    format_key(key, format, args);
    va_end(args);
    sim_tell(sim, "delete %s", key);
    del(sim, key);
}

void sim_put_member(struct sim *sim, char m)
{
    const char *priority = sim_dice(sim, 6) == 0 ? "db=0" : sim_dice(sim, 3) == 0 ? "db=200" : "";
    sim_putf(sim,
             sim_record("{s:s,s:i,s:i,s:{s:s},s:s}", "name", "node", "ttl_ms", 2000, "memory_bytes",
                        MEMORY, "metadata", "rack", sim_dice(sim, 3) ? "r1" : "r2", "role_priority",
                        priority),
             "members/%c", m);
}

void sim_put_presence(struct sim *sim, char m, bool ready)
{
    sim_putf(sim, sim_record("{s:s,s:b}", "nonce", "n", "ready", ready), "nodes/%c/presence", m);
}

bool sim_is_instance(const char *unit)
{
    return text_starts_with(unit, "t@");
}

bool sim_is_global(const char *unit)
{
    return strcmp(unit, GLOBAL) == 0;
}

const char *sim_field_of(const struct entry *entry, const char *name)
{
    const char *text = entry ? json_string_value(json_object_get(entry->value, name)) : NULL;
    return text ? text : "";
}

int64_t sim_number_of(const struct entry *entry, const char *name)
{
    return entry ? json_integer_value(json_object_get(entry->value, name)) : 0;
}

/* Instances come with the text that their template has; that of what runs everywhere cannot be
 * changed while machines have different ones. */
static const char *choose_text(struct sim *sim, const char *unit)
{
    const struct entry *e = sim_findf(sim, "units/%s", unit);
    const char *rollout = sim_is_global(unit) ? GLOBAL : TEMPLATE;
    const struct entry *of = sim_findf(sim, "ops/rollout/%s", rollout);
    bool ended = !of || (strcmp(sim_field_of(of, "state"), "running") != 0 &&
                         strcmp(sim_field_of(of, "state"), "paused") != 0);
    if (sim_is_instance(unit))
        return of ? sim_field_of(of, "blob") : "b0";
    if (sim_is_global(unit) && e && !ended)
        return sim_field_of(e, "blob");
    return sim_dice(sim, 2) ? "b1" : "b2";
}

void sim_put_unit(struct sim *sim, const struct sim_sort *sort, const char *desired)
{
    json_t *x_fleet = json_loads(sort->x_fleet, 0, NULL);
    sim_putf(sim,
             sim_record("{s:s,s:s,s:I,s:o}", "blob", choose_text(sim, sort->name), "desired",
                        desired, "restart_revision",
                        (json_int_t)sim_number_of(sim_findf(sim, "units/%s", sort->name),
                                                  "restart_revision"),
                        "x-fleet", x_fleet),
             "units/%s", sort->name);
}
