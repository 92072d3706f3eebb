/* SPDX-License-Identifier: Apache-2.0 */
#include "container/secrets.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/shape.h"
#include "base/text.h"

enum { SECRET_MAX_BYTES = 512 * 1024 /* Podman's */ };

static int read_secret(const struct container_secret *secret, const char *directory, char **ret,
                       size_t *ret_length, struct error *err)
{
    autofree char *path = text_format("%s/%s", directory ? directory : "", secret->name);
    if (!path)
        return error_oom(err);
    int r = directory ? file_read(path, SECRET_MAX_BYTES, ret, ret_length, err) : -ENOENT;
    if (r == -ENOENT)
        return error_set(
            err, r,
            "Secret=%s: this machine has none; put it into /etc/credstore/%s, or write "
            "LoadCredential=%s:/PATH in [Service]",
            secret->name, secret->name, secret->name);
    return r < 0 ? error_prefix(err, r, "Secret=%s", secret->name) : 0;
}

static int add_mount(struct container *container, const char *source, const char *destination,
                     struct error *err)
{
    struct container_mount *mount =
        shape_list_add(&container->mounts, &container->mount_count, sizeof(*mount));
    if (!mount)
        return error_oom(err);
    mount->type = CONTAINER_MOUNT_BIND;
    mount->read_only = true;
    mount->source = strdup(source);
    mount->destination = strdup(destination);
    return mount->source && mount->destination ? 0 : error_oom(err);
}

static int make_file(const struct place *place, struct container *container, size_t number,
                     const char *data, size_t length, const struct userns *userns,
                     struct error *err)
{
    const struct container_secret *secret = &container->secrets[number];
    autofree char *path = text_format("%s/%zu", place->secrets, number);
    if (!path)
        return error_oom(err);
    int r = file_make_dirs(place->secrets, 0711, err);
    if (r == 0)
        r = file_write(path, data, length, (mode_t)secret->mode, err);
    if (r == 0 && chown(path, (uid_t)userns_uid_outside(userns, secret->uid),
                        (gid_t)userns_gid_outside(userns, secret->gid)) < 0)
        r = error_errno(err, -errno, "Secret=%s: giving it to %lld:%lld", secret->name,
                        (long long)secret->uid, (long long)secret->gid);
    return r < 0 ? r : add_mount(container, path, secret->target, err);
}

static int prepare(const struct place *place, struct container *container, size_t number,
                   const char *directory, const struct userns *userns, char ***environment,
                   struct error *err)
{
    const struct container_secret *secret = &container->secrets[number];
    autofree char *data = NULL;
    size_t length = 0;
    int r = read_secret(secret, directory, &data, &length, err);
    if (r < 0)
        return r;
    if (secret->type == CONTAINER_SECRET_MOUNT) {
        r = make_file(place, container, number, data, length, userns, err);
    } else if (strlen(data) != length) {
        r = error_set(err, -EINVAL, "Secret=%s has a NUL byte, which no variable can have",
                      secret->name);
    } else {
        r = strv_addf(environment, err, "%s=%s", secret->target, data);
    }
    explicit_bzero(data, length);
    return r;
}

int secrets_prepare(const struct place *place, struct container *container, const char *directory,
                    const struct userns *userns, char ***environment, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < container->secret_count; i++)
        r = prepare(place, container, i, directory, userns, environment, err);
    return r;
}
