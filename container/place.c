/* SPDX-License-Identifier: Apache-2.0 */
#include "container/place.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "units/unit_name.h"

enum { SPEC_MAX_BYTES = 1024 * 1024 };

void place_free(struct place *place)
{
    if (!place)
        return;
    free(place->unit);
    free(place->id);
    free(place->directory);
    free(place->spec);
    free(place->config);
    free(place->health);
    free(place->root);
    free(place->images);
    free(place->image);
    free(place->layer);
    free(place->fallback_layer);
    free(place->fallback);
    free(place->stage);
    free(place->secrets);
    free(place->pid);
    free(place->log);
    free(place->scope);
    free(place->runtime_root);
    free(place->network);
    free(place->cni);
    free(place->resolv_conf);
    free(place->hosts);
    free(place->host_name);
    free(place->runtime_state);
    free(place);
}

/* crun takes any name without a slash, runc only letters, digits and "_+-."; no unit's name holds a
 * '+', so it can escape the rest and two units never share a container. */
static char *container_id(const char *unit)
{
    autotext id = { 0 };
    for (const char *c = unit; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("_-.", *c))
            text_add_bytes(&id, c, 1);
        else
            text_addf(&id, "+%02x", (unsigned char)*c);
    }
    return text_take(&id);
}

int place_use_runtime(struct place *place, enum container_runtime runtime, struct error *err)
{
    autofree char *root = text_format(PLACE_RUN_DIRECTORY "/%s", container_runtime_name(runtime));
    autofree char *state = root ? text_format("%s/%s", root, place->id) : NULL;
    if (!root || !state)
        return error_oom(err);
    free(place->runtime_root);
    free(place->runtime_state);
    place->runtime = runtime;
    place->runtime_root = take_ptr(root);
    place->runtime_state = take_ptr(state);
    return 0;
}

/* What the settings say now need not be what they said when the container was made. */
static int find_runtime(struct place *place, struct error *err)
{
    int r = place_use_runtime(place, CONTAINER_RUNTIME_RUNC, err);
    if (r == 0 && !place_has_container(place))
        r = place_use_runtime(place, CONTAINER_RUNTIME_CRUN, err);
    return r;
}

int place_new(const char *unit, struct place **ret, struct error *err)
{
    int r = unit_name_check(unit, err);
    if (r < 0)
        return r;
    autoptr(place) p = calloc(1, sizeof(*p));
    if (!p)
        return error_oom(err);
    p->unit = strdup(unit);
    p->id = container_id(unit);
    p->directory = text_format(PLACE_RUN_DIRECTORY "/containers/%s", unit);
    p->spec = text_format(PLACE_RUN_DIRECTORY "/containers/%s/spec.json", unit);
    p->config = text_format(PLACE_RUN_DIRECTORY "/containers/%s/config.json", unit);
    p->health = text_format(PLACE_RUN_DIRECTORY "/containers/%s/health.json", unit);
    p->root = text_format(PLACE_RUN_DIRECTORY "/containers/%s/root", unit);
    p->images = text_format(PLACE_RUN_DIRECTORY "/containers/%s/images", unit);
    p->image = text_format(PLACE_RUN_DIRECTORY "/containers/%s/image", unit);
    p->layer = text_format(PLACE_RUN_DIRECTORY "/containers/%s/layer", unit);
    p->fallback = text_format(PLACE_STATE_DIRECTORY "/containers/%s", unit);
    p->fallback_layer = text_format(PLACE_STATE_DIRECTORY "/containers/%s/layer", unit);
    p->stage = text_format(PLACE_RUN_DIRECTORY "/containers/%s/stage", unit);
    p->secrets = text_format(PLACE_RUN_DIRECTORY "/containers/%s/secrets", unit);
    p->pid = text_format(PLACE_RUN_DIRECTORY "/containers/%s/pid", unit);
    p->log = text_format(PLACE_RUN_DIRECTORY "/containers/%s/runtime.log", unit);
    p->scope = text_format(PLACE_RUN_DIRECTORY "/containers/%s/scope", unit);
    p->network = text_format(PLACE_RUN_DIRECTORY "/containers/%s/network.json", unit);
    p->cni = text_format(PLACE_RUN_DIRECTORY "/containers/%s/cni.json", unit);
    p->resolv_conf = text_format(PLACE_RUN_DIRECTORY "/containers/%s/resolv.conf", unit);
    p->hosts = text_format(PLACE_RUN_DIRECTORY "/containers/%s/hosts", unit);
    p->host_name = text_format(PLACE_RUN_DIRECTORY "/containers/%s/hostname", unit);
    if (!p->unit || !p->id || !p->directory || !p->spec || !p->config || !p->health || !p->root ||
        !p->images || !p->image || !p->layer || !p->fallback || !p->fallback_layer || !p->stage ||
        !p->secrets || !p->pid || !p->log || !p->scope || !p->network || !p->cni ||
        !p->resolv_conf || !p->hosts || !p->host_name)
        return error_oom(err);
    r = find_runtime(p, err);
    if (r < 0)
        return r;
    *ret = take_ptr(p);
    return 0;
}

bool place_has_container(const struct place *place)
{
    return access(place->runtime_state, F_OK) == 0;
}

int place_read_spec(const struct place *place, struct container **ret, struct error *err)
{
    autofree char *text = NULL;
    autojson json = NULL;
    size_t length = 0;
    int r = file_read(place->spec, SPEC_MAX_BYTES, &text, &length, err);
    if (r < 0)
        return r;
    r = json_read(text, length, &json, err);
    if (r == 0)
        r = container_from_json(json, ret, err);
    return r < 0 ? error_prefix(err, r, "%s", place->spec) : 0;
}
