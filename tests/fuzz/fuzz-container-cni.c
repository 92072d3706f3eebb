/* SPDX-License-Identifier: Apache-2.0 */
/* A network's file and a plugin's answer, parted by NUL: what is told to each plugin after that. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "container/cni.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell_plugins(const struct cni_network *network, json_t *result)
{
    char address[] = "10.0.0.3";
    char *addresses[] = { address, NULL };
    const struct cni_request request = {
        .interface = "eth0",
        .addresses = addresses,
        .mac = "02:00:00:00:00:01",
        .aliases = addresses,
    };
    autojson wish = NULL;
    if (cni_request_to_json(&request, &wish, NULL) < 0)
        return;
    for (size_t i = 0; i < cni_plugin_count(network); i++) {
        autojson input = NULL;
        if (cni_plugin_input(network, i, wish, result, "/leases", &input, NULL) < 0)
            abort();
        (void)cni_plugin_wants_namespace(network, i);
    }
}

static void take_apart(const json_t *result)
{
    autostrv addresses = NULL;
    autostrv gateways = NULL;
    autostrv servers = NULL;
    if (cni_result_addresses(result, &addresses, NULL) < 0 ||
        cni_result_gateways(result, &gateways, NULL) < 0 ||
        cni_result_dns(result, "nameservers", &servers, NULL) < 0)
        abort();
    (void)cni_result_mac(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t length = strnlen(text, size);
    const char *answer = length < size ? text + length + 1 : text;
    size_t answer_length = length < size ? size - length - 1 : size;
    autoptr(cni_network) network = NULL;
    autojson result = NULL;
    autofree char *failure = cni_failure_text(answer, answer_length);
    if (failure && strchr(failure, '\n'))
        abort();
    if (cni_result_read(answer, answer_length, &result, NULL) == 0)
        take_apart(result);
    if (cni_network_read(text, length, &network, NULL) == 0)
        tell_plugins(network, result);
    return 0;
}
