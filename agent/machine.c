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
#include <sys/utsname.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "units/amount.h"

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

/* --- what it has --- */

static int64_t read_number(const char *path)
{
    enum { NUMBER_BYTES = 32 };
    autofree char *text = NULL;
    uint64_t number = 0;
    if (file_read(path, NUMBER_BYTES, &text, NULL, NULL) == 0)
        (void)text_parse_u64(text_trim(text), INT64_MAX, &number, NULL);
    return (int64_t)number;
}

static void find_resources(struct machine *machine)
{
    int64_t pids = read_number("/proc/sys/kernel/pid_max");
    int64_t threads = read_number("/proc/sys/kernel/threads-max");
    machine->cpu_milli = (int64_t)sysconf(_SC_NPROCESSORS_ONLN) * CPU_MILLI;
    machine->memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    machine->tasks = pids < threads ? pids : threads;
}

static void find_capabilities(struct machine *machine)
{
    static const struct {
        const char *word, *path;
    } devices[] = {
        {"kvm",       "/dev/kvm"     },
        { "watchdog", "/dev/watchdog"}
    };
    struct utsname kernel;
    size_t count = 0;
    if (uname(&kernel) == 0)
        (void)snprintf(machine->capabilities[count++], sizeof(machine->capabilities[0]), "%.64s",
                       kernel.machine);
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
        if (access(devices[i].path, F_OK) == 0)
            (void)snprintf(machine->capabilities[count++], sizeof(machine->capabilities[0]), "%s",
                           devices[i].word);
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
    memset(ret->capabilities, 0, sizeof(ret->capabilities));
    find_resources(ret);
    find_capabilities(ret);
    return 0;
}
