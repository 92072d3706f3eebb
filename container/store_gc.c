/* SPDX-License-Identifier: Apache-2.0 */
#include "container/store_gc.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "container/lock.h"
#include "container/store.h"
#include "container/tree.h"
#include "units/reference.h"

enum { SIZE_TEXT_MAX = 64, PIN_MAX_BYTES = 1024 * 1024, HALF_SECONDS = 60 * 60 };

struct gc_layer {
    char *digest;
    int64_t bytes;
    unsigned int users; /* images and pins */
    bool gone;
};

struct gc_image {
    struct image *image;
    int64_t used_s;
    bool pinned;
    bool gone;
};

struct collection {
    const struct store_gc *gc;
    struct gc_layer *layers; /* sorted by digest */
    size_t layer_count;
    struct gc_image *images; /* what was used longest ago first */
    size_t image_count;
    int64_t bytes;
};

static void collection_done(struct collection *c)
{
    for (size_t i = 0; i < c->layer_count; i++)
        free(c->layers[i].digest);
    for (size_t i = 0; i < c->image_count; i++)
        image_free(c->images[i].image);
    free(c->layers);
    free(c->images);
}

/* Calls take for each path that the pattern below the directory has. */
static int for_each(const char *directory, const char *pattern,
                    int (*take)(struct collection *c, const char *path, struct error *err),
                    struct collection *c, struct error *err)
{
    autofree char *whole = text_format("%s/%s", directory, pattern);
    glob_t found = { 0 };
    if (!whole)
        return error_oom(err);
    int r = glob(whole, GLOB_NOSORT, NULL, &found);
    if (r != 0 && r != GLOB_NOMATCH)
        return error_set(err, -EIO, "%s cannot be searched", whole);
    r = 0;
    for (size_t i = 0; r == 0 && i < found.gl_pathc; i++)
        r = take(c, found.gl_pathv[i], err);
    globfree(&found);
    return r;
}

static const char *base_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

/* "sha256:" and the name of a file up to its suffix; NULL where that is none of ours. */
static char *digest_of(const char *path)
{
    const char *base = base_of(path);
    autofree char *digest = text_format("sha256:%.*s", (int)strcspn(base, "."), base);
    return digest && reference_is_digest(digest) ? take_ptr(digest) : NULL;
}

/* --- what there is --- */

static int64_t size_read(const char *layer)
{
    autofree char *path = text_format("%s/size", layer);
    autofree char *text = NULL;
    uint64_t bytes = 0;
    if (path && file_read(path, SIZE_TEXT_MAX, &text, NULL, NULL) == 0)
        (void)text_parse_u64(text_trim(text), INT64_MAX, &bytes, NULL);
    return (int64_t)bytes;
}

static int take_layer(struct collection *c, const char *path, struct error *err)
{
    autofree char *digest = digest_of(path);
    if (!digest)
        return 0;
    struct gc_layer *grown = reallocarray(c->layers, c->layer_count + 1, sizeof(*grown));
    if (!grown)
        return error_oom(err);
    c->layers = grown;
    grown[c->layer_count++] =
        (struct gc_layer){ .digest = take_ptr(digest), .bytes = size_read(path) };
    c->bytes += grown[c->layer_count - 1].bytes;
    return 0;
}

static int layer_compare(const void *a, const void *b)
{
    return strcmp(((const struct gc_layer *)a)->digest, ((const struct gc_layer *)b)->digest);
}

static struct gc_layer *find_layer(const struct collection *c, const char *digest)
{
    const struct gc_layer wanted = { .digest = (char *)digest };
    return c->layer_count
               ? bsearch(&wanted, c->layers, c->layer_count, sizeof(wanted), layer_compare)
               : NULL;
}

static void layers_use(const struct collection *c, char *const *layers, int by)
{
    for (; layers && *layers; layers++) {
        struct gc_layer *layer = find_layer(c, *layers);
        if (layer)
            layer->users += (unsigned int)by;
    }
}

/* One that cannot be read is of no use to anybody. */
static int take_image(struct collection *c, const char *path, struct error *err)
{
    autofree char *digest = digest_of(path);
    autoptr(image) image = NULL;
    struct stat st;
    if (!digest || stat(path, &st) < 0)
        return 0;
    if (store_read_image(c->gc->store, digest, &image, NULL) < 0)
        return file_remove(path, err);
    struct gc_image *grown = reallocarray(c->images, c->image_count + 1, sizeof(*grown));
    if (!grown)
        return error_oom(err);
    c->images = grown;
    layers_use(c, image->layers, 1);
    grown[c->image_count++] = (struct gc_image){
        .image = take_ptr(image),
        .used_s = st.st_mtim.tv_sec,
    };
    return 0;
}

static int image_compare(const void *a, const void *b)
{
    const struct gc_image *one = a;
    const struct gc_image *two = b;
    if (one->used_s != two->used_s)
        return one->used_s < two->used_s ? -1 : 1;
    return strcmp(one->image->digest, two->image->digest);
}

/* A pin that cannot be read would let its layers go, so it stops all. */
static int take_pin(struct collection *c, const char *path, struct error *err)
{
    autofree char *text = NULL;
    autofree char *digest = digest_of(path);
    autojson pin = NULL;
    autostrv layers = NULL;
    size_t length = 0;
    if (!digest)
        return 0;
    int r = file_read(path, PIN_MAX_BYTES, &text, &length, err);
    if (r == -ENOENT) /* its container has just gone */
        return 0;
    if (r == 0)
        r = json_read(text, length, &pin, err);
    if (r == 0)
        r = json_field_strv(pin, "layers", &layers, err);
    if (r < 0)
        return error_prefix(err, r, "%s", path);
    layers_use(c, layers, 1);
    for (size_t i = 0; i < c->image_count; i++)
        if (strcmp(c->images[i].image->digest, digest) == 0)
            c->images[i].pinned = true;
    return 0;
}

static int look(struct collection *c, struct error *err)
{
    int r = for_each(c->gc->store, "layers/*", take_layer, c, err);
    if (r == 0 && c->layer_count)
        qsort(c->layers, c->layer_count, sizeof(*c->layers), layer_compare);
    if (r == 0)
        r = for_each(c->gc->store, "images/*.json", take_image, c, err);
    if (r == 0 && c->image_count)
        qsort(c->images, c->image_count, sizeof(*c->images), image_compare);
    if (r == 0)
        r = for_each(c->gc->containers, "*/images/*.json", take_pin, c, err);
    return r;
}

/* --- what goes --- */

static void choose_unused_layers(struct collection *c)
{
    for (size_t i = 0; i < c->layer_count && c->bytes > c->gc->max_bytes; i++) {
        struct gc_layer *layer = &c->layers[i];
        if (layer->users || layer->gone)
            continue;
        layer->gone = true;
        c->bytes -= layer->bytes;
    }
}

/* Layers that a pull left which failed go before any image. */
static void choose(struct collection *c)
{
    choose_unused_layers(c);
    for (size_t i = 0; i < c->image_count && c->bytes > c->gc->max_bytes; i++) {
        struct gc_image *image = &c->images[i];
        if (image->pinned || image->used_s > c->gc->now_s - STORE_GC_GRACE_SECONDS)
            continue;
        image->gone = true;
        layers_use(c, image->image->layers, -1);
        choose_unused_layers(c);
    }
}

static int take_away(const struct collection *c, const char *digest, struct error *err)
{
    const char *hex = reference_digest_hex(digest);
    autofree char *path = text_format("%s/layers/%s", c->gc->store, hex);
    autofree char *trash = text_format("%s/half/trash-%s.%d", c->gc->store, hex, (int)getpid());
    if (!path || !trash)
        return error_oom(err);
    return rename(path, trash) < 0 ? error_errno(err, -errno, "%s", path) : 0;
}

static int forget_image(const struct collection *c, const char *digest, struct error *err)
{
    autofree char *path =
        text_format("%s/images/%s.json", c->gc->store, reference_digest_hex(digest));
    return path ? file_remove(path, err) : error_oom(err);
}

/* A record before its layers: a start that finds it looks for them too, but need not. */
static int act(const struct collection *c, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->image_count; i++)
        if (c->images[i].gone)
            r = forget_image(c, c->images[i].image->digest, err);
    for (size_t i = 0; r == 0 && i < c->layer_count; i++)
        if (c->layers[i].gone)
            r = take_away(c, c->layers[i].digest, err);
    return r;
}

/* --- what is left over --- */

static int drop_dangling(struct collection *c, const char *path, struct error *err)
{
    (void)c;
    return access(path, F_OK) < 0 ? file_remove(path, err) : 0;
}

static int drop_nameless(struct collection *c, const char *path, struct error *err)
{
    autofree char *text = NULL;
    autojson record = NULL;
    const char *digest = NULL;
    size_t length = 0;
    if (file_read(path, PIN_MAX_BYTES, &text, &length, NULL) == 0 &&
        json_read(text, length, &record, NULL) == 0 &&
        json_field_string(record, "digest", &digest, NULL) == 0 && reference_is_digest(digest)) {
        autofree char *image =
            text_format("%s/images/%s.json", c->gc->store, reference_digest_hex(digest));
        if (!image || access(image, F_OK) == 0)
            return 0;
    }
    return file_remove(path, err);
}

/* What a pull left that failed, for the next to go on with; not for ever. */
static int drop_half(struct collection *c, const char *path, struct error *err)
{
    struct stat st;
    if (stat(path, &st) < 0 || st.st_mtim.tv_sec > c->gc->now_s - HALF_SECONDS)
        return 0;
    bool is_lock = text_ends_with(path, ".lock");
    autofree char *lock_path = text_format("%s%s", path, is_lock ? "" : ".lock");
    autoclose int lock = lock_path ? lock_try(lock_path, NULL) : -1;
    if (lock < 0)
        return 0;
    int r = is_lock ? 0 : tree_remove(path, err);
    lock_drop(lock_path);
    return r;
}

static int drop_trash(struct collection *c, const char *path, struct error *err)
{
    (void)c;
    return tree_remove(path, err);
}

static int sweep(struct collection *c, struct error *err)
{
    int r = for_each(c->gc->store, "half/trash-*", drop_trash, c, err);
    if (r == 0)
        r = for_each(c->gc->store, "half/*", drop_half, c, err);
    if (r == 0)
        r = for_each(c->gc->store, "blobs/*", drop_dangling, c, err);
    return r == 0 ? for_each(c->gc->store, "names/*.json", drop_nameless, c, err) : r;
}

static int collect(struct collection *c, struct error *err)
{
    autofree char *path = text_format("%s/lock", c->gc->store);
    autoclose int lock = path ? lock_take(path, NULL, err) : error_oom(err);
    if (lock < 0)
        return lock;
    int r = look(c, err);
    if (r < 0)
        return r;
    choose(c);
    return act(c, err);
}

int store_gc(const struct store_gc *gc, struct store_gc_result *ret, struct error *err)
{
    __attribute__((cleanup(collection_done))) struct collection c = { .gc = gc };
    int r = store_prepare(gc->store, err);
    if (r == 0)
        r = collect(&c, err);
    if (r == 0)
        r = sweep(&c, err);
    if (r < 0)
        return error_prefix(err, r, "collecting images");
    *ret = (struct store_gc_result){ .bytes = c.bytes };
    for (size_t i = 0; i < c.layer_count; i++)
        ret->freed_bytes += c.layers[i].gone ? c.layers[i].bytes : 0;
    for (size_t i = 0; i < c.image_count; i++)
        ret->images += c.images[i].gone;
    return 0;
}
