/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our reading of unit files beside systemd's own: units drawn from a seed go through both, and what
 * "systemd --test" dumps of them (it starts nothing, needs no root, and refuses to be root) is what
 * we read. SEED=N draws others.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/unit/harness.h"
#include "tests/unit/tree.h"
#include "units/unit_file.h"

enum { CASES = 400, NOBODY = 65534, OUTPUT_MAX = 64 * 1024 * 1024 };

static const char systemd_path[] = "/lib/systemd/systemd";

static char directory[] = "/tmp/test-unit-systemd.XXXXXX";
static unsigned int seed;

static unsigned int draw(unsigned int below)
{
    seed = seed * 1103515245U + 12345U;
    return (seed >> 16) % below;
}

static void add_fragments(struct text *t, const char *const *fragments, unsigned int count,
                          unsigned int most)
{
    for (unsigned int n = draw(most + 1); n > 0; n--)
        text_add(t, fragments[draw(count)]);
}

/* Lines: what continues, ends, comments, and hides in each other. */
static void add_lines(struct text *t)
{
    static const char *const fragments[] = { "a",      "b c",    " ",     "\t",     "\\",   "\\\\",
                                             "\\\n",   "\\\r\n", "\n",    "\r",     "\r\n", "# x\n",
                                             ";y\\\n", " # z\n", "K=v\n", "\\\n\n", "=",    "\"" };
    text_add(t, "Description=");
    add_fragments(t, fragments, sizeof(fragments) / sizeof(fragments[0]), 10);
    text_add(t, "\n\n");
}

/* Words: quotes and escapes. What comes out holds nothing that systemd's dump writes as an escape
 * but quotes and backslashes. */
static void add_words(struct text *t)
{
    static const char *const fragments[] = {
        "k",   "zz",    " ",       "  ",      "\"",          "'",     "\\\\", "\\\"", "\\'",
        "\\s", "\\x41", "\\101",   "\\u0042", "\\U00000043", "\\q",   "\\x4", "\\ ",  "\\9",
        "''",  "é",     "\\u00e9", "\\x00",   "\\U00110000", "\\777", "x=\"", "\\",
    };
    text_add(t, "[Service]\nExecStart=/bin/true w");
    add_fragments(t, fragments, sizeof(fragments) / sizeof(fragments[0]), 14);
    text_add(t, "\n\n");
}

static char *case_text(void)
{
    autotext t = { 0 };
    text_add(&t, "[Unit]\nDefaultDependencies=no\n");
    add_lines(&t);
    add_words(&t);
    return text_take(&t);
}

static void put_file(const char *name, const char *text)
{
    autofree char *path = text_format("%s/%s", directory, name);
    assert_int_equal(file_write(path, text, strlen(text), 0644, NULL), 0);
}

/* --- what we read --- */

/* As systemd's dump has a word. */
static void add_shown(struct text *t, const char *word)
{
    bool quoted = !*word || strpbrk(word, " \"'\\`$");
    text_add(t, quoted ? " \"" : " ");
    for (; *word; word++) {
        if (strchr("\"\\`$", *word))
            text_add(t, "\\");
        text_add_bytes(t, word, 1);
    }
    text_add(t, quoted ? "\"" : "");
}

struct reading {
    char *description; /* "" where we read none */
    char *command;     /* NULL: systemd would refuse it */
};

static char *shown_command(const char *value)
{
    autotext t = { 0 };
    autostrv words = NULL;
    if (unit_words_split(value, &words, NULL) < 0)
        return NULL;
    for (char **word = words; word && *word; word++)
        add_shown(&t, *word);
    return text_take(&t);
}

/* False: we refuse a line that systemd warns of and skips. */
static bool read_case(const char *text, struct reading *ret)
{
    autoptr(unit_file) file = NULL;
    if (unit_file_parse(text, strlen(text), &file, NULL) < 0)
        return false;
    *ret = (struct reading){ strdup(unit_file_get(file, "Unit", "Description")),
                             shown_command(unit_file_get(file, "Service", "ExecStart")) };
    return true;
}

/* --- what systemd reads --- */

static void become_nobody(void)
{
    if (geteuid() == 0 &&
        (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
        _exit(126);
}

static void run_systemd(void)
{
    autofree char *output = text_format("%s/output", directory);
    autofree char *run = text_format("XDG_RUNTIME_DIR=%s/run", directory);
    autofree char *home = text_format("HOME=%s/run", directory);
    autofree char *units = text_format("SYSTEMD_UNIT_PATH=%s", directory);
    char *const environment[] = { run, home, units, (char *)"SYSTEMD_LOG_TARGET=null", NULL };
    if (!freopen(output, "w", stdout))
        _exit(125);
    become_nobody();
    execle(systemd_path, "systemd", "--test", "--user", "--unit=all.target", NULL, environment);
    _exit(127);
}

static char *systemd_dump(void)
{
    autofree char *path = text_format("%s/output", directory);
    char *dump = NULL;
    int status = 0;
    struct error err;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        run_systemd();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    if (file_read(path, OUTPUT_MAX, &dump, NULL, &err) < 0)
        fail_msg("%s", err.text);
    return dump;
}

/* The value of a field of a unit in the dump; NULL if it has none. */
static char *dumped(const char *dump, const char *unit, const char *field)
{
    autofree char *heading = text_format("-> Unit %s:\n", unit);
    autofree char *label = text_format("\t%s: ", field);
    const char *begin = strstr(dump, heading);
    if (!begin)
        fail_msg("systemd dumped no %s", unit);
    const char *end = strstr(begin + 1, "-> Unit ");
    const char *value = strstr(begin, label);
    if (!value || (end && value > end))
        return NULL;
    value += strlen(label);
    return strndup(value, strcspn(value, "\n"));
}

static bool agrees(const char *dump, const char *unit, const struct reading *ours)
{
    autofree char *description = dumped(dump, unit, "Description");
    autofree char *command = dumped(dump, unit, "Command Line");
    autofree char *load = dumped(dump, unit, "Unit Load State");
    const char *shown = *ours->description ? ours->description : unit;
    if (ours->command ? text_equal(command, ours->command + 1) : text_equal(load, "bad-setting"))
        if (text_equal(description, shown))
            return true;
    print_message("# systemd: \"%s\", %s, %s\n# muster: \"%s\", %s\n", description, load, command,
                  shown, ours->command ? ours->command : "(refused)");
    return false;
}

static void write_fixed_units(void)
{
    static const char *const names[] = { "basic.target", "sysinit.target", "shutdown.target",
                                         "default.target" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        put_file(names[i], "[Unit]\nDefaultDependencies=no\n");
    autofree char *run = text_format("%s/run", directory);
    autofree char *output = text_format("%s/output", directory);
    assert_int_equal(mkdir(run, 0777), 0);
    assert_int_equal(chmod(directory, 0755), 0);
    assert_int_equal(file_write(output, "", 0, 0644, NULL), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(run, NOBODY, NOBODY), 0);
}

/* Cases that we refuse, where systemd would skip a line, are drawn again. */
static char *readable_case(struct reading *ret)
{
    for (;;) {
        autofree char *text = case_text();
        if (read_case(text, ret))
            return take_ptr(text);
    }
}

static void systemd_reads_what_we_read(void **state)
{
    static char *texts[CASES];
    static struct reading readings[CASES];
    autotext all = { 0 };
    (void)state;
    if (access(systemd_path, X_OK) < 0)
        skip();
    write_fixed_units();
    text_add(&all, "[Unit]\nDefaultDependencies=no\n");
    for (unsigned int i = 0; i < CASES; i++) {
        autofree char *name = text_format("case-%u.service", i);
        texts[i] = readable_case(&readings[i]);
        put_file(name, texts[i]);
        text_addf(&all, "Wants=%s\n", name);
    }
    put_file("all.target", all.data);
    autofree char *dump = systemd_dump();
    unsigned int failures = 0;
    for (unsigned int i = 0; i < CASES; i++) {
        autofree char *name = text_format("case-%u.service", i);
        if (!agrees(dump, name, &readings[i])) {
            print_message("# case %u: %s\n", i, texts[i]);
            failures++;
        }
        free(texts[i]);
        free(readings[i].description);
        free(readings[i].command);
    }
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(systemd_reads_what_we_read),
    };
    const char *wanted = getenv("SEED");
    seed = wanted ? (unsigned int)strtoul(wanted, NULL, 10) : 1;
    if (!mkdtemp(directory))
        return 1;
    int r = cmocka_run_group_tests_name("units/unit_file beside systemd", tests, NULL, NULL);
    tree_forget(directory);
    return r;
}
