/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden cases of tests/golden/oci: input.json and what is made of it, expected.json, or
 * expected.error with the words.
 */
#include "units/oci.h"

#include "base/json.h"
#include "tests/unit/golden.h"

enum { GROUPS_MAX = 8 };

static json_t *read_input(const char *name)
{
    struct error err = { 0 };
    size_t length = 0;
    autofree char *text = golden_read("oci", name, "input.json", &length);
    json_t *input = NULL;
    if (!text || json_read(text, length, &input, &err) < 0)
        fail_msg("%s/input.json: %s", name, text ? err.text : "is absent");
    return input;
}

static const char *string_of(const json_t *input, const char *field)
{
    return json_string_value(json_object_get(input, field));
}

static const struct oci_user *user_of(const json_t *input, struct oci_user *user, uint32_t *groups)
{
    const json_t *json = json_object_get(input, "user");
    const json_t *list = json_object_get(json, "groups");
    if (!json)
        return NULL;
    assert_true(json_array_size(list) <= GROUPS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++)
        groups[i] = (uint32_t)json_integer_value(json_array_get(list, i));
    *user = (struct oci_user){
        .uid = (uint32_t)json_integer_value(json_object_get(json, "uid")),
        .gid = (uint32_t)json_integer_value(json_object_get(json, "gid")),
        .groups = groups,
        .group_count = json_array_size(list),
        .home = string_of(json, "home"),
    };
    return user;
}

static int build(const json_t *input, json_t **ret, struct error *err)
{
    static const struct container_id_map map = { 0, 100000, 65536 };
    autoptr(container) container = NULL;
    autostrv extra = NULL;
    uint32_t groups[GROUPS_MAX];
    struct oci_user user;
    assert_int_equal(container_from_json(json_object_get(input, "container"), &container, err), 0);
    assert_int_equal(json_field_strv(input, "extraEnvironment", &extra, err), 0);
    const json_t *image = json_object_get(input, "image");
    const struct oci_input oci = {
        .container = container,
        .image_config = json_is_null(image) ? NULL : image,
        .root_path = "/run/muster/containers/web@1.service/root",
        .user = user_of(input, &user, groups),
        .seccomp = json_object_get(input, "seccomp"),
        .seccomp_filter = string_of(input, "seccompFilter"),
        .notify_socket = string_of(input, "notifySocket"),
        .resolv_conf = string_of(input, "resolvConf"),
        .extra_environment = (const char *const *)extra,
        .user_namespace = string_of(input, "userNamespace"),
        .uid_maps = &map,
        .uid_map_count = string_of(input, "userNamespace") ? 1 : 0,
        .gid_maps = &map,
        .gid_map_count = string_of(input, "userNamespace") ? 1 : 0,
    };
    return oci_config(&oci, ret, err);
}

/* What is compared: the configuration as indented text, or the error's words. */
static char *outcome(const char *name, const char **ret_file)
{
    struct error err = { 0 };
    autojson input = read_input(name);
    autojson config = NULL;
    int r = build(input, &config, &err);
    *ret_file = r < 0 ? "expected.error" : "expected.json";
    if (r < 0) {
        assert_int_equal(r, -EINVAL);
        return text_format("%s\n", err.text);
    }
    autofree char *text = json_dumps(config, JSON_INDENT(1) | JSON_SORT_KEYS);
    assert_non_null(text);
    return text_format("%s\n", text);
}

static bool judge(const char *name)
{
    const char *file = NULL;
    autofree char *made = outcome(name, &file);
    assert_non_null(made);
    return golden_judge("oci", name, file, made);
}

static void every_golden_case_is_as_expected(void **state)
{
    (void)state;
    golden_each("oci", 8, judge);
}

/* What the design forbids, whatever the golden files say. */
static void no_case_names_a_cgroup_or_a_limit(void **state)
{
    (void)state;
    autojson input = read_input("image-command");
    autojson config = NULL;
    assert_int_equal(build(input, &config, NULL), 0);
    const json_t *of_linux = json_object_get(config, "linux");
    assert_null(json_object_get(of_linux, "resources"));
    assert_null(json_object_get(of_linux, "cgroupsPath"));
}

static size_t place_of(const json_t *mounts, const char *destination)
{
    size_t i = 0;
    const json_t *mount = NULL;
    json_array_foreach(mounts, i, mount)
        if (text_equal(string_of(mount, "destination"), destination))
            return i;
    fail_msg("nothing is mounted at %s", destination);
    return 0;
}

static void what_lies_below_another_is_mounted_after_it(void **state)
{
    (void)state;
    char image[] = "i", host[] = "h", *exec[] = { image, NULL };
    const struct container container = { .image = image, .host_name = host, .exec = exec };
    const struct oci_mount mounts[] = {
        {"bind",   "/a", "/data/etc/deep", NULL},
        { "bind",  "/b", "/data",          NULL},
        { "tmpfs", NULL, "/data/etc",      NULL},
        { "tmpfs", NULL, "/run",           NULL},
    };
    const struct oci_input input = {
        .container = &container,
        .root_path = "/root",
        .mounts = mounts,
        .mount_count = sizeof(mounts) / sizeof(mounts[0]),
        .notify_socket = "/run/systemd/notify",
    };
    autojson config = NULL;
    assert_int_equal(oci_config(&input, &config, NULL), 0);
    const json_t *list = json_object_get(config, "mounts");
    assert_true(place_of(list, "/data") < place_of(list, "/data/etc"));
    assert_true(place_of(list, "/data/etc") < place_of(list, "/data/etc/deep"));
    assert_true(place_of(list, "/run") < place_of(list, "/run/notify"));
    assert_true(place_of(list, "/dev") < place_of(list, "/data"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_below_another_is_mounted_after_it),
        cmocka_unit_test(every_golden_case_is_as_expected),
        cmocka_unit_test(no_case_names_a_cgroup_or_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
