/* SPDX-License-Identifier: Apache-2.0 */
/* auto-update: who says AutoUpdate=registry gets the image that its tag stands for now. The digest
 * goes into the text, and that text is rolled out; what fails there goes back to the text, and the
 * image, before. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/family.h"
#include "cli/follow.h"
#include "cli/registry.h"
#include "cli/rollouts.h"
#include "cli/table.h"
#include "cli/unit.h"

/* What became of one, as podman's words are, and then some. */
static const char is_current[] = "false";
static const char is_pending[] = "pending"; /* --dry-run: it would be updated */
static const char is_started[] = "started"; /* its rollout runs */
static const char is_updated[] = "true";
static const char is_held[] = "held"; /* that image was taken back before */
static const char is_back[] = "rolled back";
static const char is_paused[] = "paused";
static const char is_busy[] = "busy"; /* another rollout runs */
static const char is_failed[] = "failed";

struct round {
    const struct cli *cli;
    json_t *families; /* name of the rollout → its units, as the server lists them */
    json_t *answers;  /* image → its digests, or what the registry's complaint was */
    json_t *rows;
    int code;
};

static void round_done(struct round *round)
{
    json_decref(round->families);
    json_decref(round->answers);
    json_decref(round->rows);
}

static void note_code(struct round *round, int code)
{
    round->code = code > round->code ? code : round->code;
}

/* A line, and the word for the table. */
static const char *refuse(struct round *round, const char *name, const char *reason)
{
    (void)complain_text("%s: %s", name, reason);
    note_code(round, EXIT_CODE_FAILED);
    return is_failed;
}

/* --- registries --- */

static json_t *ask(const char *image)
{
    autostrv digests = NULL;
    struct error err;
    return registry_ask(image, &digests, &err) < 0 ? json_string(err.text)
                                                   : json_from_strv(digests);
}

/* Once for each image, whoever has it. -EIO: the words are the registry's complaint. */
static int find_known(struct round *round, const char *image, char ***ret, struct error *err)
{
    json_t *answer = json_object_get(round->answers, image);
    if (!answer) {
        (void)json_object_set_new(round->answers, image, ask(image));
        answer = json_object_get(round->answers, image);
    }
    if (!json_is_array(answer))
        return error_set(err, -EIO, "%s", answer ? json_string_value(answer) : "out of memory");
    return json_field_strv(round->answers, image, ret, err);
}

/* --- one family --- */

/* Somebody else's, on another machine, which has the same in mind, is as good as ours. */
static bool is_ours(const struct cli *cli, const struct family *family)
{
    autojson rollout = NULL;
    return rollouts_call(cli, "GET", family->name, NULL, &rollout, NULL) == 0 &&
           text_equal(row_string(rollout, "state"), "running") &&
           text_equal(row_string(rollout, "hash"), family->hash);
}

static const char *roll_out(struct round *round, const struct family *family)
{
    struct error err;
    autojson answer = NULL;
    autojson body = rollouts_order(round->cli, "start", family->text);
    int r = body ? rollouts_call(round->cli, "PUT", family->name, body, &answer, &err)
                 : error_oom(&err);
    if (r == 0 || (r == -EEXIST && is_ours(round->cli, family)))
        return is_started;
    return refuse(round, family->name, err.text);
}

static const char *update(struct round *round, struct family *family, const json_t *rollout,
                          const char *digest)
{
    struct error err;
    if (family_pin(family, digest, &err) < 0)
        return refuse(round, family->name, err.text);
    const char *stranger = family_find_stranger(round->cli, family, digest);
    if (stranger) {
        (void)error_set(&err, -EINVAL,
                        "%s and %s have different texts; musterctl rollout start gives all the "
                        "same",
                        family_model(family), stranger);
        return refuse(round, family->name, err.text);
    }
    if (rollouts_took_back(rollout, family->hash))
        return is_held;
    return round->cli->dry_run ? is_pending : roll_out(round, family);
}

/* A rollout that runs or waits for somebody is not to be run over. NULL: go on. */
static const char *look_at_rollout(struct round *round, const struct family *family,
                                   json_t **ret_rollout)
{
    struct error err;
    int r = rollouts_call(round->cli, "GET", family->name, NULL, ret_rollout, &err);
    if (r < 0 && r != -ENOENT)
        return refuse(round, family->name, err.text);
    const char *state = row_string(*ret_rollout, "state");
    if (text_equal(state, "running") || text_equal(state, "rolling-back"))
        return is_busy;
    if (!text_equal(state, "paused"))
        return NULL;
    (void)refuse(round, family->name, "its rollout is paused; resume or undo that first");
    return is_paused;
}

/* *ret_digest: what the tag stands for, if it is asked for and known; caller frees. */
static const char *judge(struct round *round, struct family *family, char **ret_digest)
{
    struct error err;
    autostrv running = NULL;
    autostrv known = NULL;
    autojson rollout = NULL;
    const char *outcome = look_at_rollout(round, family, &rollout);
    if (outcome)
        return outcome;
    int r = family_running(family, &running, &err);
    if (r == 0)
        r = find_known(round, family->update.image, &known, &err);
    if (r < 0)
        return refuse(round, family->name, err.text);
    *ret_digest = strdup(known[0]);
    if (family_is_uniform(family) && auto_update_is_current(&family->update, running, known))
        return is_current;
    return update(round, family, rollout, known[0]);
}

static void look_at(struct round *round, const char *name, const json_t *members)
{
    struct error err;
    autofree char *digest = NULL;
    __attribute__((cleanup(family_done))) struct family family = { .name = name,
                                                                   .members = members };
    int r = family_read(round->cli, &family, &err);
    if (r < 0)
        (void)refuse(round, name, err.text);
    if (r == 0 && *round->cli->args)
        (void)refuse(round, name, "it does not say AutoUpdate=registry");
    if (r <= 0)
        return;
    const char *outcome = judge(round, &family, &digest);
    (void)json_array_append_new(round->rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "unit",
                                                       name, "image", family.update.image, "policy",
                                                       "registry", "digest", digest ? digest : "",
                                                       "hash", family.hash, "updated", outcome));
}

/* --- all of them --- */

static void look_at_all(struct round *round)
{
    const char *name = NULL;
    json_t *members = NULL;
    json_object_foreach(round->families, name, members)
        look_at(round, name, members);
}

/* Those that were typed; an instance stands for its template. */
static int look_at_typed(struct round *round)
{
    autojson seen = json_object();
    for (char **typed = round->cli->args; *typed; typed++) {
        struct error err;
        autofree char *unit = NULL;
        if (unit_typed_name(*typed, &unit, &err) < 0)
            return complain(&err);
        autofree char *name = family_name(unit);
        const json_t *members = name ? json_object_get(round->families, name) : NULL;
        if (!members)
            (void)refuse(round, unit, "there is no such unit");
        else if (!json_object_get(seen, name))
            look_at(round, name, members);
        if (members)
            (void)json_object_set_new(seen, name, json_true());
    }
    return EXIT_CODE_OK;
}

/* --- waiting --- */

static const char *outcome_of(struct round *round, const json_t *row, const json_t *rollout)
{
    const char *name = row_string(row, "unit");
    const char *state = row_string(rollout, "state");
    if (text_equal(state, "running") || text_equal(state, "rolling-back"))
        return is_started;
    if (text_equal(state, "done") &&
        text_equal(row_string(rollout, "hash"), row_string(row, "hash")))
        return is_updated;
    bool paused = text_equal(state, "paused");
    const char *reason = row_string(rollout, "reason");
    (void)complain_text("%s: %s%s%s", name, paused ? is_paused : is_back, *reason ? ": " : "",
                        reason);
    note_code(round, EXIT_CODE_UNIT_FAILED);
    return paused ? is_paused : is_back;
}

/* Whether it still goes on. */
static bool look_again(struct round *round, json_t *row, json_t *said)
{
    struct error err;
    autojson rollout = NULL;
    const char *name = row_string(row, "unit");
    const char *outcome = NULL;
    if (!text_equal(row_string(row, "updated"), is_started))
        return false;
    if (rollouts_call(round->cli, "GET", name, NULL, &rollout, &err) < 0) {
        outcome = refuse(round, name, err.text);
    } else {
        autofree char *line = strdup(row_string(said, name));
        rollouts_tell(stderr, rollout, &line);
        (void)json_object_set_new(said, name, json_string(line ? line : ""));
        outcome = outcome_of(round, row, rollout);
    }
    (void)json_object_set_new(row, "updated", json_string(outcome));
    return text_equal(outcome, is_started);
}

static void wait_for_all(struct round *round)
{
    autojson said = json_object();
    for (uint64_t looks = 0;;) {
        size_t going_on = 0;
        for (size_t i = 0; i < json_array_size(round->rows); i++)
            going_on += look_again(round, json_array_get(round->rows, i), said);
        if (going_on == 0)
            return;
        if (!follow_on(round->cli, &looks)) {
            note_code(round, complain_text("%zu are not done yet; they go on (musterctl rollout "
                                           "status)",
                                           going_on));
            return;
        }
    }
}

/* --- telling --- */

static char *cell_digest(const struct cli *cli, const json_t *row)
{
    return digest_cell(cli, row_string(row, "digest"));
}

static int tell(const struct round *round)
{
    static const struct field fields[] = {
        {"unit",     NULL       },
        { "image",   NULL       },
        { "policy",  NULL       },
        { "digest",  cell_digest},
        { "updated", NULL       },
        { NULL,      NULL       },
    };
    return round->cli->json
               ? json_print(round->rows)
               : table_print(round->cli, fields, "unit,image,policy,updated", round->rows);
}

/* --- the verb --- */

/* The timer runs on every machine, and one of them is enough. -1: it is for us to do. */
static int leave_to_leader(const struct cli *cli)
{
    struct error err;
    autojson status = NULL;
    if (client_call(cli->client, "GET", "/v1/status", NULL, &status, &err) < 0)
        return complain(&err);
    const char *leader = row_string(json_object_get(status, "leader"), "machine");
    if (!*leader)
        return complain_text("no machine leads just now, so none does it this time");
    return text_equal(leader, row_string(status, "machine")) ? -1 : EXIT_CODE_OK;
}

int verb_auto_update(struct cli *cli)
{
    struct error err;
    autojson answer = NULL;
    int code = cli->if_leader ? leave_to_leader(cli) : -1;
    if (code >= 0)
        return code;
    if (client_call(cli->client, "GET", "/v1/units", NULL, &answer, &err) < 0)
        return complain(&err);
    __attribute__((cleanup(round_done))) struct round round = {
        .cli = cli,
        .families = families_of(json_object_get(answer, "units")),
        .answers = json_object(),
        .rows = json_array(),
    };
    if (!round.families || !round.answers || !round.rows)
        return complain_text("out of memory");
    cli->roll_back = true;
    if (!*cli->args)
        look_at_all(&round);
    else
        note_code(&round, look_at_typed(&round));
    if (cli->block)
        wait_for_all(&round);
    note_code(&round, tell(&round));
    return round.code;
}
