/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A path, or '@' and a name of the abstract kind. */
static int read_address(const char *said, struct sockaddr_un *ret, socklen_t *ret_length)
{
    size_t length = strlen(said);
    if ((*said != '/' && *said != '@') || length < 2 || length >= sizeof(ret->sun_path))
        return -EINVAL;
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(ret->sun_path, said, length);
    if (*said == '@')
        ret->sun_path[0] = '\0';
    *ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*said == '/'));
    return 0;
}

static void add_credentials(struct msghdr *message, void *room, size_t size, pid_t pid)
{
    const struct ucred credentials = { .pid = pid, .uid = getuid(), .gid = getgid() };
    message->msg_control = room;
    message->msg_controllen = size;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof(credentials));
    memcpy(CMSG_DATA(header), &credentials, sizeof(credentials));
}

int notify_send(pid_t pid, const char *text)
{
    const char *said = getenv("NOTIFY_SOCKET");
    if (!said)
        return 0;
    union {
        struct cmsghdr alignment;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } room = { 0 };
    struct sockaddr_un address;
    struct iovec words = { .iov_base = (char *)text, .iov_len = strlen(text) };
    struct msghdr message = { .msg_name = &address, .msg_iov = &words, .msg_iovlen = 1 };
    int r = read_address(said, &address, &message.msg_namelen);
    if (r < 0)
        return r;
    if (pid != 0 && pid != getpid())
        add_credentials(&message, &room, sizeof(room.bytes), pid);
    autoclose int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && message.msg_controllen > 0) {
        message.msg_controllen = 0;
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    return sent < 0 ? -errno : 1;
}
