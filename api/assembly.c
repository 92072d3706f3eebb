/* SPDX-License-Identifier: Apache-2.0 */
#include "api/assembly.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "kvclient/kv_pairs.h"

enum { SLICE_MS = 5 };

struct assembly {
    struct loop_timer *timer;
    struct view *view;
    bool whole;
    assembly_fn fn;
    void *userdata;

    /* Where it comes from: one of them. */
    const struct kv_mirror *mirror; /* borrowed */
    char *at;                       /* the last key that is in the view */
    char **changed;                 /* keys of the mirror, while the view is not whole */
    struct kv_pair *pairs;
    size_t count, next;
    int64_t revision; /* of the pairs */
};

void assembly_free(struct assembly *assembly)
{
    if (!assembly)
        return;
    loop_timer_free(assembly->timer);
    view_free(assembly->view);
    kv_pair_array_free(assembly->pairs, assembly->count);
    strv_free(assembly->changed);
    free(assembly->at);
    free(assembly);
}

/* --- adding --- */

static const struct kv_pair *next_pair(struct assembly *assembly, const char *after)
{
    if (assembly->mirror)
        return kv_mirror_next(assembly->mirror, after);
    return assembly->next < assembly->count ? &assembly->pairs[assembly->next++] : NULL;
}

/* Until the time is up. 1: that was all. */
static int add_pairs(struct assembly *assembly, int64_t until_ms)
{
    const struct kv_pair *pair = next_pair(assembly, assembly->at);
    while (pair) {
        const char *key = pair->key;
        int r = view_add(assembly->view, pair, NULL);
        if (r < 0)
            return r;
        if (clock_mono_ms() >= until_ms)
            return text_replace(&assembly->at, key, NULL);
        pair = next_pair(assembly, key);
    }
    return 1;
}

/* What came late may be in the view already, as it was then. */
static int add_changed(struct assembly *assembly)
{
    int r = 0;
    for (size_t i = 0; r == 0 && assembly->changed && assembly->changed[i]; i++)
        r = view_change(assembly->view, assembly->changed[i],
                        kv_mirror_get(assembly->mirror, assembly->changed[i]), NULL);
    strv_free(take_ptr(assembly->changed));
    return r;
}

static int finish(struct assembly *assembly)
{
    int64_t revision = assembly->mirror ? kv_mirror_revision(assembly->mirror) : assembly->revision;
    view_stand(assembly->view, revision);
    int r = add_changed(assembly);
    view_stand(assembly->view, revision);
    assembly->whole = true;
    return r;
}

static int read_texts(struct assembly *assembly, int64_t until_ms)
{
    int r = 0;
    while (r == 0 && view_unread_texts(assembly->view) > 0 && clock_mono_ms() < until_ms)
        r = view_read_text(assembly->view, NULL);
    return r < 0 ? r : view_unread_texts(assembly->view) == 0;
}

/* 1: it has what somebody waits for. */
static int do_slice(struct assembly *assembly)
{
    int64_t until_ms = clock_mono_ms() + SLICE_MS;
    if (assembly->whole)
        return read_texts(assembly, until_ms);
    int r = add_pairs(assembly, until_ms);
    if (r == 1)
        r = finish(assembly);
    return r < 0 ? r : assembly->whole;
}

static void on_slice(struct loop_timer *timer, void *userdata)
{
    struct assembly *assembly = userdata;
    int r = do_slice(assembly);
    if (r == 0)
        loop_timer_set(timer, 0);
    else
        assembly->fn(r < 0 ? r : 0, assembly->userdata);
}

const struct view *assembly_view(struct assembly *assembly, bool texts)
{
    if (assembly->whole && (!texts || view_unread_texts(assembly->view) == 0))
        return assembly->view;
    loop_timer_set(assembly->timer, 0);
    return NULL;
}

size_t assembly_parsed_texts(const struct assembly *assembly)
{
    return view_parsed_texts(assembly->view);
}

/* --- following --- */

int assembly_change(struct assembly *assembly, const char *key, const struct kv_pair *pair)
{
    if (assembly->whole)
        return view_change(assembly->view, key, pair, NULL);
    return strv_add(&assembly->changed, key, NULL);
}

void assembly_stand(struct assembly *assembly, int64_t revision)
{
    if (assembly->whole)
        view_stand(assembly->view, revision);
}

/* --- beginning --- */

static int begin(struct loop *loop, const char *prefix, assembly_fn fn, void *userdata,
                 struct assembly **ret, struct error *err)
{
    autoptr(assembly) assembly = calloc(1, sizeof(*assembly));
    if (!assembly)
        return error_oom(err);
    assembly->fn = fn;
    assembly->userdata = userdata;
    int r = view_begin(prefix, &assembly->view, err);
    if (r == 0)
        r = loop_timer_new(loop, "api view", on_slice, assembly, &assembly->timer, err);
    if (r < 0)
        return r;
    *ret = take_ptr(assembly);
    return 0;
}

int assembly_from_listing(struct loop *loop, const char *prefix,
                          const struct kv_range_result *result, assembly_fn fn, void *userdata,
                          struct assembly **ret, struct error *err)
{
    autoptr(assembly) assembly = NULL;
    int r = begin(loop, prefix, fn, userdata, &assembly, err);
    if (r < 0)
        return r;
    assembly->revision = result->revision;
    assembly->pairs = calloc(result->pair_count + 1, sizeof(*assembly->pairs));
    if (!assembly->pairs)
        return error_oom(err);
    for (size_t i = 0; i < result->pair_count; i++) {
        assembly->pairs[assembly->count++] = result->pairs[i];
        result->pairs[i].key = result->pairs[i].value = NULL;
    }
    *ret = take_ptr(assembly);
    return 0;
}

int assembly_from_mirror(struct loop *loop, const char *prefix, const struct kv_mirror *mirror,
                         assembly_fn fn, void *userdata, struct assembly **ret, struct error *err)
{
    int r = begin(loop, prefix, fn, userdata, ret, err);
    if (r == 0)
        (*ret)->mirror = mirror;
    return r;
}
