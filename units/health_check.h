/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health check that holds for a container that runs: the unit's, or else its image's own, every
 * number filled in. muster-container, who knows the image, leaves it as health.json beside the
 * container's other files; musterd reads from it when to check, muster-container again what to run.
 */
#ifndef UNITS_HEALTH_CHECK_H
#define UNITS_HEALTH_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "units/container.h"

enum {
    HEALTH_CHECK_INTERVAL_MS = 30000, /* these where nobody says another */
    HEALTH_CHECK_TIMEOUT_MS = 30000,
    HEALTH_CHECK_RETRIES = 3,
    HEALTH_CHECK_INTERVAL_MIN_MS = 100, /* more often is taken as this */
};

struct health_check {
    int64_t pid;  /* of the container's first process, as the machine counts */
    bool awaited; /* Notify=healthy: the start waits for the first check that passes */
    struct container_health health; /* command is never NULL, no number but start_period_ms and
                                       startup_retries is 0 */
};

/* image_config: the "config" object of the image (its Healthcheck is read), or NULL. *ret NULL:
 * there is nothing to check. -EINVAL: the start waits for a check that there is none of, or the
 * image's is not as it should be. */
int health_check_make(const struct container *container, const json_t *image_config,
                      struct health_check **ret, struct error *err);
void health_check_free(struct health_check *check);
DEFINE_AUTOPTR(health_check);

/* Text as in health.json; the caller frees. */
int health_check_write(const struct health_check *check, char **ret, struct error *err);
int health_check_parse(const char *text, size_t length, struct health_check **ret,
                       struct error *err);

#endif
