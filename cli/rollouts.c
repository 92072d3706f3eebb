/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rollouts.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"

int rollouts_call(const struct cli *cli, const char *method, const char *unit, const json_t *body,
                  json_t **ret, struct error *err)
{
    autofree char *escaped = text_escape_url(unit);
    autofree char *path = escaped ? text_format("/v1/rollouts/%s", escaped) : NULL;
    return path ? client_call(cli->client, method, path, body, ret, err) : error_oom(err);
}

json_t *rollouts_order(const struct cli *cli, const char *word, const char *text)
{
    return json_pack("{s:s, s:s*, s:I, s:I, s:I, s:I, s:s, s:I}", "order", word, "text", text,
                     "parallel", (json_int_t)(cli->parallel_is_percent ? 0 : cli->parallel),
                     "percent", (json_int_t)(cli->parallel_is_percent ? cli->parallel : 0),
                     "wait_ms", (json_int_t)cli->wait_ms, "timeout_ms",
                     (json_int_t)(cli->timeout_ms ? cli->timeout_ms : -1), "on_failure",
                     cli->roll_back ? "rollback" : "pause", "to", (json_int_t)cli->to);
}

void rollouts_member_words(const char *member, struct text *words)
{
    const char *machine = strchr(member, '/');
    if (machine)
        text_addf(words, "%.*s on %.8s", (int)(machine - member), member, machine + 1);
    else
        text_add(words, member);
}

static char *progress_words(const json_t *rollout)
{
    autotext words = { 0 };
    const json_t *changing = json_object_get(rollout, "changing");
    const char *reason = row_string(rollout, "reason");
    text_addf(&words, "%s: %s, %lld of %lld changed", row_string(rollout, "name"),
              row_string(rollout, "state"), row_number(rollout, "changed"),
              row_number(rollout, "units"));
    for (size_t i = 0; i < json_array_size(changing); i++) {
        text_add(&words, i ? ", " : "; waiting for ");
        rollouts_member_words(json_string_value(json_array_get(changing, i)), &words);
    }
    if (*reason)
        text_addf(&words, "; %s", reason);
    return text_take(&words);
}

void rollouts_tell(FILE *stream, const json_t *rollout, char **said)
{
    autofree char *words = progress_words(rollout);
    if (!words || text_equal(words, *said))
        return;
    (void)fprintf(stream, "%s\n", words);
    (void)fflush(stream);
    free(*said);
    *said = take_ptr(words);
}

/* What the leader, or the API, says of a version that is there to go back. */
static bool is_return(const json_t *version)
{
    const char *how = row_string(version, "how");
    return text_starts_with(how, "rollback of ") || text_starts_with(how, "undo to ");
}

/* What followed it last counts: a registry whose tag goes back itself is followed. */
bool rollouts_took_back(const json_t *rollout, const char *hash)
{
    const json_t *history = json_object_get(rollout, "history");
    for (size_t i = json_array_size(history); i > 0; i--)
        if (text_equal(row_string(json_array_get(history, i - 1), "hash"), hash))
            return is_return(json_array_get(history, i));
    return false;
}
