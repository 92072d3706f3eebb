/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rollout_order.h"

#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "base/text.h"
#include "units/translate.h"
#include "units/unit_name.h"

static const char *const kind_words[] = {
    [ROLLOUT_ORDER_START] = "start",   [ROLLOUT_ORDER_RESTART] = "restart",
    [ROLLOUT_ORDER_UNDO] = "undo",     [ROLLOUT_ORDER_PAUSE] = "pause",
    [ROLLOUT_ORDER_RESUME] = "resume",
};

enum rollout_order_kind rollout_order_from_name(const char *name)
{
    for (enum rollout_order_kind i = ROLLOUT_ORDER_START; i <= ROLLOUT_ORDER_RESUME; i++)
        if (text_equal(name, kind_words[i]))
            return i;
    return ROLLOUT_ORDER_INVALID;
}

bool rollout_has_unit(const char *rollout, const char *unit)
{
    return text_equal(rollout, unit) || unit_name_is_instance_of(unit, rollout);
}

static const struct record_rollout *find_rollout(const struct view *view, const char *name)
{
    const struct view_entry *entry = view_find(view, STORE_KEY_ROLLOUT, "", name);
    return entry ? &entry->record.rollout : NULL;
}

int rollout_refuse_text(const struct view *view, const char *unit, struct error *err)
{
    autofree char *template_name = unit_name_template(unit);
    const char *name = template_name ? template_name : unit;
    const struct record_rollout *rollout = find_rollout(view, name);
    const struct view_entry *entry = view_find(view, STORE_KEY_UNIT, "", unit);
    if (rollout && rollout->state == ROLLOUT_PAUSED && entry && view_is_global(view, entry))
        return error_set(err, -EEXIST,
                         "a rollout of %s is paused, and %s; musterctl rollout resume or undo "
                         "first, or start another",
                         name,
                         rollout->restart ? "some machines have yet to start it anew"
                                          : "machines have different texts of it");
    if (!rollout || rollout->state != ROLLOUT_RUNNING)
        return 0;
    return error_set(err, -EEXIST,
                     "a rollout of %s is under way (musterctl rollout status %s); pause it first",
                     name, name);
}

/* --- who takes part --- */

/* What a text says, which goes for all that have it. */
struct said {
    const char *blob; /* borrowed; NULL: of none yet */
    bool is_global;
};

static bool is_global(const struct view *view, const struct view_entry *unit, struct said *said)
{
    if (!text_equal(said->blob, unit->record.unit.blob)) {
        said->blob = unit->record.unit.blob;
        said->is_global = view_is_global(view, unit);
    }
    return said->is_global;
}

/* One by one a unit cannot become global, nor cease to be. */
static int check_global(const struct rollout_order *order, const struct view_entry *unit,
                        bool global, bool becomes_global, struct error *err)
{
    if (!order->text || becomes_global == global)
        return 0;
    return error_set(err, -EINVAL,
                     "%s is%s global, and would %s: that changes everywhere at once; use start "
                     "--replace",
                     unit->name, global ? "" : " not", global ? "not be any more" : "be");
}

/* The new text has to suit each of them. *ret_count: how many there are. */
static int check_members(const struct view *view, const struct rollout_order *order,
                         size_t *ret_count, struct error *err)
{
    size_t count = 0;
    size_t members = 0;
    struct said said = { .blob = NULL };
    bool becomes_global = false;
    const struct record_rollout *known = find_rollout(view, order->name);
    bool known_restart = known && known->restart; /* which leaves texts alone */
    struct view_entry *const *units = view_list(view, STORE_KEY_UNIT, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = units[i]->name;
        if (!rollout_has_unit(order->name, name))
            continue;
        if (members++ == 0 && order->text)
            becomes_global = view_text_is_global(name, order->text);
        int r = order->text ? unit_check(name, order->text, strlen(order->text), err) : 0;
        if (r < 0)
            return error_prefix(err, r, "%s", name);
        bool global = is_global(view, units[i], &said);
        r = check_global(order, units[i], global, becomes_global, err);
        if (r == 0 && global && order->kind == ROLLOUT_ORDER_RESTART && !known_restart)
            r = rollout_refuse_text(view, name, err);
        if (r < 0)
            return r;
    }
    *ret_count = members;
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What most of the instances have, or else the template. NULL: there is no unit. */
static const char *most_common(const char **blobs, size_t count)
{
    const char *best = NULL;
    size_t best_run = 0;
    size_t run = 0;
    qsort(blobs, count, sizeof(*blobs), compare_texts);
    for (size_t i = 0; i < count; i++) {
        run = i > 0 && text_equal(blobs[i], blobs[i - 1]) ? run + 1 : 1;
        if (run > best_run) {
            best = blobs[i];
            best_run = run;
        }
    }
    return best;
}

static int find_present_text(const struct view *view, const char *name, const char **ret,
                             struct error *err)
{
    size_t count = 0;
    size_t found = 0;
    struct view_entry *const *units = view_list(view, STORE_KEY_UNIT, &count);
    const struct view_entry *itself = view_find(view, STORE_KEY_UNIT, "", name);
    autofree const char **blobs = calloc(count + 1, sizeof(*blobs));
    if (!blobs)
        return error_oom(err);
    for (size_t i = 0; i < count; i++)
        if (units[i] != itself && rollout_has_unit(name, units[i]->name))
            blobs[found++] = units[i]->record.unit.blob;
    *ret = found > 0 ? most_common(blobs, found) : itself ? itself->record.unit.blob : NULL;
    return 0;
}

/* --- the record --- */

/* The history begins with what there was before the first order. */
static int begin_history(const struct view *view, const struct rollout_order *order,
                         struct record_rollout *record, struct error *err)
{
    const char *blob = NULL;
    int r = find_present_text(view, order->name, &blob, err);
    if (r < 0)
        return r;
    if (!blob)
        return error_set(err, -ENOENT,
                         "there is neither a unit %s nor an instance of it; submit or start one",
                         order->name);
    r = rollout_add_version(record, blob, "found", order->wall_ms, err);
    if (r == 0)
        record->versions[0].good = true;
    return r;
}

static int apply_order(const struct view *view, const struct rollout_order *order,
                       struct record_rollout *record, struct error *err)
{
    int64_t revision = view_revision(view);
    const struct rollout_version *good = rollout_last_good(record, record->blob);
    bool one = order->parallel == 0 && order->percent == 0;
    record->state = ROLLOUT_RUNNING;
    record->back = false;
    record->restart = order->kind == ROLLOUT_ORDER_RESTART;
    record->roll_back = order->roll_back;
    record->parallel = one ? 1 : order->parallel;
    record->percent = order->percent;
    record->wait_ms = order->wait_ms < 0 ? ROLLOUT_WAIT_DEFAULT_MS : order->wait_ms;
    record->timeout_ms = order->timeout_ms < 0 ? ROLLOUT_TIMEOUT_DEFAULT_MS : order->timeout_ms;
    record->since_ms = order->wall_ms;
    record->since_revision = revision;
    record->retry_revision = revision;
    strv_free(take_ptr(record->changing));
    int r = text_replace(&record->reason, "", err);
    return r < 0 ? r
                 : text_replace(&record->previous, good && !record->restart ? good->blob : "", err);
}

static int plan_start(const struct rollout_order *order, struct record_rollout *record,
                      struct error *err)
{
    char blob[DIGEST_HEX_SIZE];
    digest_sha256_hex(order->text, strlen(order->text), blob);
    if (text_equal(record->blob, blob))
        return 0; /* once more: what has it already is left alone */
    return rollout_add_version(record, blob, "start", order->wall_ms, err);
}

static int plan_undo(const struct view *view, const struct rollout_order *order,
                     struct record_rollout *record, struct error *err)
{
    const struct rollout_version *version = order->to > 0 ? rollout_version_find(record, order->to)
                                                          : rollout_last_good(record, record->blob);
    if (!version && order->to > 0)
        return error_set(err, -ENOENT,
                         "%s has no version %lld (musterctl rollout history %s lists them)",
                         order->name, (long long)order->to, order->name);
    if (!version)
        return error_set(err, -ENOENT, "%s has no other version that was good", order->name);
    if (!view_find(view, STORE_KEY_BLOB, "", version->blob))
        return error_set(err, -ENOENT, "the text of version %lld is not in the store any more",
                         (long long)version->version);
    autofree char *blob = strdup(version->blob);
    autofree char *how = text_format("undo to %lld", (long long)version->version);
    return blob && how ? rollout_add_version(record, blob, how, order->wall_ms, err)
                       : error_oom(err);
}

static int check_start(const struct view *view, const struct rollout_order *order,
                       const struct record_rollout *known, struct error *err)
{
    size_t members = 0;
    if (known && known->state == ROLLOUT_RUNNING && order->kind != ROLLOUT_ORDER_UNDO)
        return rollout_refuse_text(view, order->name, err);
    if (order->kind == ROLLOUT_ORDER_RESTART && order->roll_back)
        return error_set(err, -EINVAL,
                         "a restart has no text to go back to: on a failure it can only pause");
    int r = check_members(view, order, &members, err);
    if (r == 0 && members == 0)
        return error_set(err, -ENOENT,
                         "there is neither a unit %s nor an instance of it; submit or start one",
                         order->name);
    return r;
}

static int plan_begin(const struct view *view, const struct rollout_order *order,
                      const struct record_rollout *known, struct record_rollout *record,
                      struct error *err)
{
    int r = check_start(view, order, known, err);
    if (r == 0 && record->version_count == 0)
        r = begin_history(view, order, record, err);
    if (r == 0 && order->kind == ROLLOUT_ORDER_START)
        r = plan_start(order, record, err);
    if (r == 0 && order->kind == ROLLOUT_ORDER_UNDO)
        r = plan_undo(view, order, record, err);
    return r < 0 ? r : apply_order(view, order, record, err);
}

static int no_rollout(const char *name, struct error *err)
{
    return error_set(err, -ENOENT,
                     "there is no rollout of %s (musterctl rollout status lists them)", name);
}

static int plan_pause(const struct rollout_order *order, struct record_rollout *record,
                      struct error *err)
{
    if (record->state != ROLLOUT_RUNNING)
        return error_set(err, -EEXIST, "the rollout of %s does not run: it is %s", order->name,
                         rollout_state_name(record->state));
    record->state = ROLLOUT_PAUSED;
    return text_replace(&record->reason, "by order", err);
}

static int plan_resume(const struct view *view, const struct rollout_order *order,
                       struct record_rollout *record, struct error *err)
{
    if (record->state != ROLLOUT_PAUSED)
        return error_set(err, -EEXIST, "the rollout of %s is not paused: it is %s", order->name,
                         rollout_state_name(record->state));
    record->state = ROLLOUT_RUNNING;
    record->retry_revision = view_revision(view);
    return text_replace(&record->reason, "", err);
}

static int plan(const struct view *view, const struct rollout_order *order,
                const struct record_rollout *known, struct record_rollout *record,
                struct error *err)
{
    switch (order->kind) {
    case ROLLOUT_ORDER_START:
    case ROLLOUT_ORDER_RESTART:
        return plan_begin(view, order, known, record, err);
    case ROLLOUT_ORDER_UNDO:
        return known ? plan_begin(view, order, known, record, err) : no_rollout(order->name, err);
    case ROLLOUT_ORDER_PAUSE:
        return known ? plan_pause(order, record, err) : no_rollout(order->name, err);
    case ROLLOUT_ORDER_RESUME:
        return known ? plan_resume(view, order, record, err) : no_rollout(order->name, err);
    case ROLLOUT_ORDER_INVALID:
        break;
    }
    return error_set(err, -EINVAL, "no such order: start, restart, undo, pause or resume");
}

int rollout_order_plan(const struct view *view, const struct rollout_order *order,
                       struct record_rollout *ret, struct error *err)
{
    autorecord(rollout) record = { 0 };
    const struct record_rollout *known = find_rollout(view, order->name);
    int r = unit_name_check(order->name, err);
    if (r < 0)
        return r;
    if (unit_name_is_instance(order->name)) {
        autofree char *template_name = unit_name_template(order->name);
        return error_set(err, -EINVAL, "%s is an instance; a rollout is of its template, %s",
                         order->name, template_name ? template_name : "");
    }
    r = known ? record_rollout_copy(known, &record, err) : 0;
    if (r == 0)
        r = plan(view, order, known, &record, err);
    if (r < 0)
        return r;
    *ret = record;
    record = (struct record_rollout){ 0 };
    return 0;
}
