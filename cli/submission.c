/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/submission.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/follow.h"
#include "cli/source.h"
#include "cli/table.h"
#include "cli/unit.h"
#include "cli/verify.h"
#include "scheduler/records.h"
#include "units/translate.h"
#include "units/unit_name.h"

enum { LEADERLESS_MS = 20000 }; /* longer than a new leader takes at the default TTL */

/* --- the store as the CLI sees it --- */

struct store {
    const struct cli *cli;
    json_t *units;     /* by name */
    json_t *templates; /* texts fetched, by name */
};

static void store_done(struct store *store)
{
    json_decref(store->units);
    json_decref(store->templates);
}

static int store_load(const struct cli *cli, struct store *ret, struct error *err)
{
    autojson answer = NULL;
    int r = client_call(cli->client, "GET", "/v1/units", NULL, &answer, err);
    if (r < 0)
        return r;
    *ret = (struct store){ .cli = cli, .units = json_object(), .templates = json_object() };
    const json_t *list = json_object_get(answer, "units");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *unit = json_array_get(list, i);
        (void)json_object_set(ret->units, row_string(unit, "name"), unit);
    }
    return 0;
}

static const char *store_hash(const char *name, void *userdata)
{
    const struct store *store = userdata;
    const json_t *unit = json_object_get(store->units, name);
    return unit ? row_string(unit, "hash") : NULL;
}

static int store_text(const char *name, char **ret, struct error *err, void *userdata)
{
    const struct store *store = userdata;
    const char *text = json_string_value(json_object_get(store->templates, name));
    autojson answer = NULL;
    if (!text) {
        autofree char *escaped = text_escape_url(name);
        autofree char *path = text_format("/v1/units/%s", escaped ? escaped : name);
        int r = path ? client_call(store->cli->client, "GET", path, NULL, &answer, err)
                     : error_oom(err);
        if (r == 0)
            r = json_field_string(answer, "text", &text, err);
        if (r < 0)
            return r;
        (void)json_object_set_new(store->templates, name, json_string(text));
    }
    *ret = strdup(text);
    return *ret ? 0 : error_oom(err);
}

/* --- putting --- */

struct batch {
    struct source *sources;
    size_t count;
};

static void batch_done(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        source_done(&batch->sources[i]);
    free(batch->sources);
}

static int find_sources(const struct cli *cli, struct store *store, struct batch *batch,
                        struct error *err)
{
    const struct source_store questions = { store_hash, store_text, store };
    batch->sources = calloc(strv_length(cli->args) + 1, sizeof(*batch->sources));
    if (!batch->sources)
        return error_oom(err);
    for (size_t i = 0; cli->args[i]; i++) {
        int r = source_find(cli->args[i], &questions, &batch->sources[i], err);
        if (r < 0)
            return r;
        batch->count++;
    }
    return 0;
}

/* fleet's rule: replacing must not pull a unit down from a state above the one wished. */
static bool may_replace(const struct store *store, const char *name, const char *desired)
{
    const char *present = row_string(json_object_get(store->units, name), "desired");
    if (desired_from_name(present) <= desired_from_name(desired))
        return true;
    (void)fprintf(stderr,
                  "musterctl: cannot replace unit %s in state '%s', use the appropriate command\n",
                  name, present);
    return false;
}

/* Whether this one goes to the server; *code is set where it ought to and may not. */
static bool is_to_be_put(const struct cli *cli, const struct store *store,
                         const struct source *source, const char *desired, int *code)
{
    if (!source->in_store)
        return true;
    if (cli->replace && source->text && !source->differs)
        (void)printf("Found same unit %s in the store, nothing to do\n", source->name);
    if (!source->differs)
        return false;
    if (!cli->replace) {
        (void)fprintf(stderr,
                      "WARNING: Unit %s in the store differs from local unit file %s. Add "
                      "--replace to override.\n",
                      source->name, source->origin);
        return false;
    }
    if (may_replace(store, source->name, desired))
        return true;
    *code = EXIT_CODE_FAILED;
    return false;
}

static int put(const struct cli *cli, json_t *units, struct error *err)
{
    autojson answer = NULL;
    autojson body = json_pack("{s:O, s:b}", "units", units, "replace", cli->replace ? 1 : 0);
    if (!body)
        return error_oom(err);
    int r = client_call(cli->client, "POST", "/v1/units", body, &answer, err);
    if (r < 0)
        return r;
    const json_t *list = json_object_get(answer, "units");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *unit = json_array_get(list, i);
        if (text_equal(row_string(unit, "action"), "created"))
            (void)printf("Unit %s inactive\n", row_string(unit, "name"));
        else
            (void)printf("Unit %s %s\n", row_string(unit, "name"), row_string(unit, "action"));
    }
    (void)fflush(stdout); /* whoever is interrupted while waiting has read that much */
    return 0;
}

/* What this machine's systemd thinks of them. Its own failure keeps nobody from submitting. */
static void verify(const struct verify_unit *units, size_t count, int *code)
{
    __attribute__((cleanup(verify_report_done))) struct verify_report report = { 0 };
    struct error err;
    if (verify_units(units, count, &report, &err) < 0) {
        (void)fprintf(stderr, "musterctl: the units are not verified: %s\n", err.text);
        return;
    }
    for (char **line = report.warnings; line && *line; line++)
        (void)fprintf(stderr, "WARNING: %s\n", *line);
    for (char **line = report.refusals; line && *line; line++)
        *code = complain_text("%s (--no-verify takes it nevertheless)", *line);
}

/* What the unit says in vain. That it is wrong altogether is the API's to say. */
static void warn_of_idle_keys(const struct source *source)
{
    autostrv warnings = NULL;
    (void)unit_warnings(source->name, source->text, strlen(source->text), &warnings, NULL);
    for (char **line = warnings; line && *line; line++)
        (void)fprintf(stderr, "WARNING: %s: %s\n", source->name, *line);
}

/* Those that come with a text. */
static int verify_batch(const json_t *units, int *code, struct error *err)
{
    size_t count = 0;
    autofree struct verify_unit *list = calloc(json_array_size(units) + 1, sizeof(*list));
    if (!list)
        return error_oom(err);
    for (size_t i = 0; i < json_array_size(units); i++) {
        const json_t *unit = json_array_get(units, i);
        if (json_object_get(unit, "text"))
            list[count++] =
                (struct verify_unit){ row_string(unit, "name"), row_string(unit, "text") };
    }
    if (count > 0)
        verify(list, count, code);
    return 0;
}

/* text NULL: its name alone. */
static int add_unit(json_t *units, const struct source *source, const char *text, struct error *err)
{
    if (text)
        warn_of_idle_keys(source);
    if (json_array_append_new(units, json_pack("{s:s, s:s*}", "name", source->name, "text", text)) <
        0)
        return error_set(err, -ENOMEM, "%s: its text cannot be sent", source->name);
    return 0;
}

/* NULL: it does not run, or is no instance. */
static char *template_that_runs(const struct store *store, const char *name)
{
    const json_t *unit = json_object_get(store->units, name);
    return text_equal(row_string(unit, "desired"), "launched") ? unit_name_template(name) : NULL;
}

/* All of these, which replace what runs, are stopped at the same time. */
static int warn_of_restarts(const struct store *store, const json_t *units, struct error *err)
{
    autojson counts = json_object();
    const char *name = NULL;
    const json_t *count = NULL;
    for (size_t i = 0; counts && i < json_array_size(units); i++) {
        autofree char *template_name =
            template_that_runs(store, row_string(json_array_get(units, i), "name"));
        if (template_name)
            (void)json_object_set_new(counts, template_name,
                                      json_integer(row_number(counts, template_name) + 1));
    }
    json_object_foreach(counts, name, count)
        if (json_integer_value(count) > 1)
            (void)fprintf(stderr,
                          "WARNING: %" JSON_INTEGER_FORMAT " instances of %s are restarted at "
                          "once; \"musterctl rollout start %s\" changes them a few at a time.\n",
                          json_integer_value(count), name, name);
    return counts ? 0 : error_oom(err);
}

/* All or nothing: if one may not be replaced, or systemd would refuse it, *code is set and nothing
 * is sent. */
static int put_batch(const struct cli *cli, const struct store *store, const struct batch *batch,
                     const char *desired, int *code, struct error *err)
{
    autojson units = json_array();
    int r = 0;
    for (size_t i = 0; r == 0 && i < batch->count; i++) {
        const struct source *source = &batch->sources[i];
        if (is_to_be_put(cli, store, source, desired, code))
            r = add_unit(units, source, source->text, err);
    }
    if (r == 0 && *code == EXIT_CODE_OK && cli->verify)
        r = verify_batch(units, code, err);
    if (r < 0 || *code != EXIT_CODE_OK || json_array_size(units) == 0)
        return r;
    r = warn_of_restarts(store, units, err);
    return r < 0 ? r : put(cli, units, err);
}

int submission_put(const struct cli *cli, const char *desired, char ***ret_names)
{
    __attribute__((cleanup(store_done))) struct store store = { 0 };
    __attribute__((cleanup(batch_done))) struct batch batch = { 0 };
    autostrv names = NULL;
    struct error err;
    int code = EXIT_CODE_OK;
    int r = store_load(cli, &store, &err);
    if (r == 0)
        r = find_sources(cli, &store, &batch, &err);
    if (r == 0)
        r = put_batch(cli, &store, &batch, desired, &code, &err);
    for (size_t i = 0; r == 0 && i < batch.count; i++)
        r = strv_add(&names, batch.sources[i].name, &err);
    if (r < 0)
        return complain(&err);
    if (code == EXIT_CODE_OK)
        *ret_names = take_ptr(names);
    return code;
}

/* start would leave the text in the store as it is; a template is never started. */
static void tell_of_replacing(const struct cli *cli, const struct source *source)
{
    if (source->in_store && source->differs && !cli->replace &&
        !unit_name_is_template(source->name))
        (void)fprintf(
            stderr,
            "WARNING: Unit %s in the store differs from local unit file %s. It is planned "
            "as with --replace, without which start leaves it as it is.\n",
            source->name, source->origin);
}

/* Units that are in the store go by name alone where no other text is given. */
static int plan_batch(const struct cli *cli, const struct batch *batch, json_t **ret, int *code,
                      struct error *err)
{
    autojson units = json_array();
    autojson body = json_pack("{s:O}", "units", units);
    int r = body ? 0 : error_oom(err);
    for (size_t i = 0; r == 0 && i < batch->count; i++) {
        const struct source *source = &batch->sources[i];
        tell_of_replacing(cli, source);
        r = add_unit(units, source, source->in_store && !source->differs ? NULL : source->text,
                     err);
    }
    if (r == 0 && cli->verify)
        r = verify_batch(units, code, err);
    return r == 0 && *code == EXIT_CODE_OK
               ? client_call(cli->client, "POST", "/v1/plan", body, ret, err)
               : r;
}

int submission_plan(const struct cli *cli, json_t **ret)
{
    __attribute__((cleanup(store_done))) struct store store = { 0 };
    __attribute__((cleanup(batch_done))) struct batch batch = { 0 };
    struct error err;
    int code = EXIT_CODE_OK;
    int r = store_load(cli, &store, &err);
    if (r == 0)
        r = find_sources(cli, &store, &batch, &err);
    if (r == 0)
        r = plan_batch(cli, &batch, ret, &code, &err);
    return r < 0 ? complain(&err) : code;
}

static const char *nothing_is_stored(const char *name, void *userdata)
{
    (void)name;
    (void)userdata;
    return NULL;
}

int submission_read(const struct cli *cli, const char *typed, char **ret_name, char **ret_text)
{
    const struct source_store nothing = { .hash = nothing_is_stored };
    __attribute__((cleanup(source_done))) struct source source = { 0 };
    struct error err;
    int code = EXIT_CODE_OK;
    int r = source_find(typed, &nothing, &source, &err);
    if (r == -ENOENT)
        return complain_text("there is no file for %s here", typed);
    if (r < 0)
        return complain(&err);
    warn_of_idle_keys(&source);
    if (cli->verify)
        verify(&(struct verify_unit){ source.name, source.text }, 1, &code);
    if (code != EXIT_CODE_OK)
        return code;
    *ret_name = take_ptr(source.name);
    *ret_text = take_ptr(source.text);
    return EXIT_CODE_OK;
}

int submission_names(const struct cli *cli, char ***ret)
{
    autostrv names = NULL;
    struct error err;
    for (size_t i = 0; cli->args[i]; i++) {
        autofree char *name = NULL;
        int r = unit_typed_name(cli->args[i], &name, &err);
        if (r == 0)
            r = strv_add(&names, name, &err);
        if (r < 0)
            return complain(&err);
    }
    *ret = take_ptr(names);
    return EXIT_CODE_OK;
}

int submission_wish(const struct cli *cli, char *const *names, const char *desired, json_t **ret)
{
    autojson answer = NULL;
    autojson body = json_pack("{s:o, s:s}", "units", json_from_strv(names), "desired", desired);
    struct error err;
    int r = body ? client_call(cli->client, "POST", "/v1/desired", body, &answer, &err)
                 : error_oom(&err);
    if (r < 0)
        return complain(&err);
    *ret = json_incref(json_object_get(answer, "units"));
    return EXIT_CODE_OK;
}

/* --- waiting --- */

struct wait {
    const char *unit;
    const struct outcome_words *words;
    bool patient; /* --block-attempts says how long, whatever is missing */
    bool leaderless;
    bool settled;
    int code;
};

static void tell_done(const struct wait *wait, const json_t *line)
{
    const char *machine = row_string(line, "machine");
    if (text_equal(wait->words->goal, "gone"))
        (void)printf("Destroyed %s\n", wait->unit);
    else
        (void)printf("Unit %s %s%s%s\n", wait->unit, wait->words->done, *machine ? " on " : "",
                     machine);
}

static int code_of_state(const char *state)
{
    if (text_equal(state, "failed"))
        return EXIT_CODE_UNIT_FAILED;
    if (text_equal(state, "unplaceable"))
        return EXIT_CODE_UNPLACEABLE;
    return text_equal(state, "absent") ? EXIT_CODE_ABSENT : EXIT_CODE_FAILED;
}

/* True: go on waiting. */
static bool on_wait_line(struct client *client, const json_t *line, void *userdata)
{
    struct wait *wait = userdata;
    const char *state = row_string(line, "state");
    const char *machine = row_string(line, "machine");
    const char *reason = row_string(line, "reason");
    if (text_equal(state, "done")) {
        tell_done(wait, line);
        wait->settled = true;
        return false;
    }
    (void)fprintf(stderr, "Unit %s%s%s%s: %s\n", wait->unit,
                  text_equal(state, "failed") ? " failed" : "", *machine ? " on " : "", machine,
                  reason);
    if (text_equal(state, "waiting")) {
        wait->leaderless = json_is_true(json_object_get(line, "leaderless"));
        if (!wait->patient)
            client_set_deadline(client, wait->leaderless ? LEADERLESS_MS : 0);
        return true;
    }
    wait->settled = true;
    wait->code = code_of_state(state);
    return false;
}

static int wait_for(const struct cli *cli, const json_t *unit, const struct outcome_words *words)
{
    struct wait wait = { .unit = row_string(unit, "name"),
                         .words = words,
                         .patient = cli->block_attempts > 0 };
    autofree char *escaped = text_escape_url(wait.unit);
    autofree char *path = text_format("/v1/wait?unit=%s&goal=%s&revision=%" JSON_INTEGER_FORMAT,
                                      escaped ? escaped : wait.unit, words->goal,
                                      json_integer_value(json_object_get(unit, "revision")));
    struct error err;
    int r = path ? client_stream(cli->client, path, (int64_t)cli->block_attempts * ATTEMPT_MS,
                                 on_wait_line, &wait, &err)
                 : error_oom(&err);
    if (r == -ETIMEDOUT && wait.leaderless && !wait.patient) {
        (void)fprintf(stderr, "Unit %s is recorded; it will be %s once there is a leader\n",
                      wait.unit, words->done);
        return EXIT_CODE_UNPLACEABLE;
    }
    if (r == -ETIMEDOUT)
        return complain_text("timed out waiting for unit %s to report state %s", wait.unit,
                             words->done);
    if (r < 0)
        return complain(&err);
    if (!wait.settled)
        return complain_text("unit %s: musterd ended before it was %s; it is recorded", wait.unit,
                             words->done);
    return wait.code;
}

int submission_wait(const struct cli *cli, const json_t *changed, const struct outcome_words *words)
{
    int code = EXIT_CODE_OK;
    for (size_t i = 0; i < json_array_size(changed); i++) {
        const json_t *unit = json_array_get(changed, i);
        bool global = json_is_true(json_object_get(unit, "global"));
        int one = EXIT_CODE_OK;
        if (global || !cli->block)
            (void)printf("Triggered %sunit %s %s\n", global ? "global " : "",
                         row_string(unit, "name"), words->verb);
        else
            one = wait_for(cli, unit, words);
        (void)fflush(stdout);
        code = one > code ? one : code;
    }
    return code;
}

int submission_bring(const struct cli *cli, const struct outcome_words *words)
{
    autostrv names = NULL;
    autojson changed = NULL;
    int code = submission_put(cli, words->goal, &names);
    if (code == EXIT_CODE_OK)
        code = submission_wish(cli, names, words->goal, &changed);
    if (code == EXIT_CODE_OK)
        code = submission_wait(cli, changed, words);
    return code;
}
