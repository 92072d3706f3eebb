/* SPDX-License-Identifier: Apache-2.0 */
/* The API as musterd has it, on a socket, over kv_memory. */
#include "api/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/loop_http.h"
#include "kvclient/kv_memory.h"
#include "scheduler/records.h"
#include "tests/unit/harness.h"

#define M "11111111111111111111111111111111"

struct fixture {
    struct loop *loop;
    struct kv_memory *store;
    struct kv *kv;
    struct api *api;
    struct http *http;
    char directory[32];
    char socket[48];
    json_t *answer; /* the last one */
    bool answered;
};

static void on_written(const struct kv_txn_result *result, void *userdata)
{
    (void)userdata;
    assert_int_equal(result->code, 0);
}

static void put(struct fixture *fixture, const char *key, const char *value)
{
    autofree char *path = text_format("%s%s", STORE_PREFIX_DEFAULT, key);
    const struct kv_op op = kv_op_put(path, value);
    const struct kv_txn txn = { .success = &op, .success_count = 1 };
    assert_int_equal(kv_txn(fixture->kv, &txn, on_written, fixture, NULL), 0);
}

static void put_unit(struct fixture *fixture, const char *name, char digit, const char *text)
{
    char blob[65] = "";
    memset(blob, digit, 64);
    autofree char *blob_key = text_format("blobs/%s", blob);
    autofree char *unit_key = text_format("units/%s", name);
    autofree char *unit = text_format("{\"blob\":\"%s\",\"desired\":\"launched\"}", blob);
    put(fixture, blob_key, text);
    put(fixture, unit_key, unit);
}

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){ .directory = "/tmp/test-api-XXXXXX" };
    assert_non_null(mkdtemp(fixture.directory));
    (void)snprintf(fixture.socket, sizeof(fixture.socket), "%s/socket", fixture.directory);
    assert_int_equal(loop_new(&fixture.loop, NULL), 0);
    assert_int_equal(kv_memory_new(&fixture.store, NULL), 0);
    assert_int_equal(kv_memory_connect(fixture.store, &fixture.kv, NULL), 0);
    assert_int_equal(http_new(fixture.loop, &fixture.http, NULL), 0);
    const struct api_config config = { .kv = fixture.kv,
                                       .prefix = STORE_PREFIX_DEFAULT,
                                       .machine_id = M,
                                       .socket_path = fixture.socket,
                                       .version = "1" };
    assert_int_equal(api_new(fixture.loop, &config, &fixture.api, NULL), 0);
    put(&fixture, "members/" M,
        "{\"name\":\"n\",\"public_ip\":\"\",\"metadata\":{},\"ttl_ms\":30000,\"may_lead\":true,"
        "\"version\":\"0\",\"roles\":\"\",\"role_priority\":\"\",\"memory_bytes\":1000000000}");
    put(&fixture, "nodes/" M "/presence",
        "{\"boot_id\":\"b\",\"nonce\":\"n\",\"address\":\"\",\"ready\":true,"
        "\"not_ready_reason\":\"\"}");
    put_unit(&fixture, "a.service", '1', "[Service]\nExecStart=/bin/true\nMemoryMax=100M\n");
    put_unit(&fixture, "b.service", '2', "[Service]\nExecStart=/bin/false\n");
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    json_decref(fixture->answer);
    http_free(fixture->http);
    api_free(fixture->api);
    kv_free(fixture->kv);
    kv_memory_free(fixture->store);
    loop_free(fixture->loop);
    return rmdir(fixture->directory);
}

static void on_answer(struct http_call *call, const struct http_result *result, void *userdata)
{
    struct fixture *fixture = userdata;
    (void)call;
    assert_int_equal(result->code, 0);
    assert_int_equal(result->status, 200);
    assert_int_equal(json_read(result->body, result->body_length, &fixture->answer, NULL), 0);
    fixture->answered = true;
}

/* Borrowed until the next one. */
static const json_t *ask(struct fixture *fixture, const char *method, const char *path,
                         const char *body)
{
    autofree char *url = text_format("http://localhost%s", path);
    struct http_call *call = NULL;
    const struct http_request request = { .method = method,
                                          .url = url,
                                          .unix_socket = fixture->socket,
                                          .body = body,
                                          .body_length = body ? strlen(body) : 0 };
    json_decref(fixture->answer);
    fixture->answer = NULL;
    fixture->answered = false;
    assert_int_equal(http_start(fixture->http, &request, NULL, on_answer, fixture, &call, NULL), 0);
    while (!fixture->answered) {
        loop_run_once(fixture->loop, false);
        (void)kv_memory_deliver(fixture->store);
    }
    return fixture->answer;
}

static void ask_for_much(struct fixture *fixture)
{
    (void)ask(fixture, "GET", "/v1/units", NULL);
    (void)ask(fixture, "GET", "/v1/units/a.service/why", NULL);
    (void)ask(fixture, "GET", "/v1/machines", NULL);
    (void)ask(fixture, "GET", "/v1/rebalance", NULL);
    (void)ask(fixture, "POST", "/v1/plan", "{\"units\":[{\"name\":\"a.service\"}]}");
}

/* --- claims --- */

static void a_text_is_parsed_for_the_first_request_alone(void **state)
{
    struct fixture *fixture = *state;
    (void)ask(fixture, "GET", "/v1/status", NULL);
    (void)ask(fixture, "GET", "/v1/status", NULL); /* from here on there is a mirror */
    ask_for_much(fixture);
    assert_int_equal(cache_parsed_texts(fixture->api->cache), 2);
    put(fixture, "cordons/" M, "{}");
    ask_for_much(fixture);
    assert_int_equal(cache_parsed_texts(fixture->api->cache), 2);
    put_unit(fixture, "b.service", '3', "[Service]\nExecStart=/bin/true\n");
    ask_for_much(fixture);
    assert_int_equal(cache_parsed_texts(fixture->api->cache), 3);
}

static void a_request_sees_what_was_written_before_it(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 20; i++) {
        autofree char *name = text_format("c%d.service", i);
        autofree char *path = text_format("/v1/units/%s", name);
        put_unit(fixture, name, '1', "[Service]\nExecStart=/bin/true\nMemoryMax=100M\n");
        const json_t *unit = ask(fixture, "GET", path, NULL);
        assert_string_equal(json_string_value(json_object_get(unit, "name")), name);
        const json_t *units = json_object_get(ask(fixture, "GET", "/v1/units", NULL), "units");
        assert_int_equal(json_array_size(units), 3 + i);
    }
}

static void room_is_what_the_assigned_ask_for_together(void **state)
{
    static const char assignment[] =
        "{\"blob\":\"1111111111111111111111111111111111111111111111111111111111111111\",\"want\":"
        "\"run\",\"unit_revision\":1,\"failover\":\"at-least-once\",\"hold_ms\":0,\"epoch\":1,"
        "\"reason\":\"\"}";
    struct fixture *fixture = *state;
    put_unit(fixture, "c.service", '1', "[Service]\nExecStart=/bin/true\nMemoryMax=100M\n");
    put(fixture, "nodes/" M "/units/a.service", assignment);
    put(fixture, "nodes/" M "/units/c.service", assignment);
    for (int i = 0; i < 3; i++) {
        const json_t *machine = json_array_get(
            json_object_get(ask(fixture, "GET", "/v1/machines", NULL), "machines"), 0);
        const json_t *memory = json_object_get(json_object_get(machine, "room"), "memory");
        assert_int_equal(json_integer_value(json_object_get(machine, "units")), 2);
        assert_int_equal(json_integer_value(json_object_get(memory, "promised")), 200 << 20);
        assert_int_equal(json_integer_value(json_object_get(memory, "capacity")), 1000000000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_text_is_parsed_for_the_first_request_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_request_sees_what_was_written_before_it, setup, teardown),
        cmocka_unit_test_setup_teardown(room_is_what_the_assigned_ask_for_together, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
