/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/roles.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char lower_and_digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";

static bool is_role_name(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= 63 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length &&
           strchr(lower_and_digits, name[0]) && strchr(lower_and_digits, name[length - 1]);
}

/* One pair under judgement; the line is that of the whole text. */
struct judge {
    struct report *report;
    int line;
    const char *key; /* "roles" or "role_priority" */
    const char *form;
    uint64_t max;
    bool star; /* the name "*" is allowed */
};

static bool name_is_good(const struct judge *judge, const char *name)
{
    if (!*name)
        report_add(judge->report, REPORT_LOCAL_ERROR, judge->line, "role has no name");
    else if (!(judge->star && strcmp(name, "*") == 0) && !is_role_name(name))
        report_add(judge->report, REPORT_LOCAL_ERROR, judge->line,
                   "invalid role name \"%s\" (want a-z 0-9 - _, 1 to 63 characters)", name);
    else
        return true;
    return false;
}

static bool is_number(const char *value)
{
    const char *digits = value + (*value == '-');
    return *digits && strspn(digits, "0123456789") == strlen(digits);
}

static bool value_is_good(const struct judge *judge, const char *name, const char *value,
                          const char *pair)
{
    uint64_t number;
    if (!*value && !judge->star)
        report_add(judge->report, REPORT_LOCAL_ERROR, judge->line, "role \"%s\" has no \"nodes\"",
                   name);
    else if (!is_number(value))
        report_add(judge->report, REPORT_LOCAL_ERROR, judge->line, "%s: \"%s\" is not %s",
                   judge->key, pair, judge->form);
    else if (text_parse_u64(value, judge->max, &number, NULL) < 0)
        report_add(judge->report, REPORT_LOCAL_ERROR, judge->line, "invalid value %s", value);
    else
        return true;
    return false;
}

/* Splits pair at '=' into the two trimmed halves, in place. */
static bool split_pair(char *pair, char **ret_name, char **ret_value)
{
    char *equals = strchr(pair, '=');
    if (!equals)
        return false;
    *equals = '\0';
    *ret_name = text_trim(pair);
    *ret_value = text_trim(equals + 1);
    return true;
}

static int add_good_pair(const struct judge *judge, char *pair, char ***good, struct error *err)
{
    autofree char *copy = strdup(pair);
    char *name = NULL, *value = NULL;
    if (!copy)
        return error_oom(err);
    if (!split_pair(copy, &name, &value)) {
        report_add(judge->report, REPORT_LOCAL_ERROR, judge->line, "%s: \"%s\" is not %s",
                   judge->key, text_trim(pair), judge->form);
        return 0;
    }
    if (!name_is_good(judge, name) || !value_is_good(judge, name, value, text_trim(pair)))
        return 0;
    return strv_addf(good, err, "%s=%s", name, value);
}

static bool same_name(const char *a, const char *b)
{
    size_t length = strcspn(a, "=");
    return length == strcspn(b, "=") && memcmp(a, b, length) == 0;
}

static size_t count_name(char *const *pairs, size_t count, const char *pair)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += same_name(pairs[i], pair);
    return n;
}

static void report_twice(const struct judge *judge, const char *pair)
{
    int length = (int)strcspn(pair, "=");
    if (judge->star)
        report_add(judge->report, REPORT_LOCAL_ERROR, judge->line,
                   "role_priority names \"%.*s\" twice", length, pair);
    else
        report_add(judge->report, REPORT_LOCAL_ERROR, judge->line,
                   "role \"%.*s\" is defined twice (first on line %d)", length, pair, judge->line);
}

/* Moves the pairs whose name stands once into *once, and reports each other name at its second. */
static int keep_unique(const struct judge *judge, char *const *pairs, char ***once,
                       struct error *err)
{
    size_t count = strv_length(pairs);
    for (size_t i = 0; i < count; i++) {
        if (count_name(pairs, i, pairs[i]) == 1)
            report_twice(judge, pairs[i]);
        if (count_name(pairs, count, pairs[i]) > 1)
            continue;
        int r = strv_add(once, pairs[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

enum { MAX_PAIRS = 256 };

static int read_pairs(const struct judge *judge, const char *text, char ***ret, struct error *err)
{
    autostrv pieces = NULL;
    autostrv good = NULL;
    autostrv once = NULL;
    int r = strv_split(text, ",", &pieces, err);
    if (r < 0)
        return r;
    if (strv_length(pieces) > MAX_PAIRS) {
        report_add(judge->report, REPORT_ERROR, judge->line, "%s: more than %d roles", judge->key,
                   MAX_PAIRS);
        return 0;
    }
    for (char **piece = pieces; piece && *piece && r == 0; piece++)
        r = add_good_pair(judge, *piece, &good, err);
    if (r == 0)
        r = keep_unique(judge, good, &once, err);
    if (r == 0)
        *ret = take_ptr(once);
    return r;
}

int roles_read(const char *text, int line, struct report *report, char ***ret, struct error *err)
{
    struct judge judge = {
        .report = report, .line = line, .key = "roles", .form = "NAME=NODES", .max = ROLE_MAX_NODES
    };
    return read_pairs(&judge, text, ret, err);
}

/* "bd" for "db": the slip that an edit distance counts as two. */
static bool is_swapped(const char *a, const char *b)
{
    size_t i = 0;
    while (a[i] && a[i] == b[i])
        i++;
    return a[i] && b[i] && a[i] == b[i + 1] && a[i + 1] == b[i] &&
           strcmp(a + i + 2, b + i + 2) == 0;
}

static const char *find_swapped(const char *word, const char *const *names)
{
    for (; *names; names++)
        if (is_swapped(word, *names))
            return *names;
    return NULL;
}

/* The role's name nearest to word, in ret; "" if none is near. */
static void nearest_role(const char *word, char *const *roles, char ret[64])
{
    const char *names[MAX_PAIRS + 1] = { 0 };
    autostrv copies = NULL;
    ret[0] = '\0';
    if (strv_copy(roles, &copies, NULL) < 0)
        return;
    size_t n = 0;
    for (char **copy = copies; copy && *copy && n < MAX_PAIRS; copy++) {
        (*copy)[strcspn(*copy, "=")] = '\0';
        names[n++] = *copy;
    }
    const char *swapped = find_swapped(word, names);
    const char *nearest = swapped ? swapped : text_nearest(word, names);
    if (nearest)
        (void)snprintf(ret, 64, "%s", nearest);
}

static void warn_unknown(const struct judge *judge, const char *pair, char *const *roles)
{
    if (pair[0] == '*' || !roles || count_name(roles, strv_length(roles), pair))
        return;
    autofree char *name = strndup(pair, strcspn(pair, "="));
    char nearest[64] = "";
    if (name)
        nearest_role(name, roles, nearest);
    report_add(judge->report, REPORT_WARNING, judge->line,
               "role_priority names \"%s\", which no role defines%s%s%s", name ? name : "",
               *nearest ? " (did you mean \"" : "", nearest, *nearest ? "\"?)" : "");
}

int roles_read_priorities(const char *text, int line, char *const *roles, struct report *report,
                          char ***ret, struct error *err)
{
    struct judge judge = { .report = report,
                           .line = line,
                           .key = "role_priority",
                           .form = "NAME=0..255",
                           .max = ROLE_MAX_PRIORITY,
                           .star = true };
    int r = read_pairs(&judge, text, ret, err);
    for (char **pair = *ret; r == 0 && pair && *pair; pair++)
        warn_unknown(&judge, *pair, roles);
    return r;
}
