/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/contact.h"
#include "base/file.h"
#include "base/text.h"

enum { FILE_MAX_BYTES = 256 * 1024 };
enum { TTL_MAX_MS = 3600000 };

/* The value without the quotes that may stand around it. */
static char *unquote(char *value)
{
    size_t length = strlen(value);
    if (length >= 2 && (value[0] == '"' || value[0] == '\'') && value[length - 1] == value[0]) {
        value[length - 1] = '\0';
        value++;
    }
    return value;
}

static int read_line(char *line, setting_set_fn set, void *userdata, struct error *err)
{
    char *start = text_trim(line);
    if (!*start || *start == '#' || *start == ';')
        return 0;
    char *equals = strchr(start, '=');
    if (!equals)
        return error_set(err, -EINVAL, "not KEY = VALUE"); /* it may be a password: not shown */
    *equals = '\0';
    return set(userdata, text_trim(start), unquote(text_trim(equals + 1)), err);
}

int settings_read_file(const char *path, setting_set_fn set, void *userdata, struct error *err)
{
    autofree char *text = NULL;
    int r = file_read(path, FILE_MAX_BYTES, &text, NULL, err);
    if (r < 0)
        return r;
    unsigned int number = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        number++;
        r = read_line(line, set, userdata, err);
        if (r < 0)
            return error_prefix(err, r, "%s: line %u", path, number);
    }
    return 0;
}

int settings_unknown_key(const char *key, const char *const *names, struct error *err)
{
    const char *nearest = text_nearest(key, names);
    return error_set(err, -EINVAL, "unknown key \"%s\"%s%s%s", key,
                     nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                     nearest ? "\"?" : "");
}

int setting_read_ttl(const char *value, int64_t *ret_ms, struct error *err)
{
    int64_t ttl_ms = 0;
    int r = text_parse_duration_ms(value, &ttl_ms, err);
    if (r < 0)
        return r;
    if (ttl_ms < CONTACT_TTL_MIN_MS || ttl_ms > TTL_MAX_MS || ttl_ms % 1000)
        return error_set(err, -EINVAL, "%s is not a whole number of seconds from 2s to 1h", value);
    *ret_ms = ttl_ms;
    return 0;
}

int setting_read_timeout(const char *value, int64_t *ret_ms, struct error *err)
{
    char *end = NULL;
    double seconds = strtod(value, &end);
    if (!*value || *end || !(seconds >= 0.1 && seconds <= 60)) /* the '!' catches NaN */
        return error_set(err, -EINVAL, "\"%s\" is not a number of seconds from 0.1 to 60", value);
    *ret_ms = (int64_t)llround(seconds * 1000);
    return 0;
}

int setting_read_servers(const char *value, char ***ret, struct error *err)
{
    autostrv list = NULL;
    int r = strv_split(value, ", []\"'", &list, err);
    if (r < 0)
        return r;
    if (!list)
        return error_set(err, -EINVAL, "no server in \"%s\"; want http://HOST:2379,…", value);
    if (strchr(value, '@')) /* not shown: it may be a password */
        return error_set(err, -EINVAL,
                         "a server has an '@' in it; user and password belong in "
                         "etcd_username and etcd_password");
    for (char **server = list; *server; server++)
        if (!text_starts_with(*server, "http://") && !text_starts_with(*server, "https://"))
            return error_set(err, -EINVAL, "\"%s\" is not an http:// or https:// URL", *server);
    *ret = take_ptr(list);
    return 0;
}

int setting_read_key_prefix(const char *value, char **ret, struct error *err)
{
    if (value[0] != '/')
        return error_set(err, -EINVAL, "\"%s\" does not begin with '/'", value);
    char *prefix = text_format("%s%s", value, text_ends_with(value, "/") ? "" : "/");
    if (!prefix)
        return error_oom(err);
    *ret = prefix;
    return 0;
}

int setting_read_verbosity(const char *value, unsigned int *ret, struct error *err)
{
    uint64_t level = 0;
    if (text_parse_u64(value, SETTING_VERBOSITY_MAX, &level, NULL) < 0)
        return error_set(err, -EINVAL, "\"%s\" is not a number from 0 to %d", value,
                         SETTING_VERBOSITY_MAX);
    *ret = (unsigned int)level;
    return 0;
}
