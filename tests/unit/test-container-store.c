/* SPDX-License-Identifier: Apache-2.0 */
/* The store and its collection, in a directory of the test's; layers are of letters: "aa…", "bb…".
 */
#include "container/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "container/lock.h"
#include "container/store_gc.h"
#include "tests/unit/harness.h"
#include "tests/unit/tree.h"

enum { NOW_S = 2000000000, LAYER_BYTES = 100 };

static const char *store;
static char containers[80];

static int setup(void **state)
{
    assert_int_equal(tree_setup(state), 0);
    store = *state;
    assert_int_equal(store_prepare(store, NULL), 0);
    (void)snprintf(containers, sizeof(containers), "%s/run", store);
    return 0;
}

static const char *digest_of(char letter)
{
    static char digests[256][72];
    char *digest = digests[(unsigned char)letter];
    memset(digest, letter, 71);
    memcpy(digest, "sha256:", strlen("sha256:"));
    digest[71] = '\0';
    return digest;
}

static char *path_of(const char *format, char letter)
{
    autofree char *tail = text_format("%s", digest_of(letter) + strlen("sha256:"));
    return text_format(strcmp(format, "layer") == 0 ? "%s/layers/%s/files" : "%s/images/%s.json",
                       store, tail);
}

static void put_layer(char letter)
{
    autofree char *files = path_of("layer", letter);
    autofree char *size = text_format("%.*s/size", (int)(strlen(files) - strlen("/files")), files);
    autofree char *text = text_format("%d\n", LAYER_BYTES);
    assert_int_equal(file_make_dirs(files, 0755, NULL), 0);
    assert_int_equal(file_write(size, text, strlen(text), 0600, NULL), 0);
}

static struct image *image_of(char letter, const char *layers)
{
    struct image *image = calloc(1, sizeof(*image));
    image->digest = strdup(digest_of(letter));
    image->config = json_pack("{s:[s]}", "Cmd", "run");
    for (const char *layer = layers; *layer; layer++)
        assert_int_equal(strv_add(&image->layers, digest_of(*layer), NULL), 0);
    return image;
}

/* age_s: since it was last used. */
static void put_image(char letter, const char *layers, int age_s)
{
    autoptr(image) image = image_of(letter, layers);
    autofree char *path = path_of("image", letter);
    const struct timespec times[] = { { .tv_sec = NOW_S - age_s }, { .tv_sec = NOW_S - age_s } };
    for (const char *layer = layers; *layer; layer++)
        put_layer(*layer);
    assert_int_equal(store_write_image(store, image, NULL), 0);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void pin_image(const char *container, char letter, const char *layers)
{
    autoptr(image) image = image_of(letter, layers);
    autofree char *pins = text_format("%s/%s/images", containers, container);
    assert_int_equal(store_pin(store, pins, image, NULL), 0);
}

/* The letters of those that are there. */
static void there_are(const char *kind, const char *letters)
{
    for (char letter = 'a'; letter <= 'f'; letter++) {
        autofree char *path = path_of(kind, letter);
        bool wanted = strchr(letters, letter) != NULL;
        if ((access(path, F_OK) == 0) != wanted)
            fail_msg("%s %c is %s", kind, letter, wanted ? "missing" : "still there");
    }
}

static struct store_gc_result collect(int64_t max_bytes)
{
    struct error err = { 0 };
    struct store_gc_result result = { 0 };
    const struct store_gc gc = {
        .store = store,
        .containers = containers,
        .max_bytes = max_bytes,
        .now_s = NOW_S,
    };
    if (store_gc(&gc, &result, &err) < 0)
        fail_msg("%s", err.text);
    return result;
}

static void an_image_is_read_as_it_was_written(void **state)
{
    (void)state;
    autoptr(image) image = NULL;
    put_image('a', "bc", 0);
    assert_int_equal(store_read_image(store, digest_of('a'), &image, NULL), 0);
    assert_string_equal(image->digest, digest_of('a'));
    assert_string_equal(image->layers[0], digest_of('b'));
    assert_string_equal(image->layers[1], digest_of('c'));
    assert_null(image->layers[2]);
    assert_string_equal(json_string_value(json_array_get(json_object_get(image->config, "Cmd"), 0)),
                        "run");
    struct image *none = NULL;
    assert_int_equal(store_read_image(store, digest_of('f'), &none, NULL), -ENOENT);
}

static void a_name_holds_while_its_files_are_the_same(void **state)
{
    (void)state;
    autofree char *digest = NULL;
    char *none = NULL;
    assert_int_equal(store_find_name(store, "dir:/x", "1", &none, NULL), -ENOENT);
    assert_int_equal(store_write_name(store, "dir:/x", "1", digest_of('a'), NULL), 0);
    assert_int_equal(store_find_name(store, "dir:/x", "1", &digest, NULL), 0);
    assert_string_equal(digest, digest_of('a'));
    assert_int_equal(store_find_name(store, "dir:/x", "2", &none, NULL), -ENOENT);
    assert_int_equal(store_find_name(store, "dir:/y", "1", &none, NULL), -ENOENT);
}

static void an_image_without_one_of_its_layers_is_not_found(void **state)
{
    (void)state;
    autoptr(image) image = NULL;
    struct image *none = NULL;
    autofree char *pins = text_format("%s/u.service/images", containers);
    autofree char *layer = path_of("layer", 'c');
    put_image('a', "bc", 0);
    assert_int_equal(store_find_image(store, pins, digest_of('a'), &image, NULL), 0);
    assert_int_equal(rmdir(layer), 0);
    assert_int_equal(store_find_image(store, pins, digest_of('a'), &none, NULL), -ENOENT);
}

static void within_the_bound_nothing_goes(void **state)
{
    (void)state;
    put_image('a', "ab", 1000);
    put_layer('c');
    struct store_gc_result result = collect((int64_t)3 * LAYER_BYTES);
    assert_int_equal(result.freed_bytes, 0);
    assert_int_equal(result.bytes, 3 * LAYER_BYTES);
    there_are("layer", "abc");
}

static void what_was_used_longest_ago_goes_first(void **state)
{
    (void)state;
    put_image('a', "a", 1000);
    put_image('b', "b", 3000);
    put_image('c', "c", 2000);
    struct store_gc_result result = collect(LAYER_BYTES);
    assert_int_equal(result.images, 2);
    assert_int_equal(result.freed_bytes, 2 * LAYER_BYTES);
    there_are("image", "a");
    there_are("layer", "a");
}

static void layers_that_no_image_has_go_before_images(void **state)
{
    (void)state;
    put_image('a', "a", 1000);
    put_layer('d');
    collect(LAYER_BYTES);
    there_are("image", "a");
    there_are("layer", "a");
}

static void a_layer_that_another_image_has_stays(void **state)
{
    (void)state;
    put_image('a', "ef", 3000);
    put_image('b', "ed", 1000);
    collect((int64_t)2 * LAYER_BYTES);
    there_are("image", "b");
    there_are("layer", "ed");
}

static void what_is_pinned_stays_whatever_the_bound(void **state)
{
    (void)state;
    put_image('a', "ab", 3000);
    put_image('c', "c", 2000);
    pin_image("one@1.service", 'a', "ab");
    /* Of an image that is on its way there is no record yet. */
    put_layer('d');
    pin_image("two.service", 'f', "d");
    struct store_gc_result result = collect(1);
    assert_int_equal(result.bytes, 3 * LAYER_BYTES);
    there_are("image", "a");
    there_are("layer", "abd");
}

static void what_was_used_just_now_stays(void **state)
{
    (void)state;
    put_image('a', "a", STORE_GC_GRACE_SECONDS - 1);
    put_image('b', "b", STORE_GC_GRACE_SECONDS);
    collect(1);
    there_are("image", "a");
}

static void an_image_counts_as_used_until_its_container_ends(void **state)
{
    (void)state;
    struct stat st;
    autofree char *path = path_of("image", 'a');
    autofree char *pins = text_format("%s/u.service/images", containers);
    put_image('a', "a", 1000);
    pin_image("u.service", 'a', "a");
    const struct timespec times[] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(store_unpin(store, pins, NULL), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_mtim.tv_sec > 1);
    assert_true(access(pins, F_OK) < 0);
    assert_int_equal(store_unpin(store, pins, NULL), 0);
}

static void a_damaged_pin_stops_the_collection(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct store_gc_result result = { 0 };
    autofree char *pins = text_format("%s/u.service/images", containers);
    autofree char *pin = text_format("%s/%s.json", pins, digest_of('a') + strlen("sha256:"));
    const struct store_gc gc = { .store = store, .containers = containers, .now_s = NOW_S };
    put_image('a', "a", 1000);
    assert_int_equal(file_make_dirs(pins, 0700, NULL), 0);
    assert_int_equal(file_write(pin, "{", 1, 0600, NULL), 0);
    assert_int_equal(store_gc(&gc, &result, &err), -EPROTO);
    assert_non_null(strstr(err.text, pin));
    there_are("layer", "a");
}

static void names_and_blobs_of_what_went_go_too(void **state)
{
    (void)state;
    char *none = NULL;
    put_image('a', "a", 1000);
    put_image('b', "b", 10);
    assert_int_equal(store_write_name(store, "gone", "", digest_of('a'), NULL), 0);
    assert_int_equal(store_write_name(store, "kept", "", digest_of('b'), NULL), 0);
    assert_int_equal(store_write_blob(store, digest_of('1'), digest_of('a'), NULL), 0);
    assert_int_equal(store_write_blob(store, digest_of('2'), digest_of('b'), NULL), 0);
    assert_true(store_has_blob(store, digest_of('1')));
    collect(LAYER_BYTES);
    autofree char *kept = NULL;
    assert_int_equal(store_find_name(store, "gone", "", &none, NULL), -ENOENT);
    assert_int_equal(store_find_name(store, "kept", "", &kept, NULL), 0);
    assert_false(store_has_blob(store, digest_of('1')));
    assert_true(store_has_blob(store, digest_of('2')));
}

static void half_a_pull_goes_when_it_is_old_and_nobody_has_it(void **state)
{
    (void)state;
    static const char *const names[] = { "image-old", "image-busy", "image-new" };
    for (size_t i = 0; i < 3; i++) {
        autofree char *path = text_format("%s/half/%s", store, names[i]);
        time_t at = i == 2 ? NOW_S - 10 : NOW_S - 4000;
        const struct timespec times[] = { { .tv_sec = at }, { .tv_sec = at } };
        assert_int_equal(file_make_dirs(path, 0700, NULL), 0);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    autofree char *busy = text_format("%s/half/image-busy", store);
    autofree char *old = text_format("%s/half/image-old", store);
    autofree char *new = text_format("%s/half/image-new", store);
    autofree char *lock_path = text_format("%s.lock", busy);
    autoclose int lock = lock_take(lock_path, NULL, NULL);
    assert_true(lock >= 0);
    collect(1);
    assert_true(access(old, F_OK) < 0);
    assert_int_equal(access(busy, F_OK), 0);
    assert_int_equal(access(new, F_OK), 0);
}

static void a_lock_that_was_dropped_is_taken_anew(void **state)
{
    (void)state;
    autofree char *path = text_format("%s/half/x.lock", store);
    autoclose int first = lock_take(path, NULL, NULL);
    assert_int_equal(lock_try(path, NULL), -EAGAIN);
    lock_drop(path);
    autoclose int second = lock_try(path, NULL);
    assert_true(second >= 0);
    assert_int_equal(access(path, F_OK), 0);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, tree_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(an_image_is_read_as_it_was_written),
        WITH_STORE(a_name_holds_while_its_files_are_the_same),
        WITH_STORE(an_image_without_one_of_its_layers_is_not_found),
        WITH_STORE(within_the_bound_nothing_goes),
        WITH_STORE(what_was_used_longest_ago_goes_first),
        WITH_STORE(layers_that_no_image_has_go_before_images),
        WITH_STORE(a_layer_that_another_image_has_stays),
        WITH_STORE(what_is_pinned_stays_whatever_the_bound),
        WITH_STORE(what_was_used_just_now_stays),
        WITH_STORE(an_image_counts_as_used_until_its_container_ends),
        WITH_STORE(a_damaged_pin_stops_the_collection),
        WITH_STORE(names_and_blobs_of_what_went_go_too),
        WITH_STORE(half_a_pull_goes_when_it_is_old_and_nobody_has_it),
        WITH_STORE(a_lock_that_was_dropped_is_taken_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
