/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes either parse, with what the header promises of options, and are written as they were
 * read, or are refused with a reason. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "units/unit_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_option(const struct unit_option *option, unsigned int line_before)
{
    check(option->line >= line_before && *option->section && *option->key);
    check(text_is_utf8(option->key) && text_is_utf8(option->value));
    check(!strpbrk(option->value, "\n\r"));
    autostrv words = NULL;
    struct error err = { 0 };
    int r = unit_words_split(option->value, &words, &err);
    check(r < 0 ? *err.text != '\0' : !words || *words);
}

static void check_written(const struct unit_file *file, const uint8_t *data, size_t size)
{
    autofree char *text = NULL;
    check(unit_file_write(file, &text, NULL) == 0);
    check(strlen(text) == size && (size == 0 || memcmp(text, data, size) == 0));
}

/* The same values written anew read as the same values. */
static void check_rewritten(struct unit_file *file)
{
    autofree char *text = NULL;
    autoptr(unit_file) again = NULL;
    for (size_t i = 0; i < file->count; i++) {
        autofree char *value = strdup(file->options[i].value);
        check(value && unit_option_set(&file->options[i], value, NULL) == 0);
    }
    check(unit_file_write(file, &text, NULL) == 0);
    if (strlen(text) > UNIT_FILE_MAX_BYTES)
        return;
    check(unit_file_parse(text, strlen(text), &again, NULL) == 0 && again->count == file->count);
    for (size_t i = 0; i < file->count; i++)
        check(text_equal(again->options[i].key, file->options[i].key) &&
              text_equal(again->options[i].value, file->options[i].value) &&
              text_equal(again->options[i].section, file->options[i].section));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autoptr(unit_file) file = NULL;
    struct error err = { 0 };
    if (unit_file_parse((const char *)data, size, &file, &err) < 0) {
        check(*err.text != '\0' && !file);
        return 0;
    }
    unsigned int line = 0;
    for (size_t i = 0; i < file->count; i++) {
        check_option(&file->options[i], line);
        check(unit_file_has_section(file, file->options[i].section));
        line = file->options[i].line;
    }
    check_written(file, data, size);
    check_rewritten(file);
    return 0;
}
