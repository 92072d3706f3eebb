/* SPDX-License-Identifier: Apache-2.0 */
#include "container/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "container/process.h"

void netns_path(pid_t pid, char ret[NETNS_PATH_SIZE])
{
    (void)snprintf(ret, NETNS_PATH_SIZE, "/proc/%d/ns/net", (int)pid);
}

int netns_identity(const char *path, char **ret, struct error *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return error_errno(err, -errno, "%s", path);
    *ret = text_format("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    return *ret ? 0 : error_oom(err);
}

int netns_open_sysctls(struct error *err)
{
    static const char sysctls[] = "/proc/sys";
    struct statvfs st;
    if (statvfs(sysctls, &st) < 0)
        return error_errno(err, -errno, "%s", sysctls);
    if (!(st.f_flag & ST_RDONLY))
        return 0;
    if (mount(NULL, sysctls, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) <
        0)
        return error_errno(err, -errno, "making %s writable for network plugins", sysctls);
    return 0;
}

static int open_own(struct error *err)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? error_errno(err, -errno, "our network namespace") : fd;
}

static char *batch_text(const char *interface, char *const *addresses)
{
    autotext t = { 0 };
    text_addf(&t, "link add %s type veth peer name muster-peer\n", interface);
    for (; addresses && *addresses; addresses++)
        text_addf(&t, "address add %s dev %s\n", *addresses, interface);
    return text_take(&t);
}

static int furnish(const char *interface, char *const *addresses, struct error *err)
{
    autofree char *batch = batch_text(interface, addresses);
    if (!batch)
        return error_oom(err);
    autoclose int input = process_input(batch, strlen(batch), err);
    if (input < 0)
        return input;
    const struct process ip = {
        .argv = (const char *const[]){"ip", "-batch", "-", NULL},
        .environment = environ,
        .package = "iproute2",
        .input = &input,
    };
    return process_run(&ip, err);
}

int netns_decoy(const char *interface, char *const *addresses, struct error *err)
{
    autoclose int own = open_own(err);
    if (own < 0)
        return own;
    if (unshare(CLONE_NEWNET) < 0)
        return error_errno(err, -errno, "a network namespace");
    int decoy = open_own(err);
    int r = decoy < 0 ? decoy : furnish(interface, addresses, err);
    /* Whoever could not return would do all that follows in the wrong place. */
    if (setns(own, CLONE_NEWNET) < 0)
        abort();
    if (r < 0 && decoy >= 0)
        (void)close(decoy);
    return r < 0 ? r : decoy;
}
