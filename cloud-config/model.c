/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud-config/encoding.h"
#include "cloud-config/fleet.h"
#include "cloud-config/paths.h"

static void unit_done(struct model_unit *unit)
{
    for (size_t i = 0; i < unit->drop_in_count; i++) {
        free(unit->drop_ins[i].name);
        free(unit->drop_ins[i].content);
    }
    free(unit->drop_ins);
    free(unit->name);
    free(unit->content);
    free(unit->command);
}

static void file_done(struct model_file *file)
{
    free(file->path);
    free(file->content);
    free(file->owner);
}

void model_free(struct model *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->file_count; i++)
        file_done(&model->files[i]);
    for (size_t i = 0; i < model->unit_count; i++)
        unit_done(&model->units[i]);
    free(model->files);
    free(model->units);
    free(model->hostname);
    free(model->fleet_drop_in);
    free(model);
}

static int copy_text(const struct node *map, const char *key, char **ret, struct error *err)
{
    *ret = strdup(node_text(node_find(map, key)));
    return *ret ? 0 : error_oom(err);
}

static int read_path(const struct node *map, char **ret, struct error *err)
{
    const char *path = node_text(node_find(map, "path"));
    if (!*path)
        return error_set(err, -EINVAL, "the file has no path");
    *ret = path_clean(path);
    return *ret ? 0 : error_oom(err);
}

static mode_t read_mode(const struct node *map)
{
    const char *text = node_text(node_find(map, "permissions"));
    return *text ? (mode_t)strtoul(text, NULL, 8) & 07777 : 0644;
}

static int read_content(const struct node *map, struct model_file *file, struct error *err)
{
    const struct node *content = node_find(map, "content");
    bool there = node_is_scalar(content);
    return encoding_decode(node_text(node_find(map, "encoding")), there ? content->text : "",
                           there ? content->length : 0, &file->content, &file->length, err);
}

static int read_file(const struct node *map, struct model_file *file, struct error *err)
{
    file->mode = read_mode(map);
    int r = read_path(map, &file->path, err);
    if (r == 0)
        r = copy_text(map, "owner", &file->owner, err);
    if (r == 0)
        r = read_content(map, file, err);
    return r;
}

/* How many elements a list has, and room for a record of each; elements are zero. */
static int make_records(const struct node *list, size_t size, void **ret, size_t *ret_count,
                        struct error *err)
{
    *ret_count = list && list->kind == NODE_LIST ? list->count : 0;
    *ret = calloc(*ret_count ? *ret_count : 1, size);
    return *ret ? 0 : error_oom(err);
}

static int read_files(const struct node *list, struct model *model, struct error *err)
{
    size_t count;
    void *records;
    int r = make_records(list, sizeof(*model->files), &records, &count, err);
    model->files = r == 0 ? records : NULL;
    for (size_t i = 0; r == 0 && i < count; i++) {
        const struct node_entry *entry = &list->entries[i];
        if (entry->value->kind != NODE_MAP)
            continue;
        r = read_file(entry->value, &model->files[model->file_count++], err);
        if (r < 0)
            return error_prefix(err, r, "line %d: write_files[%zu]", entry->line, i);
    }
    return r;
}

/* A drop-in without a name or a content is no drop-in. */
static int read_drop_in(const struct node *map, struct model_unit *unit, struct error *err)
{
    struct model_drop_in *drop_in = &unit->drop_ins[unit->drop_in_count];
    if (!*node_text(node_find(map, "name")) || !*node_text(node_find(map, "content")))
        return 0;
    unit->drop_in_count++;
    int r = copy_text(map, "name", &drop_in->name, err);
    return r < 0 ? r : copy_text(map, "content", &drop_in->content, err);
}

static int read_drop_ins(const struct node *list, struct model_unit *unit, struct error *err)
{
    size_t count;
    void *records;
    int r = make_records(list, sizeof(*unit->drop_ins), &records, &count, err);
    unit->drop_ins = r == 0 ? records : NULL;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = read_drop_in(list->entries[i].value, unit, err);
    return r;
}

static int read_unit(const struct node *map, struct model_unit *unit, struct error *err)
{
    unit->runtime = node_bool(node_find(map, "runtime"));
    unit->mask = node_bool(node_find(map, "mask"));
    unit->enable = node_bool(node_find(map, "enable"));
    int r = copy_text(map, "name", &unit->name, err);
    if (r == 0)
        r = copy_text(map, "content", &unit->content, err);
    if (r == 0)
        r = copy_text(map, "command", &unit->command, err);
    return r < 0 ? r : read_drop_ins(node_find(map, "drop_ins"), unit, err);
}

static int read_units(const struct node *list, struct model *model, struct error *err)
{
    size_t count;
    void *records;
    int r = make_records(list, sizeof(*model->units), &records, &count, err);
    model->units = r == 0 ? records : NULL;
    for (size_t i = 0; r == 0 && i < count; i++)
        if (*node_text(node_find(list->entries[i].value, "name")))
            r = read_unit(list->entries[i].value, &model->units[model->unit_count++], err);
    return r;
}

int model_build(const struct node *root, struct model **ret, struct error *err)
{
    autoptr(model) model = calloc(1, sizeof(*model));
    if (!model)
        return error_oom(err);
    const struct node *coreos = node_find(root, "coreos");
    int r = copy_text(root, "hostname", &model->hostname, err);
    if (r == 0)
        r = read_files(node_find(root, "write_files"), model, err);
    if (r == 0)
        r = read_units(node_find(coreos, "units"), model, err);
    if (r == 0)
        r = fleet_drop_in(node_find(coreos, "fleet"), &model->fleet_drop_in, err);
    model->fleet_is_secret = fleet_is_secret(node_find(coreos, "fleet"));
    if (r < 0)
        return r;
    *ret = take_ptr(model);
    return 0;
}
