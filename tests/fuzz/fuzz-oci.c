/* SPDX-License-Identifier: Apache-2.0 */
/* An image's configuration comes from strangers. Whatever it says, the runtime's configuration is
 * made or refused, and what is made runs something and is locked in. */
#include <stdlib.h>

#include "base/json.h"
#include "units/capabilities.h"
#include "units/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const json_t *config)
{
    const json_t *process = json_object_get(config, "process");
    const json_t *arguments = json_object_get(process, "args");
    const char *program = json_string_value(json_array_get(arguments, 0));
    const char *directory = json_string_value(json_object_get(process, "cwd"));
    const json_t *bounding = json_object_get(json_object_get(process, "capabilities"), "bounding");
    size_t allowed = 0;
    while (capabilities_default[allowed])
        allowed++;
    if (!program || !*program || !directory || *directory != '/' ||
        json_array_size(bounding) != allowed)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char image_name[] = "i";
    char host_name[] = "h";
    struct container container = { .image = image_name,
                                   .host_name = host_name,
                                   .network = CONTAINER_NETWORK_NONE };
    autojson image = NULL;
    autojson config = NULL;
    if (json_read((const char *)data, size, &image, NULL) < 0)
        return 0;
    const struct oci_input input = {
        .container = &container,
        .image_config = image,
        .root_path = "/root",
    };
    if (oci_config(&input, &config, NULL) == 0)
        check(config);
    return 0;
}
