/* SPDX-License-Identifier: Apache-2.0 */
#include "units/auto_update.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "units/reference.h"

static const char section[] = "Container";

void auto_update_done(struct auto_update *update)
{
    free(update->image);
    free(update->digest);
    *update = (struct auto_update){ 0 };
}

static int short_name(const struct reference *reference, const char *said, struct error *err)
{
    return error_set(err, -EINVAL,
                     "%s is a short name, and which registry's it is each machine decides; write "
                     "docker.io/%s%s or the like",
                     said, strchr(reference->name, '/') ? "" : "library/", said);
}

/* *ret: the name of a tag in a registry. */
static int read_image(const char *said, struct reference **ret, struct error *err)
{
    autoptr(reference) reference = NULL;
    if (strchr(said, '%'))
        return error_set(err, -EINVAL,
                         "%s is another image in each instance, and a rollout gives all the same",
                         said);
    int r = reference_parse(said, &reference, err);
    if (r < 0)
        return error_prefix(err, r, "%s", said);
    if (reference->kind == REFERENCE_SHORT)
        return short_name(reference, said, err);
    if (reference->kind != REFERENCE_REGISTRY)
        return error_set(err, -EINVAL, "%s is in no registry", said);
    if (!reference->tag)
        return error_set(err, -EINVAL, "%s has a digest and no tag that could move; write NAME:TAG",
                         said);
    *ret = take_ptr(reference);
    return 0;
}

/* A container that ends with its start is nothing to change over. */
static int check_others(const struct unit_file *file, struct error *err)
{
    if (text_equal(unit_file_get(file, section, "Pull"), "never"))
        return error_set(err, -EINVAL, "Pull=never would let no machine fetch another image");
    if (text_equal(unit_file_get(file, "Service", "Type"), "oneshot"))
        return error_set(err, -EINVAL,
                         "of Type=oneshot none goes on running; Pull=newer looks at each start");
    return 0;
}

/* 1: *ret_option is the one that says which tag it is. */
static int find_tag(const struct unit_file *file, struct reference **ret,
                    struct unit_option **ret_option, struct error *err)
{
    struct unit_option *option = unit_file_find(file, section, "Image");
    if (!option || !*option->value ||
        !text_equal(unit_file_get(file, section, "AutoUpdate"), "registry"))
        return 0;
    int r = read_image(option->value, ret, err);
    if (r == 0)
        r = check_others(file, err);
    if (r < 0)
        return r;
    *ret_option = option;
    return 1;
}

int auto_update_read(const struct unit_file *file, struct auto_update *ret, struct error *err)
{
    autoptr(reference) reference = NULL;
    struct unit_option *option = NULL;
    int r = find_tag(file, &reference, &option, err);
    if (r <= 0)
        return r;
    autofree char *digest = take_ptr(reference->digest);
    autofree char *image = reference_text(reference);
    if (!image)
        return error_oom(err);
    *ret = (struct auto_update){ take_ptr(image), take_ptr(digest) };
    return 1;
}

bool auto_update_is_current(const struct auto_update *update, char *const *running,
                            char *const *known)
{
    if (update->digest)
        return strv_contains(known, update->digest);
    for (; running && *running; running++)
        if (!strv_contains(known, *running))
            return false;
    return true;
}

int auto_update_pin(struct unit_file *file, const char *digest, struct error *err)
{
    autoptr(reference) reference = NULL;
    struct unit_option *option = NULL;
    int r = find_tag(file, &reference, &option, err);
    if (r <= 0)
        return r < 0 ? r : error_set(err, -EINVAL, "it follows no tag");
    autofree char *copy = strdup(digest);
    if (!copy)
        return error_oom(err);
    free(reference->digest);
    reference->digest = take_ptr(copy);
    autofree char *value = reference_text(reference);
    return value ? unit_option_set(option, value, err) : error_oom(err);
}
