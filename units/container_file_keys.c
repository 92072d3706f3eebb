/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of [Container] that say what is seen of files: volumes, mounts, secrets, devices. */
#include <errno.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"
#include "units/container_take.h"
#include "units/container_value.h"

/* --- adding mounts --- */

static int mount_add(struct reading *reading, const struct unit_option *option, const char *source,
                     const char *destination, struct container_mount **ret, struct error *err)
{
    struct container *container = reading->container;
    if (!take_is_path_below_root(destination))
        return unit_option_error(err, option,
                                 "the destination must be an absolute path below /, without "
                                 "\"..\"");
    if (container->mount_count >= UNIT_LIST_MAX)
        return unit_option_error(err, option, "more than %d volumes", UNIT_LIST_MAX);
    if (container_mount_at(container, destination))
        return unit_option_error(err, option, "another volume is mounted there already");
    struct container_mount *mount =
        shape_list_add(&container->mounts, &container->mount_count, sizeof(*mount));
    if (!mount)
        return error_oom(err);
    mount->key = option->key;
    mount->source = source ? strdup(source) : NULL;
    mount->destination = strdup(destination);
    if ((source && !mount->source) || !mount->destination)
        return error_oom(err);
    *ret = mount;
    return 0;
}

/* *ret NULL: the value is empty, and what the key said before is dropped. */
static int mount_text(struct reading *reading, const struct unit_option *option, char **ret,
                      struct error *err)
{
    if (*option->value)
        return take_expanded(reading, option, ret, err);
    container_clear_mounts(reading->container, option->key);
    return 0;
}

/* --- options of volumes and binds --- */

static const char *const plain_options[] = {
    "exec",       "noexec",      "suid",     "nosuid",   "dev",     "nodev", "bind",
    "rbind",      "private",     "rprivate", "shared",   "rshared", "slave", "rslave",
    "unbindable", "runbindable", "noatime",  "relatime", NULL,
};

/* True where the option was one of those that are fields. */
static bool set_flag(struct container_mount *mount, const char *option)
{
    const struct {
        const char *name;
        bool *flag;
        bool value;
    } flags[] = {
        {"ro",      &mount->read_only, true },
        { "rw",     &mount->read_only, false},
        { "U",      &mount->chown,     true },
        { "O",      &mount->overlay,   true },
        { "copy",   &mount->no_copy,   false},
        { "nocopy", &mount->no_copy,   true },
        { "idmap",  &mount->idmap,     true },
    };
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(flags[i].name, option) == 0) {
            *flags[i].flag = flags[i].value;
            return true;
        }
    }
    return false;
}

static int add_option(struct reading *reading, const struct unit_option *option,
                      struct container_mount *mount, const char *word, struct error *err)
{
    if (set_flag(mount, word))
        return 0;
    if (strcmp(word, "z") == 0 || strcmp(word, "Z") == 0)
        return take_warning(reading, option, "nothing is relabelled for SELinux", err);
    for (const char *const *known = plain_options; *known; known++)
        if (strcmp(*known, word) == 0)
            return strv_add(&mount->options, word, err);
    return unit_option_error(err, option,
                             "option \"%s\" is not known; there are ro, rw, U, O, copy, nocopy, "
                             "idmap, noexec, nosuid, nodev, rslave, rshared and their like",
                             word);
}

/* --- Volume=[SOURCE:]DESTINATION[:OPTIONS] --- */

/* A path, the name of a volume, or NAME.volume, whose volume Quadlet calls systemd-NAME. */
static int classify_source(const struct unit_option *option, const char *source,
                           struct container_mount *mount, struct error *err)
{
    mount->type = CONTAINER_MOUNT_BIND;
    if (*source == '/') {
        if (!take_is_plain_path(source))
            return unit_option_error(err, option, "the source has \"..\" in it");
        return 0;
    }
    if (*source == '.')
        return unit_option_error(err, option,
                                 "a unit of the cluster lies in no directory; write the source as "
                                 "an absolute path of the machine");
    mount->type = CONTAINER_MOUNT_VOLUME;
    if (!take_is_object_name(source))
        return unit_option_error(
            err, option, "\"%s\" is neither an absolute path nor the name of a volume", source);
    if (!text_ends_with(source, ".volume"))
        return 0;
    autofree char *name =
        text_format("systemd-%.*s", (int)(strlen(source) - strlen(".volume")), source);
    if (!name)
        return error_oom(err);
    free(mount->source);
    mount->source = take_ptr(name);
    return 0;
}

static int take_volume(struct reading *reading, const struct unit_option *option, void *field,
                       struct error *err)
{
    (void)field;
    autofree char *text = NULL;
    int r = mount_text(reading, option, &text, err);
    if (r < 0 || !text)
        return r;
    char *rest = text;
    const char *source = strsep(&rest, ":");
    const char *destination = strsep(&rest, ":");
    char *options = rest;
    if (!destination) {
        destination = source;
        source = NULL;
    }
    struct container_mount *mount = NULL;
    r = mount_add(reading, option, source, destination, &mount, err);
    if (r < 0)
        return r;
    mount->type = CONTAINER_MOUNT_VOLUME;
    if (source)
        r = classify_source(option, source, mount, err);
    for (char *word; r == 0 && (word = strsep(&options, ",")) != NULL;)
        r = add_option(reading, option, mount, word, err);
    return r;
}

/* --- Tmpfs=DESTINATION[:OPTIONS] --- */

static bool is_tmpfs_option(const char *word)
{
    static const char *const names[] = { "size=", "mode=", "nr_inodes=", "nr_blocks=",
                                         "uid=",  "gid=",  "huge=",      NULL };
    static const char *const words[] = { "ro",     "rw",  "exec",  "noexec",  "suid",
                                         "nosuid", "dev", "nodev", "noatime", NULL };
    for (const char *const *name = names; *name; name++)
        if (text_starts_with(word, *name))
            return word[strlen(*name)] != '\0';
    for (const char *const *known = words; *known; known++)
        if (strcmp(word, *known) == 0)
            return true;
    return false;
}

/* What Podman's own tmpfs has unless it is told otherwise: a user's option stands after it and
 * wins. */
static int add_tmpfs_defaults(struct container_mount *mount, struct error *err)
{
    int r = strv_add(&mount->options, "nosuid", err);
    return r < 0 ? r : strv_add(&mount->options, "nodev", err);
}

static int take_tmpfs(struct reading *reading, const struct unit_option *option, void *field,
                      struct error *err)
{
    (void)field;
    autofree char *text = NULL;
    int r = mount_text(reading, option, &text, err);
    if (r < 0 || !text)
        return r;
    char *options = text;
    const char *destination = strsep(&options, ":");
    struct container_mount *mount = NULL;
    r = mount_add(reading, option, NULL, destination, &mount, err);
    if (r < 0)
        return r;
    mount->type = CONTAINER_MOUNT_TMPFS;
    r = add_tmpfs_defaults(mount, err);
    for (char *word; r == 0 && (word = strsep(&options, ",")) != NULL;) {
        if (strcmp(word, "U") == 0) {
            mount->chown = true;
            continue;
        }
        if (!is_tmpfs_option(word))
            return unit_option_error(err, option, "\"%s\" is no option of a tmpfs", word);
        r = strv_add(&mount->options, word, err);
    }
    return r;
}

/* --- Mount=type=…,… --- */

struct mount_words {
    const char *type, *source, *destination, *subpath;
};

/* NAME of NAME=VALUE, and the value; a bare name has the value NULL. */
static const char *split_pair(char *word)
{
    char *equals = strchr(word, '=');
    if (!equals)
        return NULL;
    *equals = '\0';
    return equals + 1;
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

/* The four that say what and where; true if it was one. */
static bool take_place(struct mount_words *words, const char *name, const char *value)
{
    if (strcmp(name, "type") == 0)
        words->type = value;
    else if (is_one_of(name, "source", "src", "src"))
        words->source = value;
    else if (is_one_of(name, "destination", "dst", "target"))
        words->destination = value;
    else if (is_one_of(name, "subpath", "image-subpath", "volume-subpath"))
        words->subpath = value;
    else
        return false;
    return true;
}

static int take_mount_flag(const struct unit_option *option, const char *value, bool *flag,
                           bool meaning, struct error *err)
{
    bool yes = true;
    if (value && unit_boolean_parse(value, &yes, NULL) < 0)
        return unit_option_error(err, option, "\"%s\" is neither true nor false", value);
    *flag = yes == meaning;
    return 0;
}

static int take_mount_pair(struct reading *reading, const struct unit_option *option,
                           struct container_mount *mount, const char *name, const char *value,
                           struct error *err)
{
    if (is_one_of(name, "ro", "readonly", "read-only"))
        return take_mount_flag(option, value, &mount->read_only, true, err);
    if (is_one_of(name, "rw", "readwrite", "rw"))
        return take_mount_flag(option, value, &mount->read_only, false, err);
    if (is_one_of(name, "U", "chown", "U"))
        return take_mount_flag(option, value, &mount->chown, true, err);
    if (strcmp(name, "idmap") == 0 && !value)
        return take_mount_flag(option, value, &mount->idmap, true, err);
    if (strcmp(name, "bind-propagation") == 0 && value)
        return add_option(reading, option, mount, value, err);
    if (is_one_of(name, "bind-nonrecursive", "no-rbind", "bind-nonrecursive"))
        return strv_add(&mount->options, "bind", err);
    if (strcmp(name, "relabel") == 0)
        return take_warning(reading, option, "nothing is relabelled for SELinux", err);
    if (is_one_of(name, "tmpfs-size", "tmpfs-mode", "notmpcopyup")) {
        if (!value)
            return 0; /* what lies below a tmpfs is never copied into it here */
        return strv_addf(&mount->options, err, "%s=%s", name + strlen("tmpfs-"), value);
    }
    if (mount->type == CONTAINER_MOUNT_DEVPTS && value &&
        (is_one_of(name, "uid", "gid", "mode") || strcmp(name, "max") == 0))
        return strv_addf(&mount->options, err, "%s=%s", name, value);
    if (!value)
        return add_option(reading, option, mount, name, err);
    return unit_option_error(err, option, "\"%s=\" is not known of a mount", name);
}

static int check_mount_source(const struct unit_option *option, const struct container_mount *mount,
                              struct error *err)
{
    switch (mount->type) {
    case CONTAINER_MOUNT_BIND:
    case CONTAINER_MOUNT_GLOB:
        if (!mount->source || !take_is_plain_path(mount->source))
            return unit_option_error(err, option, "want source= with an absolute path");
        return 0;
    case CONTAINER_MOUNT_IMAGE:
        return mount->source ? 0 : unit_option_error(err, option, "want source= with an image");
    case CONTAINER_MOUNT_VOLUME:
    case CONTAINER_MOUNT_TMPFS:
    case CONTAINER_MOUNT_RAMFS:
    case CONTAINER_MOUNT_DEVPTS:
    case CONTAINER_MOUNT_INVALID:
        break;
    }
    if (mount->source && mount->type != CONTAINER_MOUNT_VOLUME)
        return unit_option_error(err, option, "a %s has no source",
                                 container_mount_words[mount->type]);
    return 0;
}

/* type= may stand anywhere, and decides what the rest means: two passes. */
static int mount_begin(struct reading *reading, const struct unit_option *option,
                       const struct mount_words *words, struct container_mount **ret,
                       struct error *err)
{
    const char *type = words->type ? words->type : "volume";
    if (strcmp(type, "artifact") == 0)
        return unit_option_error(err, option, "artifacts are not there; make an image of it");
    int known = shape_word_find(container_mount_words, type);
    if (!known)
        return unit_option_error(err, option,
                                 "type=%s is not known; there are bind, volume, tmpfs, ramfs, "
                                 "devpts, image and glob",
                                 type);
    const char *destination = words->destination;
    if (!destination && known == CONTAINER_MOUNT_GLOB)
        destination = words->source; /* each file at its own path */
    if (!destination)
        return unit_option_error(
            err, option, "no %s=", known == CONTAINER_MOUNT_GLOB ? "source" : "destination");
    struct container_mount *mount = NULL;
    int r = mount_add(reading, option, words->source, destination, &mount, err);
    if (r < 0)
        return r;
    mount->type = (enum container_mount_type)known;
    if (mount->type == CONTAINER_MOUNT_VOLUME && words->source)
        r = classify_source(option, words->source, mount, err);
    if (r == 0 && words->subpath) {
        mount->subpath = strdup(words->subpath);
        r = mount->subpath ? 0 : error_oom(err);
    }
    if (r == 0 && (mount->type == CONTAINER_MOUNT_TMPFS || mount->type == CONTAINER_MOUNT_RAMFS))
        r = add_tmpfs_defaults(mount, err);
    /* An image is a template: nothing that is written reaches it. */
    mount->read_only = mount->type == CONTAINER_MOUNT_IMAGE;
    *ret = mount;
    return r < 0 ? r : check_mount_source(option, mount, err);
}

static int take_mount(struct reading *reading, const struct unit_option *option, void *field,
                      struct error *err)
{
    autostrv words = NULL;
    autostrv pairs = NULL;
    struct mount_words places = { 0 };
    struct container_mount *mount = NULL;
    (void)field;
    if (!*option->value) {
        container_clear_mounts(reading->container, option->key);
        return 0;
    }
    int r = take_split(reading, option, &words, err);
    if (r >= 0 && strv_length(words) != 1)
        return unit_option_error(err, option,
                                 "want one word, type=…,source=…,destination=…; quote it if it "
                                 "has spaces");
    if (r >= 0)
        r = strv_split(words[0], ",", &pairs, err);
    if (r < 0)
        return r;
    for (char **pair = pairs; pair && *pair; pair++) {
        autofree char *copy = strdup(*pair);
        if (!copy)
            return error_oom(err);
        const char *value = split_pair(copy);
        (void)take_place(&places, copy, value ? *pair + (value - copy) : NULL);
    }
    r = mount_begin(reading, option, &places, &mount, err);
    for (char **pair = pairs; r == 0 && pair && *pair; pair++) {
        struct mount_words ignored;
        const char *value = split_pair(*pair);
        if (!take_place(&ignored, *pair, value))
            r = take_mount_pair(reading, option, mount, *pair, value, err);
    }
    return r;
}

/* --- Secret=NAME[,type=…] --- */

static int secret_field(const struct unit_option *option, struct container_secret *secret,
                        const char *name, const char *value, struct error *err)
{
    bool is_number = true;
    if (value && strcmp(name, "type") == 0) {
        secret->type = shape_word_find(container_secret_words, value);
        if (!secret->type)
            return unit_option_error(err, option, "type=%s is neither mount nor env", value);
    } else if (value && strcmp(name, "target") == 0) {
        free(secret->target);
        secret->target = strdup(value);
        return secret->target ? 0 : error_oom(err);
    } else if (value && strcmp(name, "uid") == 0) {
        is_number = take_parse_int(value, 0, UINT32_MAX - 1, &secret->uid) == 0;
    } else if (value && strcmp(name, "gid") == 0) {
        is_number = take_parse_int(value, 0, UINT32_MAX - 1, &secret->gid) == 0;
    } else if (value && strcmp(name, "mode") == 0) {
        char *end = NULL;
        secret->mode = strtol(value, &end, 8);
        is_number = *value && !*end && secret->mode >= 0 && secret->mode <= 07777;
    } else {
        return unit_option_error(err, option,
                                 "\"%s\" is not known of a secret; there are type=, target=, "
                                 "uid=, gid= and mode=",
                                 name);
    }
    return is_number ? 0 : unit_option_error(err, option, "\"%s\" is no such number", value);
}

/* Unless it says otherwise a secret is the file /run/secrets/NAME, or the variable NAME. */
static int secret_finish(const struct unit_option *option, struct container_secret *secret,
                         struct error *err)
{
    bool is_file = secret->type == CONTAINER_SECRET_MOUNT;
    if (is_file && (!secret->target || *secret->target != '/')) {
        char *path = text_format("/run/secrets/%s", secret->target ? secret->target : secret->name);
        free(secret->target);
        secret->target = path;
    } else if (!secret->target) {
        secret->target = strdup(secret->name);
    }
    if (!secret->target)
        return error_oom(err);
    if (is_file && !take_is_path_below_root(secret->target))
        return unit_option_error(err, option, "its target must be a path below /, without \"..\"");
    return 0;
}

static int take_secret(struct reading *reading, const struct unit_option *option, void *field,
                       struct error *err)
{
    struct container *container = reading->container;
    autostrv words = NULL;
    autostrv pairs = NULL;
    (void)field;
    if (!*option->value) {
        container_clear_secrets(container);
        return 0;
    }
    int r = take_split(reading, option, &words, err);
    if (r >= 0 && strv_length(words) != 1)
        return unit_option_error(err, option, "want one word, NAME[,type=…,target=…]");
    if (r >= 0)
        r = strv_split(words[0], ",", &pairs, err);
    if (r < 0)
        return r;
    if (!pairs || !take_is_object_name(pairs[0]))
        return unit_option_error(err, option, "a secret begins with its name");
    struct container_secret *secret =
        shape_list_add(&container->secrets, &container->secret_count, sizeof(*secret));
    if (!secret)
        return error_oom(err);
    secret->type = CONTAINER_SECRET_MOUNT;
    secret->mode = 0444;
    secret->name = strdup(pairs[0]);
    if (!secret->name)
        return error_oom(err);
    for (char **pair = pairs + 1; r == 0 && *pair; pair++) {
        const char *value = split_pair(*pair);
        r = secret_field(option, secret, *pair, value, err);
    }
    return r < 0 ? r : secret_finish(option, secret, err);
}

/* --- AddDevice=[-]HOST[:INSIDE][:rwm] --- */

static bool is_permissions(const char *text)
{
    return *text && strlen(text) <= 3 && !text[strspn(text, "rwm")];
}

static int take_device_word(struct reading *reading, const struct unit_option *option, char *word,
                            struct error *err)
{
    struct container *container = reading->container;
    bool optional = *word == '-';
    char *rest = word + optional;
    const char *host = strsep(&rest, ":");
    const char *inside = strsep(&rest, ":");
    const char *permissions = rest;
    if (inside && !permissions && is_permissions(inside)) {
        permissions = inside;
        inside = NULL;
    }
    if (!take_is_path_below_root(host) || !text_starts_with(host, "/dev/") ||
        (inside && !take_is_path_below_root(inside)))
        return unit_option_error(err, option, "\"%s\": want [-]/dev/DEVICE[:/dev/INSIDE][:rwm]",
                                 host);
    if (permissions && !is_permissions(permissions))
        return unit_option_error(err, option, "\"%s\" is not of r, w and m", permissions);
    struct container_device *device =
        shape_list_add(&container->devices, &container->device_count, sizeof(*device));
    if (!device)
        return error_oom(err);
    device->host = strdup(host);
    device->inside = strdup(inside ? inside : host);
    device->permissions = strdup(permissions ? permissions : "rwm");
    device->optional = optional;
    return device->host && device->inside && device->permissions ? 0 : error_oom(err);
}

static int take_devices(struct reading *reading, const struct unit_option *option, void *field,
                        struct error *err)
{
    autostrv words = NULL;
    (void)field;
    if (!*option->value) {
        container_clear_devices(reading->container);
        return 0;
    }
    int r = take_split(reading, option, &words, err);
    for (char **word = words; r >= 0 && word && *word; word++)
        r = take_device_word(reading, option, *word, err);
    return r < 0 ? r : 0;
}

const struct container_key container_file_keys[] = {
    {"AddDevice",      take_devices,          0                                  },
    { "Mount",         take_mount,            0                                  },
    { "ReadOnly",      take_boolean,          CONTAINER_FIELD(read_only)         },
    { "ReadOnlyTmpfs", take_boolean_inverted, CONTAINER_FIELD(no_read_only_tmpfs)},
    { "Secret",        take_secret,           0                                  },
    { "ShmSize",       take_size,             CONTAINER_FIELD(shm_bytes)         },
    { "Timezone",      take_string,           CONTAINER_FIELD(timezone)          },
    { "Tmpfs",         take_tmpfs,            0                                  },
    { "VolatileTmp",   take_boolean,          CONTAINER_FIELD(volatile_tmp)      },
    { "Volume",        take_volume,           0                                  },
    { NULL,            NULL,                  0                                  },
};
