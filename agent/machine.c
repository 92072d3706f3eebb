/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The source address that the kernel would use towards the world; nothing is sent by connecting a
 * datagram socket. Without a default route: the first address that is not loopback. */
static void find_address(char *ret, size_t size)
{
    struct sockaddr_in far = { .sin_family = AF_INET, .sin_port = htons(9) };
    struct sockaddr_in near;
    socklen_t length = sizeof(near);
    (void)inet_pton(AF_INET, "192.0.2.1", &far.sin_addr); /* TEST-NET-1, RFC 5737 */
    autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&far, sizeof(far)) == 0 &&
        getsockname(fd, (struct sockaddr *)&near, &length) == 0) {
        (void)inet_ntop(AF_INET, &near.sin_addr, ret, (socklen_t)size);
        return;
    }
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0)
        return;
    for (struct ifaddrs *one = all; one && !*ret; one = one->ifa_next)
        if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET &&
            !(one->ifa_flags & IFF_LOOPBACK))
            (void)inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)one->ifa_addr)->sin_addr, ret,
                            (socklen_t)size);
    freeifaddrs(all);
}

int machine_read(struct machine *ret, struct error *err)
{
    sd_id128_t id;
    int r = sd_id128_get_machine(&id);
    if (r < 0)
        return error_set(err, -EINVAL,
                         "/etc/machine-id is not usable (%s); run systemd-machine-id-setup",
                         strerror(-r));
    (void)sd_id128_to_string(id, ret->id);
    r = sd_id128_get_boot(&id);
    if (r < 0)
        return error_errno(err, r, "/proc/sys/kernel/random/boot_id");
    (void)sd_id128_to_string(id, ret->boot_id);
    if (gethostname(ret->name, sizeof(ret->name)) < 0)
        return error_errno(err, -errno, "host name");
    ret->name[sizeof(ret->name) - 1] = '\0';
    ret->address[0] = '\0';
    find_address(ret->address, sizeof(ret->address));
    return 0;
}
