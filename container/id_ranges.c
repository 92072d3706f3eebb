/* SPDX-License-Identifier: Apache-2.0 */
#include "container/id_ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const struct id_range id_range_builtin = { .start = 0x70000000, .count = 4093 * INT64_C(65536) };

int id_ranges_add(struct id_ranges *ranges, struct id_range range, struct error *err)
{
    if (range.start < 0 || range.count < 1 || range.start + range.count > UINT32_MAX)
        return error_set(err, -EINVAL,
                         "%lld ids from %lld on: want at least one, and all below 4294967295",
                         (long long)range.count, (long long)range.start);
    struct id_range *longer = realloc(ranges->items, (ranges->count + 1) * sizeof(*longer));
    if (!longer)
        return error_oom(err);
    longer[ranges->count++] = range;
    ranges->items = longer;
    return 0;
}

void id_ranges_done(struct id_ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct id_ranges){ 0 };
}

/* OWNER:START:COUNT. The line is taken apart. */
static int read_line(char *line, const char *owner, struct id_ranges *ranges, struct error *err)
{
    char *rest = text_trim(line);
    const char *name = strsep(&rest, ":");
    if (!rest || strcmp(name, owner) != 0)
        return 0;
    const char *start = strsep(&rest, ":");
    uint64_t first = 0;
    uint64_t count = 0;
    if (!rest || text_parse_u64(start, UINT32_MAX, &first, NULL) < 0 ||
        text_parse_u64(rest, UINT32_MAX, &count, NULL) < 0)
        return error_set(err, -EINVAL, "want %s:START:COUNT in numbers", owner);
    return id_ranges_add(ranges, (struct id_range){ (int64_t)first, (int64_t)count }, err);
}

int id_ranges_of_owner(const char *text, const char *owner, struct id_ranges *ranges,
                       struct error *err)
{
    autofree char *copy = strdup(text);
    if (!copy)
        return error_oom(err);
    unsigned int number = 0;
    char *rest = copy;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        number++;
        int r = read_line(line, owner, ranges, err);
        if (r < 0)
            return error_prefix(err, r, "line %u", number);
    }
    return 0;
}

/* The end of a taken range that overlaps size ids from start on; start where none does. */
static int64_t end_of_obstacle(const struct id_ranges *taken, int64_t start, int64_t size)
{
    for (size_t i = 0; i < taken->count; i++) {
        const struct id_range *other = &taken->items[i];
        if (start < other->start + other->count && other->start < start + size)
            return other->start + other->count;
    }
    return start;
}

/* The first free place in range from its slot on; a slot is size ids, so that what was freed fits
 * again. -1: none. */
static int64_t search(const struct id_range *range, const struct id_ranges *taken, int64_t size,
                      int64_t slot)
{
    int64_t slots = range->count / size;
    while (slot < slots) {
        int64_t start = range->start + slot * size;
        int64_t end = end_of_obstacle(taken, start, size);
        if (end == start)
            return start;
        slot = (end - range->start + size - 1) / size;
    }
    return -1;
}

int id_ranges_place(const struct id_ranges *pool, const struct id_ranges *taken, int64_t size,
                    uint64_t wish, int64_t *ret_start, struct error *err)
{
    int64_t found = -1;
    uint64_t slots = 0;
    for (size_t i = 0; i < pool->count; i++)
        slots += (uint64_t)(pool->items[i].count / size);
    uint64_t skipped = slots ? wish % slots : 0;
    for (size_t i = 0; found < 0 && i < pool->count; i++) {
        uint64_t own = (uint64_t)(pool->items[i].count / size);
        if (skipped < own)
            found = search(&pool->items[i], taken, size, (int64_t)skipped);
        skipped -= skipped < own ? skipped : own;
    }
    for (size_t i = 0; found < 0 && i < pool->count; i++)
        found = search(&pool->items[i], taken, size, 0);
    if (found < 0)
        return error_set(err, -ENOSPC, "no %lld ids in a row are free", (long long)size);
    *ret_start = found;
    return 0;
}
