/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of [Container] about users: who runs inside, and who that is outside. */
#include <errno.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"
#include "units/container_take.h"
#include "units/container_value.h"

/* Ids stay below the one that means "none". */
#define ID_MAX ((int64_t)UINT32_MAX - 1)

/* --- User=, Group= --- */

/* Settled in container_settle_users(): they may come in either order. */
static int take_user(struct reading *reading, const struct unit_option *option, void *field,
                     struct error *err)
{
    bool is_group = strcmp(option->key, "Group") == 0;
    char **place = is_group ? &reading->group : &reading->user;
    (void)field;
    int r = take_string(reading, option, place, err);
    if (is_group)
        reading->group_option = option;
    if (r == 0 && *place && strpbrk(*place, is_group ? ": \t" : " \t"))
        return unit_option_error(err, option, "want a name or a number%s",
                                 is_group ? "" : ", as USER or USER:GROUP");
    return r;
}

int container_settle_users(struct reading *reading, struct error *err)
{
    if (reading->group && !reading->user)
        return unit_option_error(err, reading->group_option, "there is no User= beside it");
    if (reading->group && strchr(reading->user, ':'))
        return unit_option_error(err, reading->group_option, "User= says a group already");
    if (reading->user)
        reading->container->user = text_format("%s%s%s", reading->user, reading->group ? ":" : "",
                                               reading->group ? reading->group : "");
    return !reading->user || reading->container->user ? 0 : error_oom(err);
}

/* --- UserNS= --- */

static int userns_option(const struct unit_option *option, struct container *container,
                         const char *word, struct error *err)
{
    struct {
        const char *name;
        enum container_userns of;
        int64_t *place;
        int64_t min;
    } const known[] = {
        {"size=",  CONTAINER_USERNS_AUTO,    &container->userns_size, 1},
        { "uid=",  CONTAINER_USERNS_KEEP_ID, &container->keep_uid,    0},
        { "gid=",  CONTAINER_USERNS_KEEP_ID, &container->keep_gid,    0},
        { "size=", CONTAINER_USERNS_KEEP_ID, &container->userns_size, 1},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].of != container->userns || !text_starts_with(word, known[i].name))
            continue;
        if (take_parse_int(word + strlen(known[i].name), known[i].min, ID_MAX, known[i].place) == 0)
            return 0;
    }
    return unit_option_error(err, option,
                             "\"%s\" is not known here; there are auto:size=N and "
                             "keep-id:uid=N,gid=N",
                             word);
}

static int take_userns(struct reading *reading, const struct unit_option *option, void *field,
                       struct error *err)
{
    struct container *container = reading->container;
    autofree char *value = NULL;
    (void)field;
    int r = take_expanded(reading, option, &value, err);
    if (r < 0)
        return r;
    char *options = value;
    const char *mode = strsep(&options, ":");
    container->userns = shape_word_find(container_userns_words, mode);
    if (*mode && (!container->userns || container->userns == CONTAINER_USERNS_MAP))
        return unit_option_error(
            err, option,
            "want host, auto or keep-id; UIDMap= and GIDMap= say a mapping by "
            "number%s",
            strcmp(mode, "nomap") == 0 ? " (nomap is for those who are not root)" : "");
    for (char *word; r == 0 && (word = strsep(&options, ",")) != NULL;)
        r = userns_option(option, container, word, err);
    return r;
}

/* --- UIDMap=INSIDE:HOST[:COUNT] --- */

static int map_parse(const struct unit_option *option, char *word, struct container_id_map *map,
                     struct error *err)
{
    char *rest = word;
    const char *inside = strsep(&rest, ":");
    const char *host = rest ? strsep(&rest, ":") : NULL;
    map->count = 1;
    if (!host || take_parse_int(inside, 0, ID_MAX, &map->inside) < 0 ||
        take_parse_int(host, 0, ID_MAX, &map->host) < 0 ||
        (rest && take_parse_int(rest, 1, ID_MAX, &map->count) < 0) ||
        map->inside + map->count > ID_MAX || map->host + map->count > ID_MAX)
        return unit_option_error(err, option, "want INSIDE:HOST[:COUNT] in numbers");
    return 0;
}

static bool maps_overlap(const struct container_id_map *maps, size_t count)
{
    const struct container_id_map *last = &maps[count - 1];
    for (size_t i = 0; i + 1 < count; i++) {
        const struct container_id_map *map = &maps[i];
        if ((map->inside < last->inside + last->count && last->inside < map->inside + map->count) ||
            (map->host < last->host + last->count && last->host < map->host + map->count))
            return true;
    }
    return false;
}

static int add_maps(struct reading *reading, const struct unit_option *option,
                    struct container_id_map **maps, size_t *count, struct error *err)
{
    autostrv words = NULL;
    int r = take_split(reading, option, &words, err);
    for (char **word = words; r >= 0 && word && *word; word++) {
        struct container_id_map *map = shape_list_add(maps, count, sizeof(*map));
        if (!map)
            return error_oom(err);
        r = map_parse(option, *word, map, err);
        if (r == 0 && maps_overlap(*maps, *count))
            return unit_option_error(err, option, "it overlaps a range that was said before");
    }
    return r < 0 ? r : 0;
}

static int take_map(struct reading *reading, const struct unit_option *option, void *field,
                    struct error *err)
{
    struct container *container = reading->container;
    bool is_uid = text_ends_with(option->key, "UIDMap") || text_ends_with(option->key, "Uid");
    (void)field;
    if (!*option->value) {
        *(is_uid ? &container->uid_map_count : &container->gid_map_count) = 0;
        return 0;
    }
    return is_uid ? add_maps(reading, option, &container->uid_maps, &container->uid_map_count, err)
                  : add_maps(reading, option, &container->gid_maps, &container->gid_map_count, err);
}

/* --- Quadlet's older words for the same --- */

static int take_remap_users(struct reading *reading, const struct unit_option *option, void *field,
                            struct error *err)
{
    (void)field;
    int r = take_string(reading, option, &reading->remap_users, err);
    const char *word = reading->remap_users;
    if (r == 0 && word && strcmp(word, "auto") != 0 && strcmp(word, "keep-id") != 0 &&
        strcmp(word, "manual") != 0)
        return unit_option_error(err, option,
                                 "want auto, keep-id or manual; better, write UserNS=");
    return r;
}

static int take_remap_size(struct reading *reading, const struct unit_option *option, void *field,
                           struct error *err)
{
    (void)field;
    return take_count(reading, option, &reading->remap_size, err);
}

/* --- all of it together --- */

/* A copy, where only one of the two kinds of ids has been mapped. */
static int copy_maps(const struct container_id_map *from, size_t count,
                     struct container_id_map **to, size_t *to_count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct container_id_map *map = shape_list_add(to, to_count, sizeof(*map));
        if (!map)
            return error_oom(err);
        *map = from[i];
    }
    return 0;
}

int container_settle_userns(struct reading *reading, struct error *err)
{
    struct container *c = reading->container;
    const char *section = c->is_pod ? "Pod" : "Container";
    if (reading->remap_users && c->userns == CONTAINER_USERNS_INVALID &&
        strcmp(reading->remap_users, "manual") != 0)
        c->userns = strcmp(reading->remap_users, "auto") == 0 ? CONTAINER_USERNS_AUTO
                                                              : CONTAINER_USERNS_KEEP_ID;
    if (reading->remap_size && c->userns == CONTAINER_USERNS_AUTO)
        c->userns_size = reading->remap_size;
    if (c->uid_map_count + c->gid_map_count == 0) {
        /* Ranges of a name, and no word on how: all of them, from 0 on. */
        if ((c->sub_uid || c->sub_gid) && c->userns == CONTAINER_USERNS_INVALID)
            c->userns = CONTAINER_USERNS_AUTO;
        return 0;
    }
    if (c->userns == CONTAINER_USERNS_HOST)
        return error_set(err, -EINVAL,
                         "[%s]: UserNS=host has no mapping; UIDMap= and GIDMap= cannot be used "
                         "beside it",
                         section);
    if (c->userns != CONTAINER_USERNS_INVALID)
        return error_set(
            err, -EINVAL,
            "[%s]: UIDMap= and GIDMap= say the whole mapping; UserNS=%s cannot be used "
            "beside them",
            section, container_userns_words[c->userns]);
    c->userns = CONTAINER_USERNS_MAP;
    if (c->uid_map_count == 0)
        return copy_maps(c->gid_maps, c->gid_map_count, &c->uid_maps, &c->uid_map_count, err);
    if (c->gid_map_count == 0)
        return copy_maps(c->uid_maps, c->uid_map_count, &c->gid_maps, &c->gid_map_count, err);
    return 0;
}

const struct container_key container_user_keys[] = {
    {"GIDMap",        take_map,         0                       },
    { "Group",        take_user,        0                       },
    { "GroupAdd",     take_words,       CONTAINER_FIELD(groups) },
    { "RemapGid",     take_map,         0                       },
    { "RemapUid",     take_map,         0                       },
    { "RemapUidSize", take_remap_size,  0                       },
    { "RemapUsers",   take_remap_users, 0                       },
    { "SubGIDMap",    take_string,      CONTAINER_FIELD(sub_gid)},
    { "SubUIDMap",    take_string,      CONTAINER_FIELD(sub_uid)},
    { "UIDMap",       take_map,         0                       },
    { "User",         take_user,        0                       },
    { "UserNS",       take_userns,      0                       },
    { NULL,           NULL,             0                       },
};
