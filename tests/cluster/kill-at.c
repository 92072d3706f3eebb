/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a process at a chosen moment of its life: kill-at NAME MICROSECONDS CGROUP...
 *
 * Waits, for three seconds at most, until one of the cgroups holds a process of that name, then for
 * so many microseconds, and sends SIGKILL. NAME is what the process's own name begins with, or two
 * words, "PROGRAM ARGUMENT", that its command line begins with. Exit status 0 if it was still
 * there. It looks all the time, since what it waits for may live for a millisecond.
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

static ssize_t read_of(pid_t pid, const char *file, char *buffer, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, buffer, size);
    (void)close(fd);
    return n;
}

/* The command line holds the words with a NUL after each; the first may have a path before it. */
static int has_words(pid_t pid, const char *words)
{
    char line[256] = "";
    if (read_of(pid, "cmdline", line, sizeof(line) - 1) <= 0)
        return 0;
    const char *slash = strrchr(line, '/');
    const char *program = slash ? slash + 1 : line;
    const char *argument = program + strlen(program) + 1;
    size_t length = strcspn(words, " ");
    return strlen(program) == length && strncmp(program, words, length) == 0 &&
           argument < line + sizeof(line) && strcmp(argument, words + length + 1) == 0;
}

static int is_named(pid_t pid, const char *name)
{
    char comm[32] = "";
    if (strchr(name, ' '))
        return has_words(pid, name);
    ssize_t n = read_of(pid, "comm", comm, sizeof(comm) - 1);
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
    if (argc < 4)
        return 2;
    long long give_up = now_us() + PATIENCE_MS * 1000LL;
    pid_t pid = 0;
    while (!pid && now_us() < give_up)
        for (char **cgroup = argv + 3; !pid && *cgroup; cgroup++)
            pid = find_in(*cgroup, argv[1]);
    long long then = now_us() + atoll(argv[2]);
    while (pid && now_us() < then)
        ;
    return pid && kill(pid, SIGKILL) == 0 ? 0 : 1;
}
