/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first line is the unit's name, the rest its text. What passes unit_check() is translated; the
 * generated unit parses, runs something and, for a container, ends in what its helper relies on,
 * whatever the text tried; the container's JSON reads back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "units/container.h"
#include "units/translate.h"
#include "units/unit_file.h"
#include "units/unit_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_container(const struct translation *translation, const struct unit_file *unit)
{
    static const char *const held[][2] = {
        {"Type",          "notify"      },
        { "NotifyAccess", "all"         },
        { "Delegate",     "yes"         },
        { "ExecStart",    "/h start %n" },
        { "ExecStopPost", "-/h clean %n"},
    };
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
        check(text_equal(unit_file_get(unit, "Service", held[i][0]), held[i][1]));
    check(!unit_file_has_section(unit, "Container"));
    autojson json = NULL;
    autoptr(container) container = NULL;
    const char *text = translation->container_json;
    check(json_read(text, strlen(text), &json, NULL) == 0);
    check(container_from_json(json, &container, NULL) == 0);
}

static void check_translation(const char *name, const char *text, size_t length)
{
    autoptr(translation) translation = NULL;
    const struct unit_host host = { "/h", specifier_any_machine };
    check(unit_translate(name, text, length, &host, &translation, NULL) == 0);
    autoptr(unit_file) unit = NULL;
    const char *generated = translation->unit_text;
    /* A text of the full size has no room left for what is put before it. */
    if (length < UNIT_FILE_MAX_BYTES / 2)
        check(unit_file_parse(generated, strlen(generated), &unit, NULL) == 0);
    if (unit && translation->container_json)
        check_container(translation, unit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    if (!newline)
        return 0;
    autofree char *name = strndup((const char *)data, (size_t)(newline - data));
    const char *text = (const char *)newline + 1;
    size_t length = size - (size_t)(newline + 1 - data);
    struct error err = { 0 };
    if (unit_check(name, text, length, &err) < 0)
        check(*err.text != '\0');
    else if (!unit_name_is_template(name))
        check_translation(name, text, length);
    return 0;
}
