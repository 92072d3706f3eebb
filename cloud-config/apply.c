/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

static int wait_for(pid_t pid, const char *name, struct error *err)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(err, -errno, "%s", name);
    if (WIFSIGNALED(status))
        return error_set(err, -EIO, "%s was killed by signal %d", name, WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return error_set(err, -EIO, "%s exited with status %d", name, WEXITSTATUS(status));
    return 0;
}

static int run(char *const *argv, struct error *err)
{
    pid_t pid;
    int r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
    if (r != 0)
        return error_errno(err, -r, "%s", argv[0]);
    return wait_for(pid, argv[0], err);
}

static int rehearse(const struct apply_options *options, char *const *argv, struct error *err)
{
    autotext line = { 0 };
    text_add(&line, "would run:");
    for (; *argv; argv++)
        text_addf(&line, " %s", *argv);
    if (line.failed)
        return error_oom(err);
    options->say(line.data);
    return 0;
}

static int run_or_rehearse(const struct apply_options *options, char *const *argv,
                           struct error *err)
{
    return options->root ? rehearse(options, argv, err) : run(argv, err);
}

static char *real_path(const struct apply_options *options, const char *path)
{
    return text_format("%s%s", options->root ? options->root : "", path);
}

static int make_parent(const char *path, struct error *err)
{
    autofree char *parent = strdup(path);
    if (!parent)
        return error_oom(err);
    *strrchr(parent, '/') = '\0';
    if (!*parent)
        return 0;
    int r = file_make_dirs(parent, 0755, err);
    struct stat st;
    if (r == 0 && (stat(parent, &st) < 0 || !S_ISDIR(st.st_mode)))
        return error_set(err, -ENOTDIR, "%s is not a directory", parent);
    return r;
}

static int write_all(int fd, const char *data, size_t length, const char *path, struct error *err)
{
    while (length) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, -errno, "%s", path);
        data += n;
        length -= (size_t)n;
    }
    return 0;
}

/* By the program, because it knows every way an owner can be written and named. */
static int change_owner(const struct apply_options *options, const char *owner, const char *beside,
                        const char *path, struct error *err)
{
    if (!*owner)
        return 0;
    /* A rehearsal tells the name that the file will have, the temporary one says nothing. */
    const char *words[] = { "chown", "--", owner, options->root ? path : beside };
    autostrv argv = NULL;
    int r = 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && r == 0; i++)
        r = strv_add(&argv, words[i], err);
    return r < 0 ? r : run_or_rehearse(options, argv, err);
}

/* Owner before mode: changing the owner takes the setuid and setgid bits away. */
static int fill(const struct apply_options *options, const struct step *step, int fd,
                const char *beside, struct error *err)
{
    int r = write_all(fd, step->data, step->length, step->path, err);
    if (r == 0)
        r = change_owner(options, step->owner, beside, step->path, err);
    if (r == 0 && fchmod(fd, step->mode) < 0)
        r = error_errno(err, -errno, "%s: mode %04o", step->path, (unsigned)step->mode);
    /* Without it a power cut after the rename may leave an empty file in the place of a good one.
     */
    if (r == 0 && fsync(fd) < 0)
        r = error_errno(err, -errno, "%s", step->path);
    return r;
}

static int write_file(const struct apply_options *options, const struct step *step,
                      struct error *err)
{
    autofree char *path = real_path(options, step->path);
    autofree char *beside = path ? text_format("%s.muster-XXXXXX", path) : NULL;
    if (!beside)
        return error_oom(err);
    int r = make_parent(path, err);
    if (r < 0)
        return r;
    autoclose int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, -errno, "%s", step->path);
    r = fill(options, step, fd, beside, err);
    if (r == 0 && rename(beside, path) < 0)
        r = error_errno(err, -errno, "%s", step->path);
    if (r < 0)
        (void)unlink(beside);
    return r;
}

static int mask(const struct apply_options *options, const struct step *step, struct error *err)
{
    autofree char *path = real_path(options, step->path);
    char random[17];
    text_random_hex(8, random);
    autofree char *beside = path ? text_format("%s.muster-%s", path, random) : NULL;
    if (!beside)
        return error_oom(err);
    int r = make_parent(path, err);
    if (r < 0)
        return r;
    if (symlink("/dev/null", beside) < 0)
        return error_errno(err, -errno, "%s", step->path);
    if (rename(beside, path) < 0) {
        r = error_errno(err, -errno, "%s", step->path);
        (void)unlink(beside);
    }
    return r;
}

static int unmask(const struct apply_options *options, const struct step *step, struct error *err)
{
    autofree char *path = real_path(options, step->path);
    if (!path)
        return error_oom(err);
    struct stat st;
    if (stat(path, &st) < 0)
        return 0; /* nothing there, or a link that leads nowhere: systemd sees no mask either */
    if (S_ISCHR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size == 0))
        return file_remove(path, err);
    /* Usually the unit that this same plan has just written, and there is nothing to tell then. */
    return 0;
}

static int write_hostname(const char *name, struct error *err)
{
    autofree char *line = text_format("%s\n", name);
    if (!line)
        return error_oom(err);
    int r = file_write("/etc/hostname", line, strlen(line), 0644, err);
    if (r == 0 && sethostname(name, strlen(name)) < 0)
        r = error_errno(err, -errno, "hostname %s", name);
    return r;
}

/* A small node may have no systemd-hostnamed; what it would have done is two calls. */
static int set_hostname(const struct apply_options *options, const struct step *step,
                        struct error *err)
{
    char program[] = "hostnamectl", verb[] = "set-hostname", end[] = "--";
    char *argv[] = { program, verb, end, step->text, NULL };
    struct error why = { 0 };
    if (run_or_rehearse(options, argv, &why) == 0)
        return 0;
    autofree char *line = text_format("%s; writing /etc/hostname instead", why.text);
    options->say(line ? line : why.text);
    return write_hostname(step->text, err);
}

static int apply_step(const struct apply_options *options, const struct step *step,
                      struct error *err)
{
    switch (step->kind) {
    case STEP_HOSTNAME:
        return set_hostname(options, step, err);
    case STEP_WRITE:
        return write_file(options, step, err);
    case STEP_MASK:
        return mask(options, step, err);
    case STEP_UNMASK:
        return unmask(options, step, err);
    case STEP_RUN:
        return run_or_rehearse(options, step->argv, err);
    case STEP_INVALID:
        break;
    }
    return error_set(err, -EINVAL, "a step of no kind");
}

int apply_plan(const struct plan *plan, const struct apply_options *options, size_t *ret_done,
               struct error *err)
{
    for (*ret_done = 0; *ret_done < plan->count; ++*ret_done) {
        const struct step *step = &plan->steps[*ret_done];
        int r = apply_step(options, step, err);
        if (r < 0) {
            autotext what = { 0 };
            step_print(step, &what);
            return error_prefix(err, r, "%s", what.failed ? "a step" : what.data);
        }
    }
    return 0;
}
