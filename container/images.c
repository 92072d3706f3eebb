/* SPDX-License-Identifier: Apache-2.0 */
#include "container/images.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "container/fetch.h"
#include "container/progress.h"
#include "container/registries.h"
#include "container/store.h"
#include "units/reference.h"

static const char containers_directory[] = "/etc/containers";

struct get {
    const struct images_request *request;
    struct reference *reference; /* owned */
    char *text;                  /* owned; what names in the store are kept by */
    char *what;                  /* owned */
    struct fetch fetch;
    bool fetched;
};

static void get_done(struct get *get)
{
    reference_free(get->reference);
    free(get->text);
    free(get->what);
}

static int qualify(struct reference *reference, struct error *err)
{
    autoptr(registries) registries = NULL;
    autofree char *name = NULL;
    int r = registries_read(containers_directory, &registries, err);
    if (r == 0)
        r = registries_find(registries, reference->name, &name, err);
    return r < 0 ? r : reference_qualify(reference, name, err);
}

static int get_init(struct get *get, struct error *err)
{
    const struct images_request *request = get->request;
    int r = reference_parse(request->said, &get->reference, err);
    if (r == 0 && get->reference->kind == REFERENCE_SHORT)
        r = qualify(get->reference, err);
    if (r < 0)
        return error_prefix(err, r, "image %s", request->said);
    get->text = reference_text(get->reference);
    get->what = get->text ? text_format("image %s", get->text) : NULL;
    get->fetch = (struct fetch){
        .what = get->what,
        .store = request->store,
        .pins = request->pins,
        .architecture = request->architecture,
        .environment = request->environment,
        .answer_ms = request->answer_ms,
    };
    return get->what ? 0 : error_oom(err);
}

/* --- what is there --- */

static int find_named(const struct get *get, const char *identity, struct image **ret,
                      struct error *err)
{
    const struct images_request *request = get->request;
    autofree char *digest = NULL;
    int r = store_find_name(request->store, get->text, identity, &digest, err);
    return r < 0 ? r : store_find_image(request->store, request->pins, digest, ret, err);
}

/* A record that cannot be read is one that is not there: it is written anew. */
static bool is_here(const struct get *get, const char *identity, struct image **ret)
{
    return find_named(get, identity, ret, NULL) == 0;
}

/* --- registries --- */

/* The unit asked for this time, so systemd is to give it. */
static void wait_before_retry(int64_t delay_ms)
{
    struct timespec left = { .tv_sec = delay_ms / 1000, .tv_nsec = delay_ms % 1000 * 1000000 };
    (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRId64, (delay_ms + PROGRESS_EXTENSION_MS) * 1000);
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static int try_once(struct get *get, struct image **ret, struct error *err)
{
    autoptr(fetch_remote) remote = NULL;
    int r = fetch_ask(&get->fetch, get->reference, &remote, err);
    if (r == 0)
        r = fetch_from_registry(&get->fetch, get->reference, remote, ret, err);
    if (r == 0)
        r = store_write_name(get->request->store, get->text, "", remote->digest, err);
    return r;
}

/* Only what may be otherwise the next time. */
static int pull(struct get *get, struct image **ret, struct error *err)
{
    const struct images_request *request = get->request;
    int64_t delay_ms = request->retry_delay_ms ? request->retry_delay_ms : 1000;
    get->fetched = true;
    (void)sd_notifyf(0, "STATUS=muster-container: %s: asking its registry", get->what);
    for (int64_t left = request->retries;; left--) {
        struct error why = { 0 };
        int r = try_once(get, ret, &why);
        if (r == 0)
            return 0;
        if (r != -EAGAIN || left <= 0)
            return error_set(err, r, "%s", why.text);
        log_warning("%s: %s; trying again in %.1f s, %" PRId64 " times at most", get->what,
                    why.text, (double)delay_ms / 1000, left);
        wait_before_retry(delay_ms);
        if (!request->retry_delay_ms)
            delay_ms *= 2;
    }
}

/* Whether the registry has another can only be asked by fetching what is missing, for that finds
 * the image in the store if it is the same. */
static int get_newer(struct get *get, struct image **ret, struct error *err)
{
    struct error why = { 0 };
    autoptr(image) here = NULL;
    bool have = is_here(get, "", &here);
    int r = pull(get, ret, &why);
    if (r == 0 || !have)
        return r == 0 ? 0 : error_set(err, r, "%s", why.text);
    log_warning("%s: %s; going on with the image that is here", get->what, why.text);
    *ret = take_ptr(here);
    return 0;
}

static int get_from_registry(struct get *get, struct image **ret, struct error *err)
{
    /* What has a digest never is another. */
    bool fixed = get->reference->digest != NULL;
    enum container_pull policy = get->request->pull;
    if (policy == CONTAINER_PULL_NEVER)
        return is_here(get, "", ret)
                   ? 0
                   : error_set(err, -ENOENT, "not on this machine, and Pull=never");
    if (policy == CONTAINER_PULL_NEWER && !fixed)
        return get_newer(get, ret, err);
    if ((policy != CONTAINER_PULL_ALWAYS || fixed) && is_here(get, "", ret))
        return 0;
    return pull(get, ret, err);
}

/* --- files --- */

/* What changes when the files do; a directory's images are known by their manifest. */
static int identity_of(const struct reference *reference, char **ret, struct error *err)
{
    struct stat st;
    bool is_directory = strcmp(reference->name, "dir") == 0;
    autofree char *path =
        text_format("%s%s", reference->path, is_directory ? "/manifest.json" : "");
    if (!path)
        return error_oom(err);
    if (stat(path, &st) < 0)
        return error_errno(err, -errno, "%s", path);
    *ret = text_format("%ju:%ju:%jd:%jd.%09ld", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
                       (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    return *ret ? 0 : error_oom(err);
}

static int get_from_files(struct get *get, struct image **ret, struct error *err)
{
    autofree char *identity = NULL;
    int r = identity_of(get->reference, &identity, err);
    if (r < 0 || is_here(get, identity, ret))
        return r;
    get->fetched = true;
    r = fetch_from_files(&get->fetch, get->reference, ret, err);
    return r < 0 ? r
                 : store_write_name(get->request->store, get->text, identity, (*ret)->digest, err);
}

/* Its index has to be read in any case to know what the tag means now; then only the store is
 * asked. */
static int get_from_layout(struct get *get, struct image **ret, struct error *err)
{
    autoptr(image) image = NULL;
    const struct reference *reference = get->reference;
    int r = image_resolve(reference->path, reference->tag, get->request->architecture, &image, err);
    if (r < 0)
        return r;
    if (store_find_image(get->request->store, get->request->pins, image->digest, ret, NULL) == 0)
        return 0;
    get->fetched = true;
    r = fetch_from_layout(&get->fetch, image, err);
    if (r == 0)
        *ret = take_ptr(image);
    return r;
}

int images_get(const struct images_request *request, struct image **ret, bool *ret_fetched,
               struct error *err)
{
    __attribute__((cleanup(get_done))) struct get get = { .request = request };
    int r = get_init(&get, err);
    if (r == 0)
        r = store_prepare(request->store, err);
    if (r < 0)
        return r;
    switch (get.reference->kind) {
    case REFERENCE_REGISTRY:
        r = get_from_registry(&get, ret, err);
        break;
    case REFERENCE_LAYOUT:
        r = get_from_layout(&get, ret, err);
        break;
    case REFERENCE_FILES:
        r = get_from_files(&get, ret, err);
        break;
    case REFERENCE_SHORT:
    case REFERENCE_INVALID:
        r = -EINVAL;
        break;
    }
    if (r < 0)
        return error_prefix(err, r, "image %s", request->said);
    if (get.fetched)
        (void)sd_notify(0, "STATUS=");
    if (ret_fetched)
        *ret_fetched = get.fetched;
    return 0;
}

int images_digests(const struct images_request *request, char ***ret, struct error *err)
{
    __attribute__((cleanup(get_done))) struct get get = { .request = request };
    int r = get_init(&get, err);
    if (r < 0)
        return r;
    r = get.reference->kind == REFERENCE_REGISTRY
            ? fetch_digests(&get.fetch, get.reference, ret, err)
            : error_set(err, -EINVAL, "it is in no registry");
    return r < 0 ? error_prefix(err, r, "image %s", request->said) : 0;
}
