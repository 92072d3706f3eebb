/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking values of keys of [Container] into the fields of a container. Inside units/ only.
 *
 * Each key is a line of a table: its name, the function that takes it, and the field that it fills.
 * As in Quadlet a single value is replaced by a later one, a list grows, and an empty value drops
 * what was said before.
 */
#ifndef UNITS_CONTAINER_TAKE_H
#define UNITS_CONTAINER_TAKE_H

#include <stddef.h>
#include <stdint.h>

#include "units/container.h"
#include "units/unit_file.h"

struct reading {
    struct container *container;
    const char *unit_name;
    const struct specifier_machine *machine;
    /* What several keys say together; settled when all are read. */
    char *user, *group;
    char *remap_users;
    int64_t remap_size;
    const struct unit_option *group_option; /* borrowed */
    const struct unit_option *network_option;
};

/* field: the place in reading->container that the table names. */
typedef int (*container_take_fn)(struct reading *reading, const struct unit_option *option,
                                 void *field, struct error *err);

struct container_key {
    const char *name;
    container_take_fn take;
    size_t offset; /* in struct container */
};

#define CONTAINER_FIELD(member)    offsetof(struct container, member)
#define CONTAINER_KEY_COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The tables end with the name NULL. */
extern const struct container_key container_process_keys[];
extern const struct container_key container_file_keys[];
extern const struct container_key container_network_keys[];
extern const struct container_key container_limit_keys[];
extern const struct container_key container_user_keys[];
extern const struct container_key container_health_keys[];
extern const struct container_key container_podman_keys[];
extern const struct container_key container_pod_keys[];

/* The key of [Container] that a key of [Pod] means; NULL: it is none of them, and then it is
 * refused, or taken with a warning. */
const char *container_pod_key(const char *key);
int container_take_beside_pod(struct reading *reading, const struct unit_option *option,
                              struct error *err);

/* --- pieces --- */

/* The option's reason, wherever a callee found it. */
int take_failed(const struct unit_option *option, int code, const struct error *reason,
                struct error *err);

/* Specifiers expanded; caller frees. */
int take_expanded(const struct reading *reading, const struct unit_option *option, char **ret,
                  struct error *err);

/* Words with quotes and escapes undone and specifiers expanded; *ret NULL: no word. */
int take_split(const struct reading *reading, const struct unit_option *option, char ***ret,
               struct error *err);

/* "$$" becomes "$", as in the ExecStart= that Quadlet makes of it; any other '$' stands for itself:
 * there are no variables here. */
void take_undouble_dollars(char *word);

/* ["curl", "-f"] */
int take_json_words(const struct unit_option *option, const char *text, char ***ret,
                    struct error *err);

/* Says of a key that it is accepted and does nothing. */
int take_warning(struct reading *reading, const struct unit_option *option, const char *reason,
                 struct error *err);

/* known ends with NULL. -EINVAL, with the nearest of them. */
int take_unknown_key(const struct unit_option *option, const char *const *known, struct error *err);

/* Absolute, and no way out of it by "..". */
bool take_is_plain_path(const char *path);
/* The same, and not the root itself. */
bool take_is_path_below_root(const char *path);
/* [A-Za-z0-9][A-Za-z0-9_.-]*, as containers, volumes and networks are called. */
bool take_is_object_name(const char *name);

/* "64m", "1g", "512" … in bytes: b, k, m, g, t, in powers of 1024. -EINVAL without words. */
int take_parse_size(const char *text, int64_t *ret);
/* Decimal, negative where min is. -EINVAL without words. */
int take_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret);

/* The words that a key adds to a list, each to be judged by the caller; of an empty value there is
 * none, and the list is dropped. */
int take_list_words(struct reading *reading, const struct unit_option *option, char ***list,
                    char ***ret, struct error *err);

/* --- whole keys --- */

int take_string(struct reading *reading, const struct unit_option *option, void *field,
                struct error *err);
int take_boolean(struct reading *reading, const struct unit_option *option, void *field,
                 struct error *err);
/* For a field that says the contrary of its key. */
int take_boolean_inverted(struct reading *reading, const struct unit_option *option, void *field,
                          struct error *err);
/* The field is a list; each word is an element. */
int take_words(struct reading *reading, const struct unit_option *option, void *field,
               struct error *err);
/* The field is a list; the whole value is an element. */
int take_line(struct reading *reading, const struct unit_option *option, void *field,
              struct error *err);
/* Words of a command, of which a later one replaces an earlier; "$$" is "$". */
int take_command(struct reading *reading, const struct unit_option *option, void *field,
                 struct error *err);
int take_absolute_path(struct reading *reading, const struct unit_option *option, void *field,
                       struct error *err);
int take_size(struct reading *reading, const struct unit_option *option, void *field,
              struct error *err);
int take_duration(struct reading *reading, const struct unit_option *option, void *field,
                  struct error *err);
int take_count(struct reading *reading, const struct unit_option *option, void *field,
               struct error *err);
int take_signal(struct reading *reading, const struct unit_option *option, void *field,
                struct error *err);
int take_object_name(struct reading *reading, const struct unit_option *option, void *field,
                     struct error *err);

/* What several keys say together, once all are read. */
int container_settle_users(struct reading *reading, struct error *err);
int container_settle_userns(struct reading *reading, struct error *err);
int container_settle_pod(struct reading *reading, struct error *err);

/* One of the words of an enum; 0 is what the empty value gives. */
int take_word_of(const char *const *words, struct reading *reading,
                 const struct unit_option *option, int *field, struct error *err);

#endif
