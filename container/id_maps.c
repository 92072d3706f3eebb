/* SPDX-License-Identifier: Apache-2.0 */
#include "container/id_maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum {
    STANDARD_SIZE = 65536, /* as many as nearly every image's files and users need */
    FILE_MAX_BYTES = 1024 * 1024,
};

static const char standard_owner[] = "containers";

void id_maps_free(struct id_maps *maps)
{
    if (!maps)
        return;
    free(maps->uids);
    free(maps->gids);
    free(maps);
}

int64_t id_maps_outside(const struct container_id_map *maps, size_t count, int64_t inside)
{
    for (size_t i = 0; i < count; i++)
        if (inside >= maps[i].inside && inside - maps[i].inside < maps[i].count)
            return maps[i].host + (inside - maps[i].inside);
    return -1;
}

/* --- building --- */

static int add(struct container_id_map **maps, size_t *count, struct container_id_map map,
               struct error *err)
{
    if (map.count == 0)
        return 0;
    struct container_id_map *longer = realloc(*maps, (*count + 1) * sizeof(*longer));
    if (!longer)
        return error_oom(err);
    longer[(*count)++] = map;
    *maps = longer;
    return 0;
}

/* The range from 0 on, but for one id inside, kept, which is root outside; -1: none is kept. */
static int build(const struct id_range *range, int64_t kept, struct container_id_map **maps,
                 size_t *count, struct error *err)
{
    if (kept >= range->count)
        return error_set(err, -EINVAL,
                         "keep-id: %lld is not among the %lld ids of the container, which begin at "
                         "0; say size=",
                         (long long)kept, (long long)range->count);
    if (kept < 0)
        return add(maps, count, (struct container_id_map){ 0, range->start, range->count }, err);
    const struct container_id_map parts[] = {
        {0,         range->start,            kept                   },
        { kept,     0,                       1                      },
        { kept + 1, range->start + kept + 1, range->count - kept - 1},
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        r = add(maps, count, parts[i], err);
    return r;
}

int id_maps_build(const struct container *container, const struct id_claim *claim,
                  struct id_maps **ret, struct error *err)
{
    bool keeps = container->userns == CONTAINER_USERNS_KEEP_ID;
    autoptr(id_maps) maps = calloc(1, sizeof(*maps));
    if (!maps)
        return error_oom(err);
    int r = build(&claim->uids.items[0], keeps ? container->keep_uid : -1, &maps->uids,
                  &maps->uid_count, err);
    if (r == 0)
        r = build(&claim->gids.items[0], keeps ? container->keep_gid : -1, &maps->gids,
                  &maps->gid_count, err);
    if (r == 0)
        *ret = take_ptr(maps);
    return r;
}

/* --- UserNS=auto, keep-id --- */

/* said: the name that the unit says, or NULL. */
static int pool_read(const char *path, const char *said, struct id_ranges *pool, struct error *err)
{
    autofree char *text = NULL;
    struct error why = { 0 };
    int r = file_read(path, FILE_MAX_BYTES, &text, NULL, &why);
    if (r < 0 && r != -ENOENT)
        return error_set(err, r, "%s", why.text);
    r = text ? id_ranges_of_owner(text, said ? said : standard_owner, pool, err) : 0;
    if (r < 0)
        return error_prefix(err, r, "%s", path);
    if (!pool->count && said)
        return error_set(err, -ENOENT, "%s has no ids for \"%s\"; add a line %s:START:COUNT", path,
                         said, said);
    return pool->count ? 0 : id_ranges_add(pool, id_range_builtin, err);
}

static int take(const struct place *place, const struct container *container, struct id_claim *ret,
                struct error *err)
{
    __attribute__((cleanup(id_ranges_done))) struct id_ranges uids = { 0 };
    __attribute__((cleanup(id_ranges_done))) struct id_ranges gids = { 0 };
    const char *user = container->sub_uid ? container->sub_uid : container->sub_gid;
    const char *group = container->sub_gid ? container->sub_gid : container->sub_uid;
    int r = pool_read("/etc/subuid", user, &uids, err);
    if (r == 0)
        r = pool_read("/etc/subgid", group, &gids, err);
    const struct id_wish wish = {
        .unit = place->unit,
        .size = container->userns_size ? container->userns_size : STANDARD_SIZE,
        .uids = &uids,
        .gids = &gids,
    };
    return r < 0 ? r : id_claims_take(PLACE_IDS, &wish, ret, err);
}

static int make_taken(const struct place *place, const struct container *container,
                      struct id_maps **ret, struct error *err)
{
    __attribute__((cleanup(id_claim_done))) struct id_claim claim = { 0 };
    int r = take(place, container, &claim, err);
    return r < 0 ? r : id_maps_build(container, &claim, ret, err);
}

/* --- noting what others decide --- */

static int add_outside(const struct container_id_map *maps, size_t count, struct id_ranges *ranges,
                       struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = id_ranges_add(ranges, (struct id_range){ maps[i].host, maps[i].count }, err);
    return r;
}

/* So that no other container is given these ids. *maps become *ret. */
static int note(struct id_maps **maps, const struct place *place, struct id_maps **ret,
                struct error *err)
{
    __attribute__((cleanup(id_claim_done))) struct id_claim claim = { 0 };
    int r = add_outside((*maps)->uids, (*maps)->uid_count, &claim.uids, err);
    if (r == 0)
        r = add_outside((*maps)->gids, (*maps)->gid_count, &claim.gids, err);
    if (r == 0)
        r = id_claims_note(PLACE_IDS, place->unit, &claim, err);
    if (r == 0)
        *ret = take_ptr(*maps);
    return r;
}

/* --- UIDMap=, GIDMap= --- */

static int copy(const struct container_id_map *from, size_t count, struct container_id_map **to,
                size_t *to_count, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = add(to, to_count, from[i], err);
    return r;
}

static int make_told(const struct place *place, const struct container *container,
                     struct id_maps **ret, struct error *err)
{
    autoptr(id_maps) maps = calloc(1, sizeof(*maps));
    if (!maps)
        return error_oom(err);
    int r = copy(container->uid_maps, container->uid_map_count, &maps->uids, &maps->uid_count, err);
    if (r == 0)
        r = copy(container->gid_maps, container->gid_map_count, &maps->gids, &maps->gid_count, err);
    return r < 0 ? r : note(&maps, place, ret, err);
}

int id_maps_make(const struct place *place, const struct container *container, struct id_maps **ret,
                 struct error *err)
{
    int r = 0;
    switch (container->userns) {
    case CONTAINER_USERNS_INVALID:
    case CONTAINER_USERNS_HOST:
        *ret = NULL;
        return 0;
    case CONTAINER_USERNS_AUTO:
    case CONTAINER_USERNS_KEEP_ID:
        r = make_taken(place, container, ret, err);
        break;
    case CONTAINER_USERNS_MAP:
        r = make_told(place, container, ret, err);
        break;
    }
    return r < 0 ? error_prefix(err, r, "ids for the user namespace") : 0;
}

/* --- the ids of another --- */

static int parse_line(const char *line, struct container_id_map *map, struct error *err)
{
    autostrv words = NULL;
    uint64_t numbers[3] = { 0 };
    int r = strv_split(line, " \t", &words, err);
    for (size_t i = 0; r == 0 && i < 3; i++)
        if (strv_length(words) != 3 || text_parse_u64(words[i], UINT32_MAX, &numbers[i], NULL) < 0)
            return error_set(err, -EPROTO, "\"%s\" is no map of ids", line);
    *map =
        (struct container_id_map){ (int64_t)numbers[0], (int64_t)numbers[1], (int64_t)numbers[2] };
    return r;
}

int id_maps_parse(const char *text, struct container_id_map **maps, size_t *count,
                  struct error *err)
{
    autostrv lines = NULL;
    int r = strv_split(text, "\n", &lines, err);
    for (char **line = lines; r == 0 && line && *line; line++) {
        struct container_id_map map;
        r = parse_line(*line, &map, err);
        if (r == 0)
            r = add(maps, count, map, err);
    }
    return r;
}

static int read_maps(pid_t pid, const char *file, struct container_id_map **maps, size_t *count,
                     struct error *err)
{
    autofree char *path = text_format("/proc/%d/%s", (int)pid, file);
    autofree char *text = NULL;
    if (!path)
        return error_oom(err);
    int r = file_read(path, FILE_MAX_BYTES, &text, NULL, err);
    if (r == 0)
        r = id_maps_parse(text, maps, count, err);
    return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}

int id_maps_join(const struct place *place, pid_t pid, struct id_maps **ret, struct error *err)
{
    autoptr(id_maps) maps = calloc(1, sizeof(*maps));
    if (!maps)
        return error_oom(err);
    int r = read_maps(pid, "uid_map", &maps->uids, &maps->uid_count, err);
    if (r == 0)
        r = read_maps(pid, "gid_map", &maps->gids, &maps->gid_count, err);
    return r < 0 ? r : note(&maps, place, ret, err);
}

int id_maps_forget(const struct place *place, struct error *err)
{
    return id_claims_give_back(PLACE_IDS, place->unit, err);
}
