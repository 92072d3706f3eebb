/* SPDX-License-Identifier: Apache-2.0 */
/* The small values inside records that people type: words for enums, role numbers. */
#include <string.h>

#include "base/text.h"
#include "scheduler/records.h"

static const char *const desired_words[] = {
    [DESIRED_INACTIVE] = "inactive",
    [DESIRED_LOADED] = "loaded",
    [DESIRED_LAUNCHED] = "launched",
};

static const char *const want_words[] = {
    [WANT_RUN] = "run",
    [WANT_LOADED] = "loaded",
    [WANT_RELEASE] = "release",
};

static const char *const rollout_words[] = {
    [ROLLOUT_RUNNING] = "running",
    [ROLLOUT_PAUSED] = "paused",
    [ROLLOUT_DONE] = "done",
    [ROLLOUT_ROLLED_BACK] = "rolled-back",
};

static const char *const verdict_words[] = {
    [VERDICT_UNKNOWN] = "",      [VERDICT_NOWHERE] = "nowhere",       [VERDICT_HELD] = "held",
    [VERDICT_NEVER] = "never",   [VERDICT_UNREADABLE] = "unreadable", [VERDICT_FAILING] = "failing",
    [VERDICT_FAILED] = "failed", [VERDICT_MOVING] = "moving",         [VERDICT_LEAVING] = "leaving",
};
enum { VERDICTS = sizeof(verdict_words) / sizeof(verdict_words[0]) };

const char *verdict_kind_name(enum verdict_kind kind)
{
    return (size_t)kind < VERDICTS ? verdict_words[kind] : "";
}

enum verdict_kind verdict_kind_from_name(const char *name)
{
    for (size_t i = 0; i < VERDICTS; i++)
        if (text_equal(name, verdict_words[i]))
            return (enum verdict_kind)i;
    return VERDICT_UNKNOWN;
}

static const char *const cause_words[] = {
    [MOVE_CAUSE_NONE] = "",           [MOVE_CAUSE_DRAIN] = "drain",
    [MOVE_CAUSE_FAILING] = "failing", [MOVE_CAUSE_REBALANCE] = "rebalance",
    [MOVE_CAUSE_PREEMPT] = "preempt", [MOVE_CAUSE_RULE] = "rule",
    [MOVE_CAUSE_REPLACE] = "replace",
};
enum { CAUSES = sizeof(cause_words) / sizeof(cause_words[0]) };

const char *move_cause_name(enum move_cause cause)
{
    return (size_t)cause < CAUSES ? cause_words[cause] : "";
}

enum move_cause move_cause_from_name(const char *name)
{
    for (size_t i = 0; i < CAUSES; i++)
        if (text_equal(name, cause_words[i]))
            return (enum move_cause)i;
    return MOVE_CAUSE_NONE;
}

static const char *const short_words[] = {
    [ROLE_SHORT_RUN] = "run",
    [ROLE_SHORT_HOLD] = "hold",
    [ROLE_SHORT_STOP] = "stop",
};

const char *role_short_name(enum role_short when)
{
    return when >= ROLE_SHORT_RUN && when <= ROLE_SHORT_STOP ? short_words[when] : NULL;
}

enum role_short role_short_from_name(const char *name)
{
    for (enum role_short i = ROLE_SHORT_RUN; i <= ROLE_SHORT_STOP; i++)
        if (text_equal(name, short_words[i]))
            return i;
    return ROLE_SHORT_RUN;
}

const char *rollout_state_name(enum rollout_state state)
{
    return state >= ROLLOUT_RUNNING && state <= ROLLOUT_ROLLED_BACK ? rollout_words[state] : NULL;
}

enum rollout_state rollout_state_from_name(const char *name)
{
    for (enum rollout_state i = ROLLOUT_RUNNING; i <= ROLLOUT_ROLLED_BACK; i++)
        if (text_equal(name, rollout_words[i]))
            return i;
    return ROLLOUT_INVALID;
}

static const char *const mode_words[] = {
    [REBALANCE_ADVISE] = "advise",
    [REBALANCE_OFF] = "off",
    [REBALANCE_AUTO] = "auto",
};
enum { MODES = sizeof(mode_words) / sizeof(mode_words[0]) };

const char *rebalance_mode_name(enum rebalance_mode mode)
{
    return (size_t)mode < MODES ? mode_words[mode] : "";
}

bool rebalance_mode_from_name(const char *name, enum rebalance_mode *ret)
{
    for (size_t i = 0; i < MODES; i++) {
        if (!text_equal(name, mode_words[i]))
            continue;
        *ret = (enum rebalance_mode)i;
        return true;
    }
    return false;
}

const char *desired_name(enum desired desired)
{
    return desired >= DESIRED_INACTIVE && desired <= DESIRED_LAUNCHED ? desired_words[desired]
                                                                      : NULL;
}

enum desired desired_from_name(const char *name)
{
    for (enum desired i = DESIRED_INACTIVE; i <= DESIRED_LAUNCHED; i++)
        if (text_equal(name, desired_words[i]))
            return i;
    return DESIRED_INVALID;
}

const char *want_name(enum want want)
{
    return want >= WANT_RUN && want <= WANT_RELEASE ? want_words[want] : NULL;
}

enum want want_from_name(const char *name)
{
    for (enum want i = WANT_RUN; i <= WANT_RELEASE; i++)
        if (text_equal(name, want_words[i]))
            return i;
    return WANT_INVALID;
}

/* --- numbers of roles --- */

static bool is_role_letter(char c, bool inner)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (inner && (c == '-' || c == '_'));
}

bool role_name_is_valid(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > 63)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_role_letter(name[i], i > 0 && i + 1 < length))
            return false;
    return true;
}

static int read_number(char *piece, unsigned int max, bool allow_star, struct role_number *ret,
                       struct error *err)
{
    uint64_t number = 0;
    char *equals = strchr(piece, '=');
    if (!equals)
        return error_set(err, -EINVAL, "\"%s\" is not NAME=0..%u", piece, max);
    autofree char *name = strndup(piece, (size_t)(equals - piece));
    if (!name)
        return error_oom(err);
    const char *trimmed = text_trim(name);
    if (!role_name_is_valid(trimmed) && !(allow_star && strcmp(trimmed, "*") == 0))
        return error_set(err, -EINVAL,
                         "invalid role name \"%s\" (want a-z 0-9 - _, 1 to 63 characters)",
                         trimmed);
    if (text_parse_u64(text_trim(equals + 1), max, &number, NULL) < 0)
        return error_set(err, -EINVAL, "\"%s\" is not NAME=0..%u", piece, max);
    *ret = (struct role_number){ .number = (unsigned int)number };
    memcpy(ret->name, trimmed, strlen(trimmed) + 1);
    return 0;
}

static int refuse_twice(const struct role_number *numbers, size_t count, struct error *err)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (strcmp(numbers[i].name, numbers[count - 1].name) == 0)
            return error_set(err, -EINVAL, "role \"%s\" is given twice", numbers[i].name);
    return 0;
}

int role_numbers_parse(const char *text, unsigned int max, bool allow_star,
                       struct role_number **ret, size_t *ret_count, struct error *err)
{
    autostrv pieces = NULL;
    size_t count = 0;
    int r = strv_split(text, ",", &pieces, err);
    if (r < 0)
        return r;
    autofree struct role_number *numbers = calloc(strv_length(pieces) + 1, sizeof(*numbers));
    if (!numbers)
        return error_oom(err);
    for (char **piece = pieces; piece && *piece; piece++) {
        char *trimmed = text_trim(*piece);
        if (!*trimmed)
            continue;
        r = read_number(trimmed, max, allow_star, &numbers[count], err);
        if (r == 0)
            r = refuse_twice(numbers, ++count, err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(numbers);
    *ret_count = count;
    return 0;
}
