/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/health_note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

enum { NOTE_MAX_BYTES = 4096 };

void health_note_done(struct health_note *note)
{
    free(note->invocation);
    free(note->reason);
    *note = (struct health_note){ 0 };
}

int health_note_write(const char *directory, const char *unit, const struct health_note *note,
                      struct error *err)
{
    autofree char *path = text_format("%s/%s", directory, unit);
    autofree char *text = NULL;
    autojson json = json_pack("{s:s, s:s, s:s, s:I}", "invocation", note->invocation, "state",
                              health_state_name(note->state), "reason", note->reason, "since_ms",
                              (json_int_t)note->since_ms);
    if (!path || !json)
        return error_oom(err);
    int r = json_write(json, &text, err);
    return r < 0 ? r : file_write(path, text, strlen(text), 0644, err);
}

static int parse(const char *text, size_t length, struct health_note *ret, struct error *err)
{
    autojson json = NULL;
    const char *invocation = NULL;
    const char *state = NULL;
    const char *reason = NULL;
    int64_t since_ms = 0;
    int r = json_read(text, length, &json, err);
    if (r == 0)
        r = json_field_string(json, "invocation", &invocation, err);
    if (r == 0)
        r = json_field_string(json, "state", &state, err);
    if (r == 0)
        r = json_field_string(json, "reason", &reason, err);
    if (r == 0)
        r = json_field_int(json, "since_ms", &since_ms, err);
    if (r < 0)
        return r;
    autohealth_note note = { .invocation = strdup(invocation),
                             .state = health_state_from_name(state),
                             .reason = strdup(reason),
                             .since_ms = since_ms };
    if (!note.invocation || !note.reason)
        return error_oom(err);
    if (note.state == HEALTH_NONE)
        return error_set(err, -EPROTO, "state \"%s\" is none", state);
    *ret = (struct health_note){ .invocation = take_ptr(note.invocation),
                                 .state = note.state,
                                 .reason = take_ptr(note.reason),
                                 .since_ms = since_ms };
    return 0;
}

int health_note_read(const char *directory, const char *unit, struct health_note *ret,
                     struct error *err)
{
    autofree char *path = text_format("%s/%s", directory, unit);
    autofree char *text = NULL;
    size_t length = 0;
    if (!path)
        return error_oom(err);
    int r = file_read(path, NOTE_MAX_BYTES, &text, &length, err);
    if (r == 0)
        r = parse(text, length, ret, err);
    return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}

int health_note_remove(const char *directory, const char *unit, struct error *err)
{
    autofree char *path = text_format("%s/%s", directory, unit);
    return path ? file_remove(path, err) : error_oom(err);
}
