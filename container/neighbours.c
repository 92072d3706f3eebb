/* SPDX-License-Identifier: Apache-2.0 */
#include "container/neighbours.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "container/cni.h"
#include "container/lock.h"
#include "container/name_files.h"
#include "units/unit_name.h"

enum { FILE_MAX_BYTES = 1024 * 1024 };

static const char named[] = PLACE_CNI "/named";
static const char names_lock[] = PLACE_CNI "/.names.lock";

/* --- network.json --- */

static int networks_read(const struct place *place, json_t **ret, struct error *err)
{
    autofree char *text = NULL;
    autojson summary = NULL;
    size_t length = 0;
    int r = file_read(place->network, FILE_MAX_BYTES, &text, &length, err);
    if (r == 0)
        r = json_read(text, length, &summary, err);
    if (r == 0)
        *ret = json_incref(json_object_get(summary, "networks"));
    return r;
}

static int add_name(json_t *network, const char *name, struct error *err)
{
    json_t *names = json_object_get(network, "names");
    if (!names && json_object_set_new(network, "names", names = json_array()) < 0)
        return error_oom(err);
    return json_array_append_new(names, json_string(name)) < 0 ? error_oom(err) : 0;
}

static int network_of(const json_t *attachment, json_t *networks, struct error *err)
{
    const char *name = NULL;
    autostrv addresses = NULL;
    int r = json_field_string(json_object_get(attachment, "network"), "name", &name, err);
    if (r == 0)
        r = cni_result_addresses(json_object_get(attachment, "result"), &addresses, err);
    if (r < 0)
        return r;
    for (char **address = addresses; address && *address; address++)
        (*address)[strcspn(*address, "/")] = '\0';
    const json_t *request = json_object_get(attachment, "request");
    json_t *network = json_pack("{s:o, s:o*}", "addresses", json_from_strv(addresses), "names",
                                json_deep_copy(json_object_get(request, "aliases")));
    return json_object_set_new(networks, name, network) < 0 ? error_oom(err) : 0;
}

static int networks_of_record(const json_t *record, json_t *networks, struct error *err)
{
    int r = 0;
    size_t i = 0;
    const json_t *attachment = NULL;
    json_array_foreach(json_object_get(record, "attachments"), i, attachment)
        if (r == 0)
            r = network_of(attachment, networks, err);
    return r;
}

/* Addresses as they are; names are each container's own. */
static int networks_of_joined(json_t *theirs, json_t *networks, struct error *err)
{
    const char *name = NULL;
    json_t *network = NULL;
    json_object_foreach(theirs, name, network) {
        json_t *ours = json_pack("{s:O}", "addresses", json_object_get(network, "addresses"));
        if (json_object_set_new(networks, name, ours) < 0)
            return error_oom(err);
    }
    return 0;
}

int neighbours_networks(const struct container *container, const json_t *record,
                        const json_t *joined, json_t **ret, struct error *err)
{
    autojson networks = json_object();
    const char *name = NULL;
    json_t *network = NULL;
    if (!networks)
        return error_oom(err);
    int r = record ? networks_of_record(record, networks, err)
                   : networks_of_joined(json_object_get(joined, "networks"), networks, err);
    json_object_foreach(networks, name, network)
        if (r == 0 && container->name)
            r = add_name(network, container->name, err);
    if (r == 0)
        *ret = json_object_size(networks) ? take_ptr(networks) : NULL;
    return r;
}

static bool has_names(json_t *networks)
{
    const char *name = NULL;
    json_t *network = NULL;
    json_object_foreach(networks, name, network)
        if (json_object_get(network, "names"))
            return true;
    return false;
}

/* --- the hosts files --- */

/* Of the machine's containers, those that a pattern of files names: ".../UNIT" after cut. */
static int units_of(const char *pattern, const char *after, char ***ret, struct error *err)
{
    glob_t paths = { 0 };
    int r = glob(pattern, 0, NULL, &paths) == GLOB_NOSPACE ? error_oom(err) : 0;
    for (size_t i = 0; r == 0 && i < paths.gl_pathc; i++) {
        char *path = paths.gl_pathv[i];
        path[strlen(path) - strlen(after)] = '\0';
        const char *unit = strrchr(path, '/') + 1;
        if (unit_name_check(unit, NULL) == 0)
            r = strv_add(ret, unit, err);
    }
    globfree(&paths);
    return r;
}

static void add_lines(struct text *t, const json_t *theirs)
{
    size_t i = 0;
    size_t j = 0;
    const json_t *address = NULL;
    const json_t *name = NULL;
    const json_t *names = json_object_get(theirs, "names");
    if (!json_array_size(names))
        return;
    json_array_foreach(json_object_get(theirs, "addresses"), i, address) {
        text_addf(t, "%s\t", json_string_value(address));
        json_array_foreach(names, j, name)
            text_addf(t, "%s%s", j ? " " : "", json_string_value(name));
        text_add(t, "\n");
    }
}

/* The networks of each of these containers, by unit; of one that has just gone, or is in none,
 * nothing. Each file is read once, however many ask for it. */
static int networks_of_all(char *const *units, json_t **ret, struct error *err)
{
    autojson all = json_object();
    if (!all)
        return error_oom(err);
    for (; units && *units; units++) {
        autoptr(place) place = NULL;
        json_t *networks = NULL;
        int r = place_new(*units, &place, err);
        if (r < 0)
            return r;
        if (networks_read(place, &networks, NULL) == 0 && networks &&
            json_object_set_new(all, *units, networks) < 0)
            return error_oom(err);
    }
    *ret = take_ptr(all);
    return 0;
}

/* What one who is in these networks knows of those who speak, all of which are among all. */
static int lines_for(json_t *ours, const json_t *all, char *const *speakers, char **ret,
                     struct error *err)
{
    autotext t = { 0 };
    for (; speakers && *speakers; speakers++) {
        const char *name = NULL;
        const json_t *network = NULL;
        json_object_foreach(json_object_get(all, *speakers), name, network)
            if (json_object_get(ours, name))
                add_lines(&t, network);
    }
    *ret = text_take(&t);
    return *ret ? 0 : error_oom(err);
}

static int complete(const char *unit, json_t *ours, const json_t *all, char *const *speakers,
                    struct error *err)
{
    autoptr(place) place = NULL;
    autofree char *old = NULL;
    autofree char *lines = NULL;
    autofree char *new = NULL;
    int r = place_new(unit, &place, err);
    if (r < 0 || file_read(place->hosts, FILE_MAX_BYTES, &old, NULL, NULL) < 0)
        return r;
    r = lines_for(ours, all, speakers, &lines, err);
    if (r == 0)
        r = name_files_with_others(old, lines, &new, err);
    return r < 0 || strcmp(old, new) == 0 ? r : file_rewrite(place->hosts, new, err);
}

/* One whose files go while we write is no failure of ours. */
static int complete_all(char *const *speakers, struct error *err)
{
    autostrv containers = NULL;
    autojson all = NULL;
    const char *unit = NULL;
    json_t *networks = NULL;
    int r = units_of(PLACE_RUN_DIRECTORY "/containers/*/network.json", "/network.json", &containers,
                     err);
    if (r == 0)
        r = networks_of_all(containers, &all, err);
    json_object_foreach(all, unit, networks) {
        r = r < 0 ? r : complete(unit, networks, all, speakers, err);
        r = r == -ENOENT ? 0 : r;
    }
    return r;
}

static int complete_own(const struct place *place, json_t *ours, char *const *speakers,
                        struct error *err)
{
    autojson all = NULL;
    int r = networks_of_all(speakers, &all, err);
    return r < 0 ? r : complete(place->unit, ours, all, speakers, err);
}

static char *flag_of(const struct place *place)
{
    return text_format("%s/%s", named, place->unit);
}

static int flag_make(const char *flag, struct error *err)
{
    autoclose int fd = open(flag, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 ? error_errno(err, -errno, "%s", flag) : 0;
}

static int begin(const struct place *place, char **ret_flag, int *ret_lock, struct error *err)
{
    autofree char *flag = flag_of(place);
    int r = flag ? file_make_dirs(named, 0700, err) : error_oom(err);
    if (r == 0)
        r = lock_take(names_lock, NULL, err);
    if (r < 0)
        return r;
    *ret_lock = r;
    *ret_flag = take_ptr(flag);
    return 0;
}

int neighbours_meet(const struct place *place, json_t *networks, struct error *err)
{
    autofree char *flag = NULL;
    autostrv speakers = NULL;
    autoclose int lock = -1;
    if (!networks)
        return 0;
    int r = begin(place, &flag, &lock, err);
    bool speaks = has_names(networks);
    if (r == 0 && speaks)
        r = flag_make(flag, err);
    if (r == 0)
        r = units_of(PLACE_CNI "/named/*", "", &speakers, err);
    if (r < 0)
        return r;
    return speaks ? complete_all(speakers, err) : complete_own(place, networks, speakers, err);
}

int neighbours_leave(const struct place *place, struct error *err)
{
    autofree char *flag = flag_of(place);
    autostrv units = NULL;
    if (!flag)
        return error_oom(err);
    if (access(flag, F_OK) < 0)
        return 0;
    autoclose int lock = lock_take(names_lock, NULL, err);
    int r = lock < 0 ? lock : units_of(PLACE_CNI "/named/*", "", &units, err);
    if (r == 0)
        r = complete_all(units, err);
    return r < 0 ? r : file_remove(flag, err);
}
