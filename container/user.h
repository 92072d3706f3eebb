/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The User of an image's configuration, "USER[:GROUP]", each a number or a name of the image's own
 * /etc/passwd and /etc/group.
 */
#ifndef CONTAINER_USER_H
#define CONTAINER_USER_H

#include "base/cleanup.h"
#include "base/error.h"
#include "units/oci.h"

struct user {
    struct oci_user oci; /* points into what follows */
    uint32_t *groups;
    char *home;
};

/* Pure. "" is root. A number needs no entry in passwd; its group is then 0. Supplementary groups
 * are those that list the user, unless the group is said. -EINVAL: no such name in the image. */
int user_resolve(const char *said, const char *passwd, const char *group, struct user **ret,
                 struct error *err);

/* Groups besides, by name of the image's group file or by number. "keep-groups", which is about
 * whoever starts a container by hand, adds none. -EINVAL: no such name. */
int user_add_groups(struct user *user, char *const *said, const char *group, struct error *err);

/* Both, with the files under root, whose links cannot lead out of it; absent files are empty. */
int user_resolve_in(const char *said, char *const *groups, const char *root, struct user **ret,
                    struct error *err);

void user_free(struct user *user);
DEFINE_AUTOPTR(user);

#endif
