/* SPDX-License-Identifier: Apache-2.0 */
/* What files and programs of the machine say to muster-container, parted by NUL: a file of
 * variables, one of subordinate ids, a resolv.conf, a hosts, skopeo's complaint, a seccomp profile.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "container/id_ranges.h"
#include "container/name_files.h"
#include "container/seccomp.h"
#include "container/skopeo.h"
#include "container/variables.h"
#include "tests/fuzz/piece.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_variables(const char *text)
{
    autostrv list = NULL;
    if (variables_parse(text, NULL, &list, NULL) < 0)
        return;
    for (char **variable = list; variable && *variable; variable++)
        if (!strchr(*variable, '=') || **variable == '=')
            abort();
}

static void read_ranges(const char *text)
{
    struct id_ranges ranges = { 0 };
    if (id_ranges_of_owner(text, "muster", &ranges, NULL) == 0)
        for (size_t i = 0; i < ranges.count; i++)
            if (ranges.items[i].start < 0 || ranges.items[i].count <= 0 ||
                ranges.items[i].start + ranges.items[i].count > UINT32_MAX)
                abort();
    id_ranges_done(&ranges);
}

static void read_names(const char *resolv_conf, const char *hosts)
{
    const struct container container = { .network = CONTAINER_NETWORK_BRIDGE };
    const struct name_files_resolver resolver = { .container = &container, .base = resolv_conf };
    const struct name_files_hosts wanted = { .container = &container, .base = hosts };
    autofree char *made = NULL;
    autofree char *made_hosts = NULL;
    (void)name_files_only_loopback(resolv_conf);
    (void)name_files_resolv_conf(&resolver, &made, NULL);
    (void)name_files_hosts(&wanted, &made_hosts, NULL);
    if (name_files_own_length(hosts) > strlen(hosts))
        abort();
}

static void read_profile(const char *text)
{
    const char *const capabilities[] = { "CAP_CHOWN", NULL };
    const struct seccomp_machine machine = { .architecture = "amd64",
                                             .kernel = "6.1.0-13-amd64",
                                             .capabilities = capabilities };
    autojson profile = NULL;
    autojson seccomp = NULL;
    if (json_read(text, strlen(text), &profile, NULL) == 0 &&
        seccomp_translate(profile, &machine, &seccomp, NULL) == 0)
        (void)seccomp_tighten(seccomp, &machine, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autofree char *variables = piece(&data, &size);
    autofree char *ranges = piece(&data, &size);
    autofree char *resolv_conf = piece(&data, &size);
    autofree char *hosts = piece(&data, &size);
    autofree char *complaint = piece(&data, &size);
    autofree char *profile = piece(&data, &size);
    struct error err = { 0 };
    if (!variables || !ranges || !resolv_conf || !hosts || !complaint || !profile)
        return 0;
    read_variables(variables);
    read_ranges(ranges);
    read_names(resolv_conf, hosts);
    if (skopeo_explain(complaint, &err) >= 0 || !*err.text)
        abort();
    read_profile(profile);
    return 0;
}
