/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "container/name_files.h"
#include "container/ports.h"
#include "tests/unit/harness.h"
#include "tests/unit/loopback.h"

static char name[] = "web";
static char tcp[] = "tcp";

static const char machine_conf[] = "# made by hand\n"
                                   "nameserver 127.0.0.53\n"
                                   "nameserver 10.1.1.1\n"
                                   "domain old.example\n"
                                   "search a.example b.example\n"
                                   "options ndots:2 rotate\n";

static char *resolv_conf(const struct name_files_resolver *resolver)
{
    struct error err = { 0 };
    char *text = NULL;
    if (name_files_resolv_conf(resolver, &text, &err) < 0)
        fail_msg("%s", err.text);
    return text;
}

static void servers_on_the_machines_loopback_are_left_out(void **state)
{
    (void)state;
    const struct container container = { .host_name = name };
    const struct name_files_resolver resolver = { .container = &container, .base = machine_conf };
    autofree char *text = resolv_conf(&resolver);
    assert_string_equal(text, "search a.example b.example\n"
                              "nameserver 10.1.1.1\n"
                              "options ndots:2 rotate\n");
}

static void with_the_machines_network_they_are_kept(void **state)
{
    (void)state;
    const struct container container = { .host_name = name };
    const struct name_files_resolver resolver = {
        .container = &container,
        .base = machine_conf,
        .keep_loopback = true,
    };
    autofree char *text = resolv_conf(&resolver);
    assert_non_null(strstr(text, "nameserver 127.0.0.53\nnameserver 10.1.1.1\n"));
}

static void the_unit_goes_before_the_network_and_that_before_the_machine(void **state)
{
    (void)state;
    char said[] = "10.9.9.9";
    char nowhere[] = ".";
    char offered[] = "10.86.0.1";
    char *dns[] = { said, NULL };
    char *search[] = { nowhere, NULL };
    char *servers[] = { offered, NULL };
    const struct container silent = { .host_name = name };
    const struct container talking = { .host_name = name, .dns = dns, .dns_search = search };
    struct name_files_resolver resolver = {
        .container = &silent,
        .base = machine_conf,
        .servers = servers,
    };
    autofree char *of_network = resolv_conf(&resolver);
    assert_non_null(strstr(of_network, "nameserver 10.86.0.1\n"));
    assert_null(strstr(of_network, "10.1.1.1"));
    resolver.container = &talking;
    autofree char *of_unit = resolv_conf(&resolver);
    assert_string_equal(of_unit, "nameserver 10.9.9.9\noptions ndots:2 rotate\n");
}

static void only_loopback_is_seen(void **state)
{
    (void)state;
    assert_true(name_files_only_loopback("nameserver 127.0.0.53\nnameserver ::1\n"));
    assert_false(name_files_only_loopback(machine_conf));
    assert_false(name_files_only_loopback("search a\n"));
}

static void hosts_begin_with_what_was_said_and_end_with_its_own(void **state)
{
    (void)state;
    char first[] = "x;y:10.1.1.1";
    char second[] = "gw:host-gateway";
    char address[] = "10.86.0.2/16";
    char *said[] = { first, second, NULL };
    char *addresses[] = { address, NULL };
    const struct container container = { .host_name = name, .add_hosts = said };
    struct name_files_hosts hosts = {
        .container = &container,
        .gateway = "10.86.0.1",
        .addresses = addresses,
        .fallback = "127.0.0.1",
    };
    autofree char *text = NULL;
    assert_int_equal(name_files_hosts(&hosts, &text, NULL), 0);
    assert_string_equal(text, "10.1.1.1\tx y\n"
                              "10.86.0.1\tgw\n"
                              "127.0.0.1\tlocalhost\n"
                              "::1\tlocalhost ip6-localhost ip6-loopback\n"
                              "10.86.0.2\tweb\n"
                              "10.86.0.1\thost.containers.internal host.docker.internal\n");
    struct error err = { 0 };
    hosts.gateway = NULL;
    assert_int_equal(name_files_hosts(&hosts, &text, &err), -EINVAL);
    assert_non_null(strstr(err.text, "AddHost=gw:host-gateway"));
}

/* A port of 127.0.0.1 on which somebody listens as long as *ret_fd is open. */
static int64_t listen_somewhere(int *ret_fd)
{
    int port = 0;
    *ret_fd = loopback_bind(&port);
    assert_int_equal(listen(*ret_fd, 1), 0);
    return port;
}

static void a_port_with_a_listener_is_taken(void **state)
{
    (void)state;
    autoclose int fd = -1;
    struct error err = { 0 };
    json_t *ports = NULL;
    struct container_port port = { .container_port = 80, .count = 1, .protocol = tcp };
    const struct container container = { .ports = &port, .port_count = 1 };
    port.host_port = listen_somewhere(&fd);
    assert_int_equal(ports_choose(&container, NULL, 0, &ports, &err), -EADDRINUSE);
    assert_non_null(strstr(err.text, "is taken by a program that listens there"));
}

static void a_port_of_another_unit_is_told_with_its_holder(void **state)
{
    (void)state;
    char one[] = "10.0.0.1";
    char two[] = "10.0.0.2";
    struct error err = { 0 };
    autojson taken = json_pack("[{s:i, s:i, s:s, s:s}]", "hostPort", 9, "containerPort", 80,
                               "protocol", "tcp", "hostIP", one);
    const struct ports_holder holder = { .unit = "db.service", .ports = taken };
    struct container_port port = {
        .host_ip = one, .host_port = 9, .container_port = 80, .count = 1, .protocol = tcp
    };
    const struct container container = { .ports = &port, .port_count = 1 };
    autojson ports = NULL;
    json_t *refused = NULL;
    assert_int_equal(ports_choose(&container, &holder, 1, &refused, &err), -EADDRINUSE);
    assert_non_null(strstr(err.text, "port 9/tcp of this machine is published by db.service"));
    port.host_ip = NULL;
    assert_int_equal(ports_choose(&container, &holder, 1, &refused, NULL), -EADDRINUSE);
    port.host_ip = two;
    assert_int_equal(ports_choose(&container, &holder, 1, &ports, NULL), 0);
}

static void a_free_range_is_chosen_and_told(void **state)
{
    (void)state;
    struct container_port port = { .container_port = 80, .count = 3, .protocol = tcp };
    const struct container container = { .ports = &port, .port_count = 1 };
    autojson ports = NULL;
    autostrv words = NULL;
    assert_int_equal(ports_choose(&container, NULL, 0, &ports, NULL), 0);
    assert_int_equal(json_array_size(ports), 3);
    assert_int_equal(ports_words(ports, &words, NULL), 0);
    assert_true(text_ends_with(words[0], ":80/tcp"));
    assert_true(text_ends_with(words[2], ":82/tcp"));
}

static void what_is_no_range_is_refused(void **state)
{
    (void)state;
    struct container_port port = {
        .host_port = 65535, .container_port = 80, .count = 2, .protocol = tcp
    };
    const struct container container = { .ports = &port, .port_count = 1 };
    json_t *ports = NULL;
    assert_int_equal(ports_choose(&container, NULL, 0, &ports, NULL), -EPROTO);
}

static void lines_of_others_replace_those_that_were_there(void **state)
{
    (void)state;
    static const char own[] = "127.0.0.1\tlocalhost\n";
    autofree char *one = NULL;
    autofree char *two = NULL;
    autofree char *none = NULL;
    assert_int_equal(name_files_with_others(own, "10.0.0.3\tdb\n", &one, NULL), 0);
    assert_non_null(strstr(one, "\n10.0.0.3\tdb\n"));
    assert_int_equal(name_files_own_length(one), strlen(own));
    assert_int_equal(name_files_with_others(one, "10.0.0.4\tweb\n", &two, NULL), 0);
    assert_null(strstr(two, "10.0.0.3"));
    assert_int_equal(name_files_with_others(two, "", &none, NULL), 0);
    assert_string_equal(none, own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_on_the_machines_loopback_are_left_out),
        cmocka_unit_test(with_the_machines_network_they_are_kept),
        cmocka_unit_test(the_unit_goes_before_the_network_and_that_before_the_machine),
        cmocka_unit_test(only_loopback_is_seen),
        cmocka_unit_test(hosts_begin_with_what_was_said_and_end_with_its_own),
        cmocka_unit_test(lines_of_others_replace_those_that_were_there),
        cmocka_unit_test(a_port_with_a_listener_is_taken),
        cmocka_unit_test(a_port_of_another_unit_is_told_with_its_holder),
        cmocka_unit_test(a_free_range_is_chosen_and_told),
        cmocka_unit_test(what_is_no_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
