/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verify.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/unit/harness.h"

#define auto_report __attribute__((cleanup(verify_report_done))) struct verify_report

static void assert_lines(char **lines, const char *const *wanted, size_t count)
{
    for (size_t i = 0; i < count && lines && lines[i]; i++)
        assert_string_equal(lines[i], wanted[i]);
    assert_int_equal(strv_length(lines), count);
}

/* As 252 printed it, with what it said of units of the machine itself. */
static const char output[] =
    "/t/bad.service:2: Unbalanced quoting, ignoring: \"/bin/true \"a\"\n"
    "bad.service: Unit configuration has fatal error, unit will not be started.\n"
    "/t/web@.service:3: Unknown key 'Foo' in section [Service], ignoring.\n"
    "/usr/lib/systemd/system/other.service:3: Unknown key 'Bar' in section [Service], ignoring.\n"
    "other.service: Service has more than one ExecStart= setting. Refusing.\n"
    "Unit bad.service has a bad unit file setting.\n"
    "Unit other.service has a bad unit file setting.\n"
    "a.timer: Timer unit lacks value setting. Refusing.\n"
    "Unit a.timer has a bad unit file setting.\n"
    "web@test_instance.service: Failed to create web@test_instance.service/start: Unit "
    "db.service not found.\n"
    "web@test_instance.service: Command /usr/bin/nope is not executable: No such file or "
    "directory\n"
    "c.socket: service c.service not loaded, socket cannot be started.\n"
    "Unit k-.slice failed to load properly, please adjust/correct and reload service manager: "
    "Invalid argument\n"
    "/t/web.service:9: Failed to parse service type, ignoring: x\n";

static void what_systemd_would_not_load_is_refused_the_rest_is_told(void **state)
{
    static const struct verify_unit units[] = {
        {"bad.service",   ""},
        { "web@.service", ""},
        { "a.timer",      ""},
        { "c.socket",     ""},
        { "k-.slice",     ""},
        { "web.service",  ""},
    };
    static const bool has_lines[] = { true, true, true, true, true, false };
    static const char *const refusals[] = {
        ("bad.service: systemd would refuse it: line 2: Unbalanced quoting, ignoring: "
         "\"/bin/true \"a\""),
        "a.timer: systemd would refuse it: Timer unit lacks value setting. Refusing.",
        "k-.slice: systemd would refuse it",
    };
    static const char *const warnings[] = {
        "web@.service: line 3: Unknown key 'Foo' in section [Service], ignoring.",
        "web.service: Failed to parse service type, ignoring: x",
    };
    (void)state;
    auto_report report = { 0 };
    assert_int_equal(verify_read(output, "/t", units, has_lines, 6, &report, NULL), 0);
    assert_lines(report.refusals, refusals, 3);
    assert_lines(report.warnings, warnings, 2);
}

static void a_quiet_run_reports_nothing(void **state)
{
    static const struct verify_unit unit = { "a.service", "" };
    static const bool has_lines = true;
    (void)state;
    auto_report report = { 0 };
    assert_int_equal(verify_read("", "/t", &unit, &has_lines, 1, &report, NULL), 0);
    assert_null(report.refusals);
    assert_null(report.warnings);
}

static void this_machines_systemd_is_asked(void **state)
{
    static const struct verify_unit units[] = {
        {"muster-test-two.service",
         "[Service]\nExecStart=/bin/true\nExecStart=/nowhere/program\n[X-Fleet]\nGlobal=true\n"                              },
        { "muster-test-warn.service",
         "[Service]\nExecStart=/nowhere/program\nRestart=sometimes\n"                                                        },
        { "muster-test@.service",     "[Unit]\nRequires=muster-nowhere.service\n"
                                  "[Container]\nImage=oci:/img\n[Service]\nMemoryMax=lots\n"},
        { "muster-test.timer",        "[Timer]\nOnCalendar=daily\nUnit=muster-test-warn.service\n"                           },
    };
    static const char *const refusals[] = {
        "muster-test-two.service: systemd would refuse it: Service has more than one ExecStart= "
        "setting, which is only allowed for Type=oneshot services. Refusing.",
    };
    static const char *const warnings[] = {
        "muster-test-warn.service: line 3: Failed to parse service restart specifier, ignoring: "
        "sometimes",
        "muster-test@.service: Invalid memory limit 'lots', ignoring: Invalid argument",
    };
    (void)state;
    if (access("/usr/bin/systemd-analyze", X_OK) < 0)
        skip();
    auto_report report = { 0 };
    struct error err = { 0 };
    if (verify_units(units, 4, &report, &err) < 0)
        fail_msg("%s", err.text);
    assert_lines(report.refusals, refusals, 1);
    assert_lines(report.warnings, warnings, 2);
}

static void without_systemd_analyze_nothing_is_said(void **state)
{
    static const struct verify_unit unit = { "a.service", "[Service]\nExecStart=x\nRestart=y\n" };
    autofree char *path = strdup(getenv("PATH"));
    (void)state;
    auto_report report = { 0 };
    assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
    int r = verify_units(&unit, 1, &report, NULL);
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(r, 0);
    assert_null(report.warnings);
}

static void what_muster_refuses_itself_is_left_to_it(void **state)
{
    static const struct verify_unit unit = { "a.service", "[Service]\nExecStart=x\nnonsense\n" };
    (void)state;
    auto_report report = { 0 };
    assert_int_equal(verify_units(&unit, 1, &report, NULL), 0);
    assert_null(report.refusals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_systemd_would_not_load_is_refused_the_rest_is_told),
        cmocka_unit_test(a_quiet_run_reports_nothing),
        cmocka_unit_test(this_machines_systemd_is_asked),
        cmocka_unit_test(without_systemd_analyze_nothing_is_said),
        cmocka_unit_test(what_muster_refuses_itself_is_left_to_it),
    };
    return cmocka_run_group_tests_name("cli/verify", tests, NULL, NULL);
}
