/* SPDX-License-Identifier: Apache-2.0 */
#include "api/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { BACKLOG = 128 };

static int make_socket(int family, int *ret_fd, struct error *err)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_errno(err, -errno, "no socket to listen on");
    *ret_fd = fd;
    return 0;
}

/* Removes a socket on which nobody listens any more. */
static int clear_path(const struct sockaddr_un *address, struct error *err)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : error_errno(err, -errno, "%s", address->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, -EEXIST, "%s is in the way: it is not a socket", address->sun_path);
    autoclose int probe = -1;
    int r = make_socket(AF_UNIX, &probe, err);
    if (r < 0)
        return r;
    if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
        return error_set(err, -EADDRINUSE, "%s: another process answers there", address->sun_path);
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return error_errno(err, -errno, "stale socket %s", address->sun_path);
    return 0;
}

/* The umask makes it private from the first moment; the group is let in afterwards. */
static int bind_private(int fd, const struct sockaddr_un *address, struct error *err)
{
    mode_t before = umask(0177);
    int r = bind(fd, (const struct sockaddr *)address, sizeof(*address));
    int saved = errno;
    (void)umask(before);
    if (r < 0)
        return error_errno(err, -saved, "%s", address->sun_path);
    const struct group *group = getgrnam("muster");
    if (group && chown(address->sun_path, (uid_t)-1, group->gr_gid) < 0)
        return error_errno(err, -errno, "%s: group muster", address->sun_path);
    if (chmod(address->sun_path, 0660) < 0)
        return error_errno(err, -errno, "%s: mode 0660", address->sun_path);
    return 0;
}

int listen_unix(const char *path, int *ret_fd, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(err, -ENAMETOOLONG, "socket path longer than %zu bytes: %s",
                         sizeof(address.sun_path) - 1, path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int r = clear_path(&address, err);
    if (r < 0)
        return r;
    autoclose int fd = -1;
    r = make_socket(AF_UNIX, &fd, err);
    if (r < 0)
        return r;
    r = bind_private(fd, &address, err);
    if (r < 0)
        return r;
    if (listen(fd, BACKLOG) < 0)
        return error_errno(err, -errno, "%s", path);
    *ret_fd = take_fd(fd);
    return 0;
}

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

static int parse_loopback(const char *text, struct address *ret, struct error *err)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (!colon || (size_t)(colon - text) >= sizeof(host) ||
        text_parse_u64(colon + 1, 65535, &port, NULL) < 0)
        return error_set(err, -EINVAL, "\"%s\" is not HOST:PORT", text);
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1 && ntohl(v4.sin_addr.s_addr) >> 24 == 127) {
        memcpy(&ret->storage, &v4, sizeof(v4));
        ret->length = sizeof(v4);
        return 0;
    }
    if (text_equal(host, "[::1]")) {
        v6.sin6_addr = in6addr_loopback;
        memcpy(&ret->storage, &v6, sizeof(v6));
        ret->length = sizeof(v6);
        return 0;
    }
    return error_set(err, -EINVAL,
                     "%s is not a loopback address: nothing on TCP asks who is calling, so only "
                     "127.0.0.0/8 and [::1] are allowed",
                     host);
}

int listen_loopback(const char *address, int *ret_fd, struct error *err)
{
    struct address parsed = { .length = 0 };
    int r = parse_loopback(address, &parsed, err);
    if (r < 0)
        return r;
    autoclose int fd = -1;
    r = make_socket(parsed.storage.ss_family, &fd, err);
    if (r < 0)
        return r;
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&parsed.storage, parsed.length) < 0 ||
        listen(fd, BACKLOG) < 0)
        return error_errno(err, -errno, "%s", address);
    *ret_fd = take_fd(fd);
    return 0;
}
