/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/options.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"

const char options_help[] =
    "muster-cloudinit [OPTIONS]: configures this machine from a cloud-config file\n"
    "\n"
    "  --from-file PATH     the file; its first line must be #cloud-config\n"
    "  --validate           only say what is wrong with it: \"line N: kind: message\"\n"
    "  --dry-run            only print what would be done\n"
    "  --ignore-failure     exit 0 even if the file cannot be read or is malformed\n"
    "  --root DIR           write below DIR and only print the programs to run\n"
    "  --workspace DIR      where scripts are kept (accepted; no scripts in this version)\n"
    "  --ssh-key-name NAME  name of the SSH keys (accepted; no keys in this version)\n"
    "  --version, --help\n"
    "\n"
    "Exit status: 0 done, or nothing to report; 1 the file cannot be read, is malformed, or could\n"
    "not be applied, or --validate has reported anything, be it only a warning; 2 wrong usage.\n";

struct flag {
    const char *name;
    bool *on; /* one of these two */
    const char **value;
};

static int set_bool(const struct flag *flag, const char *value, struct error *err)
{
    static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True", NULL };
    static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False", NULL };
    bool is_yes = !value, is_no = false;
    for (int i = 0; value && yes[i]; i++) {
        is_yes |= strcmp(value, yes[i]) == 0;
        is_no |= strcmp(value, no[i]) == 0;
    }
    if (!is_yes && !is_no)
        return error_set(err, -EINVAL, "--%s is on or off, not \"%s\"", flag->name, value);
    *flag->on = is_yes;
    return 0;
}

static const struct flag *find_flag(const struct flag *flags, const char *name, size_t length)
{
    for (; flags->name; flags++)
        if (strlen(flags->name) == length && memcmp(flags->name, name, length) == 0)
            return flags;
    return NULL;
}

static int refuse_flag(const char *name, size_t length, struct error *err)
{
    if (text_starts_with(name, "from-") || text_starts_with(name, "oem") ||
        text_starts_with(name, "convert-netconf"))
        return error_set(err, -EINVAL, "--%.*s is not supported by this version: use --from-file",
                         (int)length, name);
    return error_set(err, -EINVAL, "there is no option --%.*s", (int)length, name);
}

/* One argument at *index, and its value if that is the next one. */
static int parse_one(const struct flag *flags, int argc, char **argv, int *index, struct error *err)
{
    const char *name = argv[*index] + 1;
    name += *name == '-';
    size_t length = strcspn(name, "=");
    const char *value = name[length] ? name + length + 1 : NULL;
    const struct flag *flag = find_flag(flags, name, length);
    if (!flag)
        return refuse_flag(name, length, err);
    if (flag->on)
        return set_bool(flag, value, err);
    if (!value && *index + 1 >= argc)
        return error_set(err, -EINVAL, "--%s needs a value", flag->name);
    *flag->value = value ? value : argv[++*index];
    return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct error *err)
{
    struct options o = { 0 };
    const struct flag flags[] = {
        {"from-file",      NULL, &o.from_file },
        { "root",    NULL, &o.root },
        { "workspace",          NULL, &o.workspace },
        { "ssh-key-name",         NULL, &o.ssh_key_name },
        { "validate",     &o.validate, NULL },
        { "dry-run",    &o.dry_run, NULL },
        { "ignore-failure",  &o.ignore_failure, NULL },
        { "version", &o.version, NULL },
        { "help",      &o.help, NULL },
        { "h",            &o.help, NULL },
        { 0      },
    };
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || !argv[i][1])
            return error_set(err, -EINVAL, "unexpected argument \"%s\"", argv[i]);
        int r = parse_one(flags, argc, argv, &i, err);
        if (r < 0)
            return r;
    }
    *ret = o;
    return 0;
}
