/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"
#include "api/view.h"
#include "base/json.h"

static size_t count_of(const struct view *view, enum store_key_kind kind)
{
    size_t count = 0;
    (void)view_list(view, kind, &count);
    return count;
}

static json_t *leader_json(const struct view *view)
{
    const struct view_entry *leader = view_find(view, STORE_KEY_LEADER, "", "");
    if (!leader)
        return json_null();
    return json_pack("{s:s, s:I}", "machine", leader->record.leader.machine, "epoch",
                     (json_int_t)leader->mod);
}

static void on_view(struct call *call, const struct view *view)
{
    const struct api *api = call->api;
    json_t *daemon = api->daemon_status ? api->daemon_status(api->userdata) : NULL;
    call_reply(call, 200,
               json_pack("{s:s, s:s, s:o, s:I, s:{s:I,s:I,s:I,s:I}, s:o, s:o}", "version",
                         api->version, "machine", api->machine_id, "leader", leader_json(view),
                         "revision", (json_int_t)view_revision(view), "counts", "machines",
                         (json_int_t)count_of(view, STORE_KEY_MEMBER), "present",
                         (json_int_t)count_of(view, STORE_KEY_PRESENCE), "units",
                         (json_int_t)count_of(view, STORE_KEY_UNIT), "unplaced",
                         (json_int_t)count_of(view, STORE_KEY_VERDICT), "problems",
                         json_from_strv(view_problems(view)), "daemon",
                         daemon ? daemon : json_null()));
}

/* What the daemon knows of itself and of its way to the store is wanted most when the store does
 * not answer. */
static void on_no_view(struct call *call, const char *reason)
{
    const struct api *api = call->api;
    json_t *daemon = api->daemon_status ? api->daemon_status(api->userdata) : NULL;
    call_reply(call, 200,
               json_pack("{s:s, s:s, s:s, s:o}", "version", api->version, "machine",
                         api->machine_id, "store_problem", reason, "daemon",
                         daemon ? daemon : json_null()));
}

void status_show(struct call *call)
{
    call->on_no_view = on_no_view;
    call_with_view(call, on_view);
}

/* That the daemon's loop turns; whether the store answers is /v1/status's to say. */
void status_health(struct call *call)
{
    call_reply(call, 200, json_pack("{s:s}", "status", "ok"));
}
