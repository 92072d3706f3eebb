/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"
#include "api/suppose.h"
#include "base/json.h"

static void on_plan(struct call *call, const struct view *view)
{
    autojson input = NULL;
    struct error err;
    json_t *body = NULL;
    if (call_input(call, &input) < 0)
        return;
    int r = suppose(view, json_object_get(input, "units"), &body, &err);
    if (r < 0)
        call_fail_input(call, r, err.text);
    else
        call_reply(call, 200, body);
}

void plan_show(struct call *call)
{
    call_with_texts(call, on_plan);
}
