/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a process of a cgroup at a chosen moment of its life: kill-at CGROUP NAME MICROSECONDS
 *
 * Waits, for three seconds at most, until the cgroup (or one below) holds a process whose name
 * begins with NAME, then for so many microseconds, and sends SIGKILL. Exit status 0 if it was
 * still there. It looks all the time, since what it waits for may live for a millisecond.
 */
#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 3000 };

static long long now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static int is_named(pid_t pid, const char *name)
{
    char path[64];
    char comm[32] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, comm, sizeof(comm) - 1);
    (void)close(fd);
    return n > 0 && strncmp(comm, name, strlen(name)) == 0;
}

static pid_t find_in(const char *cgroup, const char *name)
{
    char path[4096];
    char text[4096] = "";
    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    char *rest = n > 0 ? text : NULL;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (isdigit((unsigned char)*line) && is_named(atoi(line), name))
            return atoi(line);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    long long give_up = now_us() + PATIENCE_MS * 1000LL;
    pid_t pid = 0;
    while (!pid && now_us() < give_up)
        pid = find_in(argv[1], argv[2]);
    long long then = now_us() + atoll(argv[3]);
    while (pid && now_us() < then)
        ;
    return pid && kill(pid, SIGKILL) == 0 ? 0 : 1;
}
