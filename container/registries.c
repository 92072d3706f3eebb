/* SPDX-License-Identifier: Apache-2.0 */
#include "container/registries.h"

#include <errno.h>
#include <glob.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { FILE_MAX_BYTES = 1024 * 1024 };

void registries_free(struct registries *registries)
{
    if (!registries)
        return;
    strv_free(registries->aliases);
    strv_free(registries->search);
    free(registries);
}

/* The string that begins at *text, in either kind of quotes; *text then is past it. NULL if none
 * does. Names of images and hosts need no escapes. */
static char *take_string(const char **text)
{
    char quote = **text;
    if (quote != '"' && quote != '\'')
        return NULL;
    const char *start = *text + 1;
    const char *end = start + strcspn(start, quote == '"' ? "\"\n" : "'\n");
    if (*end != quote)
        return NULL;
    *text = end + 1;
    return strndup(start, (size_t)(end - start));
}

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t");
}

/* Also over line ends and comments, which may stand in a list. */
static const char *skip_all(const char *text)
{
    for (;;) {
        text += strspn(text, " \t\r\n,");
        if (*text != '#')
            return text;
        text += strcspn(text, "\n");
    }
}

/* ["a", "b"], over as many lines as it takes. Gives where it ends. */
static const char *take_list(const char *text, char ***ret)
{
    autostrv list = NULL;
    if (*text != '[')
        return text;
    for (text = skip_all(text + 1); *text && *text != ']'; text = skip_all(text)) {
        autofree char *item = take_string(&text);
        if (!item || strv_add(&list, item, NULL) < 0)
            return text;
    }
    strv_free(*ret);
    *ret = take_ptr(list);
    return text;
}

/* name = "target", the name in quotes or not. The first that says it is found, so it goes ahead. */
static int take_alias(struct registries *registries, const char *line, struct error *err)
{
    autofree char *quoted = take_string(&line);
    size_t length = strcspn(line, " \t=\n");
    autofree char *name = quoted ? take_ptr(quoted) : strndup(line, length);
    line = skip_space(strchr("\"'", *line) && *line ? line : line + length);
    if (!name)
        return error_oom(err);
    if (*line != '=')
        return 0;
    line = skip_space(line + 1);
    autofree char *target = take_string(&line);
    autostrv aliases = NULL;
    if (!target)
        return 0;
    int r = strv_add(&aliases, name, err);
    if (r == 0)
        r = strv_add(&aliases, target, err);
    for (char **known = registries->aliases; r == 0 && known && *known; known++)
        r = strv_add(&aliases, *known, err);
    if (r < 0)
        return r;
    strv_free(registries->aliases);
    registries->aliases = take_ptr(aliases);
    return 0;
}

static const char *past_line(const char *text)
{
    text += strcspn(text, "\n");
    return *text ? text + 1 : text;
}

/* Gives where the next line begins; NULL if memory ran out. */
static const char *take_line(struct registries *registries, const char *line, bool in_aliases,
                             bool at_top, struct error *err)
{
    static const char search[] = "unqualified-search-registries";
    if (in_aliases && take_alias(registries, line, err) < 0)
        return NULL;
    if (at_top && text_starts_with(line, search)) {
        const char *value = skip_space(line + strlen(search));
        if (*value == '=')
            return past_line(take_list(skip_space(value + 1), &registries->search));
    }
    return past_line(line);
}

int registries_take(struct registries *registries, const char *text, struct error *err)
{
    static const char aliases[] = "[aliases]";
    bool in_aliases = false;
    bool at_top = true;
    while (text && *text) {
        text = skip_space(text);
        if (*text == '[') {
            in_aliases = text_starts_with(text, aliases);
            at_top = false;
            text = past_line(text);
        } else if (*text == '#' || *text == '\n') {
            text = past_line(text);
        } else {
            text = take_line(registries, text, in_aliases, at_top, err);
        }
    }
    return text ? 0 : -ENOMEM;
}

static int take_file(struct registries *registries, const char *path, struct error *err)
{
    autofree char *text = NULL;
    int r = file_read(path, FILE_MAX_BYTES, &text, NULL, err);
    if (r == -ENOENT)
        return 0;
    return r < 0 ? r : registries_take(registries, text, err);
}

int registries_read(const char *directory, struct registries **ret, struct error *err)
{
    autoptr(registries) registries = calloc(1, sizeof(*registries));
    autofree char *first = text_format("%s/registries.conf", directory);
    autofree char *pattern = text_format("%s/registries.conf.d/*.conf", directory);
    if (!registries || !first || !pattern)
        return error_oom(err);
    int r = take_file(registries, first, err);
    glob_t found = { 0 };
    if (r == 0 && glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; r == 0 && i < found.gl_pathc; i++)
            r = take_file(registries, found.gl_pathv[i], err);
    globfree(&found);
    if (r == 0)
        *ret = take_ptr(registries);
    return r;
}

int registries_find(const struct registries *registries, const char *name, char **ret,
                    struct error *err)
{
    for (char **alias = registries->aliases; alias && alias[0] && alias[1]; alias += 2) {
        if (strcmp(alias[0], name) == 0) {
            *ret = strdup(alias[1]);
            return *ret ? 0 : error_oom(err);
        }
    }
    size_t count = strv_length(registries->search);
    if (count == 1) {
        *ret = text_format("%s/%s", registries->search[0], name);
        return *ret ? 0 : error_oom(err);
    }
    if (count == 0)
        return error_set(err, -EINVAL,
                         "\"%s\" is short for an image of some registry, and registries.conf of "
                         "this machine does not say which; write docker.io/library/%s or the like",
                         name, name);
    return error_set(err, -EINVAL,
                     "\"%s\" is short, and registries.conf of this machine has %zu registries to "
                     "search; write which one, as %s/%s",
                     name, count, registries->search[0], name);
}
