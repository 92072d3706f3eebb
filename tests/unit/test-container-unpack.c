/* SPDX-License-Identifier: Apache-2.0 */
/* Layers are written by libarchive into memory, and unpacked into a directory of the test's. */
#include "container/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/unit/harness.h"
#include "tests/unit/tree.h"

static char layer_bytes[256 * 1024];
static size_t layer_size;
static struct archive *layer;

static int setup(void **state)
{
    assert_int_equal(tree_setup(state), 0);
    assert_int_equal(chdir(*state), 0);
    layer = archive_write_new();
    assert_non_null(layer);
    archive_write_set_bytes_in_last_block(layer, 1);
    assert_int_equal(archive_write_set_format_pax_restricted(layer), ARCHIVE_OK);
    assert_int_equal(
        archive_write_open_memory(layer, layer_bytes, sizeof(layer_bytes), &layer_size),
        ARCHIVE_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)archive_write_free(layer);
    assert_int_equal(chdir("/"), 0);
    return tree_teardown(state);
}

static void put(const char *path, unsigned int type, const char *text)
{
    struct archive_entry *entry = archive_entry_new();
    bool is_link = type == AE_IFLNK;
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, type == AE_IFDIR ? 0755 : 0644);
    archive_entry_set_mtime(entry, 1000000000, 0);
    archive_entry_set_size(entry, is_link ? 0 : (la_int64_t)strlen(text));
    if (is_link)
        archive_entry_set_symlink(entry, text);
    assert_true(archive_write_header(layer, entry) >= ARCHIVE_WARN);
    if (!is_link && *text)
        assert_int_equal(archive_write_data(layer, text, strlen(text)), strlen(text));
    archive_entry_free(entry);
}

static int unpack_bytes(const void *bytes, size_t size, char hex[DIGEST_HEX_SIZE],
                        struct error *err)
{
    autoclose int fd = memfd_create("layer", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return unpack_layer(fd, hex, err);
}

static void unpack(void)
{
    struct error err = { 0 };
    char hex[DIGEST_HEX_SIZE];
    char wanted[DIGEST_HEX_SIZE];
    assert_int_equal(archive_write_close(layer), ARCHIVE_OK);
    if (unpack_bytes(layer_bytes, layer_size, hex, &err) < 0)
        fail_msg("%s", err.text);
    digest_sha256_hex(layer_bytes, layer_size, wanted);
    assert_string_equal(hex, wanted);
}

static bool is_gone(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

static bool is_opaque(const char *path)
{
    char value = 0;
    return getxattr(path, geteuid() == 0 ? "trusted.overlay.opaque" : "user.overlay.opaque", &value,
                    1) == 1 &&
           value == 'y';
}

static void marks_are_told_from_files(void **state)
{
    (void)state;
    const char *name = NULL;
    assert_int_equal(unpack_mark_of("a/b", &name), UNPACK_MARK_NONE);
    assert_int_equal(unpack_mark_of(".wh.dir/b", &name), UNPACK_MARK_NONE);
    assert_int_equal(unpack_mark_of("a/.wh.b", &name), UNPACK_MARK_GONE);
    assert_string_equal(name, "b");
    assert_int_equal(unpack_mark_of(".wh..wh..opq", &name), UNPACK_MARK_OPAQUE);
    assert_int_equal(unpack_mark_of("a/.wh..wh.plnk", &name), UNPACK_MARK_NOISE);
    assert_int_equal(unpack_mark_of("a/.wh...", &name), UNPACK_MARK_NOISE);
    assert_int_equal(unpack_mark_of("a/.wh.", &name), UNPACK_MARK_NOISE);
}

static void files_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct stat st;
    char text[8] = { 0 };
    put("./", AE_IFDIR, "");
    put("bin/", AE_IFDIR, "");
    put("bin/\xc3\xa9\xff", AE_IFREG, "hello");
    put("bin/link", AE_IFLNK, "/absolute");
    unpack();
    autoclose int fd = open("bin/\xc3\xa9\xff", O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof(text)), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mtim.tv_sec, 1000000000);
    assert_int_equal(readlink("bin/link", text, sizeof(text)), 8);
}

static void what_is_gone_becomes_a_device_of_zeros(void **state)
{
    (void)state;
    struct stat st;
    put("etc/", AE_IFDIR, "");
    put("etc/.wh.passwd", AE_IFREG, "");
    put("new/deep/.wh.x", AE_IFREG, "");
    unpack();
    assert_true(is_gone("etc/passwd"));
    assert_true(is_gone("new/deep/x"));
    assert_true(access("etc/.wh.passwd", F_OK) < 0);
    assert_int_equal(stat("etc", &st), 0);
    assert_int_equal(st.st_mtim.tv_sec, 1000000000);
}

static void an_opaque_directory_is_marked(void **state)
{
    (void)state;
    put("a/", AE_IFDIR, "");
    put("a/.wh..wh..opq", AE_IFREG, "");
    put("a/kept", AE_IFREG, "x");
    unpack();
    assert_true(is_opaque("a"));
    assert_int_equal(access("a/kept", F_OK), 0);
}

/* Whichever of the two comes first in the stream. */
static void what_the_same_layer_has_hides_but_stays(void **state)
{
    (void)state;
    put(".wh.first", AE_IFREG, "");
    put("first/", AE_IFDIR, "");
    put("file", AE_IFREG, "x");
    put(".wh.file", AE_IFREG, "");
    put("second/", AE_IFDIR, "");
    put(".wh.second", AE_IFREG, "");
    unpack();
    assert_true(is_opaque("first"));
    assert_true(is_opaque("second"));
    assert_false(is_gone("file"));
}

/* umoci's do. */
static void a_stream_without_its_end_is_taken(void **state)
{
    (void)state;
    char hex[DIGEST_HEX_SIZE];
    put("first", AE_IFREG, "0123456789");
    put("last", AE_IFREG, "0123456789");
    assert_int_equal(archive_write_close(layer), ARCHIVE_OK);
    size_t size = (size_t)3 * 512 + 10;
    assert_int_equal(unpack_bytes(layer_bytes, size, hex, NULL), 0);
    char wanted[DIGEST_HEX_SIZE];
    digest_sha256_hex(layer_bytes, size, wanted);
    assert_string_equal(hex, wanted);
    assert_int_equal(access("last", F_OK), 0);
}

static void what_is_no_layer_is_refused(void **state)
{
    (void)state;
    struct error err = { 0 };
    char hex[DIGEST_HEX_SIZE];
    char noise[4096];
    memset(noise, 'x', sizeof(noise));
    assert_int_equal(unpack_bytes(noise, sizeof(noise), hex, &err), -EPROTO);
    assert_true(*err.text);
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_are_told_from_files),
        WITH_DIRECTORY(files_come_out_as_they_went_in),
        WITH_DIRECTORY(what_is_gone_becomes_a_device_of_zeros),
        WITH_DIRECTORY(an_opaque_directory_is_marked),
        WITH_DIRECTORY(what_the_same_layer_has_hides_but_stays),
        WITH_DIRECTORY(a_stream_without_its_end_is_taken),
        WITH_DIRECTORY(what_is_no_layer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
