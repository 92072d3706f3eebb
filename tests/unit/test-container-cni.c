/* SPDX-License-Identifier: Apache-2.0 */
#include "container/cni.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "tests/unit/harness.h"

static const char leases[] = "/run/muster/cni/leases";

static const char chain[] =
    "{\"cniVersion\": \"0.4.0\", \"name\": \"inner\", \"plugins\": ["
    "{\"type\": \"bridge\", \"ipMasq\": true, \"ipam\": {\"type\": \"host-local\"},"
    " \"capabilities\": {\"ips\": true}},"
    "{\"type\": \"portmap\", \"capabilities\": {\"portMappings\": true, \"ips\": false}}]}";

static const char answer[] =
    "{\"cniVersion\": \"1.0.0\","
    " \"interfaces\": [{\"name\": \"muster0\", \"mac\": \"aa:aa:aa:aa:aa:aa\"},"
    "  {\"name\": \"eth0\", \"mac\": \"bb:bb:bb:bb:bb:bb\", \"sandbox\": \"/proc/7/ns/net\"}],"
    " \"ips\": [{\"interface\": 1, \"address\": \"10.0.0.3/16\", \"gateway\": \"10.0.0.1\"},"
    "  {\"interface\": 0, \"address\": \"10.0.0.1/16\"},"
    "  {\"address\": \"fd00::3/64\", \"gateway\": \"fd00::1\"}],"
    " \"dns\": {\"nameservers\": [\"10.0.0.1\"]}}";

static struct cni_network *network_of(const char *text)
{
    struct error err = { 0 };
    struct cni_network *network = NULL;
    if (cni_network_read(text, strlen(text), &network, &err) < 0)
        fail_msg("%s", err.text);
    return network;
}

static json_t *result_of(const char *text)
{
    struct error err = { 0 };
    json_t *result = NULL;
    if (cni_result_read(text, strlen(text), &result, &err) < 0)
        fail_msg("%s", err.text);
    return result;
}

static json_t *input_of(const struct cni_network *network, size_t index,
                        const struct cni_request *request, json_t *result)
{
    struct error err = { 0 };
    autojson wish = NULL;
    json_t *input = NULL;
    assert_int_equal(cni_request_to_json(request, &wish, &err), 0);
    if (cni_plugin_input(network, index, wish, result, leases, &input, &err) < 0)
        fail_msg("%s", err.text);
    return input;
}

static const char *text_at(const json_t *json, const char *one, const char *two, const char *three)
{
    json = json_object_get(json, one);
    json = two ? json_object_get(json, two) : json;
    json = three ? json_object_get(json, three) : json;
    return json_string_value(json_is_array(json) ? json_array_get(json, 0) : json);
}

static void a_list_keeps_its_plugins_in_order(void **state)
{
    (void)state;
    autoptr(cni_network) network = network_of(chain);
    assert_string_equal(network->name, "inner");
    assert_int_equal(cni_plugin_count(network), 2);
    assert_string_equal(cni_plugin_type(network, 0), "bridge");
    assert_string_equal(cni_plugin_type(network, 1), "portmap");
    assert_true(cni_network_can(network, "portMappings"));
    assert_true(cni_network_can(network, "ips"));
    assert_false(cni_network_can(network, "mac"));
}

static void a_file_with_one_plugin_is_a_list_of_one(void **state)
{
    (void)state;
    autoptr(cni_network) network = network_of("{\"name\": \"lan\", \"type\": \"macvlan\"}");
    assert_string_equal(network->name, "lan");
    assert_int_equal(cni_plugin_count(network), 1);
    assert_string_equal(cni_plugin_type(network, 0), "macvlan");
}

static void a_network_that_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"[]",                                                          "holds no object"        },
        { "{\"name\": \"a\"",                                           "not JSON"               },
        { "{\"plugins\": [{\"type\": \"bridge\"}]}",                    "\"name\" is missing"    },
        { "{\"name\": \"../a\", \"type\": \"bridge\"}",                 "network name \"../a\""  },
        { "{\"name\": \"a\", \"plugins\": []}",                         "network a has no plug"  },
        { "{\"name\": \"a\", \"plugins\": {}}",                         "\"plugins\" is not"     },
        { "{\"name\": \"a\", \"plugins\": [1]}",                        "a plugin that is no"    },
        { "{\"name\": \"a\", \"type\": \"../../bin/sh\"}",              "is no name of a prog"   },
        { "{\"name\": \"a\", \"type\": \"bridge\", \"ipam\": \"x\"}",   "\"ipam\" is not"        },
        { "{\"name\": \"a\", \"type\": \"b\", \"capabilities\": true}", "\"capabilities\" is not"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };
        struct cni_network *network = NULL;
        assert_int_equal(cni_network_read(cases[i].text, strlen(cases[i].text), &network, &err),
                         -EINVAL);
        if (!strstr(err.text, cases[i].reason))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

static void a_plugin_is_told_the_network_and_the_result_before_it(void **state)
{
    (void)state;
    autoptr(cni_network) network = network_of(chain);
    autojson before = result_of(answer);
    const struct cni_request request = { .interface = "eth0" };
    autojson first = input_of(network, 0, &request, NULL);
    autojson second = input_of(network, 1, &request, before);
    assert_string_equal(text_at(first, "name", NULL, NULL), "inner");
    assert_string_equal(text_at(first, "cniVersion", NULL, NULL), "0.4.0");
    assert_null(json_object_get(first, "capabilities"));
    assert_null(json_object_get(first, "prevResult"));
    assert_null(json_object_get(first, "runtimeConfig"));
    assert_true(json_equal(json_object_get(second, "prevResult"), before));
}

static void leases_lie_where_a_boot_begins_anew_unless_the_network_says(void **state)
{
    (void)state;
    autoptr(cni_network) network = network_of(chain);
    autoptr(cni_network) other = network_of("{\"name\": \"own\", \"type\": \"bridge\", \"ipam\": "
                                            "{\"type\": \"host-local\", \"dataDir\": \"/x\"}}");
    const struct cni_request request = { .interface = "eth0" };
    autojson input = input_of(network, 0, &request, NULL);
    autojson own = input_of(other, 0, &request, NULL);
    autofree char *path = NULL;
    autofree char *own_path = NULL;
    assert_string_equal(text_at(input, "ipam", "dataDir", NULL), leases);
    assert_string_equal(text_at(own, "ipam", "dataDir", NULL), "/x");
    assert_int_equal(cni_lease_path(network, leases, &path, NULL), 0);
    assert_string_equal(path, "/run/muster/cni/leases/inner");
    assert_int_equal(cni_lease_path(other, leases, &own_path, NULL), 0);
    assert_string_equal(own_path, "/x/own");
}

static void a_wish_goes_by_capability_where_there_is_one(void **state)
{
    (void)state;
    autoptr(cni_network) network = network_of(chain);
    char address[] = "10.0.0.3";
    char *addresses[] = { address, NULL };
    autojson ports = json_pack("[{s:i}]", "hostPort", 80);
    const struct cni_request request = {
        .interface = "eth0",
        .addresses = addresses,
        .mac = "02:00:00:00:00:01",
        .ports = ports,
    };
    autojson bridge = input_of(network, 0, &request, NULL);
    autojson portmap = input_of(network, 1, &request, NULL);
    assert_string_equal(text_at(bridge, "runtimeConfig", "ips", NULL), "10.0.0.3");
    assert_null(text_at(bridge, "args", "cni", "ips"));
    assert_string_equal(text_at(bridge, "args", "cni", "mac"), "02:00:00:00:00:01");
    assert_null(json_object_get(json_object_get(bridge, "runtimeConfig"), "portMappings"));
    assert_true(json_equal(
        json_object_get(json_object_get(portmap, "runtimeConfig"), "portMappings"), ports));
    assert_string_equal(text_at(portmap, "args", "cni", "ips"), "10.0.0.3");
}

static void wishes_leave_the_arguments_of_the_file_alone(void **state)
{
    (void)state;
    autoptr(cni_network) network = network_of("{\"name\": \"a\", \"type\": \"b\", \"args\": "
                                              "{\"cni\": {\"labels\": \"x\"}, \"mine\": \"y\"}}");
    const struct cni_request request = { .interface = "eth0", .mac = "02:00:00:00:00:01" };
    autojson input = input_of(network, 0, &request, NULL);
    assert_string_equal(text_at(input, "args", "cni", "labels"), "x");
    assert_string_equal(text_at(input, "args", "cni", "mac"), "02:00:00:00:00:01");
    assert_string_equal(text_at(input, "args", "mine", NULL), "y");
}

static void aliases_are_told_by_network(void **state)
{
    (void)state;
    autoptr(cni_network) network = network_of("{\"name\": \"a\", \"plugins\": [{\"type\": \"b\"}, "
                                              "{\"type\": \"dnsname\", \"capabilities\": "
                                              "{\"aliases\": true}}]}");
    char alias[] = "db";
    char *aliases[] = { alias, NULL };
    const struct cni_request request = { .interface = "eth0", .aliases = aliases };
    autojson without = input_of(network, 0, &request, NULL);
    autojson with = input_of(network, 1, &request, NULL);
    assert_null(json_object_get(without, "args"));
    assert_string_equal(text_at(with, "runtimeConfig", "aliases", "a"), "db");
}

static void a_result_tells_the_containers_addresses_only(void **state)
{
    (void)state;
    autojson result = result_of(answer);
    autostrv addresses = NULL;
    autostrv gateways = NULL;
    autostrv servers = NULL;
    assert_int_equal(cni_result_addresses(result, &addresses, NULL), 0);
    assert_int_equal(cni_result_gateways(result, &gateways, NULL), 0);
    assert_int_equal(cni_result_dns(result, "nameservers", &servers, NULL), 0);
    assert_int_equal(strv_length(addresses), 2);
    assert_string_equal(addresses[0], "10.0.0.3/16");
    assert_string_equal(addresses[1], "fd00::3/64");
    assert_string_equal(gateways[1], "fd00::1");
    assert_string_equal(servers[0], "10.0.0.1");
    assert_string_equal(cni_result_mac(result), "bb:bb:bb:bb:bb:bb");
}

static void a_result_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{\"ips\": {}}",
        "{\"ips\": [{}]}",
        "{\"ips\": [{\"address\": 1}]}",
        "{\"ips\": [{\"address\": \"10.0.0.3/16\", \"interface\": \"eth0\"}]}",
        "{\"interfaces\": [{\"mac\": \"x\"}]}",
        "{\"interfaces\": [1]}",
        "{\"dns\": {\"nameservers\": \"10.0.0.1\"}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *result = NULL;
        assert_int_equal(cni_result_read(texts[i], strlen(texts[i]), &result, NULL), -EPROTO);
    }
}

static void a_failure_is_told_on_one_line(void **state)
{
    (void)state;
    static const char text[] = "{\"code\": 7, \"msg\": \"no\\nroom\\n\", \"details\": \"\"}";
    static const char more[] = "{\"code\": 1, \"msg\": \"a\", \"details\": \"b\"}";
    autofree char *line = cni_failure_text(text, strlen(text));
    autofree char *both = cni_failure_text(more, strlen(more));
    assert_string_equal(line, "no room");
    assert_string_equal(both, "a: b");
    assert_null(cni_failure_text(answer, strlen(answer)));
    assert_null(cni_failure_text("panic", 5));
}

static void only_masquerading_plugins_need_the_interface_to_undo(void **state)
{
    (void)state;
    autoptr(cni_network) network = network_of(chain);
    autoptr(cni_network) plain = network_of("{\"name\": \"a\", \"type\": \"bridge\"}");
    assert_true(cni_plugin_wants_namespace(network, 0));
    assert_false(cni_plugin_wants_namespace(network, 1));
    assert_false(cni_plugin_wants_namespace(plain, 0));
}

static void names_of_containers_are_what_plugins_take_and_never_alike(void **state)
{
    (void)state;
    char unit[UINT8_MAX + 1] = { 0 };
    memset(unit, '@', sizeof(unit) - 1);
    autofree char *plain = cni_container_id("web.service");
    autofree char *instance = cni_container_id("web@1.service");
    autofree char *like_it = cni_container_id("web_401.service");
    autofree char *longest = cni_container_id(unit);
    assert_string_equal(plain, "muster-web.service");
    assert_string_equal(instance, "muster-web_401.service");
    assert_string_equal(like_it, "muster-web_5f401.service");
    assert_true(strlen(longest) < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_keeps_its_plugins_in_order),
        cmocka_unit_test(a_file_with_one_plugin_is_a_list_of_one),
        cmocka_unit_test(a_network_that_is_none_is_refused),
        cmocka_unit_test(a_plugin_is_told_the_network_and_the_result_before_it),
        cmocka_unit_test(leases_lie_where_a_boot_begins_anew_unless_the_network_says),
        cmocka_unit_test(a_wish_goes_by_capability_where_there_is_one),
        cmocka_unit_test(wishes_leave_the_arguments_of_the_file_alone),
        cmocka_unit_test(aliases_are_told_by_network),
        cmocka_unit_test(a_result_tells_the_containers_addresses_only),
        cmocka_unit_test(a_result_that_is_none_is_refused),
        cmocka_unit_test(a_failure_is_told_on_one_line),
        cmocka_unit_test(only_masquerading_plugins_need_the_interface_to_undo),
        cmocka_unit_test(names_of_containers_are_what_plugins_take_and_never_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
