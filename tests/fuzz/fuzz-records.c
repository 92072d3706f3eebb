/* SPDX-License-Identifier: Apache-2.0 */
/* What the store hands us, whoever wrote it. The first byte chooses what to read the rest as. What
 * was accepted must be written and read again to the same bytes. */
#include <string.h>

#include "base/text.h"
#include "scheduler/records.h"

/* With a blank in front jansson reads it, and comes to the same. */
#define DEFINE_ALIKE(type)                                                      \
    static void alike_##type(const char *text, size_t length)                   \
    {                                                                           \
        autorecord(type) one = { 0 };                                           \
        autorecord(type) two = { 0 };                                           \
        autotext blank = { 0 };                                                 \
        text_add(&blank, " ");                                                  \
        text_add_bytes(&blank, text, length);                                   \
        if (record_##type##_decode(text, length, &one, NULL) !=                 \
                record_##type##_decode(blank.data, blank.length, &two, NULL) || \
            !record_##type##_equal(&one, &two))                                 \
            abort();                                                            \
    }                                                                           \
    struct record_##type

#define DEFINE_TRY(type)                                                                   \
    DEFINE_ALIKE(type);                                                                    \
    static void try_##type(const char *text, size_t length)                                \
    {                                                                                      \
        struct error err;                                                                  \
        autorecord(type) first = { 0 };                                                    \
        autorecord(type) second = { 0 };                                                   \
        autofree char *once = NULL;                                                        \
        autofree char *twice = NULL;                                                       \
        alike_##type(text, length);                                                        \
        if (record_##type##_decode(text, length, &first, &err) < 0)                        \
            return;                                                                        \
        if (record_##type##_encode(&first, &once, &err) < 0)                               \
            abort();                                                                       \
        if (record_##type##_decode(once, strlen(once), &second, &err) < 0)                 \
            abort();                                                                       \
        if (record_##type##_encode(&second, &twice, &err) < 0 || strcmp(once, twice) != 0) \
            abort();                                                                       \
    }                                                                                      \
    struct record_##type

DEFINE_TRY(member);
DEFINE_TRY(presence);
DEFINE_TRY(unit);
DEFINE_TRY(assignment);
DEFINE_TRY(state);
DEFINE_TRY(role);
DEFINE_TRY(rollout);
DEFINE_TRY(verdict);
DEFINE_TRY(drain);
DEFINE_TRY(cordon);
DEFINE_TRY(brake);
DEFINE_TRY(slot);
DEFINE_TRY(leader);
DEFINE_TRY(cluster);
DEFINE_TRY(rebalance);

/* Settings of the cluster are of one kind of text. */
static void try_settings(const char *text, size_t length)
{
    try_brake(text, length);
    try_rebalance(text, length);
}

/* A key that is ours is spelt in one way only. */
static void try_key(const char *text, size_t length)
{
    struct store_key_parts parts;
    autofree char *key = strndup(text, length);
    if (!key)
        return;
    store_key_parse("/m/", key, &parts);
    if (parts.kind == STORE_KEY_INVALID)
        return;
    autofree char *again = store_key("/m/", parts.kind, parts.machine, parts.name, parts.index);
    if (!again || strcmp(key, again) != 0)
        abort();
}

static void try_texts(const char *text, size_t length)
{
    struct error err;
    struct metadata_rule *rules = NULL;
    size_t count = 0;
    autofree struct role_number *numbers = NULL;
    autofree char *copy = strndup(text, length);
    if (!copy)
        return;
    if (metadata_parse(copy, &rules, &count, &err) == 0)
        metadata_free(rules, count);
    (void)role_numbers_parse(copy, 255, true, &numbers, &count, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Sixteen, so that those of the corpus begin with a digit. */
    static void (*const tries[])(const char *, size_t) = {
        try_member,   try_presence, try_unit,    try_assignment, try_state, try_role,
        try_key,      try_texts,    try_rollout, try_verdict,    try_drain, try_cordon,
        try_settings, try_slot,     try_leader,  try_cluster,
    };
    if (size > 0)
        tries[data[0] % (sizeof(tries) / sizeof(tries[0]))]((const char *)data + 1, size - 1);
    return 0;
}
