/* SPDX-License-Identifier: Apache-2.0 */
#include "container/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

enum { BLOCK_BYTES = 64 * 1024, RECORD_BYTES = 512 };

static const char mark[] = ".wh.";

struct unpack {
    struct archive *packed; /* the blob; gives the bytes of the tar stream */
    struct archive *tar;    /* reads them from us, so that they pass through the digest */
    struct archive *disk;
    EVP_MD_CTX *digest;
    char **marks; /* paths of whiteouts; they are made when all files are there */
    bool privileged;
    uint64_t bytes; /* of the stream by now */
    bool padded;
    char block[BLOCK_BYTES];
};

static void unpack_free(struct unpack *unpack)
{
    if (!unpack)
        return;
    (void)archive_read_free(unpack->tar);
    (void)archive_read_free(unpack->packed);
    (void)archive_write_free(unpack->disk);
    EVP_MD_CTX_free(unpack->digest);
    strv_free(unpack->marks);
    free(unpack);
}
DEFINE_AUTOPTR(unpack);

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

enum unpack_mark unpack_mark_of(const char *path, const char **ret_name)
{
    const char *base = base_of(path);
    if (!text_starts_with(base, mark))
        return UNPACK_MARK_NONE;
    const char *name = base + strlen(mark);
    if (strcmp(name, ".wh..opq") == 0)
        return UNPACK_MARK_OPAQUE;
    if (text_starts_with(name, mark) || !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return UNPACK_MARK_NOISE;
    *ret_name = name;
    return UNPACK_MARK_GONE;
}

/* libarchive has EILSEQ for what it cannot read, and a negative code for what has none. */
static int complain(struct archive *archive, const char *path, struct error *err)
{
    int code = archive_errno(archive);
    const char *text = archive_error_string(archive);
    const char *separator = path ? ": " : "";
    path = path ? path : "";
    text = text ? text : "damaged";
    if (code <= 0 || code == EILSEQ)
        return error_set(err, -EPROTO, "%s%s%s", path, separator, text);
    return error_errno(err, -code, "%s%s%s", path, separator, text);
}

/* Passes them through the digest. Negative at a fault, which is in tar then. */
static la_ssize_t read_bytes(struct unpack *unpack, struct archive *tar)
{
    la_ssize_t n = archive_read_data(unpack->packed, unpack->block, sizeof(unpack->block));
    if (n < 0) {
        archive_set_error(tar, archive_errno(unpack->packed), "%s",
                          archive_error_string(unpack->packed));
        return -1;
    }
    if (EVP_DigestUpdate(unpack->digest, unpack->block, (size_t)n) != 1)
        return -1;
    unpack->bytes += (uint64_t)n;
    return n;
}

/* umoci (0.4) breaks the stream off after the last byte of the last file. What a tar stream has at
 * its end is put there for the reader; that nothing is missing the digest tells. */
static la_ssize_t pad(struct unpack *unpack)
{
    size_t partial = unpack->bytes % RECORD_BYTES;
    size_t size = (partial ? RECORD_BYTES - partial : 0) + (size_t)2 * RECORD_BYTES;
    memset(unpack->block, 0, size);
    unpack->padded = true;
    return (la_ssize_t)size;
}

/* The tar reader's source. */
static la_ssize_t read_block(struct archive *tar, void *data, const void **ret)
{
    struct unpack *unpack = data;
    la_ssize_t n = unpack->padded ? 0 : read_bytes(unpack, tar);
    if (n == 0 && !unpack->padded)
        n = pad(unpack);
    *ret = unpack->block;
    return n;
}

static int open_packed(struct unpack *unpack, int fd, struct error *err)
{
    struct archive_entry *entry = NULL;
    unpack->packed = archive_read_new();
    if (!unpack->packed)
        return error_oom(err);
    if (archive_read_support_format_raw(unpack->packed) != ARCHIVE_OK ||
        archive_read_support_filter_gzip(unpack->packed) != ARCHIVE_OK ||
        archive_read_support_filter_zstd(unpack->packed) != ARCHIVE_OK ||
        archive_read_open_fd(unpack->packed, fd, BLOCK_BYTES) != ARCHIVE_OK ||
        archive_read_next_header(unpack->packed, &entry) != ARCHIVE_OK)
        return complain(unpack->packed, NULL, err);
    return 0;
}

static int open_tar(struct unpack *unpack, struct error *err)
{
    unpack->tar = archive_read_new();
    if (!unpack->tar)
        return error_oom(err);
    if (archive_read_support_format_tar(unpack->tar) != ARCHIVE_OK ||
        archive_read_support_format_gnutar(unpack->tar) != ARCHIVE_OK ||
        archive_read_open(unpack->tar, unpack, NULL, read_block, NULL) != ARCHIVE_OK)
        return complain(unpack->tar, NULL, err);
    return 0;
}

static int open_disk(struct unpack *unpack, struct error *err)
{
    int options =
        ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR;
    unpack->privileged = geteuid() == 0;
    unpack->disk = archive_write_disk_new();
    if (!unpack->disk)
        return error_oom(err);
    if (unpack->privileged)
        options |= ARCHIVE_EXTRACT_OWNER;
    return archive_write_disk_set_options(unpack->disk, options) == ARCHIVE_OK
               ? 0
               : complain(unpack->disk, NULL, err);
}

static int open_all(struct unpack *unpack, int fd, struct error *err)
{
    unpack->digest = EVP_MD_CTX_new();
    if (!unpack->digest || EVP_DigestInit_ex(unpack->digest, EVP_sha256(), NULL) != 1)
        return error_oom(err);
    int r = open_packed(unpack, fd, err);
    if (r == 0)
        r = open_disk(unpack, err);
    return r < 0 ? r : open_tar(unpack, err);
}

/* Of a layer's attributes those that programs use; the overlay's own are not for images to set, or
 * a layer could redirect directories. */
static int keep_attributes(struct archive_entry *entry, struct error *err)
{
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    struct archive_entry *copy = archive_entry_clone(entry);
    int r = copy ? 0 : error_oom(err);
    archive_entry_xattr_clear(entry);
    for (int left = copy ? archive_entry_xattr_reset(copy) : 0; left > 0; left--) {
        if (archive_entry_xattr_next(copy, &name, &value, &size) != ARCHIVE_OK)
            break;
        if (text_starts_with(name, "user.") || strcmp(name, "security.capability") == 0)
            archive_entry_xattr_add_entry(entry, name, value, size);
    }
    archive_entry_free(copy);
    return r;
}

/* Whoever may not make one has no use for it either: a container's /dev is not the image's. */
static bool is_device(struct archive_entry *entry)
{
    return archive_entry_filetype(entry) == AE_IFCHR || archive_entry_filetype(entry) == AE_IFBLK;
}

static int copy_data(struct unpack *unpack, const char *path, struct error *err)
{
    const void *piece = NULL;
    size_t size = 0;
    la_int64_t offset = 0;
    int r = 0;
    while ((r = archive_read_data_block(unpack->tar, &piece, &size, &offset)) == ARCHIVE_OK)
        if (archive_write_data_block(unpack->disk, piece, size, offset) < ARCHIVE_OK)
            return complain(unpack->disk, path, err);
    return r == ARCHIVE_EOF ? 0 : complain(unpack->tar, path, err);
}

static int write_entry(struct unpack *unpack, struct archive_entry *entry, const char *path,
                       struct error *err)
{
    int r = archive_entry_xattr_count(entry) ? keep_attributes(entry, err) : 0;
    if (r < 0)
        return r;
    r = archive_write_header(unpack->disk, entry);
    if (r < ARCHIVE_WARN && is_device(entry))
        return 0;
    if (r < ARCHIVE_WARN)
        return complain(unpack->disk, path, err);
    if (archive_entry_size(entry) > 0) {
        r = copy_data(unpack, path, err);
        if (r < 0)
            return r;
    }
    return archive_write_finish_entry(unpack->disk) < ARCHIVE_WARN
               ? complain(unpack->disk, path, err)
               : 0;
}

static int take_entry(struct unpack *unpack, struct archive_entry *entry, struct error *err)
{
    const char *path = archive_entry_pathname(entry);
    const char *name = NULL;
    if (!path)
        return error_set(err, -EPROTO, "an entry has no path");
    switch (unpack_mark_of(path, &name)) {
    case UNPACK_MARK_NONE:
        return write_entry(unpack, entry, path, err);
    case UNPACK_MARK_GONE:
    case UNPACK_MARK_OPAQUE:
        return strv_add(&unpack->marks, path, err);
    case UNPACK_MARK_NOISE:
        break;
    }
    return 0;
}

static int take_entries(struct unpack *unpack, struct error *err)
{
    struct archive_entry *entry = NULL;
    for (;;) {
        int r = archive_read_next_header(unpack->tar, &entry);
        if (r == ARCHIVE_EOF)
            break;
        if (r < ARCHIVE_WARN)
            return complain(unpack->tar, NULL, err);
        r = take_entry(unpack, entry, err);
        if (r < 0)
            return r;
    }
    return archive_write_close(unpack->disk) < ARCHIVE_WARN ? complain(unpack->disk, NULL, err) : 0;
}

/* What comes after the end that tar knows is part of the digest. */
static int drain(struct unpack *unpack, struct error *err)
{
    la_ssize_t n = 0;
    do
        n = unpack->padded ? 0 : read_bytes(unpack, unpack->tar);
    while (n > 0);
    return n < 0 ? complain(unpack->tar, NULL, err) : 0;
}

static int mark_opaque(const struct unpack *unpack, const char *directory, struct error *err)
{
    const char *attribute = unpack->privileged ? "trusted.overlay.opaque" : "user.overlay.opaque";
    return setxattr(directory, attribute, "y", 1, 0) < 0
               ? error_errno(err, -errno, "%s: %s", directory, attribute)
               : 0;
}

/* What the same layer has under that name stays, but nothing of what is below it shows through. */
static int mark_gone(const struct unpack *unpack, const char *path, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? mark_opaque(unpack, path, err) : 0;
    return mknod(path, S_IFCHR, makedev(0, 0)) < 0 ? error_errno(err, -errno, "%s", path) : 0;
}

static int make_mark_in(const struct unpack *unpack, const char *directory, const char *path,
                        struct error *err)
{
    const char *name = NULL;
    if (unpack_mark_of(path, &name) == UNPACK_MARK_OPAQUE)
        return mark_opaque(unpack, directory, err);
    autofree char *gone = text_format("%s/%s", directory, name);
    return gone ? mark_gone(unpack, gone, err) : error_oom(err);
}

/* A directory keeps the time that the layer gave it. */
static int make_mark(const struct unpack *unpack, const char *path, struct error *err)
{
    autofree char *copy = text_format("./%s", path);
    struct stat st;
    if (!copy)
        return error_oom(err);
    const char *directory = dirname(copy);
    int r = file_make_dirs(directory, 0755, err);
    if (r == 0 && stat(directory, &st) < 0)
        r = error_errno(err, -errno, "%s", directory);
    if (r == 0)
        r = make_mark_in(unpack, directory, path, err);
    if (r < 0)
        return r;
    const struct timespec times[] = { st.st_atim, st.st_mtim };
    (void)utimensat(AT_FDCWD, directory, times, 0);
    return 0;
}

static int finish(struct unpack *unpack, char ret_hex[DIGEST_HEX_SIZE], struct error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    static const char digits[] = "0123456789abcdef";
    if (EVP_DigestFinal_ex(unpack->digest, digest, NULL) != 1)
        return error_oom(err);
    for (size_t i = 0; i < (DIGEST_HEX_SIZE - 1) / 2; i++) {
        ret_hex[2 * i] = digits[digest[i] >> 4];
        ret_hex[2 * i + 1] = digits[digest[i] & 15];
    }
    ret_hex[DIGEST_HEX_SIZE - 1] = '\0';
    return 0;
}

int unpack_layer(int fd, char ret_hex[DIGEST_HEX_SIZE], struct error *err)
{
    autoptr(unpack) unpack = calloc(1, sizeof(*unpack));
    if (!unpack)
        return error_oom(err);
    int r = open_all(unpack, fd, err);
    if (r == 0)
        r = take_entries(unpack, err);
    if (r == 0)
        r = drain(unpack, err);
    for (char **path = unpack->marks; r == 0 && path && *path; path++)
        r = make_mark(unpack, *path, err);
    return r < 0 ? r : finish(unpack, ret_hex, err);
}
