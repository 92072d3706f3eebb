/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every unit file that the packages of this machine brought, and every drop-in, parses and is
 * written again byte for byte. Whoever installs more packages tests more.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/unit/harness.h"
#include "units/unit_file.h"
#include "units/unit_name.h"

static const char *const directories[] = {
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/user",
    "/usr/share/containers/systemd",
    NULL,
};

static unsigned int read_count;
static unsigned int refused_count;

static bool is_wanted(const char *path)
{
    const char *base = strrchr(path, '/') + 1;
    return text_ends_with(base, ".conf") || text_ends_with(base, ".container") ||
           unit_name_check(base, NULL) == 0;
}

static void try_file(const char *path)
{
    autofree char *text = NULL;
    autofree char *written = NULL;
    autoptr(unit_file) file = NULL;
    size_t length = 0;
    struct error err = { 0 };
    if (file_read(path, UNIT_FILE_MAX_BYTES, &text, &length, &err) < 0)
        fail_msg("%s", err.text);
    read_count++;
    if (unit_file_parse(text, length, &file, &err) < 0) {
        print_message("# %s: %s\n", path, err.text);
        refused_count++;
        return;
    }
    assert_int_equal(unit_file_write(file, &written, NULL), 0);
    if (strlen(written) != length || memcmp(written, text, length) != 0)
        fail_msg("%s is not written as it was read", path);
}

static int visit(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)ftw;
    if (kind == FTW_F && S_ISREG(info->st_mode) && is_wanted(path))
        try_file(path);
    return 0;
}

static void what_debian_ships_parses_and_is_written_byte_for_byte(void **state)
{
    (void)state;
    for (size_t i = 0; directories[i]; i++)
        if (nftw(directories[i], visit, 16, FTW_PHYS) < 0 && errno != ENOENT)
            fail_msg("%s: %s", directories[i], strerror(errno));
    print_message("# %u unit files\n", read_count);
    if (read_count == 0)
        skip(); /* no systemd is installed here */
    assert_int_equal(refused_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_debian_ships_parses_and_is_written_byte_for_byte),
    };
    return cmocka_run_group_tests_name("units/unit_file of the installed packages", tests, NULL,
                                       NULL);
}
