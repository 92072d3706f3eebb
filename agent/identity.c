/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

enum { IDENTITY_MAX_BYTES = 256 };

enum identity_verdict identity_judge(const char *remembered, const char *in_store)
{
    if (!remembered)
        return in_store ? IDENTITY_ADOPT : IDENTITY_NEW;
    return text_equal(remembered, in_store) ? IDENTITY_OURS : IDENTITY_FOREIGN;
}

int identity_load(const char *path, char **ret, struct error *err)
{
    autofree char *text = NULL;
    struct error why = { 0 };
    int r = file_read(path, IDENTITY_MAX_BYTES, &text, NULL, &why);
    if (r == -ENOENT) {
        *ret = NULL;
        return 0;
    }
    if (r < 0)
        return error_set(err, r, "%s", why.text);
    char *uuid = strdup(text_trim(text));
    if (!uuid)
        return error_oom(err);
    if (!*uuid) {
        free(uuid);
        uuid = NULL;
    }
    *ret = uuid;
    return 0;
}

int identity_save(const char *path, const char *uuid, struct error *err)
{
    autofree char *line = text_format("%s\n", uuid);
    return line ? file_write(path, line, strlen(line), 0644, err) : error_oom(err);
}
