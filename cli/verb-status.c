/* SPDX-License-Identifier: Apache-2.0 */
/* What the cluster knows, then, for a unit on this machine, what systemd does. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"
#include "cli/unit.h"

static void print_line(const char *heading, const char *value)
{
    if (*value)
        (void)printf("%9s: %s\n", heading, value);
}

static void print_since(int64_t since_ms)
{
    char stamp[64];
    struct tm tm;
    time_t seconds = since_ms / 1000;
    if (since_ms <= 0 || !localtime_r(&seconds, &tm) ||
        !strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S %Z", &tm))
        return;
    (void)printf("%9s: %s; %" PRId64 " s ago\n", "Since", stamp,
                 (clock_wall_ms() - since_ms) / 1000);
}

/* What a machine said before it was lost is not what is; whoever looks for a fault wants it. */
static const char *remark_on(const json_t *copy)
{
    if (!json_object_get(copy, "last_heard"))
        return json_is_true(json_object_get(copy, "present")) ? "" : " (absent)";
    return json_is_true(json_object_get(copy, "present"))
               ? " (came back; what follows is the last that was heard before)"
               : " (absent; what follows is the last that was heard)";
}

static void print_health(const json_t *copy)
{
    const char *health = row_string(copy, "health");
    const char *reason = row_string(copy, "health_reason");
    autofree char *line = text_format("%s: %s", health, reason);
    print_line("Health", *health && *reason && line ? line : health);
}

/* Of two copies the one that is to stay. */
static void print_move(const struct cli *cli, const json_t *copy)
{
    const char *from = row_string(copy, "moves_from");
    autofree char *machine = *from ? machine_cell(cli, from, "") : NULL;
    autofree char *line =
        machine ? text_format("here from %s, where it stops once it is up here", machine) : NULL;
    print_line("Moves", line ? line : "");
}

static void print_copy(const struct cli *cli, const json_t *copy)
{
    autofree char *machine = machine_cell(cli, row_string(copy, "machine"), row_string(copy, "ip"));
    const json_t *heard = json_object_get(copy, "last_heard");
    const json_t *words = heard ? heard : copy;
    (void)printf("%9s: %s%s\n", "Machine", machine ? machine : "", remark_on(copy));
    (void)printf("%9s: %s (%s), %s\n", "State", row_string(words, "active"),
                 row_string(words, "sub"), row_string(copy, "load"));
    print_since(json_integer_value(json_object_get(copy, "since_ms")));
    print_health(copy);
    print_line("Result", row_string(copy, "result"));
    print_line("Problem", row_string(copy, "problem"));
    print_line("Image", row_string(copy, "image"));
    print_line("Address", row_string(copy, "addresses"));
    print_line("Ports", row_string(copy, "ports"));
    print_line("Chosen", row_string(copy, "why"));
    print_move(cli, copy);
}

static int run_systemctl(const char *unit)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        return complain_text("fork: %s", strerror(errno));
    if (pid == 0) {
        (void)execlp("systemctl", "systemctl", "status", "--no-pager", "-l", "--", unit,
                     (char *)NULL);
        (void)fprintf(stderr, "musterctl: systemctl: %s\n", strerror(errno));
        _exit(EXIT_CODE_FAILED);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return complain_text("systemctl: %s", strerror(errno));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_CODE_FAILED;
}

/* What systemctl status ends with: there it is asked, for other machines its answer is ours. */
static int code_of_copy(const json_t *copy)
{
    const char *active = row_string(copy, "active");
    bool runs = text_equal(active, "active") || text_equal(active, "reloading");
    return runs && json_is_true(json_object_get(copy, "present")) ? EXIT_CODE_OK
                                                                  : EXIT_CODE_NOT_ACTIVE;
}

static int show(const struct cli *cli, const char *typed)
{
    autojson unit = NULL;
    struct error err;
    if (unit_fetch(cli, typed, &unit, &err) < 0)
        return complain(&err);
    const char *name = row_string(unit, "name");
    const json_t *copies = json_object_get(unit, "copies");
    (void)printf("%s%s%s\n", name, *row_string(unit, "description") ? " - " : "",
                 row_string(unit, "description"));
    print_line("Wished", row_string(unit, "desired"));
    print_line("Verdict", row_string(unit, "verdict"));
    int code = json_array_size(copies) ? EXIT_CODE_OK : EXIT_CODE_NOT_ACTIVE;
    if (json_array_size(copies) == 0)
        print_line("Machine", "none");
    for (size_t i = 0; i < json_array_size(copies); i++) {
        const json_t *copy = json_array_get(copies, i);
        int one = code_of_copy(copy);
        print_copy(cli, copy);
        if (unit_is_local(row_string(copy, "machine"))) {
            (void)putchar('\n');
            one = run_systemctl(name);
        }
        code = one > code ? one : code;
    }
    return code;
}

int verb_status(struct cli *cli)
{
    int code = EXIT_CODE_OK;
    for (size_t i = 0; cli->args[i]; i++) {
        if (i > 0)
            (void)putchar('\n');
        int one = show(cli, cli->args[i]);
        code = one > code ? one : code;
    }
    return code;
}
