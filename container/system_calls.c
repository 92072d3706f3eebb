/* SPDX-License-Identifier: Apache-2.0 */
#include "container/system_calls.h"

#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "container/filter_cache.h"
#include "container/seccomp.h"
#include "units/oci.h"

static const char default_profile[] = "/usr/share/containers/seccomp.json";

void system_calls_done(struct system_calls *calls)
{
    json_decref(calls->profile);
    free(calls->filter);
}

static int profile_find(const struct container *container, const struct utsname *machine,
                        json_t **ret, struct error *err)
{
    const char *of_unit = container->seccomp_profile;
    const char *of_machine = getenv("MUSTER_SECCOMP_PROFILE");
    const char *path = of_unit ? of_unit : of_machine && *of_machine ? of_machine : default_profile;
    autostrv capabilities = NULL;
    int r = oci_capabilities(container, &capabilities, err);
    if (r < 0)
        return r;
    const struct seccomp_machine here = {
        .architecture = seccomp_go_architecture(machine->machine),
        .kernel = machine->release,
        .capabilities = (const char *const *)capabilities,
    };
    r = seccomp_load(path, &here, ret, err);
    /* A profile that somebody chose is as he wants it. */
    return r == 0 && path == default_profile ? seccomp_tighten(*ret, &here, err) : r;
}

/* runc compiles by itself, and fast: it has nothing to be given. */
static bool may_have_filter(const struct place *place, const struct container *container,
                            const json_t *profile)
{
    return profile && !container->privileged && place->runtime == CONTAINER_RUNTIME_CRUN &&
           !filter_cache_is_bypassed(container);
}

int system_calls_find(const struct place *place, const struct container *container,
                      const struct utsname *machine, struct system_calls *ret, struct error *err)
{
    int r = profile_find(container, machine, &ret->profile, err);
    if (r < 0 || !may_have_filter(place, container, ret->profile))
        return r;
    if (filter_cache_name(ret->profile, machine, container_runtime_name(place->runtime), ret->name,
                          NULL) < 0)
        ret->name[0] = '\0';
    else
        (void)filter_cache_find(PLACE_FILTERS, ret->name, &ret->filter, NULL);
    return 0;
}

int system_calls_keep(const struct system_calls *calls, const struct place *place,
                      struct error *err)
{
    if (calls->filter || !*calls->name)
        return 0;
    autofree char *compiled = text_format("%s/seccomp.bpf", place->runtime_state);
    if (!compiled)
        return error_oom(err);
    int r = filter_cache_keep(PLACE_FILTERS, calls->name, compiled, err);
    /* This crun keeps none that could be had; or somebody was emptying the cache just now. */
    if (r == -ENOENT)
        return 0;
    return r < 0 ? error_prefix(err, r, "keeping a seccomp filter for the next start") : 0;
}

void system_calls_doubt(const struct system_calls *calls)
{
    if (calls->filter)
        (void)filter_cache_forget(PLACE_FILTERS, calls->name, NULL);
}
