/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "container/images.h"
#include "container/settings.h"
#include "container/verbs.h"

int verb_digest(const char *image, struct error *err)
{
    autoptr(container_settings) settings = NULL;
    autostrv digests = NULL;
    int r = container_settings_read(NULL, &settings, err);
    if (r < 0)
        return r;
    const struct images_request request = {
        .said = image,
        .environment = environ,
        .answer_ms = settings->registry_timeout_ms,
    };
    r = images_digests(&request, &digests, err);
    if (r < 0)
        return r;
    for (char **digest = digests; *digest; digest++)
        (void)printf("%s\n", *digest);
    return fflush(stdout) == 0 ? 0 : error_errno(err, -errno, "writing");
}
