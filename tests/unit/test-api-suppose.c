/* SPDX-License-Identifier: Apache-2.0 */
#include "api/suppose.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/unit/harness.h"

#define SERVICE "[Service]\nExecStart=/bin/true\n"

/* --- a store written by hand, and what it would come to --- */

struct store {
    struct kv_pair pairs[64];
    size_t count;
};

/* Its revision, which is its place. */
__attribute__((format(printf, 3, 4))) static int64_t put(struct store *store, const char *key,
                                                         const char *format, ...)
{
    struct kv_pair *pair = &store->pairs[store->count++];
    va_list args;
    assert_true(store->count < 64);
    va_start(args, format);
    assert_true(vasprintf(&pair->value, format, args) >= 0);
    va_end(args);
    pair->key = text_format("/p/%s", key);
    pair->value_length = strlen(pair->value);
    pair->create_revision = pair->mod_revision = (int64_t)store->count;
    return pair->mod_revision;
}

static const char *id_of(char letter)
{
    static char id[33];
    memset(id, letter, 32);
    return id;
}

static char *key_of(const char *format, char machine, const char *unit)
{
    char *at = strchr(format, '%');
    return text_format("%.*s%s%s%s", (int)(at - format), format, id_of(machine), at + 1, unit);
}

/* With so much memory, in mebibytes; 0: it does not say. */
static void add_machine(struct store *store, char letter, long long mebibytes, const char *metadata)
{
    autofree char *member = key_of("members/%", letter, "");
    autofree char *presence = key_of("nodes/%/presence", letter, "");
    put(store, member,
        "{\"name\":\"n%c\",\"public_ip\":\"\",\"metadata\":{%s},\"ttl_ms\":30000,\"may_lead\":true,"
        "\"version\":\"0\",\"roles\":\"\",\"role_priority\":\"\",\"memory_bytes\":%lld}",
        letter, metadata, mebibytes << 20);
    put(store, presence,
        "{\"boot_id\":\"b\",\"nonce\":\"n\",\"address\":\"\",\"ready\":true,\"not_ready_reason\":"
        "\"\"}");
}

static int64_t registration_of(const struct store *store, char letter)
{
    autofree char *key = key_of("/p/nodes/%/presence", letter, "");
    for (size_t i = 0; i < store->count; i++)
        if (strcmp(store->pairs[i].key, key) == 0)
            return store->pairs[i].create_revision;
    return 0;
}

/* Launched, and running on each of these machines. */
static void add_unit(struct store *store, const char *name, const char *text, const char *machines)
{
    char blob[65];
    digest_sha256_hex(text, strlen(text), blob);
    autofree char *blob_key = text_format("blobs/%s", blob);
    autofree char *unit_key = text_format("units/%s", name);
    put(store, blob_key, "%s", text);
    int64_t unit = put(store, unit_key, "{\"blob\":\"%s\",\"desired\":\"launched\"}", blob);
    for (; *machines; machines++) {
        autofree char *assignment_key = key_of("nodes/%/units/", *machines, name);
        autofree char *state_key = key_of("states/%/", *machines, name);
        int64_t assignment =
            put(store, assignment_key,
                "{\"blob\":\"%s\",\"want\":\"run\",\"unit_revision\":%lld,\"failover\":\"at-least-"
                "once\",\"hold_ms\":0,\"epoch\":1,\"reason\":\"\"}",
                blob, (long long)unit);
        put(store, state_key,
            "{\"registration\":%lld,\"assignment_revision\":%lld,\"load\":\"loaded\",\"active\":"
            "\"active\",\"sub\":\"running\",\"result\":\"success\",\"problem\":\"\",\"invocation\":"
            "\"i\",\"released_revision\":0,\"since_ms\":0}",
            (long long)registration_of(store, *machines), (long long)assignment);
    }
}

static struct view *view_of(struct store *store)
{
    struct view *view = NULL;
    assert_int_equal(
        view_new("/p/", store->pairs, store->count, (int64_t)store->count, &view, NULL), 0);
    if (view_problems(view))
        fail_msg("%s", view_problems(view)[0]);
    for (size_t i = 0; i < store->count; i++)
        kv_pair_done(&store->pairs[i]);
    return view;
}

static void tell(const json_t *change, struct text *text)
{
    const char *from = json_string_value(json_object_get(change, "from"));
    const char *machine = json_string_value(json_object_get(change, "machine"));
    text_addf(text, "%s: %s", json_string_value(json_object_get(change, "unit")),
              json_string_value(json_object_get(change, "action")));
    if (from)
        text_addf(text, " %c to", *from);
    if (machine)
        text_addf(text, " %c", *machine);
    text_addf(text, ": %s\n", json_string_value(json_object_get(change, "reason")));
}

/* What the units, name after name with a text (NULL: the store's), would come to. The store is used
 * up. */
static void expect(struct store *store, const char *const *units, const char *expected)
{
    autoptr(view) view = view_of(store);
    autojson list = json_array();
    autojson answer = NULL;
    autotext told = { 0 };
    struct error err;
    size_t i = 0;
    const json_t *change = NULL;
    for (; *units; units += 2)
        json_array_append_new(list, json_pack("{s:s, s:s*}", "name", units[0], "text", units[1]));
    if (suppose(view, list, &answer, &err) < 0)
        fail_msg("%s", err.text);
    json_array_foreach(json_object_get(answer, "changes"), i, change)
        tell(change, &told);
    assert_string_equal(told.data ? told.data : "", expected);
    assert_true(json_is_true(json_object_get(answer, "settled")));
}

/* --- what comes of it --- */

static void what_must_leave_is_followed_to_where_it_goes(void **state)
{
    struct store store = { 0 };
    (void)state;
    add_machine(&store, 'a', 0, "");
    add_machine(&store, 'b', 0, "\"disk\":\"ssd\"");
    add_unit(&store, "web.service", SERVICE, "a");
    expect(&store,
           (const char *[]){ "web.service", SERVICE "[X-Fleet]\nMachineMetadata=disk=ssd\n", NULL },
           "web.service: move a to b: must leave aaaaaaaa (na): has no metadata disk=ssd; released "
           "by aaaaaaaa (na), moving to bbbbbbbb (nb): the only eligible machine (0 units)\n");
}

static void what_starts_elsewhere_before_it_stops_moves_too(void **state)
{
    struct store store = { 0 };
    (void)state;
    add_machine(&store, 'a', 0, "");
    add_machine(&store, 'b', 0, "\"disk\":\"ssd\"");
    add_unit(&store, "web.service", SERVICE "[X-Fleet]\nMoveOrder=start-first\n", "a");
    expect(&store,
           (const char *[]){ "web.service",
                             SERVICE "[X-Fleet]\nMoveOrder=start-first\nMachineMetadata=disk=ssd\n",
                             NULL },
           "web.service: move a to b: must leave aaaaaaaa (na): has no metadata disk=ssd: starts "
           "here before it stops there; the only eligible machine (0 units); moved here from "
           "aaaaaaaa (na), where it stopped once it ran here\n");
}

static void who_preempts_gets_the_place_and_who_yields_another_or_none(void **state)
{
    struct store store = { 0 };
    (void)state;
    add_machine(&store, 'a', 100, "");
    add_machine(&store, 'b', 50, "");
    add_unit(&store, "low.service", SERVICE "MemoryMax=40M\n", "a");
    add_unit(&store, "lower.service", SERVICE "MemoryMax=45M\n", "a");
    expect(
        &store,
        (const char *[]){ "db.service", SERVICE "MemoryMax=90M\n[X-Fleet]\nPriority=10\n", NULL },
        "lower.service: leave a: yields its place on aaaaaaaa (na) to db.service (priority 10); "
        "no machine may run it: aaaaaaaa (na): has 10 MiB of memory left, and "
        "45 MiB of memory are asked (db.service, of priority 10, comes first); bbbbbbbb (nb): has "
        "10 MiB of memory left, and 45 MiB of memory are asked\n"
        "low.service: move a to b: yields its place on aaaaaaaa (na) to db.service (priority 10); "
        "released by aaaaaaaa (na), moving to bbbbbbbb (nb): of 2 eligible machines the "
        "least loaded that has room (0 units)\n"
        "db.service: place a: of 2 eligible machines the least loaded that has room (0 units)\n");
}

static void who_stops_before_there_is_a_place_for_it_moves_in_one_line(void **state)
{
    struct store store = { 0 };
    (void)state;
    add_machine(&store, 'a', 100, "");
    add_machine(&store, 'b', 50, "");
    add_unit(&store, "low.service", SERVICE "MemoryMax=45M\n[X-Fleet]\nPriority=5\n", "a");
    add_unit(&store, "lower.service", SERVICE "MemoryMax=45M\n", "b");
    expect(
        &store,
        (const char *[]){ "db.service", SERVICE "MemoryMax=90M\n[X-Fleet]\nPriority=10\n", NULL },
        "low.service: move a to b: yields its place on aaaaaaaa (na) to db.service (priority 10); "
        "of 2 eligible machines the least loaded that has room (0 units)\n"
        "db.service: place a: of 2 eligible machines the least loaded that has room (0 units)\n"
        "lower.service: leave b: yields its place on bbbbbbbb (nb) to low.service (priority 5); no "
        "machine may run it: aaaaaaaa (na): has 10 MiB of memory left, and 45 MiB of memory are "
        "asked (db.service, of priority 10, comes first); bbbbbbbb (nb): has 5 MiB of memory left, "
        "and 45 MiB of memory are asked (low.service, of priority 5, comes first)\n");
}

static void a_template_is_rolled_out_to_its_instances(void **state)
{
    struct store store = { 0 };
    (void)state;
    add_machine(&store, 'a', 0, "");
    add_machine(&store, 'b', 0, "\"disk\":\"ssd\"");
    add_unit(&store, "web@1.service", SERVICE, "a");
    add_unit(&store, "web@2.service", SERVICE, "b");
    add_unit(&store, "other@1.service", SERVICE, "b");
    expect(
        &store,
        (const char *[]){ "web@.service", SERVICE "[X-Fleet]\nMachineMetadata=disk=ssd\n", NULL },
        "web@1.service: move a to b: must leave aaaaaaaa (na): has no metadata disk=ssd; released "
        "by aaaaaaaa (na), moving to bbbbbbbb (nb): the only eligible machine (2 units)\n"
        "web@2.service: change b: its text has changed\n");
}

static void a_group_moves_together(void **state)
{
    struct store store = { 0 };
    (void)state;
    add_machine(&store, 'a', 0, "");
    add_machine(&store, 'b', 0, "\"disk\":\"ssd\"");
    add_unit(&store, "db.service", SERVICE, "a");
    add_unit(&store, "app.service", SERVICE "[X-Fleet]\nMachineOf=db.service\n", "a");
    expect(&store,
           (const char *[]){ "db.service", SERVICE "[X-Fleet]\nMachineMetadata=disk=ssd\n", NULL },
           "db.service: move a to b: must leave aaaaaaaa (na): has no metadata disk=ssd; released "
           "by aaaaaaaa (na), moving to bbbbbbbb (nb): as a group of 2, db.service first, the only "
           "eligible machine (0 units)\n"
           "app.service: move a to b: must leave aaaaaaaa (na): waits for db.service; released by "
           "aaaaaaaa (na), moving to bbbbbbbb (nb): as a group of 2, db.service first, the only "
           "eligible machine (0 units)\n");
}

static void a_global_unit_is_told_of_each_machine(void **state)
{
    struct store store = { 0 };
    (void)state;
    add_machine(&store, 'a', 0, "");
    add_machine(&store, 'b', 0, "\"disk\":\"ssd\"");
    add_machine(&store, 'c', 0, "\"disk\":\"ssd\"");
    add_unit(&store, "log.service", SERVICE "[X-Fleet]\nGlobal=true\n", "ab");
    expect(&store,
           (const char *[]){ "log.service",
                             SERVICE "[X-Fleet]\nGlobal=true\nMachineMetadata=disk=ssd\n", NULL },
           "log.service: leave a: must leave aaaaaaaa (na): has no metadata disk=ssd\n"
           "log.service: change b: its text has changed\n"
           "log.service: change c: its text has changed\n");
}

static void what_is_replaced_goes_elsewhere(void **state)
{
    struct store store = { 0 };
    (void)state;
    add_machine(&store, 'a', 0, "\"disk\":\"ssd\"");
    add_machine(&store, 'b', 0, "");
    add_unit(&store, "old.service", SERVICE, "a");
    expect(&store,
           (const char *[]){ "new.service",
                             SERVICE "[X-Fleet]\nReplaces=old.service\nMachineMetadata=disk=ssd\n",
                             NULL },
           "old.service: move a to b: must leave aaaaaaaa (na): new.service replaces it there; "
           "released by aaaaaaaa (na), moving to bbbbbbbb (nb): the only eligible machine (0 "
           "units)\n"
           "new.service: place a: the only eligible machine (0 units)\n");
}

static void a_container_is_placed_by_what_it_asks_for(void **state)
{
    struct store store = { 0 };
    (void)state;
    add_machine(&store, 'a', 100, "");
    add_machine(&store, 'b', 100, "");
    add_unit(&store, "one.service", "[Container]\nImage=i\nPublishPort=80:80\n", "a");
    expect(&store,
           (const char *[]){ "two.service", "[Container]\nImage=i\nPublishPort=80:8080\n",
                             "three.service", "[Container]\nImage=i\nPublishPort=80:8080\n", NULL },
           "three.service: place b: the only eligible machine (0 units)\n"
           "two.service: wait: no machine may run it: aaaaaaaa (na): port 80 is taken by "
           "one.service; bbbbbbbb (nb): port 80 is taken by three.service\n");
}

/* --- what is not its own doing --- */

static void what_comes_anyway_is_not_told_and_keeps_its_room(void **state)
{
    struct store store = { 0 };
    (void)state;
    add_machine(&store, 'a', 100, "");
    add_unit(&store, "waits.service", SERVICE "MemoryMax=80M\n", "");
    expect(&store, (const char *[]){ "new.service", SERVICE "MemoryMax=80M\n", NULL },
           "new.service: wait: no machine may run it: aaaaaaaa (na): has 20 MiB of memory left, "
           "and 80 MiB of memory are asked\n");
}

static void what_is_being_released_has_gone(void **state)
{
    struct store store = { 0 };
    (void)state;
    add_machine(&store, 'a', 100, "");
    add_unit(&store, "goes.service", SERVICE "MemoryMax=80M\n", "a");
    put(&store, "units/goes.service", "{\"blob\":\"%064d\",\"desired\":\"inactive\"}", 0);
    expect(&store, (const char *[]){ "new.service", SERVICE "MemoryMax=80M\n", NULL },
           "new.service: place a: the only eligible machine (0 units)\n");
}

static void what_start_refuses_is_refused(void **state)
{
    struct store store = { 0 };
    struct error err;
    json_t *answer = NULL;
    (void)state;
    add_machine(&store, 'a', 0, "");
    autoptr(view) view = view_of(&store);
    autojson bad = json_pack("[{s:s, s:s}]", "name", "bad.service", "text", "[Service\n");
    autojson none = json_pack("[{s:s}]", "name", "none.service");
    assert_int_equal(suppose(view, bad, &answer, &err), -EINVAL);
    assert_true(text_starts_with(err.text, "bad.service: "));
    assert_int_equal(suppose(view, none, &answer, &err), -ENOENT);
    assert_string_equal(err.text, "unit none.service does not exist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_must_leave_is_followed_to_where_it_goes),
        cmocka_unit_test(what_starts_elsewhere_before_it_stops_moves_too),
        cmocka_unit_test(who_preempts_gets_the_place_and_who_yields_another_or_none),
        cmocka_unit_test(who_stops_before_there_is_a_place_for_it_moves_in_one_line),
        cmocka_unit_test(a_template_is_rolled_out_to_its_instances),
        cmocka_unit_test(a_group_moves_together),
        cmocka_unit_test(a_global_unit_is_told_of_each_machine),
        cmocka_unit_test(what_is_replaced_goes_elsewhere),
        cmocka_unit_test(a_container_is_placed_by_what_it_asks_for),
        cmocka_unit_test(what_comes_anyway_is_not_told_and_keeps_its_room),
        cmocka_unit_test(what_is_being_released_has_gone),
        cmocka_unit_test(what_start_refuses_is_refused),
    };
    return cmocka_run_group_tests_name("api/suppose", tests, NULL, NULL);
}
