/* SPDX-License-Identifier: Apache-2.0 */
#include "container/cni_networks.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { FILE_MAX_BYTES = 1024 * 1024 };

static const char *const standard_directories[] = { "/etc/cni/net.d", "/usr/share/muster/cni",
                                                    NULL };

/* What a look through the files has found. */
struct search {
    const char *name;            /* borrowed */
    struct cni_network *network; /* owned */
    struct text others;
    struct error unreadable; /* of the first file that is */
};

static void search_done(struct search *search)
{
    cni_network_free(search->network);
    text_done(&search->others);
}

static int read_file(const char *path, struct cni_network **ret, struct error *err)
{
    autofree char *text = NULL;
    size_t length = 0;
    int r = file_read(path, FILE_MAX_BYTES, &text, &length, err);
    if (r < 0)
        return r;
    r = cni_network_read(text, length, ret, err);
    return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}

static void look_into(struct search *search, const char *path)
{
    autoptr(cni_network) network = NULL;
    struct error reason = { 0 };
    if (read_file(path, &network, &reason) < 0) {
        if (!search->unreadable.code)
            search->unreadable = reason;
        return;
    }
    if (strcmp(network->name, search->name) == 0)
        search->network = take_ptr(network);
    else
        text_addf(&search->others, "%s%s", search->others.length ? ", " : "", network->name);
}

/* As CNI's own library: in the order of their names. */
static int look_through(struct search *search, const char *directory, struct error *err)
{
    autofree char *pattern = text_format("%s/*.{conflist,conf,json}", directory);
    glob_t paths = { 0 };
    if (!pattern)
        return error_oom(err);
    int r = glob(pattern, GLOB_BRACE, NULL, &paths);
    for (size_t i = 0; r == 0 && i < paths.gl_pathc && !search->network; i++)
        look_into(search, paths.gl_pathv[i]);
    globfree(&paths);
    return r == GLOB_NOSPACE ? error_oom(err) : 0;
}

static int not_found(const struct search *search, struct error *err)
{
    if (search->unreadable.code)
        return error_set(err, -ENOENT, "there is no network %s; %s", search->name,
                         search->unreadable.text);
    return error_set(err, -ENOENT,
                     "there is no network %s on this machine: no file of /etc/cni/net.d has that "
                     "name in it (there are: %s)",
                     search->name, search->others.length ? search->others.data : "none");
}

static int find(const char *const *directories, const char *name, struct cni_network **ret,
                struct error *err)
{
    __attribute__((cleanup(search_done))) struct search search = { .name = name };
    int r = 0;
    for (; r == 0 && *directories && !search.network; directories++)
        r = look_through(&search, *directories, err);
    if (r < 0)
        return r;
    if (!search.network)
        return not_found(&search, err);
    *ret = take_ptr(search.network);
    return 0;
}

/* Quadlet's files say "bridge" or "podman" where they mean what is there by itself. */
static bool means_default(const char *name)
{
    return strcmp(name, "bridge") == 0 || strcmp(name, "podman") == 0;
}

int cni_networks_find_in(const char *const *directories, const char *name, struct cni_network **ret,
                         struct error *err)
{
    struct error reason = { 0 };
    int r = find(directories, name, ret, &reason);
    if (r == -ENOENT && means_default(name))
        return find(directories, CNI_NETWORKS_DEFAULT, ret, err);
    return r < 0 ? error_set(err, r, "%s", reason.text) : 0;
}

int cni_networks_find(const char *name, struct cni_network **ret, struct error *err)
{
    return cni_networks_find_in(standard_directories, name, ret, err);
}
