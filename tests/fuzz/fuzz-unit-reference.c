/* SPDX-License-Identifier: Apache-2.0 */
/* A name of an image: what is taken has one text, which is taken as the same again, and gives
 * skopeo one word that is no option. A short name has no text before its registry is found: of
 * "dir" it would be "dir:latest", which is something else. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "units/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_word(const struct reference *reference, const char *digest)
{
    autofree char *word = reference_for_skopeo(reference, digest);
    if (word && (*word == '-' || !strchr(word, ':')))
        abort();
}

static void check(const struct reference *reference)
{
    autofree char *text = reference_text(reference);
    autoptr(reference) again = NULL;
    if (!text)
        return;
    if (reference_parse(text, &again, NULL) < 0 || again->kind != reference->kind)
        abort();
    autofree char *text_again = reference_text(again);
    if (text_again && strcmp(text, text_again) != 0)
        abort();
    if (reference->digest && !reference_is_digest(reference->digest))
        abort();
    check_word(reference, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autofree char *said = strndup((const char *)data, size);
    autoptr(reference) reference = NULL;
    if (!said || reference_parse(said, &reference, NULL) < 0)
        return 0;
    if (reference->kind != REFERENCE_SHORT ||
        reference_qualify(reference, "quay.io/some/thing", NULL) == 0)
        check(reference);
    return 0;
}
