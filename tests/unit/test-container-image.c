/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts are written on the fly, blob by blob, into a temporary directory. */
#include "container/image.h"

#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/unit/harness.h"
#include "tests/unit/tree.h"

static const char manifest_type[] = "application/vnd.oci.image.manifest.v1+json";
static const char index_type[] = "application/vnd.oci.image.index.v1+json";

static const char *layout;

static void write_file(const char *name, const char *text)
{
    autofree char *path = text_format("%s/%s", layout, name);
    assert_int_equal(file_write(path, text, strlen(text), 0644, NULL), 0);
}

static int make_layout(void **state)
{
    assert_int_equal(tree_setup(state), 0);
    layout = *state;
    autofree char *blobs = text_format("%s/blobs/sha256", layout);
    assert_int_equal(file_make_dirs(blobs, 0755, NULL), 0);
    write_file("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    return 0;
}

/* Stores a blob and gives its descriptor as text. more: further members, beginning with a comma. */
static char *put_blob(const char *text, const char *type, const char *more)
{
    char hex[DIGEST_HEX_SIZE];
    digest_sha256_hex(text, strlen(text), hex);
    autofree char *name = text_format("blobs/sha256/%s", hex);
    write_file(name, text);
    return text_format("{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%zu%s}", type, hex,
                       strlen(text), more);
}

/* An image whose command is the given word. */
static char *put_image(const char *command, const char *more)
{
    autofree char *config = text_format("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":"
                                        "{\"Cmd\":[\"%s\"]}}",
                                        command);
    autofree char *pointer = put_blob(config, "application/vnd.oci.image.config.v1+json", "");
    autofree char *manifest =
        text_format("{\"schemaVersion\":2,\"config\":%s,\"layers\":[]}", pointer);
    return put_blob(manifest, manifest_type, more);
}

static char *put_tagged(const char *command, const char *tag)
{
    autofree char *more =
        text_format(",\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}", tag);
    return put_image(command, more);
}

static void put_index(const char *descriptors)
{
    autofree char *index = text_format("{\"schemaVersion\":2,\"manifests\":[%s]}", descriptors);
    write_file("index.json", index);
}

static int resolve(const char *tag, struct image **ret, struct error *err)
{
    return image_resolve(layout, tag, "amd64", ret, err);
}

static void command_is(const char *tag, const char *command)
{
    struct error err = { 0 };
    autoptr(image) image = NULL;
    if (resolve(tag, &image, &err) < 0)
        fail_msg("%s", err.text);
    const json_t *list = json_object_get(image->config, "Cmd");
    assert_string_equal(json_string_value(json_array_get(list, 0)), command);
    assert_string_equal(image->layout, layout);
}

/* why: a glob. */
static void refused(const char *tag, int code, const char *why)
{
    struct error err = { 0 };
    struct image *image = NULL;
    assert_int_equal(resolve(tag, &image, &err), code);
    assert_null(image);
    if (!text_glob_match(why, err.text))
        assert_string_equal(err.text, why);
}

static void a_tag_names_its_manifest(void **state)
{
    (void)state;
    autofree char *one = put_tagged("one", "v1");
    autofree char *two = put_tagged("two", "latest");
    autofree char *both = text_format("%s,%s", one, two);
    put_index(both);
    command_is("v1", "one");
    command_is("latest", "two");
    command_is(NULL, "two");
    refused("v3", -ENOENT, "no tag \"v3\"");
}

static void without_a_tag_the_only_manifest_is_meant(void **state)
{
    (void)state;
    autofree char *one = put_tagged("one", "v1");
    put_index(one);
    command_is(NULL, "one");
    refused("latest", -ENOENT, "no tag \"latest\"");
    autofree char *nameless = put_image("nameless", "");
    put_index(nameless);
    command_is(NULL, "nameless");
    autofree char *two = put_tagged("two", "v2");
    autofree char *both = text_format("%s,%s", one, two);
    put_index(both);
    refused(NULL, -ENOENT, "no tag \"latest\" among its 2 manifests; say which one");
    put_index("");
    refused(NULL, -ENOENT, "the layout is empty");
}

static void an_index_of_platforms_gives_this_one(void **state)
{
    (void)state;
    autofree char *arm =
        put_image("arm", ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}");
    autofree char *amd =
        put_image("amd", ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}");
    autofree char *both = text_format("{\"schemaVersion\":2,\"manifests\":[%s,%s]}", arm, amd);
    autofree char *descriptor = put_blob(both, index_type, "");
    put_index(descriptor);
    command_is(NULL, "amd");
    autofree char *only = text_format("{\"schemaVersion\":2,\"manifests\":[%s]}", arm);
    autofree char *foreign = put_blob(only, index_type, "");
    put_index(foreign);
    refused(NULL, -ENOENT, "nothing for linux/amd64 among its platforms");
}

static void a_damaged_layout_is_named(void **state)
{
    (void)state;
    refused(NULL, -EPROTO, "/tmp/* is no OCI layout: oci-layout or index.json is missing");
    write_file("index.json", "{");
    refused(NULL, -EPROTO, "/tmp/*/index.json: not JSON: line 1 column 1: *");
    put_index("{\"digest\":\"sha256:../../../../etc/passwd\"}");
    refused(NULL, -EPROTO,
            "digest \"sha256:../../../../etc/passwd\" is not sha256 with 64 hex digits");
    put_index("{\"digest\":\"sha256:"
              "0000000000000000000000000000000000000000000000000000000000000000\"}");
    refused(NULL, -EPROTO, "blob sha256:0000*0 is missing");
}

static void a_changed_blob_is_found_by_its_digest(void **state)
{
    (void)state;
    autofree char *descriptor = put_image("one", "");
    put_index(descriptor);
    command_is(NULL, "one");
    const char *hex = strstr(descriptor, "sha256:") + strlen("sha256:");
    autofree char *name = text_format("blobs/sha256/%.64s", hex);
    write_file(name, "{\"schemaVersion\":2}");
    refused(NULL, -EPROTO, "blob sha256:* is damaged: its bytes give sha256:*");
}

static void a_layout_that_is_not_there_says_so(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct image *image = NULL;
    assert_int_equal(image_resolve("/nonexistent/x", "v1", "amd64", &image, &err), -ENOENT);
    assert_string_equal(err.text, "no such layout");
    assert_null(image);
}

/* Puts an image with these lists into the layout; two of them are one image's. */
static void put_layers(const char *blobs, const char *layers)
{
    autofree char *config = text_format("{\"rootfs\":{\"diff_ids\":[%s]}}", layers);
    autofree char *pointer = put_blob(config, "application/vnd.oci.image.config.v1+json", "");
    autofree char *manifest =
        text_format("{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s]}", pointer, blobs);
    autofree char *descriptor = put_blob(manifest, manifest_type, "");
    put_index(descriptor);
}

#define HEX(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define ONE    "sha256:" HEX("1a")
#define TWO    "sha256:" HEX("2b")

static void layers_are_those_of_the_configuration(void **state)
{
    (void)state;
    autoptr(image) image = NULL;
    put_layers("{\"digest\":\"" TWO "\"},{\"digest\":\"" ONE "\"}", "\"" ONE "\",\"" TWO "\"");
    assert_int_equal(resolve(NULL, &image, NULL), 0);
    assert_int_equal(strv_length(image->layers), 2);
    assert_string_equal(image->layers[0], ONE);
    assert_int_equal(json_array_size(image->blobs), 2);
    put_layers("{\"digest\":\"" TWO "\"}", "\"" ONE "\",\"" TWO "\"");
    refused(NULL, -EPROTO, "the manifest has 1 layers and its configuration 2");
    put_layers("{\"digest\":\"" TWO "\"}", "\"sha256:../../etc\"");
    refused(NULL, -EPROTO, "layer \"sha256:../../etc\" is not sha256 with 64 hex digits");
}

#define WITH_LAYOUT(test) cmocka_unit_test_setup_teardown(test, make_layout, tree_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LAYOUT(a_tag_names_its_manifest),
        WITH_LAYOUT(without_a_tag_the_only_manifest_is_meant),
        WITH_LAYOUT(an_index_of_platforms_gives_this_one),
        WITH_LAYOUT(a_damaged_layout_is_named),
        WITH_LAYOUT(a_changed_blob_is_found_by_its_digest),
        WITH_LAYOUT(layers_are_those_of_the_configuration),
        cmocka_unit_test(a_layout_that_is_not_there_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
