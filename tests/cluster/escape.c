/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries to get out of the container that it runs in: escape HOST_PID DISK_MAJOR DISK_MINOR SOCKET
 *
 * HOST_PID is that of musterd outside, the disk is the one that the host's root lies on, SOCKET the
 * name of an abstract socket that somebody listens on outside. Each attempt runs in a process of
 * its own. Says "held NAME" or "OUT NAME: how" for each; exit status 1 if one got out. Linked
 * statically, since the image has no libraries.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_MAX = 10 };

static pid_t host_pid;
static dev_t disk;
static const char *socket_name;
static char how[4096];

/* Notes how, and says that it got out. */
static int out(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(how, sizeof(how), format, arguments);
    va_end(arguments);
    return 1;
}

/* --- mounts --- */

static int mounts_a_file_system(void)
{
    static const char *const types[] = { "tmpfs",    "proc",    "sysfs",  "cgroup2", "devpts",
                                         "devtmpfs", "debugfs", "mqueue", "overlay", NULL };
    (void)mkdir("/tmp/m", 0755);
    for (const char *const *type = types; *type; type++)
        if (mount("none", "/tmp/m", *type, 0, NULL) == 0)
            return out("mount of %s", *type);
    return 0;
}

static int binds_a_directory(void)
{
    (void)mkdir("/tmp/m", 0755);
    return mount("/", "/tmp/m", NULL, MS_BIND, NULL) == 0 ? out("mount --bind /") : 0;
}

static int remounts_proc_for_writing(void)
{
    static const char *const paths[] = { "/proc/sys",           "/sys", "/sys/fs/cgroup", "/proc",
                                         "/proc/sysrq-trigger", NULL };
    for (const char *const *path = paths; *path; path++)
        if (mount(NULL, *path, NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
            return out("remount of %s", *path);
    return 0;
}

static int uncovers_what_is_masked(void)
{
    static const char *const paths[] = { "/proc/kcore",   "/proc/keys", "/proc/sys",
                                         "/sys/firmware", "/proc",      NULL };
    for (const char *const *path = paths; *path; path++)
        if (umount2(*path, MNT_DETACH) == 0)
            return out("umount of %s", *path);
    return 0;
}

static int mounts_by_the_new_calls(void)
{
    int fd = (int)syscall(SYS_fsopen, "tmpfs", 0);
    if (fd >= 0 && syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        return out("fsopen of tmpfs");
    fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE);
    if (fd >= 0)
        return out("open_tree of /");
    return 0;
}

static int changes_the_root(void)
{
    (void)mkdir("/tmp/m", 0755);
    return syscall(SYS_pivot_root, "/", "/tmp/m") == 0 ? out("pivot_root") : 0;
}

/* The old way out of a chroot: a directory held open above a deeper root. */
static int leaves_a_chroot(void)
{
    struct stat before;
    struct stat after;
    int fd = open("/", O_RDONLY | O_DIRECTORY);
    (void)mkdir("/tmp/deeper", 0755);
    if (fd < 0 || stat("/", &before) < 0 || chroot("/tmp/deeper") < 0 || fchdir(fd) < 0)
        return 0;
    for (int i = 0; i < 100; i++)
        (void)!chdir("..");
    if (chroot(".") < 0 || stat("/", &after) < 0)
        return 0;
    return before.st_ino != after.st_ino || before.st_dev != after.st_dev ? out("chroot") : 0;
}

/* --- namespaces --- */

static int makes_a_user_namespace(void)
{
    if (unshare(CLONE_NEWUSER) == 0)
        return out("unshare(CLONE_NEWUSER)");
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        _exit(0);
    return pid > 0 ? out("clone(CLONE_NEWUSER)") : 0;
}

static int makes_a_user_namespace_by_clone3(void)
{
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
    if (pid == 0)
        _exit(0);
    return pid > 0 ? out("clone3(CLONE_NEWUSER)") : 0;
}

static int makes_other_namespaces(void)
{
    static const int kinds[] = { CLONE_NEWNS,  CLONE_NEWPID, CLONE_NEWNET,
                                 CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (unshare(kinds[i]) == 0)
            return out("unshare(%#x)", (unsigned int)kinds[i]);
    return 0;
}

/* Joins every namespace that any process shows. */
static int joins_namespaces(void)
{
    static const char *const kinds[] = {
        "mnt", "pid", "net", "user", "cgroup", "ipc", "uts", NULL
    };
    char path[64];
    for (int pid = 1; pid < 100; pid++) {
        for (const char *const *kind = kinds; *kind; kind++) {
            (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, *kind);
            int fd = open(path, O_RDONLY);
            if (fd >= 0 && setns(fd, 0) == 0)
                return out("setns to %s", path);
        }
    }
    return 0;
}

/* --- processes of the host --- */

/* A process of ours may bear the number that musterd has outside. */
static int is_one_of_ours(void)
{
    char path[64];
    char comm[32] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)host_pid);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, comm, sizeof(comm) - 1) : 0;
    return n > 0 && strncmp(comm, "musterd", strlen("musterd")) != 0;
}

static int sees_the_process(void)
{
    char path[64];
    if (is_one_of_ours())
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/%d", (int)host_pid);
    if (access(path, F_OK) == 0)
        return out("%s", path);
    if (kill(host_pid, 0) == 0)
        return out("kill(%d)", (int)host_pid);
    if (syscall(SYS_pidfd_open, host_pid, 0) >= 0)
        return out("pidfd_open(%d)", (int)host_pid);
    return 0;
}

static int traces_the_process(void)
{
    char byte = 0;
    struct iovec here = { &byte, 1 };
    struct iovec there = { (void *)0x400000, 1 };
    if (is_one_of_ours())
        return 0;
    if (ptrace(PTRACE_SEIZE, host_pid, NULL, NULL) == 0)
        return out("ptrace");
    if (process_vm_readv(host_pid, &here, 1, &there, 1, 0) > 0)
        return out("process_vm_readv");
    return 0;
}

static int finds_the_root_of_process_1(void)
{
    struct stat own;
    struct stat other;
    if (stat("/", &own) < 0 || stat("/proc/1/root/", &other) < 0)
        return 0;
    return own.st_dev != other.st_dev || own.st_ino != other.st_ino ? out("/proc/1/root") : 0;
}

static int is_file_inside(const char *descriptor, const char *path)
{
    struct stat a;
    struct stat b;
    return *path == '/' && stat(descriptor, &a) == 0 && stat(path, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* What our own shell opened are files of the container; nothing else may be open. */
static int has_descriptors_of_others(void)
{
    char path[64];
    char target[256];
    for (int pid = 1; pid < 100; pid++) {
        for (int fd = 3; fd < 64; fd++) {
            (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
            ssize_t n = readlink(path, target, sizeof(target) - 1);
            if (n <= 0)
                continue;
            target[n] = '\0';
            if (!is_file_inside(path, target))
                return out("%s is %.*s", path, (int)n, target);
        }
    }
    return 0;
}

/* --- files of the kernel --- */

static int opens_for_writing(const char *path)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    (void)close(fd);
    return 1;
}

/* A file below path that opens for writing; depth bounds what has circles. */
static int walk(const char *path, int depth)
{
    DIR *directory = depth ? opendir(path) : NULL;
    int found = 0;
    for (const struct dirent *entry = NULL; directory && !found && (entry = readdir(directory));) {
        char inner[4096];
        if (entry->d_name[0] == '.' ||
            snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) >= (int)sizeof(inner))
            continue;
        if (entry->d_type == DT_DIR)
            found = walk(inner, depth - 1);
        else if (entry->d_type == DT_REG && opens_for_writing(inner))
            found = out("%s opens for writing", inner);
    }
    if (directory)
        (void)closedir(directory);
    return found;
}

static int writes_settings_of_the_kernel(void)
{
    return walk("/proc/sys", 8);
}

static int writes_into_sysfs(void)
{
    return walk("/sys", 7);
}

static int writes_into_proc(void)
{
    static const char *const paths[] = { "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity",
                                         "/proc/kcore",         "/proc/mtrr",
                                         "/proc/kmsg",          "/proc/latency_stats",
                                         "/proc/timer_list",    "/proc/acpi/wakeup",
                                         "/proc/scsi/scsi",     NULL };
    for (const char *const *path = paths; *path; path++)
        if (opens_for_writing(*path) && access(*path, W_OK) == 0) {
            struct stat st;
            /* What is masked is /dev/null, into which anybody may write. */
            if (stat(*path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
                continue;
            return out("%s opens for writing", *path);
        }
    return 0;
}

static int reads_what_is_masked(void)
{
    static const char *const paths[] = { "/proc/kcore",      "/proc/keys", "/proc/timer_list",
                                         "/proc/interrupts", "/proc/kmsg", "/dev/kmsg",
                                         "/dev/mem",         "/dev/port",  NULL };
    char byte = 0;
    for (const char *const *path = paths; *path; path++) {
        int fd = open(*path, O_RDONLY | O_NONBLOCK);
        if (fd >= 0 && read(fd, &byte, 1) > 0)
            return out("%s", *path);
    }
    return 0;
}

static int moves_to_another_cgroup(void)
{
    if (mkdir("/sys/fs/cgroup/escape", 0755) == 0)
        return out("mkdir in /sys/fs/cgroup");
    if (opens_for_writing("/sys/fs/cgroup/cgroup.procs"))
        return out("cgroup.procs");
    return 0;
}

/* --- devices --- */

static int opens_a_device(mode_t type, dev_t device, const char *name)
{
    static const char *const places[] = { "/tmp/device", "/dev/device", "/dev/shm/device", NULL };
    for (const char *const *place = places; *place; place++) {
        (void)unlink(*place);
        if (mknod(*place, type | 0600, device) < 0)
            continue;
        int fd = open(*place, O_RDONLY | O_NONBLOCK);
        (void)unlink(*place);
        if (fd >= 0)
            return out("%s by mknod %s", name, *place);
    }
    return 0;
}

static int reads_the_disk(void)
{
    return opens_a_device(S_IFBLK, disk, "the host's disk");
}

static int reads_memory(void)
{
    return opens_a_device(S_IFCHR, makedev(1, 1), "/dev/mem") ||
           opens_a_device(S_IFCHR, makedev(1, 4), "/dev/port") ||
           opens_a_device(S_IFCHR, makedev(1, 11), "/dev/kmsg");
}

static int opens_devices_that_control(void)
{
    return opens_a_device(S_IFCHR, makedev(10, 237), "/dev/loop-control") ||
           opens_a_device(S_IFCHR, makedev(10, 229), "/dev/fuse") ||
           opens_a_device(S_IFCHR, makedev(10, 200), "/dev/net/tun") ||
           opens_a_device(S_IFCHR, makedev(4, 64), "/dev/ttyS0") ||
           opens_a_device(S_IFCHR, makedev(5, 1), "/dev/console");
}

/* --- the rest --- */

/* "Shocker": a handle of the root directory, inode 2, opens the host's root. */
static int opens_by_handle(void)
{
    struct {
        unsigned int bytes;
        int type;
        unsigned char handle[8];
    } handle = {
        8, 1, {2, 0, 0, 0, 0, 0, 0, 0}
    };
    int fd = open("/", O_RDONLY);
    return syscall(SYS_open_by_handle_at, fd, &handle, O_RDONLY) >= 0 ? out("open_by_handle_at")
                                                                      : 0;
}

static int uses_a_keyring(void)
{
    static const int rings[] = { KEY_SPEC_USER_KEYRING, KEY_SPEC_USER_SESSION_KEYRING,
                                 KEY_SPEC_SESSION_KEYRING };
    char text[256];
    for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
        if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, rings[i], text, sizeof(text)) > 0)
            return out("keyring %s", text);
    return syscall(SYS_add_key, "user", "escape", "x", 1, KEY_SPEC_USER_KEYRING) >= 0
               ? out("add_key")
               : 0;
}

static int connects_to_an_abstract_socket(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", socket_name);
    socklen_t length =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(socket_name));
    return connect(fd, (struct sockaddr *)&address, length) == 0 ? out("@%s", socket_name) : 0;
}

static int changes_the_machine(void)
{
    const struct timeval now = { .tv_sec = 1700000000 };
    if (sethostname("escaped", 7) == 0)
        return out("sethostname");
    if (settimeofday(&now, NULL) == 0)
        return out("settimeofday");
    if (reboot(RB_DISABLE_CAD) == 0)
        return out("reboot");
    if (syscall(SYS_init_module, "", 0, "") == 0 || errno == ENOEXEC)
        return out("init_module");
    if (syscall(SYS_kexec_load, 0, 0, NULL, 0) == 0)
        return out("kexec_load");
    if (swapoff("/none") < 0 && errno == ENOENT)
        return out("swapoff");
    return 0;
}

/* That a call exists for us at all is told from what it says to bad arguments. */
static int reaches_into_the_kernel(void)
{
    if (syscall(SYS_bpf, 0, NULL, 0) == 0 || errno == EINVAL || errno == EFAULT || errno == E2BIG)
        return out("bpf");
    if (syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) >= 0 || errno == EFAULT)
        return out("perf_event_open");
    if (syscall(SYS_userfaultfd, 0) >= 0)
        return out("userfaultfd");
    if (syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno == EFAULT)
        return out("io_uring_setup");
    return 0;
}

static const struct {
    const char *name;
    int (*attempt)(void);
} attempts[] = {
    {"mounts_a_file_system",              mounts_a_file_system            },
    { "binds_a_directory",                binds_a_directory               },
    { "remounts_proc_for_writing",        remounts_proc_for_writing       },
    { "uncovers_what_is_masked",          uncovers_what_is_masked         },
    { "mounts_by_the_new_calls",          mounts_by_the_new_calls         },
    { "changes_the_root",                 changes_the_root                },
    { "leaves_a_chroot",                  leaves_a_chroot                 },
    { "makes_a_user_namespace",           makes_a_user_namespace          },
    { "makes_a_user_namespace_by_clone3", makes_a_user_namespace_by_clone3},
    { "makes_other_namespaces",           makes_other_namespaces          },
    { "joins_namespaces",                 joins_namespaces                },
    { "sees_the_process",                 sees_the_process                },
    { "traces_the_process",               traces_the_process              },
    { "finds_the_root_of_process_1",      finds_the_root_of_process_1     },
    { "has_descriptors_of_others",        has_descriptors_of_others       },
    { "writes_settings_of_the_kernel",    writes_settings_of_the_kernel   },
    { "writes_into_sysfs",                writes_into_sysfs               },
    { "writes_into_proc",                 writes_into_proc                },
    { "reads_what_is_masked",             reads_what_is_masked            },
    { "moves_to_another_cgroup",          moves_to_another_cgroup         },
    { "reads_the_disk",                   reads_the_disk                  },
    { "reads_memory",                     reads_memory                    },
    { "opens_devices_that_control",       opens_devices_that_control      },
    { "opens_by_handle",                  opens_by_handle                 },
    { "uses_a_keyring",                   uses_a_keyring                  },
    { "connects_to_an_abstract_socket",   connects_to_an_abstract_socket  },
    { "changes_the_machine",              changes_the_machine             },
    { "reaches_into_the_kernel",          reaches_into_the_kernel         },
};

/* An attempt that hangs has not got out. */
static int try(size_t i)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(SECONDS_MAX);
        if (attempts[i].attempt() == 0)
            _exit(0);
        (void)printf("OUT %s: %s\n", attempts[i].name, how);
        (void)fflush(stdout);
        _exit(1);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return (void)printf("OUT %s: could not be tried\n", attempts[i].name), 1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
        return 1;
    (void)printf("held %s\n", attempts[i].name);
    return 0;
}

int main(int argc, char **argv)
{
    int got_out = 0;
    if (argc != 5)
        return 2;
    host_pid = atoi(argv[1]);
    disk = makedev((unsigned int)atoi(argv[2]), (unsigned int)atoi(argv[3]));
    socket_name = argv[4];
    (void)mkdir("/tmp", 01777);
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
        got_out |= try(i);
    (void)printf("tried %zu\n", sizeof(attempts) / sizeof(attempts[0]));
    return got_out;
}
