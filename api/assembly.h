/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view that is put together without stopping anybody: of ten thousands of keys, a few
 * milliseconds in each turn of the loop. From a listing of the store, for one answer; or from a
 * mirror, which it follows from then on.
 */
#ifndef API_ASSEMBLY_H
#define API_ASSEMBLY_H

#include "api/view.h"
#include "base/loop.h"
#include "kvclient/kv_mirror.h"

struct assembly;

/* assembly_view() may have something to give now; or code is -ENOMEM, and it never will. */
typedef void (*assembly_fn)(int code, void *userdata);

/* Of the pairs of the result, which are moved out of it. fn is never called from in here. */
int assembly_from_listing(struct loop *loop, const char *prefix,
                          const struct kv_range_result *result, assembly_fn fn, void *userdata,
                          struct assembly **ret, struct error *err);
/* Of a mirror (borrowed) that has its first listing. Whoever hears the mirror passes it on. */
int assembly_from_mirror(struct loop *loop, const char *prefix, const struct kv_mirror *mirror,
                         assembly_fn fn, void *userdata, struct assembly **ret, struct error *err);
int assembly_change(struct assembly *assembly, const char *key, const struct kv_pair *pair);
void assembly_stand(struct assembly *assembly, int64_t revision);

/* Borrowed until the next turn. texts: what they say has been read. NULL: not yet, and fn will be
 * called. */
const struct view *assembly_view(struct assembly *assembly, bool texts);

/* How many it has parsed so far. */
size_t assembly_parsed_texts(const struct assembly *assembly);

void assembly_free(struct assembly *assembly); /* NULL is fine; may be called from fn */
DEFINE_AUTOPTR(assembly);

#endif
