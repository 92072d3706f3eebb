/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of an image, which comes from strangers, and a health.json, parted by NUL: a
 * check that is made or read is whole, and the same when it is written and read again. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "units/health_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct health_check *health)
{
    autofree char *text = NULL;
    autofree char *text_again = NULL;
    autoptr(health_check) again = NULL;
    if (!health->health.command || !*health->health.command || health->health.interval_ms <= 0)
        abort();
    if (health_check_write(health, &text, NULL) < 0)
        return;
    if (health_check_parse(text, strlen(text), &again, NULL) < 0 ||
        health_check_write(again, &text_again, NULL) < 0 || strcmp(text, text_again) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t length = strnlen(text, size);
    const char *note = length < size ? text + length + 1 : text;
    const struct container container = { .health.on_failure = CONTAINER_ON_FAILURE_NONE };
    autojson config = NULL;
    autoptr(health_check) made = NULL;
    autoptr(health_check) read = NULL;
    if (json_read(text, length, &config, NULL) == 0 &&
        health_check_make(&container, config, &made, NULL) == 0 && made) {
        made->pid = 1;
        check(made);
    }
    if (health_check_parse(note, size - (size_t)(note - text), &read, NULL) == 0)
        check(read);
    return 0;
}
