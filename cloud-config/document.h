/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML document as a tree of values that know their line.
 *
 * The dialect is the one that cloud-config files were always written in: '-' in keys means '_',
 * YAML 1.1 booleans, anchors, aliases, "<<" and !!binary work, a key given twice is merged (the
 * last scalar counts, lists are joined, mappings are merged). Only the first document is read.
 *
 * Aliases are expanded into copies, so the tree has no sharing and no cycles; the number of values
 * and the depth are bounded, which is what defuses an alias bomb.
 */
#ifndef CLOUD_CONFIG_DOCUMENT_H
#define CLOUD_CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

enum {
    DOCUMENT_MAX_BYTES = 4 << 20,
    DOCUMENT_MAX_NODES = 100000,
    DOCUMENT_MAX_KEYS = 1000, /* of one mapping: they are searched one by one */
    DOCUMENT_MAX_DEPTH = 64,
    DOCUMENT_MAX_ANCHORS = 1000,
};

enum node_kind {
    NODE_INVALID = 0,
    NODE_NULL,
    NODE_BOOL,
    NODE_INT,
    NODE_FLOAT,
    NODE_STRING,
    NODE_LIST,
    NODE_MAP,
};

struct node;

/* A member of a mapping, or an element of a list (then key is NULL). */
struct node_entry {
    char *key;
    int line;
    int repeats_line; /* where the same key stood before, 0 if nowhere */
    struct node *value;
};

struct node {
    enum node_kind kind;
    int line; /* from 1 */

    /* Scalars: the text as written (a NUL follows it), or the bytes of a !!binary one. */
    char *text;
    size_t length;
    bool binary;

    /* Lists and mappings. */
    struct node_entry *entries;
    size_t count;
};

void node_free(struct node *node);
DEFINE_AUTOPTR(node);

/* The first document of the text; an empty one is a NODE_NULL. A fault is -EINVAL with *ret_line
 * the line of it; too much is -E2BIG. */
int document_parse(const char *text, size_t length, struct node **ret, int *ret_line,
                   struct error *err);

/* All of these accept NULL and the wrong kind, and then find nothing: a field of the wrong type is
 * as good as absent (the report has said so). */
const struct node_entry *node_find_entry(const struct node *map, const char *key);
const struct node *node_find(const struct node *map, const char *key);

/* The text of a scalar whatever its type ("0644", "off"), "" for anything else. */
const char *node_text(const struct node *node);
bool node_is_scalar(const struct node *node); /* not null */
bool node_bool(const struct node *node);      /* unquoted true words only */

/* The number a NODE_INT stands for, or a NODE_FLOAT cut off. False if it does not fit. */
bool node_int(const struct node *node, int64_t *ret);
bool node_float(const struct node *node, double *ret);

#endif
