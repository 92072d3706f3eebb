/* SPDX-License-Identifier: Apache-2.0 */
#include "base/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/unit/harness.h"

enum { MESSAGE_MAX = 4096 };

/* A journald that reads when a test says so. */
struct fixture {
    char directory[64];
    char *path;
    int fd;
    struct journal journal;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){ .directory = "/tmp/muster-test-journal.XXXXXX" };
    assert_non_null(mkdtemp(f->directory));
    f->path = text_format("%s/socket", f->directory);
    assert_non_null(f->path);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    assert_true(strlen(f->path) < sizeof(address.sun_path));
    memcpy(address.sun_path, f->path, strlen(f->path));
    f->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(f->fd >= 0);
    assert_int_equal(bind(f->fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(journal_init(&f->journal, f->path, NULL), 0);
}

static void end(struct fixture *f)
{
    journal_done(&f->journal);
    (void)close(f->fd);
    (void)unlink(f->path);
    (void)rmdir(f->directory);
    free(f->path);
}

static int send_number(struct fixture *f, int number)
{
    autofree char *message = text_format("MESSAGE=%d", number);
    assert_non_null(message);
    return journal_send(&f->journal, (const char *const[]){ message, NULL });
}

/* The next message as text; false: there is none. */
static bool receive(struct fixture *f, char ret[static MESSAGE_MAX])
{
    ssize_t n = recv(f->fd, ret, MESSAGE_MAX - 1, MSG_DONTWAIT);
    ret[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Sends until the journal takes no more; gives the first number that it has not taken. */
static int fill(struct fixture *f)
{
    int number = 0;
    while (send_number(f, number) == 0)
        number++;
    return number;
}

static void fields_are_lines(void **state)
{
    (void)state;
    struct fixture f;
    char message[MESSAGE_MAX];
    begin(&f);
    const char *const fields[] = { "MESSAGE=a=b", "PRIORITY=4", NULL };
    assert_int_equal(journal_send(&f.journal, fields), 0);
    assert_true(receive(&f, message));
    assert_string_equal(message, "MESSAGE=a=b\nPRIORITY=4\n");
    end(&f);
}

static void a_value_of_several_lines_has_its_length_before_it(void **state)
{
    (void)state;
    static const char expected[] = "MESSAGE\n\3\0\0\0\0\0\0\0a\nb\nPRIORITY=4\n";
    struct fixture f;
    char message[MESSAGE_MAX];
    begin(&f);
    const char *const fields[] = { "MESSAGE=a\nb", "PRIORITY=4", NULL };
    assert_int_equal(journal_send(&f.journal, fields), 0);
    assert_true(receive(&f, message));
    assert_memory_equal(message, expected, sizeof(expected));
    end(&f);
}

/* With sd_journal_send() this test would never end. */
static void a_journal_that_does_not_read_keeps_nobody_waiting_and_gets_all_later(void **state)
{
    (void)state;
    struct fixture f;
    char message[MESSAGE_MAX];
    begin(&f);
    int sent = fill(&f) + 1;
    for (int more = 0; more < 100; more++)
        assert_int_equal(send_number(&f, sent++), -EAGAIN);
    int seen = 0;
    while (journal_flush(&f.journal) == -EAGAIN || seen < sent) {
        assert_true(receive(&f, message));
        autofree char *expected = text_format("MESSAGE=%d\n", seen++);
        assert_string_equal(message, expected);
    }
    assert_false(receive(&f, message));
    end(&f);
}

static void what_is_lost_is_counted_and_told_in_its_place(void **state)
{
    (void)state;
    struct fixture f;
    char message[MESSAGE_MAX];
    begin(&f);
    int sent = fill(&f) + 1;
    for (int more = 1; more < JOURNAL_KEPT_MAX + 7; more++)
        assert_int_equal(send_number(&f, sent++), -EAGAIN);
    for (int seen = 0; seen < sent - 7; seen++) {
        (void)journal_flush(&f.journal);
        assert_true(receive(&f, message));
    }
    assert_int_equal(send_number(&f, sent), 0);
    assert_true(receive(&f, message));
    assert_non_null(strstr(message, "MESSAGE=log: 7 lines are missing here"));
    assert_true(receive(&f, message));
    autofree char *expected = text_format("MESSAGE=%d\n", sent);
    assert_string_equal(message, expected);
    end(&f);
}

static void without_a_journal_lines_are_gone_and_nothing_is_kept(void **state)
{
    (void)state;
    struct journal journal;
    const char *const fields[] = { "MESSAGE=nobody", NULL };
    assert_int_equal(journal_init(&journal, "/no/such/socket", NULL), 0);
    assert_int_equal(journal_send(&journal, fields), -ENOENT);
    assert_int_equal(journal.kept, 0);
    journal_done(&journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_lines),
        cmocka_unit_test(a_value_of_several_lines_has_its_length_before_it),
        cmocka_unit_test(a_journal_that_does_not_read_keeps_nobody_waiting_and_gets_all_later),
        cmocka_unit_test(what_is_lost_is_counted_and_told_in_its_place),
        cmocka_unit_test(without_a_journal_lines_are_gone_and_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
