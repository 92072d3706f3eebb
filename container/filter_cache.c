/* SPDX-License-Identifier: Apache-2.0 */
#include "container/filter_cache.h"

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "container/tree.h"

enum {
    FILTER_MAX_BYTES = BPF_MAXINSNS * sizeof(struct sock_filter),
    FILE_MAX_BYTES = DIGEST_HEX_SIZE + (FILTER_MAX_BYTES + 2) / 3 * 4,
    /* Units differ in their capabilities, and few of them: more are not kept at once. */
    FILES_MAX = 64,
};

bool filter_cache_is_bypassed(const struct container *container)
{
    char **const lists[] = { container->labels, container->annotations };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (char **word = lists[i]; word && *word; word++)
            if (text_starts_with(*word, "run.oci.seccomp"))
                return true;
    return false;
}

/* --- the name --- */

static void add_version(struct text *t, const struct stat *st)
{
    text_addf(t, " %llu:%llu %lld %lld.%09ld", (unsigned long long)st->st_dev,
              (unsigned long long)st->st_ino, (long long)st->st_size, (long long)st->st_ctim.tv_sec,
              st->st_ctim.tv_nsec);
}

/* The first that could be run, as execvp(3) seeks it. */
static int find_program(const char *program, struct stat *ret, struct error *err)
{
    const char *said = getenv("PATH");
    autostrv directories = NULL;
    int r = strv_split(said ? said : "", ":", &directories, err);
    for (char **directory = directories; r == 0 && *directory; directory++) {
        autofree char *path = text_format("%s/%s", *directory, program);
        if (!path)
            return error_oom(err);
        if (stat(path, ret) == 0 && S_ISREG(ret->st_mode) && access(path, X_OK) == 0)
            return 0;
    }
    return r < 0 ? r : error_set(err, -ENOENT, "%s is not in PATH", program);
}

/* A newer libseccomp may compile otherwise, and whoever installs a library writes the linker's
 * cache anew. */
int filter_cache_name(const json_t *seccomp, const struct utsname *machine, const char *runtime,
                      char ret[DIGEST_HEX_SIZE], struct error *err)
{
    autotext t = { 0 };
    struct stat st = { 0 };
    autofree char *text = NULL;
    int r = find_program(runtime, &st, err);
    if (r == 0)
        r = json_write(seccomp, &text, err);
    if (r < 0)
        return r;
    text_addf(&t, "filter 1\n%s %s %s\n%s", machine->machine, machine->release, machine->version,
              runtime);
    add_version(&t, &st);
    if (stat("/etc/ld.so.cache", &st) == 0)
        add_version(&t, &st);
    text_addf(&t, "\n%s", text);
    autofree char *all = text_take(&t);
    if (!all)
        return error_oom(err);
    digest_sha256_hex(all, strlen(all), ret);
    return 0;
}

/* --- the files --- */

static int digest_of(const char *name, const char *filter, char ret[DIGEST_HEX_SIZE],
                     struct error *err)
{
    autofree char *all = text_format("%s %s", name, filter);
    if (!all)
        return error_oom(err);
    digest_sha256_hex(all, strlen(all), ret);
    return 0;
}

int filter_cache_find(const char *directory, const char *name, char **ret, struct error *err)
{
    autofree char *path = text_format("%s/%s", directory, name);
    autofree char *text = NULL;
    char digest[DIGEST_HEX_SIZE];
    size_t length = 0;
    if (!path)
        return error_oom(err);
    int r = file_read(path, FILE_MAX_BYTES, &text, &length, err);
    if (r < 0)
        return r == -EFBIG ? error_set(err, -ENOENT, "%s is damaged", path) : r;
    const char *filter = length > DIGEST_HEX_SIZE ? text + DIGEST_HEX_SIZE : "";
    r = digest_of(name, filter, digest, err);
    if (r < 0)
        return r;
    if (!*filter || strlen(text) != length || text[DIGEST_HEX_SIZE - 1] != ' ' ||
        strncmp(text, digest, DIGEST_HEX_SIZE - 1) != 0)
        return error_set(err, -ENOENT, "%s is damaged", path);
    *ret = strdup(filter);
    return *ret ? 0 : error_oom(err);
}

/* All go when they are many, with the halves that killed writers left. Whoever is writing just now
 * then keeps nothing this time. */
static int make_room(const char *directory, struct error *err)
{
    size_t count = 0;
    int r = file_make_dirs(directory, 0700, err);
    if (r < 0)
        return r;
    DIR *files = opendir(directory);
    if (!files)
        return error_errno(err, -errno, "%s", directory);
    while (readdir(files))
        count++;
    (void)closedir(files);
    if (count < FILES_MAX)
        return 0;
    r = tree_remove(directory, err);
    return r < 0 ? r : file_make_dirs(directory, 0700, err);
}

static int filter_read(const char *compiled, char **ret, struct error *err)
{
    autofree char *bytes = NULL;
    autotext t = { 0 };
    size_t length = 0;
    int r = file_read(compiled, FILTER_MAX_BYTES, &bytes, &length, err);
    if (r < 0)
        return r;
    if (length == 0 || length % sizeof(struct sock_filter) != 0)
        return error_set(err, -EPROTO, "%s: %zu bytes are no filter", compiled, length);
    base64_add(&t, bytes, length);
    *ret = text_take(&t);
    return *ret ? 0 : error_oom(err);
}

int filter_cache_forget(const char *directory, const char *name, struct error *err)
{
    autofree char *path = text_format("%s/%s", directory, name);
    return path ? file_remove(path, err) : error_oom(err);
}

int filter_cache_keep(const char *directory, const char *name, const char *compiled,
                      struct error *err)
{
    autofree char *filter = NULL;
    char digest[DIGEST_HEX_SIZE];
    int r = filter_read(compiled, &filter, err);
    if (r == 0)
        r = digest_of(name, filter, digest, err);
    if (r == 0)
        r = make_room(directory, err);
    if (r < 0)
        return r;
    autofree char *text = text_format("%s %s", digest, filter);
    autofree char *path = text_format("%s/%s", directory, name);
    if (!text || !path)
        return error_oom(err);
    return file_write(path, text, strlen(text), 0600, err);
}
