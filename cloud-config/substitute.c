/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/substitute.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct {
    const char *name;
    const char *variable;
} known[ADDRESS_COUNT] = {
    {"$public_ipv4",   "COREOS_PUBLIC_IPV4" },
    { "$private_ipv4", "COREOS_PRIVATE_IPV4"},
    { "$public_ipv6",  "COREOS_PUBLIC_IPV6" },
    { "$private_ipv6", "COREOS_PRIVATE_IPV6"},
};

const char *address_variable(size_t index)
{
    return known[index].variable;
}

const char *address_name(size_t index)
{
    return known[index].name;
}

void addresses_from_environment(struct addresses *ret)
{
    *ret = (struct addresses){ 0 };
    for (size_t i = 0; i < ADDRESS_COUNT; i++) {
        const char *value = getenv(known[i].variable);
        ret->values[i] = value && *value ? value : NULL;
    }
}

/* The index of the name that p begins with, or ADDRESS_COUNT. There is no word boundary behind a
 * name: "$private_ipv4x" is the address and an x, as it always was. */
static size_t name_at(const char *p)
{
    size_t i = 0;
    while (i < ADDRESS_COUNT && !text_starts_with(p, known[i].name))
        i++;
    return i;
}

char *substitute_text(const char *text, struct addresses *addresses)
{
    autotext t = { 0 };
    while (*text) {
        bool escaped = text[0] == '\\';
        size_t which = name_at(text + escaped);
        if (which == ADDRESS_COUNT) {
            text_add_bytes(&t, text++, 1);
            continue;
        }
        if (escaped) {
            text_add(&t, known[which].name);
        } else if (addresses->values[which]) {
            text_add(&t, addresses->values[which]);
        } else {
            addresses->missed[which] = true;
        }
        text += escaped + strlen(known[which].name);
    }
    return text_take(&t);
}

int substitute_document(struct node *node, struct addresses *addresses, struct error *err)
{
    for (size_t i = 0; i < node->count; i++) {
        int r = substitute_document(node->entries[i].value, addresses, err);
        if (r < 0)
            return r;
    }
    if (!node_is_scalar(node) || node->binary || !strchr(node->text, '$'))
        return 0;
    char *text = substitute_text(node->text, addresses);
    if (!text)
        return error_oom(err);
    free(node->text);
    node->text = text;
    node->length = strlen(text);
    return 0;
}
