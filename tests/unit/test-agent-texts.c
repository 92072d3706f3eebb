/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/texts.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/text.h"
#include "kvclient/kv_memory.h"
#include "scheduler/records.h"
#include "tests/unit/harness.h"

#define PREFIX "/t/"

enum { MANY = 40 };

struct world {
    struct kv_memory *store;
    struct kv *kv;
    struct texts *texts;
    char digests[MANY][DIGEST_HEX_SIZE];
    unsigned int told;
    unsigned int failed;
    char failure[ERROR_TEXT_MAX];
};

static void on_text(const struct text_blob *blob, const char *failure, void *userdata)
{
    struct world *world = userdata;
    char digest[DIGEST_HEX_SIZE];
    if (failure) {
        world->failed++;
        (void)snprintf(world->failure, sizeof(world->failure), "%s", failure);
        return;
    }
    world->told++;
    digest_sha256_hex(blob->text, blob->length, digest);
    assert_string_equal(blob->digest, digest);
    assert_int_equal(blob->text[blob->length], '\0');
}

static void on_put(const struct kv_txn_result *result, void *userdata)
{
    (void)userdata;
    assert_int_equal(result->code, 0);
}

static void put(struct world *world, const char *digest, const char *text)
{
    autofree char *key = store_key(PREFIX, STORE_KEY_BLOB, NULL, digest, 0);
    const struct kv_op op = kv_op_put(key, text);
    const struct kv_txn txn = { .success = &op, .success_count = 1 };
    assert_int_equal(kv_txn(world->kv, &txn, on_put, NULL, NULL), 0);
    (void)kv_memory_deliver(world->store);
}

static int set_up(void **state)
{
    static struct world world;
    world = (struct world){ 0 };
    *state = &world;
    assert_int_equal(kv_memory_new(&world.store, NULL), 0);
    assert_int_equal(kv_memory_connect(world.store, &world.kv, NULL), 0);
    assert_int_equal(texts_new(world.kv, PREFIX, on_text, &world, &world.texts, NULL), 0);
    for (int i = 0; i < MANY; i++) {
        autofree char *text = text_format("text %d", i);
        digest_sha256_hex(text, strlen(text), world.digests[i]);
        put(&world, world.digests[i], text);
    }
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    texts_free(world->texts);
    kv_free(world->kv);
    kv_memory_free(world->store);
    return 0;
}

static void want_all(struct world *world)
{
    struct text_blob blob;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(texts_get(world->texts, world->digests[i], &blob, NULL), 0);
}

static void what_is_wanted_together_is_read_together(void **state)
{
    struct world *world = *state;
    struct text_blob blob;
    want_all(world);
    want_all(world); /* once is enough */
    assert_int_equal(kv_memory_deliver(world->store), 1 + (MANY - 1 + 15) / 16);
    assert_int_equal(world->told, MANY);
    assert_int_equal(texts_get(world->texts, world->digests[7], &blob, NULL), 1);
    assert_string_equal(blob.text, "text 7");
}

static void one_that_is_wrong_fails_alone_and_may_be_asked_for_again(void **state)
{
    struct world *world = *state;
    struct text_blob blob;
    put(world, world->digests[3], "another text");
    want_all(world);
    (void)kv_memory_deliver(world->store);
    assert_int_equal(world->told, MANY - 1);
    assert_int_equal(world->failed, 1);
    assert_string_equal(world->failure, "its digest is not the one that it is stored under");
    put(world, world->digests[3], "text 3");
    assert_int_equal(texts_get(world->texts, world->digests[3], &blob, NULL), 0);
    (void)kv_memory_deliver(world->store);
    assert_int_equal(world->told, MANY);
}

static void a_lost_answer_is_told_to_those_it_was_for(void **state)
{
    struct world *world = *state;
    kv_memory_lose_answers(world->kv, 2, true);
    want_all(world);
    (void)kv_memory_deliver(world->store);
    assert_int_equal(world->failed, 1 + 16);
    assert_int_equal(world->told, MANY - 17);
}

static void one_that_was_dropped_on_its_way_is_not_told(void **state)
{
    struct world *world = *state;
    struct text_blob blob;
    want_all(world);
    texts_drop(world->texts, world->digests[0]);
    texts_drop(world->texts, world->digests[20]);
    (void)kv_memory_deliver(world->store);
    assert_int_equal(world->told, MANY - 2);
    assert_int_equal(texts_get(world->texts, world->digests[20], &blob, NULL), 0);
    (void)kv_memory_deliver(world->store);
    assert_int_equal(world->told, MANY - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_wanted_together_is_read_together, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_wrong_fails_alone_and_may_be_asked_for_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_answer_is_told_to_those_it_was_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_was_dropped_on_its_way_is_not_told, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
