/* SPDX-License-Identifier: Apache-2.0 */
#include "units/metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static int compare_rules(const void *a, const void *b)
{
    const struct metadata_rule *left = a;
    const struct metadata_rule *right = b;
    int r = strcmp(left->key, right->key);
    return r ? r : strcmp(left->value, right->value);
}

void metadata_sort(struct metadata_rule *rules, size_t count)
{
    if (count > 1)
        qsort(rules, count, sizeof(*rules), compare_rules);
}

void metadata_free(struct metadata_rule *rules, size_t count)
{
    for (size_t i = 0; rules && i < count; i++) {
        free(rules[i].key);
        free(rules[i].value);
    }
    free(rules);
}

int metadata_set(struct metadata_rule **rules, size_t *count, const char *key, const char *value,
                 struct error *err)
{
    autofree char *copied = strdup(value);
    if (!copied)
        return error_oom(err);
    for (size_t i = 0; i < *count; i++)
        if (strcmp((*rules)[i].key, key) == 0) {
            free((*rules)[i].value);
            (*rules)[i].value = take_ptr(copied);
            return 0;
        }
    struct metadata_rule *grown = realloc(*rules, (*count + 1) * sizeof(**rules));
    if (!grown)
        return error_oom(err);
    *rules = grown;
    char *name = strdup(key);
    if (!name)
        return error_oom(err);
    grown[(*count)++] = (struct metadata_rule){ name, take_ptr(copied) };
    return 0;
}

static bool is_metadata_key(const char *key)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "_.-";
    return *key && key[strspn(key, letters)] == '\0';
}

static int read_pair(char *piece, struct metadata_rule **rules, size_t *count, struct error *err)
{
    char *equals = strchr(piece, '=');
    if (!equals || equals[1] == '\0' || strchr(equals + 1, '='))
        return error_set(err, -EINVAL, "\"%s\" is not KEY=VALUE", piece);
    *equals = '\0';
    const char *key = text_trim(piece);
    const char *value = text_trim(equals + 1);
    if (!is_metadata_key(key))
        return error_set(err, -EINVAL, "invalid key \"%s\" (want letters, digits, _ . -)", key);
    if (!*value)
        return error_set(err, -EINVAL, "key \"%s\" has no value", key);
    return metadata_set(rules, count, key, value, err);
}

int metadata_parse(const char *text, struct metadata_rule **ret, size_t *ret_count,
                   struct error *err)
{
    autostrv pieces = NULL;
    struct metadata_rule *rules = NULL;
    size_t count = 0;
    int r = strv_split(text, ",", &pieces, err);
    for (char **piece = pieces; r == 0 && piece && *piece; piece++) {
        char *trimmed = text_trim(*piece);
        if (*trimmed)
            r = read_pair(trimmed, &rules, &count, err);
    }
    if (r < 0) {
        metadata_free(rules, count);
        return r;
    }
    metadata_sort(rules, count);
    *ret = rules;
    *ret_count = count;
    return 0;
}
