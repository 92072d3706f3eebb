/* SPDX-License-Identifier: Apache-2.0 */
#include "container/variables.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"

enum { FILE_MAX_BYTES = 1024 * 1024 };

static const char *const proxy_names[] = { "http_proxy", "https_proxy", "ftp_proxy",
                                           "no_proxy",   "all_proxy",   NULL };

/* Either case is in use. */
static bool is_proxy(const char *assignment)
{
    for (const char *const *name = proxy_names; *name; name++) {
        size_t length = strlen(*name);
        if (strncasecmp(*name, assignment, length) == 0 && assignment[length] == '=')
            return true;
    }
    return false;
}

static bool is_named(const char *assignment, char *const *names)
{
    size_t length = strcspn(assignment, "=");
    for (; names && *names; names++)
        if (strlen(*names) == length && strncmp(*names, assignment, length) == 0)
            return true;
    return false;
}

int variables_of_service(const struct container *container, char *const *environment, char ***ret,
                         struct error *err)
{
    int r = 0;
    for (; r == 0 && *environment; environment++)
        if (container->environment_host || is_named(*environment, container->environment_names) ||
            (!container->no_http_proxy && is_proxy(*environment)))
            r = strv_add(ret, *environment, err);
    return r;
}

/* --- files --- */

static const char *value_of(const char *name, char *const *environment)
{
    size_t length = strlen(name);
    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

static int take_line(char *line, char *const *environment, char ***list, struct error *err)
{
    while (*line == ' ' || *line == '\t')
        line++;
    if (*line == '#' || !*line)
        return 0;
    char *equals = strchr(line, '=');
    size_t length = equals ? (size_t)(equals - line) : strlen(line);
    if (length == 0 || strcspn(line, " \t") < length)
        return error_set(err, -EINVAL, "\"%.60s\" is neither NAME=VALUE nor NAME", line);
    if (equals)
        return strv_add(list, line, err);
    const char *value = value_of(line, environment);
    return value ? strv_addf(list, err, "%s=%s", line, value) : 0;
}

int variables_parse(const char *text, char *const *environment, char ***list, struct error *err)
{
    autofree char *copy = strdup(text);
    if (!copy)
        return error_oom(err);
    unsigned int number = 0;
    char *rest = copy;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        number++;
        size_t length = strlen(line);
        if (length > 0 && line[length - 1] == '\r')
            line[length - 1] = '\0';
        int r = take_line(line, environment, list, err);
        if (r < 0)
            return error_prefix(err, r, "line %u", number);
    }
    return 0;
}

static int read_file(const char *said, char *const *environment, char ***list, struct error *err)
{
    bool optional = *said == '-';
    const char *path = said + optional;
    autofree char *text = NULL;
    size_t length = 0;
    int r = file_read(path, FILE_MAX_BYTES, &text, &length, err);
    if (r == -ENOENT && optional)
        return 0;
    if (r == 0 && strlen(text) != length)
        r = error_set(err, -EINVAL, "%s: it has a NUL byte", path);
    if (r < 0)
        return error_prefix(err, r, "EnvironmentFile=");
    r = variables_parse(text, environment, list, err);
    return r < 0 ? error_prefix(err, r, "EnvironmentFile=: %s", path) : 0;
}

int variables_of_files(const struct container *container, char *const *environment, char ***ret,
                       struct error *err)
{
    int r = 0;
    for (char **path = container->environment_files; r == 0 && path && *path; path++)
        r = read_file(*path, environment, ret, err);
    return r;
}
