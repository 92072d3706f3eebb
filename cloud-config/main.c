/* SPDX-License-Identifier: Apache-2.0 */
/* muster-cloudinit: reads a cloud-config file, judges it, and configures the machine from it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cloud-config/apply.h"
#include "cloud-config/model.h"
#include "cloud-config/options.h"
#include "cloud-config/plan.h"
#include "cloud-config/report.h"
#include "cloud-config/substitute.h"
#include "cloud-config/user_data.h"
#include "cloud-config/validate.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void complain(const char *message)
{
    (void)fprintf(stderr, "muster-cloudinit: %s\n", message);
}

static void say(const char *line)
{
    (void)printf("%s\n", line);
    (void)fflush(stdout); /* keeps its place among the output of programs that are run */
}

static int print_report(struct report *report, FILE *to, struct error *err)
{
    report_sort(report);
    autotext text = { 0 };
    report_print(report, &text);
    if (report->failed || text.failed)
        return error_oom(err);
    if (text.length)
        (void)fputs(text.data, to);
    return 0;
}

/* Parses a cloud-config into ret and judges it; a syntax fault is an entry, and *ret stays NULL.
 * Addresses (may be NULL) are put in before judging: what is applied is what is judged. */
static int read_document(const char *data, size_t length, struct addresses *addresses,
                         struct node **ret, struct report *report, struct error *err)
{
    autoptr(node) root = NULL;
    struct error why = { 0 };
    int line;
    int r = document_parse(data, length, &root, &line, &why);
    if (r == -ENOMEM)
        return error_oom(err);
    if (r < 0) {
        report_add(report, REPORT_ERROR, line, "%s", why.text);
        return 0;
    }
    if (addresses)
        r = substitute_document(root, addresses, err);
    if (r == 0)
        r = validate_document(root, report, err);
    if (r == 0)
        *ret = take_ptr(root);
    return r;
}

static void report_header(struct report *report)
{
    report_add(report, REPORT_ERROR, 1, "must be \"#cloud-config\" or begin with \"#!\"");
}

static int validate(const char *data, size_t length, enum user_data_kind kind, struct error *err)
{
    autoptr(node) root = NULL;
    autoreport report = { 0 };
    int r = 0;
    if (kind == USER_DATA_UNKNOWN)
        report_header(&report);
    else if (kind == USER_DATA_CLOUD_CONFIG)
        r = read_document(data, length, NULL, &root, &report, err);
    if (r == 0)
        r = print_report(&report, stdout, err);
    if (r == 0 && report.count)
        r = error_set(err, -EINVAL, "%zu %s, exit status 1", report.count,
                      report.count == 1 ? "entry" : "entries");
    return r;
}

static void tell_done(const struct plan *plan, size_t done)
{
    if (!done) {
        complain("nothing has been done");
        return;
    }
    complain("done before that, and left so:");
    for (size_t i = 0; i < done; i++) {
        autotext text = { 0 };
        step_print(&plan->steps[i], &text);
        (void)fprintf(stderr, "  %s\n", text.failed ? "?" : text.data);
    }
}

/* Positive, because --ignore-failure forgives input that is no good, not a machine left half done.
 */
enum { APPLY_FAILED = 1 };

static int carry_out(const struct plan *plan, const struct options *options, struct error *err)
{
    if (options->dry_run) {
        autotext text = { 0 };
        plan_print(plan, &text);
        if (text.failed)
            return error_oom(err);
        (void)fputs(text.data ? text.data : "nothing to do\n", stdout);
        return 0;
    }
    const struct apply_options apply_options = { .root = options->root, .say = say };
    size_t done;
    int r = apply_plan(plan, &apply_options, &done, err);
    if (r == 0)
        return 0;
    tell_done(plan, done);
    return APPLY_FAILED;
}

static void tell_missing_addresses(const struct addresses *addresses)
{
    for (size_t i = 0; i < ADDRESS_COUNT; i++)
        if (addresses->missed[i])
            (void)fprintf(stderr, "muster-cloudinit: warning: %s is empty: %s is not set\n",
                          address_name(i), address_variable(i));
}

static int apply_cloud_config(const char *data, size_t length, const struct options *options,
                              struct error *err)
{
    autoptr(node) root = NULL;
    autoptr(model) model = NULL;
    autoptr(plan) plan = NULL;
    autoreport report = { 0 };
    struct addresses addresses;
    addresses_from_environment(&addresses);
    int r = read_document(data, length, &addresses, &root, &report, err);
    if (r < 0)
        return r;
    tell_missing_addresses(&addresses);
    if (root)
        validate_unapplied(root, &report);
    r = print_report(&report, stderr, err);
    if (r < 0)
        return r;
    if (report_forbids_apply(&report))
        return error_set(err, -EINVAL, "not applied because of the errors above");
    r = model_build(root, &model, err);
    if (r == 0)
        r = plan_build(model, &plan, err);
    return r < 0 ? r : carry_out(plan, options, err);
}

static int apply(const char *data, size_t length, enum user_data_kind kind,
                 const struct options *options, struct error *err)
{
    switch (kind) {
    case USER_DATA_EMPTY:
        return 0;
    case USER_DATA_CLOUD_CONFIG:
        return apply_cloud_config(data, length, options, err);
    case USER_DATA_IGNITION:
        say("Detected an Ignition config. Exiting...");
        return 0;
    case USER_DATA_SCRIPT:
        return error_set(err, -EOPNOTSUPP, "scripts (\"#!\") are not run by this version");
    case USER_DATA_GZIP:
        return error_set(err, -EOPNOTSUPP, "compressed files are not read by this version");
    case USER_DATA_UNKNOWN:
        break;
    }
    return error_set(err, -EINVAL, "the first line must be \"#cloud-config\"");
}

static int work(const struct options *options, struct error *err)
{
    autofree char *data = NULL;
    size_t length;
    int r = file_read(options->from_file, DOCUMENT_MAX_BYTES, &data, &length, err);
    if (r < 0)
        return r;
    enum user_data_kind kind = user_data_kind(data, length);
    if (options->validate && kind != USER_DATA_GZIP)
        r = validate(data, length, kind, err);
    else
        r = apply(data, length, kind, options, err);
    return r < 0 ? error_prefix(err, r, "%s", options->from_file) : r;
}

static int usage(const char *message)
{
    complain(message);
    complain("see --help");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct options options;
    struct error err = { 0 };
    if (options_parse(argc, argv, &options, &err) < 0)
        return usage(err.text);
    if (options.help)
        return fputs(options_help, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
    if (options.version)
        return printf("muster-cloudinit %s\n", PACKAGE_VERSION) < 0 ? EXIT_FAILED : EXIT_DONE;
    if (!options.from_file)
        return usage("nothing to read: give --from-file PATH");
    (void)umask(022);
    int r = work(&options, &err);
    if (r == 0)
        return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
    complain(err.text);
    return r < 0 && options.ignore_failure ? EXIT_DONE : EXIT_FAILED;
}
