/* SPDX-License-Identifier: Apache-2.0 */
#include "units/health_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/shape.h"
#include "base/text.h"
#include "units/container_value.h"

enum { NS_PER_MS = 1000000 };

#define STRV(member, json) SHAPE_STRV(struct health_check, member, json)
#define INT(member, json)  SHAPE_INT(struct health_check, member, json)
#define BOOL(member, json) SHAPE_BOOL(struct health_check, member, json)
static const struct shape_field health_check_fields[] = {
    INT(pid, "pid"),
    BOOL(awaited, "awaited"),
    STRV(health.command, "command"),
    INT(health.interval_ms, "intervalMs"),
    INT(health.timeout_ms, "timeoutMs"),
    INT(health.start_period_ms, "startPeriodMs"),
    INT(health.retries, "retries"),
    SHAPE_WORD(struct health_check, health.on_failure, "onFailure", container_on_failure_words),
    STRV(health.startup_command, "startupCommand"),
    INT(health.startup_interval_ms, "startupIntervalMs"),
    INT(health.startup_timeout_ms, "startupTimeoutMs"),
    INT(health.startup_retries, "startupRetries"),
    INT(health.startup_successes, "startupSuccesses"),
    SHAPE_END,
};
static const struct shape health_check_shape = { sizeof(struct health_check), health_check_fields };

void health_check_free(struct health_check *check)
{
    if (!check)
        return;
    shape_clear(&health_check_shape, check);
    free(check);
}

/* --- the image's own --- */

/* ["CMD-SHELL", "text"] is for the image's shell. */
static int add_shell(const json_t *config, char ***command, struct error *err)
{
    autostrv shell = NULL;
    int r = json_field_strv(config, "Shell", &shell, err);
    if (r < 0)
        return r;
    if (shell && *shell) {
        for (char **word = shell; r == 0 && *word; word++)
            r = strv_add(command, *word, err);
        return r;
    }
    r = strv_add(command, "/bin/sh", err);
    return r < 0 ? r : strv_add(command, "-c", err);
}

/* *ret stays NULL where the image says that there is no check. */
static int read_test(const json_t *config, const json_t *healthcheck, char ***ret,
                     struct error *err)
{
    autostrv test = NULL;
    autostrv command = NULL;
    int r = json_field_strv(healthcheck, "Test", &test, err);
    if (r < 0 || !test || !*test || strcmp(*test, "NONE") == 0)
        return r;
    bool shell = strcmp(*test, "CMD-SHELL") == 0;
    if (!shell && strcmp(*test, "CMD") != 0)
        return error_set(err, -EINVAL, "Test begins with \"%s\"; NONE, CMD and CMD-SHELL are known",
                         *test);
    if (!test[1])
        return error_set(err, -EINVAL, "Test has no command after \"%s\"", *test);
    if (shell)
        r = add_shell(config, &command, err);
    for (char **word = test + 1; r == 0 && *word; word++)
        r = strv_add(&command, *word, err);
    if (r == 0)
        *ret = take_ptr(command);
    return r;
}

static int read_ms(const json_t *healthcheck, const char *name, int64_t *ret, struct error *err)
{
    int64_t ns = 0;
    int r = json_field_int_or(healthcheck, name, 0, &ns, err);
    if (r < 0)
        return r;
    *ret = ns <= 0 ? 0 : ns / NS_PER_MS + (ns % NS_PER_MS ? 1 : 0);
    return 0;
}

static int read_image(const json_t *config, struct container_health *ret, struct error *err)
{
    json_t *healthcheck = NULL;
    int r = config ? json_field_object_or_null(config, "Healthcheck", &healthcheck, err) : 0;
    if (r < 0 || !healthcheck)
        return r;
    r = read_test(config, healthcheck, &ret->command, err);
    if (r == 0)
        r = read_ms(healthcheck, "Interval", &ret->interval_ms, err);
    if (r == 0)
        r = read_ms(healthcheck, "Timeout", &ret->timeout_ms, err);
    if (r == 0)
        r = read_ms(healthcheck, "StartPeriod", &ret->start_period_ms, err);
    if (r == 0)
        r = json_field_int_or(healthcheck, "Retries", 0, &ret->retries, err);
    return r;
}

/* --- what holds --- */

static int64_t first_said(int64_t unit, int64_t image, int64_t otherwise)
{
    if (unit > 0)
        return unit;
    return image > 0 ? image : otherwise;
}

static int64_t interval(int64_t unit, int64_t image)
{
    int64_t said = first_said(unit, image, HEALTH_CHECK_INTERVAL_MS);
    return said < HEALTH_CHECK_INTERVAL_MIN_MS ? HEALTH_CHECK_INTERVAL_MIN_MS : said;
}

static void fill_in(const struct container_health *unit, const struct container_health *image,
                    struct container_health *ret)
{
    ret->interval_ms = interval(unit->interval_ms, image->interval_ms);
    ret->timeout_ms = first_said(unit->timeout_ms, image->timeout_ms, HEALTH_CHECK_TIMEOUT_MS);
    ret->start_period_ms = first_said(unit->start_period_ms, image->start_period_ms, 0);
    ret->retries = first_said(unit->retries, image->retries, HEALTH_CHECK_RETRIES);
    ret->on_failure = unit->on_failure;
    ret->startup_interval_ms = interval(unit->startup_interval_ms, 0);
    ret->startup_timeout_ms = first_said(unit->startup_timeout_ms, 0, HEALTH_CHECK_TIMEOUT_MS);
    ret->startup_retries = unit->startup_retries > 0 ? unit->startup_retries : 0;
    ret->startup_successes = first_said(unit->startup_successes, 0, 1);
}

static int merge(const struct container *container, const struct container_health *image,
                 struct health_check **ret, struct error *err)
{
    const struct container_health *unit = &container->health;
    char *const *command = unit->command && *unit->command ? unit->command : image->command;
    if (unit->disabled || !command || !*command)
        return 0;
    autoptr(health_check) check = calloc(1, sizeof(*check));
    if (!check)
        return error_oom(err);
    check->awaited = container->notify == CONTAINER_NOTIFY_HEALTHY;
    fill_in(unit, image, &check->health);
    int r = strv_copy(command, &check->health.command, err);
    if (r == 0 && unit->startup_command && *unit->startup_command)
        r = strv_copy(unit->startup_command, &check->health.startup_command, err);
    if (r == 0)
        *ret = take_ptr(check);
    return r;
}

int health_check_make(const struct container *container, const json_t *image_config,
                      struct health_check **ret, struct error *err)
{
    autoptr(health_check) image = calloc(1, sizeof(*image));
    autoptr(health_check) check = NULL;
    if (!image)
        return error_oom(err);
    int r = read_image(image_config, &image->health, err);
    if (r < 0)
        return error_prefix(err, -EINVAL, "Healthcheck of the image");
    r = merge(container, &image->health, &check, err);
    if (r < 0)
        return r;
    if (!check && container->notify == CONTAINER_NOTIFY_HEALTHY)
        return error_set(err, -EINVAL,
                         "Notify=healthy: the start would wait for ever, since neither the unit "
                         "(HealthCmd=) nor its image has a health check");
    *ret = take_ptr(check);
    return 0;
}

/* --- as text --- */

int health_check_write(const struct health_check *check, char **ret, struct error *err)
{
    autojson json = NULL;
    int r = shape_to_json(&health_check_shape, check, &json, err);
    return r < 0 ? r : json_write(json, ret, err);
}

static int check_whole(const struct health_check *check, struct error *err)
{
    const struct container_health *h = &check->health;
    if (check->pid <= 0)
        return error_set(err, -EPROTO, "field \"pid\" is missing");
    if (!h->command || !*h->command)
        return error_set(err, -EPROTO, "field \"command\" is missing");
    if (h->interval_ms <= 0 || h->timeout_ms <= 0 || h->retries <= 0 ||
        h->startup_interval_ms <= 0 || h->startup_timeout_ms <= 0 || h->startup_successes <= 0)
        return error_set(err, -EPROTO, "a number is missing");
    return 0;
}

int health_check_parse(const char *text, size_t length, struct health_check **ret,
                       struct error *err)
{
    autojson json = NULL;
    autoptr(health_check) check = calloc(1, sizeof(*check));
    if (!check)
        return error_oom(err);
    int r = json_read(text, length, &json, err);
    if (r == 0)
        r = shape_from_json(&health_check_shape, json, check, err);
    if (r == 0)
        r = check_whole(check, err);
    if (r < 0)
        return r;
    if (check->health.on_failure == CONTAINER_ON_FAILURE_INVALID)
        check->health.on_failure = CONTAINER_ON_FAILURE_NONE;
    *ret = take_ptr(check);
    return 0;
}
