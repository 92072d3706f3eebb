/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/registry.h"

#include <errno.h>

#include "base/text.h"
#include "cli/program.h"
#include "units/reference.h"

#define HELPER PKGLIBDIR "/muster-container"

int registry_read(const char *output, int status, char ***ret, struct error *err)
{
    autostrv lines = NULL;
    int r = strv_split(output, "\n", &lines, err);
    if (r < 0)
        return r;
    size_t count = strv_length(lines);
    const char *last = count > 0 ? lines[count - 1] : "it said nothing";
    if (status == PROGRAM_NOT_INSTALLED)
        return error_set(err, -ENOENT, "%s is not installed on this machine", HELPER);
    if (status != 0)
        return error_set(err, -EIO, "%s", last);
    for (char **line = lines; line && *line; line++)
        if (!reference_is_digest(*line))
            return error_set(err, -EPROTO, "%s: \"%s\" is no digest", HELPER, *line);
    if (count == 0)
        return error_set(err, -EPROTO, "%s: %s", HELPER, last);
    *ret = take_ptr(lines);
    return 0;
}

int registry_ask(const char *image, char ***ret, struct error *err)
{
    char *const argv[] = { (char *)HELPER, (char *)"digest", (char *)image, NULL };
    autofree char *output = NULL;
    int status = 0;
    int r = program_hear(argv, NULL, &output, &status, err);
    return r < 0 ? r : registry_read(output, status, ret, err);
}
