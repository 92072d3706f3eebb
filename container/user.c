/* SPDX-License-Identifier: Apache-2.0 */
#include "container/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

enum { DATABASE_MAX_BYTES = 1024 * 1024 };

void user_free(struct user *user)
{
    if (!user)
        return;
    free(user->groups);
    free(user->home);
    free(user);
}

static void close_stream(FILE **stream)
{
    if (*stream)
        (void)fclose(*stream);
}
#define autostream __attribute__((cleanup(close_stream))) FILE *

/* glibc parses both files; an empty text is no stream, which reads as no entries. */
static FILE *stream_of(const char *text)
{
    return *text ? fmemopen((char *)text, strlen(text), "r") : NULL;
}

static bool is_number(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

static int number_read(const char *s, uint32_t *ret, struct error *err)
{
    /* 2^32 - 1 is what the kernel takes for "none". */
    uint64_t value = 0;
    int r = text_parse_u64(s, UINT32_MAX - 1, &value, err);
    if (r == 0)
        *ret = (uint32_t)value;
    return r;
}

/* "+" and "-" begin what NIS once put there, of which glibc leaves fields NULL. */
static bool is_entry(const char *name)
{
    return *name != '+' && *name != '-';
}

/* The entry's fields are borrowed from glibc until the next look-up. NULL: none. */
static const struct passwd *passwd_find(FILE *stream, const char *name, uint32_t uid)
{
    const struct passwd *entry = NULL;
    while (stream && (entry = fgetpwent(stream)))
        if (is_entry(entry->pw_name) &&
            (name ? strcmp(entry->pw_name, name) == 0 : entry->pw_uid == uid))
            return entry;
    return NULL;
}

static int user_part(struct user *user, const char *said, const char *passwd, char **ret_name,
                     struct error *err)
{
    autostream stream = stream_of(passwd);
    bool by_number = is_number(said);
    int r = by_number ? number_read(said, &user->oci.uid, err) : 0;
    if (r < 0)
        return r;
    const struct passwd *entry = passwd_find(stream, by_number ? NULL : said, user->oci.uid);
    if (!entry && !by_number)
        return error_set(err, -EINVAL, "no user \"%s\" in the image's /etc/passwd", said);
    if (!entry)
        return 0;
    if (entry->pw_uid == UINT32_MAX || entry->pw_gid == UINT32_MAX)
        return error_set(err, -EINVAL,
                         "the image's /etc/passwd gives %s the number 2^32-1, which "
                         "means none",
                         entry->pw_name);
    user->oci.uid = entry->pw_uid;
    user->oci.gid = entry->pw_gid;
    user->home = *entry->pw_dir ? strdup(entry->pw_dir) : NULL;
    *ret_name = strdup(entry->pw_name);
    return *ret_name ? 0 : error_oom(err);
}

static int group_part(struct user *user, const char *said, const char *group, struct error *err)
{
    if (is_number(said))
        return number_read(said, &user->oci.gid, err);
    autostream stream = stream_of(group);
    const struct group *entry = NULL;
    while (stream && (entry = fgetgrent(stream))) {
        if (strcmp(entry->gr_name, said) == 0 && entry->gr_gid != UINT32_MAX) {
            user->oci.gid = entry->gr_gid;
            return 0;
        }
    }
    return error_set(err, -EINVAL, "no group \"%s\" in the image's /etc/group", said);
}

static int add_group(struct user *user, uint32_t gid, struct error *err)
{
    size_t bytes = (user->oci.group_count + 1) * sizeof(*user->groups);
    uint32_t *longer = realloc(user->groups, bytes);
    if (!longer)
        return error_oom(err);
    longer[user->oci.group_count++] = gid;
    user->groups = longer;
    return 0;
}

static int supplementary_groups(struct user *user, const char *name, const char *group,
                                struct error *err)
{
    autostream stream = stream_of(group);
    const struct group *entry = NULL;
    int r = 0;
    while (r == 0 && stream && (entry = fgetgrent(stream)))
        if (is_entry(entry->gr_name) && entry->gr_gid != user->oci.gid &&
            strv_contains(entry->gr_mem, name))
            r = add_group(user, entry->gr_gid, err);
    return r;
}

/* A group by name or number that the user has besides, whoever lists it. */
static int more_group(struct user *user, const char *said, const char *group, struct error *err)
{
    uint64_t gid = 0;
    if (text_parse_u64(said, UINT32_MAX - 1, &gid, NULL) == 0)
        return add_group(user, (gid_t)gid, err);
    autostream stream = stream_of(group);
    const struct group *entry = NULL;
    while (stream && (entry = fgetgrent(stream)))
        if (is_entry(entry->gr_name) && strcmp(entry->gr_name, said) == 0)
            return add_group(user, entry->gr_gid, err);
    return error_set(err, -EINVAL, "GroupAdd=%s: no such group in the image", said);
}

int user_add_groups(struct user *user, char *const *said, const char *group, struct error *err)
{
    int r = 0;
    for (; r == 0 && said && *said; said++)
        if (strcmp(*said, "keep-groups") != 0)
            r = more_group(user, *said, group, err);
    user->oci.groups = user->groups;
    return r;
}

int user_resolve(const char *said, const char *passwd, const char *group, struct user **ret,
                 struct error *err)
{
    autoptr(user) user = calloc(1, sizeof(*user));
    autofree char *name = NULL;
    const char *colon = strchr(said, ':');
    autofree char *user_said = colon ? strndup(said, (size_t)(colon - said)) : strdup(said);
    if (!user || !user_said)
        return error_oom(err);
    int r = user_part(user, *user_said ? user_said : "0", passwd, &name, err);
    if (r == 0 && colon)
        r = group_part(user, colon + 1, group, err);
    else if (r == 0 && name)
        r = supplementary_groups(user, name, group, err);
    if (r < 0)
        return error_prefix(err, r, "User \"%s\"", said);
    user->oci.groups = user->groups;
    user->oci.home = user->home;
    *ret = take_ptr(user);
    return 0;
}

/* The file as the container would see it: an image whose /etc/passwd is a link must not make us
 * read the host's. */
static int read_inside(int root, const char *path, char **ret, struct error *err)
{
    const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                                  .resolve = RESOLVE_IN_ROOT };
    autoclose int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        *ret = strdup("");
        return *ret ? 0 : error_oom(err);
    }
    if (fd < 0)
        return error_errno(err, -errno, "%s of the image", path);
    autofree char *name = text_format("/proc/self/fd/%d", fd);
    int r = name ? file_read(name, DATABASE_MAX_BYTES, ret, NULL, err) : error_oom(err);
    return r < 0 ? error_prefix(err, r, "%s of the image", path) : 0;
}

int user_resolve_in(const char *said, char *const *groups, const char *root, struct user **ret,
                    struct error *err)
{
    autofree char *passwd = NULL;
    autofree char *group = NULL;
    autoclose int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, -errno, "%s", root);
    int r = read_inside(fd, "etc/passwd", &passwd, err);
    if (r == 0)
        r = read_inside(fd, "etc/group", &group, err);
    autoptr(user) user = NULL;
    if (r == 0)
        r = user_resolve(said, passwd, group, &user, err);
    if (r == 0)
        r = user_add_groups(user, groups, group, err);
    if (r == 0)
        *ret = take_ptr(user);
    return r;
}
