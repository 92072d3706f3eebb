/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/registry.h"

#include <errno.h>

#include "base/text.h"
#include "units/reference.h"

#define HELPER PKGLIBDIR "/muster-container"

/* What it said last of why; what it said before may be of how it got on. */
static int complaint(const char *complaints, struct error *err)
{
    autostrv lines = NULL;
    int r = strv_split(complaints, "\n", &lines, err);
    size_t count = strv_length(lines);
    return r < 0 ? r : error_set(err, -EIO, "%s", count ? lines[count - 1] : "it said nothing");
}

int registry_read(const struct program_said *said, char ***ret, struct error *err)
{
    autostrv lines = NULL;
    if (said->status == PROGRAM_NOT_INSTALLED)
        return error_set(err, -ENOENT, "%s is not installed on this machine", HELPER);
    if (said->status != 0)
        return complaint(said->complaints, err);
    int r = strv_split(said->output, "\n", &lines, err);
    if (r < 0)
        return r;
    for (char **line = lines; line && *line; line++)
        if (!reference_is_digest(*line))
            return error_set(err, -EPROTO, "%s: \"%s\" is no digest", HELPER, *line);
    if (strv_length(lines) == 0)
        return error_set(err, -EPROTO, "%s: it said nothing", HELPER);
    *ret = take_ptr(lines);
    return 0;
}

int registry_ask(const char *image, char ***ret, struct error *err)
{
    char *const argv[] = { (char *)HELPER, (char *)"digest", (char *)image, NULL };
    autosaid said = { 0 };
    int r = program_hear(argv, NULL, &said, err);
    return r < 0 ? r : registry_read(&said, ret, err);
}
