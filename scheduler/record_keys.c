/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/records.h"

/* What follows the prefix: a word or two, then up to two parts with perhaps a fixed piece between
 * or after. */
enum part { PART_NONE = 0, PART_MACHINE, PART_UNIT, PART_BLOB, PART_ROLE, PART_INDEX };

struct shape {
    const char *word;
    const char *second_word; /* or NULL */
    enum part first;
    const char *middle; /* a fixed piece between the parts, or after the first; NULL: none */
    enum part second;
};

static const struct shape shapes[] = {
    [STORE_KEY_CLUSTER] = {"cluster",        NULL,        PART_NONE,    NULL,       PART_NONE },
    [STORE_KEY_MEMBER] = { "members",       NULL,        PART_MACHINE, NULL,       PART_NONE },
    [STORE_KEY_PRESENCE] = { "nodes",         NULL,        PART_MACHINE, "presence", PART_NONE },
    [STORE_KEY_ASSIGNMENT] = { "nodes",         NULL,        PART_MACHINE, "units",    PART_UNIT },
    [STORE_KEY_STATE] = { "states",        NULL,        PART_MACHINE, NULL,       PART_UNIT },
    [STORE_KEY_LEADER] = { "leader",        NULL,        PART_NONE,    NULL,       PART_NONE },
    [STORE_KEY_UNIT] = { "units",         NULL,        PART_UNIT,    NULL,       PART_NONE },
    [STORE_KEY_BLOB] = { "blobs",         NULL,        PART_BLOB,    NULL,       PART_NONE },
    [STORE_KEY_VERDICT] = { "verdicts",      NULL,        PART_UNIT,    NULL,       PART_NONE },
    [STORE_KEY_ROLE] = { "roles",         NULL,        PART_ROLE,    NULL,       PART_NONE },
    [STORE_KEY_SLOT] = { "slots",         NULL,        PART_ROLE,    NULL,       PART_INDEX},
    [STORE_KEY_CORDON] = { "cordons",       NULL,        PART_MACHINE, NULL,       PART_NONE },
    [STORE_KEY_DRAIN] = { "ops",           "drain",     PART_MACHINE, NULL,       PART_NONE },
    [STORE_KEY_BRAKE] = { "ops",           "brake",     PART_NONE,    NULL,       PART_NONE },
    [STORE_KEY_ROLLOUT] = { "ops",           "rollout",   PART_UNIT,    NULL,       PART_NONE },
    [STORE_KEY_REBALANCE] = { "ops",           "rebalance", PART_NONE,    NULL,       PART_NONE },
    [STORE_KEY_UNITS_MARK] = { "units-written", NULL,        PART_NONE,    NULL,       PART_NONE },
};

/* A piece of a key; what is taken from a key is not ended by a NUL. */
struct piece {
    const char *text;
    size_t length;
};

/* A key under construction: what it is put together from, with a slash before each piece but the
 * prefix and the first word. */
enum { KEY_PIECES_MAX = 6, INDEX_SIZE = 12 };
struct key {
    struct piece pieces[KEY_PIECES_MAX];
    size_t count;
    char index[INDEX_SIZE];
};

static void add_piece(struct key *key, const char *piece)
{
    key->pieces[key->count++] = (struct piece){ piece, strlen(piece) };
}

static void add_part(struct key *key, enum part part, const char *machine, const char *name)
{
    switch (part) {
    case PART_NONE:
        return;
    case PART_MACHINE:
        add_piece(key, machine);
        return;
    case PART_UNIT:
    case PART_BLOB:
    case PART_ROLE:
        add_piece(key, name);
        return;
    case PART_INDEX:
        add_piece(key, key->index);
        return;
    }
}

static void join(const struct key *key, struct text *to)
{
    size_t length = key->count;
    for (size_t i = 0; i < key->count; i++)
        length += key->pieces[i].length;
    (void)text_reserve(to, length);
    for (size_t i = 0; i < key->count; i++) {
        if (i > 1)
            text_add_bytes(to, "/", 1);
        text_add_bytes(to, key->pieces[i].text, key->pieces[i].length);
    }
}

/* A leader makes some for each unit that it assigns, so nothing is formatted that need not be. */
void store_key_add(const char *prefix, enum store_key_kind kind, const char *machine,
                   const char *name, unsigned int index, struct text *to)
{
    const struct shape *shape = &shapes[kind];
    struct key key = { 0 };
    add_piece(&key, prefix);
    add_piece(&key, shape->word);
    if (shape->second == PART_INDEX)
        (void)snprintf(key.index, sizeof(key.index), "%u", index);
    if (shape->second_word)
        add_piece(&key, shape->second_word);
    add_part(&key, shape->first, machine, name);
    if (shape->middle)
        add_piece(&key, shape->middle);
    add_part(&key, shape->second, machine, name);
    join(&key, to);
}

char *store_key(const char *prefix, enum store_key_kind kind, const char *machine, const char *name,
                unsigned int index)
{
    autotext key = { 0 };
    if (kind <= STORE_KEY_INVALID || kind > STORE_KEY_LAST)
        return NULL;
    store_key_add(prefix, kind, machine, name, index, &key);
    return text_take(&key);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(const struct piece *piece, size_t length)
{
    if (piece->length != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_digit(piece->text[i]) && (piece->text[i] < 'a' || piece->text[i] > 'f'))
            return false;
    return true;
}

static bool is_unit_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
           (c && strchr(":-_.\\@", c));
}

/* The letters of a unit's name. Whether its suffix is one that we run is not the key's business. */
static bool is_unit(const struct piece *piece)
{
    if (piece->length == 0 || piece->length > 256)
        return false;
    for (size_t i = 0; i < piece->length; i++)
        if (!is_unit_letter(piece->text[i]))
            return false;
    return true;
}

static bool read_role(const struct piece *piece, char ret[257])
{
    if (piece->length == 0 || piece->length > 63)
        return false;
    memcpy(ret, piece->text, piece->length);
    ret[piece->length] = '\0';
    return role_name_is_valid(ret);
}

/* Only the way store_key() writes it, so that one slot has one key: no sign, no leading zero. */
static bool read_index(const struct piece *piece, unsigned int *ret)
{
    char digits[5] = "";
    uint64_t index = 0;
    if (piece->length == 0 || piece->length >= sizeof(digits))
        return false;
    memcpy(digits, piece->text, piece->length);
    if (piece->length > 1 && digits[0] == '0')
        return false;
    if (text_parse_u64(digits, ROLE_NODES_MAX - 1, &index, NULL) < 0)
        return false;
    *ret = (unsigned int)index;
    return true;
}

static bool read_name(const struct piece *piece, char ret[257])
{
    memcpy(ret, piece->text, piece->length);
    ret[piece->length] = '\0';
    return true;
}

static bool read_part(enum part part, const struct piece *piece, struct store_key_parts *ret)
{
    switch (part) {
    case PART_NONE:
        return true;
    case PART_MACHINE:
        if (!is_hex(piece, 32))
            return false;
        memcpy(ret->machine, piece->text, 32);
        return true;
    case PART_UNIT:
        return is_unit(piece) && read_name(piece, ret->name);
    case PART_BLOB:
        return is_hex(piece, 64) && read_name(piece, ret->name);
    case PART_ROLE:
        return read_role(piece, ret->name);
    case PART_INDEX:
        return read_index(piece, &ret->index);
    }
    return false;
}

enum { PIECES_MAX = 4 }; /* nodes/<machine>/units/<name> */

/* The pieces of a key; 0 where there are too many for any of ours. */
static size_t split(const char *key, struct piece pieces[PIECES_MAX])
{
    size_t count = 0;
    for (;;) {
        size_t length = strcspn(key, "/");
        if (count == PIECES_MAX)
            return 0;
        pieces[count++] = (struct piece){ key, length };
        if (key[length] == '\0')
            return count;
        key += length + 1;
    }
}

static bool piece_is(const struct piece *piece, const char *word)
{
    return strlen(word) == piece->length && memcmp(word, piece->text, piece->length) == 0;
}

static size_t count_words(const struct shape *shape)
{
    return 1 + (shape->second_word != NULL);
}

/* Whether all that is not a part of it is as it should be. */
static bool fits(const struct shape *shape, const struct piece *pieces, size_t count)
{
    size_t words = count_words(shape);
    size_t want = words + (shape->first != PART_NONE) + (shape->middle != NULL) +
                  (shape->second != PART_NONE);
    return count == want && piece_is(&pieces[0], shape->word) &&
           (!shape->second_word || piece_is(&pieces[1], shape->second_word)) &&
           (!shape->middle || piece_is(&pieces[words + 1], shape->middle));
}

static bool read_parts(const struct shape *shape, const struct piece *pieces, size_t count,
                       struct store_key_parts *ret)
{
    return read_part(shape->first, &pieces[count_words(shape)], ret) &&
           read_part(shape->second, &pieces[count - 1], ret);
}

void store_key_parse(const char *prefix, const char *key, struct store_key_parts *ret)
{
    struct piece pieces[PIECES_MAX];
    *ret = (struct store_key_parts){ 0 };
    if (!text_starts_with(key, prefix))
        return;
    size_t count = split(key + strlen(prefix), pieces);
    for (enum store_key_kind kind = STORE_KEY_CLUSTER; count > 0 && kind <= STORE_KEY_LAST;
         kind++) {
        if (!fits(&shapes[kind], pieces, count))
            continue;
        struct store_key_parts parts = { .kind = kind };
        if (!read_parts(&shapes[kind], pieces, count, &parts))
            continue;
        *ret = parts;
        return;
    }
}
