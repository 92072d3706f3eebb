/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/program.h"
#include "units/translate.h"
#include "units/unit_file.h"
#include "units/unit_name.h"

static const struct unit_host host = {
    .helper = PKGLIBDIR "/muster-container",
    .machine = {.host_name = "machine", .id = "00000000000000000000000000000000"},
};

enum { TIMEOUT_S = 30 };

void verify_report_done(struct verify_report *report)
{
    strv_free(report->refusals);
    strv_free(report->warnings);
}

/* --- reading the output --- */

/* What was said of one unit. */
struct finding {
    char **sentences;
    bool fatal;
};

/* The instance as which a template is verified. */
static char *verified_name(const char *name)
{
    if (!unit_name_is_template(name))
        return strdup(name);
    const char *dot = strrchr(name, '.');
    return text_format("%.*stest_instance%s", (int)(dot - name), name, dot);
}

/* "PREFIX…" to what follows the prefix; NULL if it does not begin so. */
static const char *after(const char *line, const char *prefix)
{
    return text_starts_with(line, prefix) ? line + strlen(prefix) : NULL;
}

/* What is true of this machine only, or says nothing. */
static bool is_noise(const char *sentence)
{
    bool absent =
        text_starts_with(sentence, "Failed to create ") && text_ends_with(sentence, " not found.");
    bool no_program =
        text_starts_with(sentence, "Command ") && strstr(sentence, " is not executable: ");
    bool no_service = text_ends_with(sentence, " not loaded, socket cannot be started.");
    return absent || no_program || no_service ||
           text_starts_with(sentence, "Unit configuration has fatal error") ||
           text_starts_with(sentence, "Requested transaction contains");
}

/* "NUMBER: words", with or without the number. */
static int add_located(struct finding *finding, const char *located, bool has_lines,
                       struct error *err)
{
    size_t digits = strspn(located, "0123456789");
    const char *words = after(located + digits, ": ");
    if (!words)
        return 0;
    if (!has_lines)
        return strv_add(&finding->sentences, words, err);
    return strv_addf(&finding->sentences, err, "line %.*s: %s", (int)digits, located, words);
}

static int take_line(const char *line, const char *directory, const struct verify_unit *unit,
                     bool has_lines, struct finding *finding, struct error *err)
{
    autofree char *name = verified_name(unit->name);
    autofree char *file = text_format("%s/%s:", directory, unit->name);
    autofree char *speaks = text_format("%s: ", name ? name : unit->name);
    autofree char *bad = text_format("Unit %s has a bad unit file setting", name ? name : "");
    autofree char *failed = text_format("Unit %s failed to load properly", name ? name : "");
    if (!name || !file || !speaks || !bad || !failed)
        return error_oom(err);
    const char *located = after(line, file);
    const char *sentence = after(line, speaks);
    if (text_starts_with(line, bad) || text_starts_with(line, failed))
        finding->fatal = true;
    if (located)
        return add_located(finding, located, has_lines, err);
    return sentence && !is_noise(sentence) ? strv_add(&finding->sentences, sentence, err) : 0;
}

static int report_refusal(const char *name, const struct finding *finding,
                          struct verify_report *report, struct error *err)
{
    autotext t = { 0 };
    for (char **sentence = finding->sentences; sentence && *sentence; sentence++)
        text_addf(&t, "%s%s", t.length ? "; " : "", *sentence);
    autofree char *reasons = text_take(&t);
    if (!reasons)
        return error_oom(err);
    return strv_addf(&report->refusals, err, "%s: systemd would refuse it%s%s", name,
                     *reasons ? ": " : "", reasons);
}

static int report_finding(const char *name, const struct finding *finding,
                          struct verify_report *report, struct error *err)
{
    int r = 0;
    if (finding->fatal)
        return report_refusal(name, finding, report, err);
    for (char **sentence = finding->sentences; r == 0 && sentence && *sentence; sentence++)
        r = strv_addf(&report->warnings, err, "%s: %s", name, *sentence);
    return r;
}

int verify_read(const char *output, const char *directory, const struct verify_unit *units,
                const bool *has_lines, size_t count, struct verify_report *ret, struct error *err)
{
    struct verify_report report = { 0 };
    autostrv lines = NULL;
    int r = strv_split(output, "\n", &lines, err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct finding finding = { 0 };
        for (char **line = lines; r == 0 && line && *line; line++)
            r = take_line(*line, directory, &units[i], has_lines[i], &finding, err);
        if (r == 0)
            r = report_finding(units[i].name, &finding, &report, err);
        strv_free(finding.sentences);
    }
    if (r < 0)
        verify_report_done(&report);
    else
        *ret = report;
    return r;
}

/* --- running it --- */

/* A directory with the units' files, and the argv that has them verified. */
struct scene {
    char directory[32];
    char **argv;
};

static void scene_done(struct scene *scene)
{
    for (char **word = scene->argv; word && *word; word++)
        if (text_starts_with(*word, scene->directory))
            (void)file_remove(*word, NULL);
    if (*scene->directory)
        (void)rmdir(scene->directory);
    strv_free(scene->argv);
}
#define autoscene __attribute__((cleanup(scene_done))) struct scene

/* A container's unit is what muster makes of it; the helper need not be on this machine. Any other
 * goes to systemd as it is, and so do numbers of lines. */
static int text_to_verify(const struct verify_unit *unit, char **ret, bool *ret_has_lines,
                          struct error *err)
{
    autoptr(unit_file) file = NULL;
    autoptr(translation) translation = NULL;
    int r = unit_file_parse(unit->text, strlen(unit->text), &file, err);
    if (r < 0)
        return r;
    *ret_has_lines =
        !unit_file_has_section(file, "Container") && !unit_file_has_section(file, "Pod");
    if (*ret_has_lines) {
        *ret = strdup(unit->text);
        return *ret ? 0 : error_oom(err);
    }
    autofree char *name = verified_name(unit->name);
    if (!name)
        return error_oom(err);
    r = unit_translate(name, unit->text, strlen(unit->text), &host, &translation, err);
    if (r == 0)
        *ret = take_ptr(translation->unit_text);
    return r;
}

static int scene_add(struct scene *scene, const struct verify_unit *unit, bool *ret_has_lines,
                     struct error *err)
{
    autofree char *text = NULL;
    autofree char *path = text_format("%s/%s", scene->directory, unit->name);
    if (!path)
        return error_oom(err);
    int r = text_to_verify(unit, &text, ret_has_lines, err);
    if (r == 0)
        r = file_write(path, text, strlen(text), 0644, err);
    return r < 0 ? r : strv_add(&scene->argv, path, err);
}

static int scene_init(struct scene *scene, struct error *err)
{
    static const char *const words[] = { "systemd-analyze", "--man=no", "--no-pager", "verify" };
    (void)snprintf(scene->directory, sizeof(scene->directory), "/tmp/musterctl.XXXXXX");
    if (!mkdtemp(scene->directory)) {
        *scene->directory = '\0';
        return error_errno(err, -errno, "/tmp");
    }
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(words) / sizeof(words[0]); i++)
        r = strv_add(&scene->argv, words[i], err);
    return r;
}

/* In the child. What it says is read in the order in which it says it, wherever that goes. The
 * alarm outlives exec. */
static void prepare_analyzer(void)
{
    (void)dup2(STDOUT_FILENO, STDERR_FILENO);
    (void)unsetenv("SYSTEMD_UNIT_PATH");
    (void)setenv("SYSTEMD_LOG_LEVEL", "warning", 1);
    (void)setenv("SYSTEMD_LOG_TARGET", "console", 1);
    (void)setenv("SYSTEMD_COLORS", "0", 1);
    (void)alarm(TIMEOUT_S);
}

/* *ret NULL: it is not installed. */
static int run(char **argv, char **ret, struct error *err)
{
    autosaid said = { 0 };
    int r = program_hear(argv, prepare_analyzer, &said, err);
    if (r == 0)
        *ret = said.status == PROGRAM_NOT_INSTALLED ? NULL : take_ptr(said.output);
    return r;
}

int verify_units(const struct verify_unit *units, size_t count, struct verify_report *ret,
                 struct error *err)
{
    autoscene scene = { 0 };
    autofree bool *has_lines = calloc(count + 1, sizeof(*has_lines));
    autofree char *output = NULL;
    *ret = (struct verify_report){ 0 };
    if (!has_lines)
        return error_oom(err);
    for (size_t i = 0; i < count; i++)
        if (unit_check(units[i].name, units[i].text, strlen(units[i].text), NULL) < 0)
            return 0; /* the server will say why, better than systemd would */
    int r = scene_init(&scene, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = scene_add(&scene, &units[i], &has_lines[i], err);
    if (r == 0 && count > 0)
        r = run(scene.argv, &output, err);
    if (r < 0 || !output)
        return r;
    return verify_read(output, scene.directory, units, has_lines, count, ret, err);
}
