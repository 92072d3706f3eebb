/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts apart by NUL bytes: the unit's, then those of its drop-ins. If all parse, so does the one
 * text that they become, and it has the options of each, in order, and no others.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "units/drop_in.h"
#include "units/unit_file.h"

enum { TEXTS_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* Checks that the whole has the part's options from *at on, and moves *at past them. */
static void check_part(const struct unit_file *whole, const char *text, size_t *at)
{
    autoptr(unit_file) part = NULL;
    check(unit_file_parse(text, strlen(text), &part, NULL) == 0);
    check(*at + part->count <= whole->count);
    for (size_t i = 0; i < part->count; i++, (*at)++)
        check(text_equal(part->options[i].section, whole->options[*at].section) &&
              text_equal(part->options[i].key, whole->options[*at].key) &&
              text_equal(part->options[i].value, whole->options[*at].value));
}

static bool parses(const char *text)
{
    autoptr(unit_file) file = NULL;
    return unit_file_parse(text, strlen(text), &file, NULL) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    __attribute__((cleanup(drop_ins_done))) struct drop_ins drop_ins = { 0 };
    autofree char *copy = malloc(size + 1);
    autofree char *text = NULL;
    autoptr(unit_file) whole = NULL;
    const char *texts[TEXTS_MAX];
    size_t count = 0;
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    for (const char *p = copy; p <= copy + size && count < TEXTS_MAX; p += strlen(p) + 1)
        texts[count++] = p;
    for (size_t i = 1; i < count; i++) {
        const char file[] = { (char)('0' + i), '.', 'c', 'o', 'n', 'f', '\0' };
        check(drop_ins_add(&drop_ins, "u.service.d", file, texts[i], NULL) == 0);
    }
    struct error err = { 0 };
    if (!parses(texts[0]))
        return 0;
    if (drop_ins_assemble(&drop_ins, texts[0], &text, &err) < 0) {
        check(*err.text != '\0');
        return 0;
    }
    check(unit_file_parse(text, strlen(text), &whole, NULL) == 0);
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        check_part(whole, texts[i], &at);
    check(at == whole->count);
    return 0;
}
