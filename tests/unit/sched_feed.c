/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sched_feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "/m/"

static void die(const char *key, const char *why)
{
    fprintf(stderr, "the fact \"%s\" is wrong: %s\n", key, why);
    abort();
}

static void check(int r, const char *key, const struct error *err)
{
    if (r < 0)
        die(key, err->text);
}

/* --- reading --- */

static void expand_machine(const char *piece, size_t length, struct text *text)
{
    for (size_t i = 0; i < (length == 1 ? 32 : 1); i++)
        text_add_bytes(text, piece, length);
}

/* members/a → /m/members/aaaa… */
static char *full_key(const char *key)
{
    autotext text = { 0 };
    const char *rest = key;
    text_add(&text, PREFIX);
    if (text_starts_with(key, "ops/drain/")) {
        text_add(&text, "ops/");
        rest += strlen("ops/");
    }
    const char *slash = strchr(rest, '/');
    if (slash && slash[1] && (slash[2] == '/' || slash[2] == '\0') && strchr("mnscd", rest[0]) &&
        !text_starts_with(key, "slots/")) {
        text_add_bytes(&text, rest, (size_t)(slash + 1 - rest));
        expand_machine(slash + 1, 1, &text);
        text_add(&text, slash + 2);
    } else {
        text_add(&text, rest);
    }
    return text_take(&text);
}

static void read_rules(const char *key, const json_t *value, const char *name,
                       struct metadata_rule **ret, size_t *ret_count)
{
    struct error err = { 0 };
    json_t *rules = NULL;
    size_t i = 0;
    json_t *pair = NULL;
    check(json_field_array_or_null(value, name, &rules, &err), key, &err);
    *ret = calloc(json_array_size(rules) + 1, sizeof(**ret));
    json_array_foreach(rules, i, pair) {
        const char *text = json_string_value(pair);
        const char *equals = text ? strchr(text, '=') : NULL;
        if (!equals || !*ret)
            die(key, "rules are not a list of KEY=VALUE");
        (*ret)[(*ret_count)++] = (struct metadata_rule){
            strndup(text, (size_t)(equals - text)),
            strdup(equals + 1),
        };
    }
}

/* ["80", "10.0.0.1:80", "80/udp"]; of tcp where nothing is said. */
static void read_ports(const char *key, const json_t *value, struct requirements *requirements)
{
    struct error err = { 0 };
    autostrv ports = NULL;
    check(json_field_strv(value, "ports", &ports, &err), key, &err);
    requirements->ports = calloc(strv_length(ports) + 1, sizeof(*requirements->ports));
    for (char **port = ports; port && *port; port++) {
        struct port_claim *claim = &requirements->ports[requirements->port_count++];
        const char *colon = strrchr(*port, ':');
        const char *slash = strchr(*port, '/');
        const char *protocol = slash ? slash + 1 : "tcp";
        memcpy(claim->protocol, protocol, strnlen(protocol, sizeof(claim->protocol) - 1));
        claim->port = (uint16_t)atoi(colon ? colon + 1 : *port);
        if (colon)
            memcpy(claim->address, *port, (size_t)(colon - *port));
    }
}

static struct requirements *read_requirements(const char *key, const json_t *value)
{
    struct error err = { 0 };
    const char *machine_id = NULL;
    const char *failover = NULL;
    const char *spread = NULL;
    int64_t number = 0;
    struct requirements *r = calloc(1, sizeof(*r));
    if (!r)
        die(key, "out of memory");
    check(json_field_string_or(value, "machine_id", NULL, &machine_id, &err), key, &err);
    check(json_field_string_or(value, "failover", "at-least-once", &failover, &err), key, &err);
    check(json_field_strv(value, "machine_of", &r->machine_of, &err), key, &err);
    check(json_field_strv(value, "conflicts", &r->conflicts, &err), key, &err);
    check(json_field_bool_or(value, "global", false, &r->global, &err), key, &err);
    check(json_field_bool_or(value, "ends", false, &r->ends, &err), key, &err);
    check(json_field_bool_or(value, "start_first", false, &r->start_first, &err), key, &err);
    check(json_field_strv(value, "replaces", &r->replaces, &err), key, &err);
    check(json_field_strv(value, "capabilities", &r->capabilities, &err), key, &err);
    check(json_field_string_or(value, "spread", NULL, &spread, &err), key, &err);
    check(json_field_int_or(value, "cpu", 0, &r->requests[RESOURCE_CPU], &err), key, &err);
    check(json_field_int_or(value, "memory", 0, &r->requests[RESOURCE_MEMORY], &err), key, &err);
    check(json_field_int_or(value, "tasks", 0, &r->requests[RESOURCE_TASKS], &err), key, &err);
    check(json_field_int_or(value, "max_per_machine", 0, &number, &err), key, &err);
    r->max_per_machine = (unsigned int)number;
    check(json_field_int_or(value, "priority", 0, &number, &err), key, &err);
    r->priority = (int)number;
    r->machine_id = machine_id ? strdup(machine_id) : NULL;
    r->spread = spread ? strdup(spread) : NULL;
    r->failover = failover_from_name(failover);
    read_rules(key, value, "metadata", &r->metadata, &r->metadata_count);
    read_rules(key, value, "prefer", &r->prefer, &r->prefer_count);
    read_ports(key, value, r);
    return r;
}

/* --- feeding --- */

static void feed_unit(struct model *model, const char *name, int64_t create, int64_t mod,
                      const json_t *value, const char *text)
{
    struct error err = { 0 };
    autorecord(unit) record = { 0 };
    const char *problem = NULL;
    json_t *x_fleet = NULL;
    check(record_unit_decode(text, strlen(text), &record, &err), name, &err);
    check(json_field_string_or(value, "problem", NULL, &problem, &err), name, &err);
    check(json_field_object_or_null(value, "x-fleet", &x_fleet, &err), name, &err);
    autoptr(requirements) requirements = problem ? NULL : read_requirements(name, x_fleet);
    check(model_put_unit(model, name, create, mod, &record, requirements, problem, &err), name,
          &err);
}

static void feed_slot(struct model *model, const struct store_key_parts *parts, int64_t mod,
                      const char *text)
{
    struct error err = { 0 };
    autorecord(slot) record = { 0 };
    autotext machine = { 0 };
    check(record_slot_decode(text, strlen(text), &record, &err), parts->name, &err);
    expand_machine(record.machine, strlen(record.machine), &machine);
    free(record.machine);
    record.machine = text_take(&machine);
    check(model_put_slot(model, parts->name, parts->index, mod, &record, &err), parts->name, &err);
}

#define DECODE(type)                 \
    autorecord(type) record = { 0 }; \
    check(record_##type##_decode(text, strlen(text), &record, &err), key, &err)

static void put(struct model *model, const char *key, const struct store_key_parts *p,
                int64_t create, int64_t mod, const json_t *value, int64_t now_ms)
{
    struct error err = { 0 };
    autofree char *text = NULL;
    check(json_write(value, &text, &err), key, &err);
    if (p->kind == STORE_KEY_MEMBER) {
        DECODE(member);
        check(model_put_member(model, p->machine, &record, now_ms, &err), key, &err);
    } else if (p->kind == STORE_KEY_PRESENCE) {
        DECODE(presence);
        check(model_put_presence(model, p->machine, create, &record, now_ms, &err), key, &err);
    } else if (p->kind == STORE_KEY_ASSIGNMENT) {
        DECODE(assignment);
        check(model_put_assignment(model, p->machine, p->name, mod, &record, &err), key, &err);
    } else if (p->kind == STORE_KEY_STATE) {
        DECODE(state);
        check(model_put_state(model, p->machine, p->name, mod, &record, &err), key, &err);
    } else if (p->kind == STORE_KEY_VERDICT) {
        DECODE(verdict);
        check(model_put_verdict(model, p->name, mod, &record, &err), key, &err);
    } else if (p->kind == STORE_KEY_ROLE) {
        DECODE(role);
        check(model_put_role(model, p->name, mod, &record, &err), key, &err);
    } else if (p->kind == STORE_KEY_UNIT) {
        feed_unit(model, p->name, create, mod, value, text);
    } else if (p->kind == STORE_KEY_SLOT) {
        feed_slot(model, p, mod, text);
    } else if (p->kind == STORE_KEY_CORDON) {
        model_set_cordon(model, p->machine, true);
    } else if (p->kind == STORE_KEY_BRAKE) {
        DECODE(brake);
        model_put_brake(model, mod, &record);
    } else if (p->kind == STORE_KEY_ROLLOUT) {
        DECODE(rollout);
        check(model_put_rollout(model, p->name, mod, &record, &err), key, &err);
    } else if (p->kind == STORE_KEY_REBALANCE) {
        DECODE(rebalance);
        model_put_rebalance(model, &record);
    } else if (p->kind == STORE_KEY_DRAIN) {
        DECODE(drain);
        check(model_put_drain(model, p->machine, mod, &record, &err), key, &err);
    } else {
        die(key, "not a key of the scheduler");
    }
}

void feed(struct model *model, const char *key, int64_t create, int64_t mod, const json_t *value,
          int64_t now_ms)
{
    struct store_key_parts parts;
    autofree char *full = full_key(key);
    store_key_parse(PREFIX, full, &parts);
    if (!json_is_null(value))
        put(model, key, &parts, create, mod, value, now_ms);
    else if (!model_drop_key(model, &parts, now_ms))
        die(key, "not a key of the scheduler");
}

/* --- printing --- */

static void print_machine(const char *machine, struct text *text)
{
    bool same = strspn(machine, (char[]){ machine[0], '\0' }) == 32;
    text_add_bytes(text, machine, same ? 1 : strlen(machine));
}

static void print_guard(const char *name, int64_t value, struct text *text)
{
    if (value >= 0)
        text_addf(text, " %s=%" PRId64, name, value);
}

static void print_rollout(const struct action *a, struct text *text)
{
    autorecord(rollout) record = { 0 };
    struct error err = { 0 };
    check(record_rollout_decode(action_more(a)->record, strlen(action_more(a)->record), &record,
                                &err),
          action_more(a)->rollout, &err);
    text_addf(text, " %s %s%s to version %" PRId64 " %s, before %s; changing",
              action_more(a)->rollout, rollout_state_name(record.state), record.back ? " back" : "",
              record.version, record.blob, *record.previous ? record.previous : "-");
    for (char **name = record.changing; name && *name; name++)
        text_addf(text, " %s", *name);
    text_add(text, "; history");
    for (size_t i = 0; i < record.version_count; i++)
        text_addf(text, " %" PRId64 "=%s%s", record.versions[i].version, record.versions[i].blob,
                  record.versions[i].good ? "" : "?");
}

static void print_action(const struct action *a, struct text *text)
{
    text_add(text, action_kind_name(a->kind));
    if (action_more(a)->role)
        text_addf(text, " %s/%u", action_more(a)->role, action_more(a)->index);
    if (a->unit)
        text_addf(text, " %s", a->unit);
    if (action_more(a)->from_machine) {
        text_add(text, " from ");
        print_machine(action_more(a)->from_machine, text);
    }
    if (a->machine) {
        text_add(text, action_more(a)->from_machine ? " to " : " on ");
        print_machine(a->machine, text);
    }
    if (a->want)
        text_addf(text, " %s %s revision %" PRId64 " %s", want_name(a->want), a->blob,
                  a->unit_revision, failover_name(a->failover));
    if (a->cause)
        text_addf(text, " for %s", move_cause_name(a->cause));
    if (action_more(a)->moves_from) {
        text_add(text, " moves from ");
        print_machine(action_more(a)->moves_from, text);
    }
    if (a->kind == ACTION_UPDATE)
        text_addf(text, " %s %s", desired_name(a->desired), a->blob);
    if (action_more(a)->restart_revision)
        text_addf(text, " restart %" PRId64, action_more(a)->restart_revision);
    if (a->is_joined)
        text_add(text, " joined");
    if (a->kind == ACTION_ROLLOUT)
        print_rollout(a, text);
    if (a->kind == ACTION_DRAIN)
        text_addf(text, "%s%s", action_more(a)->drain->drained ? " drained" : "",
                  action_more(a)->drain->expired ? " expired" : "");
    autofree char *reason = action_reason(a);
    text_addf(text, "\n    because %s\n    if", reason);
    print_guard("unit", action_unit_mod(a), text);
    print_guard("assignment", action_assignment_mod(a), text);
    print_guard("state", action_more(a)->state_mod, text);
    print_guard("registration", a->registration, text);
    print_guard("from-assignment", action_more(a)->from_assignment_mod, text);
    print_guard("from-state", action_more(a)->from_state_mod, text);
    print_guard("from-registration", action_more(a)->from_registration, text);
    print_guard("successor-state", action_more(a)->successor_state_mod, text);
    print_guard("successor-registration", action_more(a)->successor_registration, text);
    print_guard("slot", action_more(a)->slot_mod, text);
    print_guard("verdict", action_more(a)->verdict_mod, text);
    print_guard("op", action_more(a)->op_mod, text);
    text_add(text, "\n");
}

void print_plan(const struct plan *plan, struct text *text)
{
    for (size_t i = 0; i < plan->count; i++)
        print_action(&plan->actions[i], text);
    if (plan->count == 0)
        text_add(text, "nothing\n");
    if (plan->wake_ms >= 0)
        text_addf(text, "wake at %" PRId64 "\n", plan->wake_ms);
}
