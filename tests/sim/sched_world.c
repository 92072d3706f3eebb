/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/sched.h"

#include "base/chance.h"

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
    struct entry *entry = NULL;
    HASH_FIND_STR(sim->by_key, key, entry);
    return entry;
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
    if (sim->event_count == sim->event_room) {
        sim->event_room = 2 * sim->event_room + 64;
        sim->events = reallocarray(sim->events, sim->event_room, sizeof(*sim->events));
        assert_non_null(sim->events);
    }
    sim->events[sim->event_count++] =
        (struct event){ strdup(key), json_incref(value), create, sim->revision };
}

static struct entry *make_entry(struct sim *sim, const char *key)
{
    struct entry *entry = sim->store;
    while (entry < sim->store + KEYS_MAX && entry->value)
        entry++;
    assert_true(entry < sim->store + KEYS_MAX);
    entry->key = strdup(key);
    entry->create = sim->revision;
    HASH_ADD_KEYPTR(hh, sim->by_key, entry->key, strlen(entry->key), entry);
    return entry;
}

/* Takes value. */
static void put(struct sim *sim, const char *key, json_t *value)
{
    struct entry *entry = sim_find(sim, key);
    assert_non_null(value);
    sim->revision++;
    if (!entry)
        entry = make_entry(sim, key);
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
    HASH_DEL(sim->by_key, entry);
    json_decref(entry->value);
    free(entry->key);
    *entry = (struct entry){ 0 };
}

void sim_deliver(struct sim *sim)
{
    for (; sim->delivered < sim->event_count; sim->delivered++) {
        const struct event *e = &sim->events[sim->delivered];
        feed(sim->model, e->key, e->create, e->mod, e->value, sim->now_ms);
        feed(sim->forgetful, e->key, e->create, e->mod, e->value, sim->now_ms);
    }
}

/* A new leader reads everything, in an order of its own. */
void sim_new_leader(struct sim *sim)
{
    sim_deliver(sim);
    model_free(sim->model);
    model_free(sim->forgetful);
    assert_int_equal(model_new(&sim->model, NULL), 0);
    assert_int_equal(model_new(&sim->forgetful, NULL), 0);
    size_t start = sim_dice(sim, KEYS_MAX);
    for (size_t i = 0; i < KEYS_MAX; i++) {
        const struct entry *e = &sim->store[(start + i * 7) % KEYS_MAX];
        if (!e->value)
            continue;
        feed(sim->model, e->key, e->create, e->mod, e->value, sim->now_ms);
        feed(sim->forgetful, e->key, e->create, e->mod, e->value, sim->now_ms);
    }
    model_touch_all(sim->model);
    model_touch_all(sim->forgetful);
    sim_tell(sim, "a new leader");
}

/* --- the world --- */

static const char letters[MACHINES_MAX + 1] = "abcdef0123456789";

char sim_letter(size_t machine)
{
    return letters[machine];
}

size_t sim_number(char m)
{
    return (size_t)(strchr(letters, m) - letters);
}

bool sim_is_present(struct sim *sim, char m)
{
    return sim_findf(sim, "nodes/%c/presence", m) != NULL;
}

bool sim_takes_newcomers(struct sim *sim, char m)
{
    const struct entry *presence = sim_findf(sim, "nodes/%c/presence", m);
    return presence && sim_findf(sim, "members/%c", m) &&
           json_is_true(json_object_get(presence->value, "ready")) &&
           !sim_findf(sim, "cordons/%c", m);
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
             sim_record("{s:s,s:i,s:i,s:{s:s},s:s,s:o}", "name", "node", "ttl_ms", 2000,
                        "memory_bytes", MEMORY, "metadata", "rack", sim_dice(sim, 3) ? "r1" : "r2",
                        "role_priority", priority, "capabilities",
                        sim_dice(sim, 3) ? json_pack("[s]", "kvm") : json_array()),
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
    return strcmp(unit, GLOBAL) == 0 || strcmp(unit, "near.service") == 0;
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

/* The rules that come with a text. */
static json_t *choose_rules(struct sim *sim, const struct sim_sort *sort)
{
    json_t *x_fleet = json_loads(sort->x_fleet, 0, NULL);
    if (sort->roams)
        (void)json_object_set_new(x_fleet, "metadata",
                                  json_pack("[s]", sim_dice(sim, 2) ? "rack=r1" : "rack=r2"));
    return x_fleet;
}

void sim_put_unit(struct sim *sim, const struct sim_sort *sort, const char *desired)
{
    json_t *value = sim_record(
        "{s:s,s:s,s:I,s:o}", "blob", choose_text(sim, sort->name), "desired", desired,
        "restart_revision",
        (json_int_t)sim_number_of(sim_findf(sim, "units/%s", sort->name), "restart_revision"),
        "x-fleet", choose_rules(sim, sort));
    if (sort->breaks && sim_dice(sim, 3) == 0)
        (void)json_object_set_new(value, "problem", json_string("its text cannot be read"));
    sim_putf(sim, value, "units/%s", sort->name);
}
