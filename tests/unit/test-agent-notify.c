/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/unit/harness.h"

enum { QUEUE_MAX = 100000 };

/* An abstract socket of this test alone, as PID 1 would listen on it. */
static int listen_as_systemd(void)
{
    char random[17];
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    text_random_hex(8, random);
    autofree char *name = text_format("@test-agent-notify-%s", random);
    assert_non_null(name);
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, length), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

static void what_is_said_arrives(void **state)
{
    (void)state;
    char read_back[64] = "";
    int fd = listen_as_systemd();
    assert_int_equal(notify_send(0, "WATCHDOG=1"), 1);
    assert_int_equal(recv(fd, read_back, sizeof(read_back), 0), strlen("WATCHDOG=1"));
    assert_memory_equal(read_back, "WATCHDOG=1", strlen("WATCHDOG=1"));
    (void)close(fd);
}

/* With sd_notify() this test would never end. */
static void a_systemd_that_does_not_read_keeps_nobody_waiting(void **state)
{
    (void)state;
    char read_back[64];
    int fd = listen_as_systemd();
    int sent = 0;
    int r = 1;
    while (r == 1 && sent < QUEUE_MAX) {
        r = notify_send(0, "WATCHDOG=1");
        sent += r == 1;
    }
    assert_int_equal(r, -EAGAIN);
    assert_true(sent > 0);
    while (recv(fd, read_back, sizeof(read_back), MSG_DONTWAIT) > 0)
        continue;
    assert_int_equal(notify_send(0, "WATCHDOG=1"), 1);
    (void)close(fd);
}

static void nobody_who_listens_is_no_error(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(notify_send(0, "WATCHDOG=1"), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
    assert_int_equal(notify_send(0, "WATCHDOG=1"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_arrives),
        cmocka_unit_test(a_systemd_that_does_not_read_keeps_nobody_waiting),
        cmocka_unit_test(nobody_who_listens_is_no_error),
    };
    return cmocka_run_group_tests_name("agent/notify", tests, NULL, NULL);
}
