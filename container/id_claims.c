/* SPDX-License-Identifier: Apache-2.0 */
#include "container/id_claims.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

enum { CLAIM_MAX_BYTES = 64 * 1024 };

void id_claim_done(struct id_claim *claim)
{
    id_ranges_done(&claim->uids);
    id_ranges_done(&claim->gids);
}

/* The lock goes with the process that has it, however that ends. */
static int lock_take(const char *directory, struct error *err)
{
    int r = file_make_dirs(directory, 0700, err);
    if (r < 0)
        return r;
    autofree char *path = text_format("%s/.lock", directory);
    if (!path)
        return error_oom(err);
    autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, -errno, "%s", path);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return error_errno(err, -errno, "%s", path);
    return take_fd(fd);
}

/* KIND START COUNT. The line is taken apart. */
static int read_line(char *line, struct id_claim *taken, struct error *err)
{
    char *rest = line;
    const char *kind = strsep(&rest, " ");
    const char *start = rest ? strsep(&rest, " ") : "";
    uint64_t first = 0;
    uint64_t count = 0;
    if (!*kind && !rest)
        return 0;
    bool is_uid = strcmp(kind, "uid") == 0;
    if ((!is_uid && strcmp(kind, "gid") != 0) || !rest ||
        text_parse_u64(start, UINT32_MAX, &first, NULL) < 0 ||
        text_parse_u64(rest, UINT32_MAX, &count, NULL) < 0)
        return error_set(err, -EPROTO, "a line of it is no range of ids");
    return id_ranges_add(is_uid ? &taken->uids : &taken->gids,
                         (struct id_range){ (int64_t)first, (int64_t)count }, err);
}

static int read_claim(const char *directory, const char *name, struct id_claim *taken,
                      struct error *err)
{
    autofree char *path = text_format("%s/%s", directory, name);
    autofree char *text = NULL;
    if (!path)
        return error_oom(err);
    struct error why = { 0 };
    int r = file_read(path, CLAIM_MAX_BYTES, &text, NULL, &why);
    if (r == -ENOENT) /* given back meanwhile; that takes no lock */
        return 0;
    if (r < 0)
        return error_set(err, r, "%s", why.text);
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); r == 0 && line; line = strsep(&rest, "\n"))
        r = read_line(line, taken, err);
    return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}

static void close_directory(DIR **directory)
{
    if (*directory)
        (void)closedir(*directory);
}

/* Of all but unit. What begins with a dot is the lock, or half a file of a writer that was killed:
 * he held the lock and nobody was told of his range. */
static int read_claims(const char *path, const char *unit, struct id_claim *taken,
                       struct error *err)
{
    __attribute__((cleanup(close_directory))) DIR *directory = opendir(path);
    if (!directory)
        return error_errno(err, -errno, "%s", path);
    int r = 0;
    for (const struct dirent *entry = NULL; r == 0 && (entry = readdir(directory));)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, unit) != 0)
            r = read_claim(path, entry->d_name, taken, err);
    return r;
}

static void add_lines(struct text *t, const char *kind, const struct id_ranges *ranges)
{
    for (size_t i = 0; i < ranges->count; i++)
        text_addf(t, "%s %lld %lld\n", kind, (long long)ranges->items[i].start,
                  (long long)ranges->items[i].count);
}

/* One name for halves, since only who has the lock writes: of writers that are killed no more than
 * this is left, and the next writes over it, or whoever gives back removes it. */
static int write_claim(const char *directory, const char *unit, const struct id_claim *claim,
                       struct error *err)
{
    autotext t = { 0 };
    add_lines(&t, "uid", &claim->uids);
    add_lines(&t, "gid", &claim->gids);
    autofree char *half = text_format("%s/.half", directory);
    autofree char *path = text_format("%s/%s", directory, unit);
    autofree char *text = text_take(&t);
    if (!half || !path || !text)
        return error_oom(err);
    autoclose int fd = open(half, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, -errno, "%s", half);
    ssize_t written = write(fd, text, strlen(text));
    if (written != (ssize_t)strlen(text))
        return error_errno(err, written < 0 ? -errno : -ENOSPC, "%s", half);
    return rename(half, path) < 0 ? error_errno(err, -errno, "%s", path) : 0;
}

/* FNV-1a: the same on all machines and in all versions. */
static uint64_t hash(const char *text)
{
    uint64_t value = UINT64_C(14695981039346656037);
    for (; *text; text++)
        value = (value ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return value;
}

static int place(const struct id_ranges *pool, const struct id_ranges *taken,
                 const struct id_wish *wish, struct id_ranges *ret, struct error *err)
{
    struct id_range range = { .count = wish->size };
    int r = id_ranges_place(pool, taken, wish->size, hash(wish->unit), &range.start, err);
    return r < 0 ? r : id_ranges_add(ret, range, err);
}

int id_claims_take(const char *directory, const struct id_wish *wish, struct id_claim *ret,
                   struct error *err)
{
    __attribute__((cleanup(id_claim_done))) struct id_claim taken = { 0 };
    __attribute__((cleanup(id_claim_done))) struct id_claim found = { 0 };
    autoclose int lock = lock_take(directory, err);
    if (lock < 0)
        return lock;
    int r = read_claims(directory, wish->unit, &taken, err);
    if (r == 0)
        r = place(wish->uids, &taken.uids, wish, &found.uids, err);
    if (r == 0)
        r = place(wish->gids, &taken.gids, wish, &found.gids, err);
    if (r == 0)
        r = write_claim(directory, wish->unit, &found, err);
    if (r < 0)
        return r;
    *ret = found;
    found = (struct id_claim){ 0 };
    return 0;
}

int id_claims_note(const char *directory, const char *unit, const struct id_claim *claim,
                   struct error *err)
{
    autoclose int lock = lock_take(directory, err);
    return lock < 0 ? lock : write_claim(directory, unit, claim, err);
}

/* What a writer that was killed left; one that is at work holds the lock. */
static int remove_half(const char *directory, struct error *err)
{
    autofree char *half = text_format("%s/.half", directory);
    if (!half)
        return error_oom(err);
    if (access(half, F_OK) < 0)
        return 0;
    autoclose int lock = lock_take(directory, err);
    return lock < 0 ? lock : file_remove(half, err);
}

int id_claims_give_back(const char *directory, const char *unit, struct error *err)
{
    autofree char *path = text_format("%s/%s", directory, unit);
    int r = path ? file_remove(path, err) : error_oom(err);
    return r < 0 ? r : remove_half(directory, err);
}
