/* SPDX-License-Identifier: Apache-2.0 */
/* What a cloud-config asks for, as plain values: decoded, typed, and without its YAML. */
#ifndef CLOUD_CONFIG_MODEL_H
#define CLOUD_CONFIG_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cloud-config/document.h"

struct model_file {
    char *path; /* clean and absolute */
    char *content;
    size_t length;
    char *owner; /* as chown takes it, "" for none */
    mode_t mode; /* with setuid, setgid and sticky bits */
};

struct model_drop_in {
    char *name;
    char *content;
};

/* Strings are "" where the file says nothing. */
struct model_unit {
    char *name;
    char *content;
    struct model_drop_in *drop_ins; /* those that have both */
    size_t drop_in_count;
    bool runtime;
    bool mask;
    bool enable;
    char *command;
};

struct model {
    char *hostname;
    struct model_file *files;
    size_t file_count;
    struct model_unit *units; /* those that have a name */
    size_t unit_count;
    char *fleet_drop_in;  /* "" if coreos.fleet sets nothing */
    bool fleet_is_secret; /* it holds a password */
};

void model_free(struct model *model);
DEFINE_AUTOPTR(model);

/* Of a document without errors (see validate.h). -EINVAL or -EOPNOTSUPP and why if it asks for
 * something that cannot be carried out all the same. */
int model_build(const struct node *root, struct model **ret, struct error *err);

#endif
