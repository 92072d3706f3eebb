/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest or an index, and a configuration, parted by NUL, as a registry gives them: layers that
 * are taken have digests that may become names of files. */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "container/image.h"
#include "units/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void choose(const json_t *index)
{
    json_t *descriptor = NULL;
    const char *digest = NULL;
    if (image_choose_platform(index, "amd64", &descriptor, NULL) == 0 &&
        image_descriptor_digest(descriptor, &digest, NULL) == 0 && !reference_is_digest(digest))
        abort();
}

static void configure(const json_t *manifest, const char *text, size_t length)
{
    autoptr(image) image = calloc(1, sizeof(*image));
    char hex[DIGEST_HEX_SIZE];
    digest_sha256_hex(text, length, hex);
    autofree char *digest = text_format("sha256:%s", hex);
    json_t *layers = json_object_get(manifest, "layers");
    if (!image || !digest)
        return;
    image->blobs = json_is_array(layers) ? json_incref(layers) : json_array();
    if (image_replace_config(image, digest, text, length, NULL) < 0)
        return;
    if (strv_length(image->layers) != json_array_size(image->blobs) ||
        !json_is_object(image->config))
        abort();
    for (char **layer = image->layers; layer && *layer; layer++)
        if (!reference_is_digest(*layer))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t length = strnlen(text, size);
    const char *config = length < size ? text + length + 1 : text;
    autojson manifest = NULL;
    if (json_read(text, length, &manifest, NULL) < 0)
        return 0;
    if (image_is_index(manifest))
        choose(manifest);
    configure(manifest, config, size - (size_t)(config - text));
    return 0;
}
