/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden cases of tests/golden/container: a .container file, and what becomes of it, in three
 * parts: the specification that muster-container reads, the systemd unit, and the runtime's
 * configuration. The case "minimal" has all of it, the others what they have more (+) or less (-)
 * than that one, so that a case shows what its keys do. What only a machine knows is made up in
 * facts_of().
 */
#include "base/json.h"
#include "tests/unit/golden.h"
#include "units/oci.h"
#include "units/translate.h"
#include "units/unit_file.h"

enum { FACTS_MAX = 16, SHORT_LIST = 10 };

static const char unit_name[] = "web@1.service";
static const struct unit_host host = {
    .helper = "/usr/lib/muster/muster-container",
    .machine = {.host_name = "n1.example.org", .id = "1e93a2c45f6b4d07a8b9c0d1e2f30415"},
};
static const char image_text[] =
    "{\"Entrypoint\":[\"/entry\"],\"Cmd\":[\"image-command\"],\"Env\":[\"FROM_IMAGE=1\"],"
    "\"WorkingDir\":\"/srv\"}";

/* --- lines --- */

static void add_line(char ***lines, const char *part, const char *path, const char *value)
{
    assert_int_equal(strv_addf(lines, NULL, "%s%s %s", part, path, value), 0);
}

/* What tells one element of a list from another, rather than its place. */
static const char *identity_of(const json_t *element)
{
    static const char *const names[] = { "destination", "path", "type", "name", NULL };
    for (const char *const *name = names; *name; name++)
        if (json_is_string(json_object_get(element, *name)))
            return json_string_value(json_object_get(element, *name));
    return "";
}

/* The order of a command or of options matters, that of a long list of names does not. */
static bool is_short_list(const json_t *value)
{
    size_t i = 0;
    const json_t *element = NULL;
    json_array_foreach(value, i, element)
        if (!json_is_string(element))
            return false;
    return json_is_array(value) && json_array_size(value) <= SHORT_LIST;
}

/* A line for each value, with its path. */
static void flatten(char ***lines, const char *part, const char *path, const json_t *value)
{
    const char *key = NULL;
    const json_t *member = NULL;
    size_t i = 0;
    json_object_foreach((json_t *)value, key, member) {
        autofree char *below = text_format("%s%s%s", path, *path ? "." : "", key);
        flatten(lines, part, below, member);
    }
    bool is_line = is_short_list(value) || !(json_is_object(value) || json_is_array(value));
    if (!is_line) {
        json_array_foreach(value, i, member) {
            autofree char *below = text_format("%s[%s]", path, identity_of(member));
            flatten(lines, part, below, member);
        }
        return;
    }
    autofree char *text = json_dumps(value, JSON_ENCODE_ANY);
    add_line(lines, part, path, text);
}

static void add_unit_lines(char ***lines, const char *text)
{
    autostrv split = NULL;
    assert_int_equal(strv_split(text, "\n", &split, NULL), 0);
    for (char **line = split; line && *line; line++)
        if (**line != '#')
            add_line(lines, "unit", "", *line);
}

/* --- what a machine would know --- */

struct facts {
    struct oci_input input;
    struct oci_mount mounts[FACTS_MAX];
    struct oci_device devices[FACTS_MAX];
    char **options[FACTS_MAX];
    char **host_environment;
    struct container_id_map map;
};

static const char *source_of(const struct container_mount *mount)
{
    if (mount->type == CONTAINER_MOUNT_VOLUME || mount->type == CONTAINER_MOUNT_IMAGE)
        return mount->source ? mount->source : "(anonymous)";
    return mount->source;
}

static void mounts_of(const struct container *container, struct facts *facts)
{
    assert_true(container->mount_count <= FACTS_MAX);
    for (size_t i = 0; i < container->mount_count; i++) {
        const struct container_mount *mount = &container->mounts[i];
        assert_int_equal(oci_mount_options(mount, &facts->options[i], NULL), 0);
        facts->mounts[i] = (struct oci_mount){
            .type = oci_mount_type(mount->type),
            .source = source_of(mount),
            .destination = mount->destination,
            .options = facts->options[i],
        };
    }
}

static void devices_of(const struct container *container, struct facts *facts)
{
    assert_true(container->device_count <= FACTS_MAX);
    for (size_t i = 0; i < container->device_count; i++)
        facts->devices[i] = (struct oci_device){ .path = container->devices[i].inside,
                                                 .type = 'c',
                                                 .major = 10,
                                                 .minor = 229,
                                                 .mode = 0666 };
}

static void facts_of(const struct container *container, const json_t *image, struct facts *facts)
{
    bool shares = container->network == CONTAINER_NETWORK_UNIT ||
                  container->network == CONTAINER_NETWORK_PATH;
    mounts_of(container, facts);
    devices_of(container, facts);
    for (char **name = container->environment_names; name && *name; name++)
        assert_int_equal(strv_addf(&facts->host_environment, NULL, "%s=of-the-service", *name), 0);
    facts->map = (struct container_id_map){ 0, 100000, 65536 };
    facts->input = (struct oci_input){
        .container = container,
        .image_config = image,
        .root_path = "/root",
        .host_environment = (const char *const *)facts->host_environment,
        .local_time = container->timezone ? "/usr/share/zoneinfo/ZONE" : NULL,
        .init = container->run_init ? "/usr/bin/catatonit" : NULL,
        .mounts = facts->mounts,
        .mount_count = container->mount_count,
        .devices = facts->devices,
        .device_count = container->device_count,
        .network_namespace = shares ? container->network_target : NULL,
        .ipc_namespace = container->pod,
        .uts_namespace = container->pod,
        .shared_memory = container->pod ? "/shm" : NULL,
    };
    if (container->userns == CONTAINER_USERNS_HOST)
        return;
    bool mapped = container->userns == CONTAINER_USERNS_MAP;
    facts->input.uid_maps = mapped ? container->uid_maps : &facts->map;
    facts->input.uid_map_count = mapped ? container->uid_map_count : 1;
    facts->input.gid_maps = mapped ? container->gid_maps : &facts->map;
    facts->input.gid_map_count = mapped ? container->gid_map_count : 1;
}

static void facts_done(struct facts *facts)
{
    for (size_t i = 0; i < FACTS_MAX; i++)
        strv_free(facts->options[i]);
    strv_free(facts->host_environment);
}

/* --- a case --- */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_config(char ***lines, const json_t *spec)
{
    autoptr(container) container = NULL;
    autojson image = NULL;
    autojson config = NULL;
    __attribute__((cleanup(facts_done))) struct facts facts = { 0 };
    struct error err = { 0 };
    assert_int_equal(container_from_json(spec, &container, NULL), 0);
    assert_int_equal(json_read(image_text, strlen(image_text), &image, NULL), 0);
    facts_of(container, image, &facts);
    if (oci_config(&facts.input, &config, &err) < 0)
        fail_msg("%s", err.text);
    flatten(lines, "config ", "", config);
}

static void add_warnings(char ***lines, const char *text, size_t length)
{
    autoptr(unit_file) file = NULL;
    autoptr(container) container = NULL;
    assert_int_equal(unit_file_parse(text, length, &file, NULL), 0);
    assert_int_equal(container_read(file, unit_name, &host.machine, &container, NULL), 0);
    for (char **warning = container->warnings; warning && *warning; warning++)
        add_line(lines, "warning", "", *warning);
}

static char **lines_of(const char *name)
{
    size_t length = 0;
    autofree char *text = golden_read("container", name, "input.container", &length);
    autoptr(translation) translation = NULL;
    autojson spec = NULL;
    struct error err = { 0 };
    char **lines = NULL;
    assert_non_null(text);
    if (unit_translate(unit_name, text, length, &host, &translation, &err) < 0) {
        add_line(&lines, "error", "", err.text);
        return lines;
    }
    assert_int_equal(
        json_read(translation->container_json, strlen(translation->container_json), &spec, NULL),
        0);
    flatten(&lines, "spec ", "", spec);
    add_unit_lines(&lines, translation->unit_text);
    for (char **link = translation->links; link && *link; link++)
        add_line(&lines, "link", "", *link);
    add_config(&lines, spec);
    add_warnings(&lines, text, length);
    qsort(lines, strv_length(lines), sizeof(*lines), compare_lines);
    return lines;
}

/* Both lists are sorted. */
static char *difference(char *const *base, char *const *lines)
{
    autotext t = { 0 };
    while (*base || *lines) {
        int order = !*base ? 1 : !*lines ? -1 : strcmp(*base, *lines);
        if (order != 0)
            text_addf(&t, "%c %s\n", order < 0 ? '-' : '+', order < 0 ? *base : *lines);
        base += order <= 0;
        lines += order >= 0;
    }
    return text_take(&t);
}

static bool judge(const char *name)
{
    static char *const nothing[] = { NULL };
    bool is_base = strcmp(name, "minimal") == 0;
    autostrv base = is_base ? NULL : lines_of("minimal");
    autostrv lines = lines_of(name);
    bool failed = text_starts_with(lines[0], "error");
    autofree char *made = difference(is_base || failed ? nothing : base, lines);
    assert_non_null(made);
    return golden_judge("container", name, "expected.txt", made);
}

static void every_case_gives_what_is_expected(void **state)
{
    (void)state;
    golden_each("container", 40, judge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_gives_what_is_expected),
    };
    return cmocka_run_group_tests_name("units/container golden", tests, NULL, NULL);
}
