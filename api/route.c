/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"

#include <errno.h>
#include <string.h>

static const struct route {
    const char *method;
    const char *pattern;
    void (*handle)(struct call *call);
} routes[] = {
    {"GET",     "/healthz",                   status_health         },
    { "GET",    "/v1/status",                 status_show           },
    { "GET",    "/v1/machines",               machines_list         },
    { "GET",    "/v1/machines/{name}",        operations_machine    },
    { "PUT",    "/v1/machines/{name}/cordon", operations_cordon     },
    { "DELETE", "/v1/machines/{name}/cordon", operations_uncordon   },
    { "PUT",    "/v1/machines/{name}/drain",  operations_drain      },
    { "GET",    "/v1/units",                  units_list            },
    { "GET",    "/v1/brake",                  operations_brake      },
    { "PUT",    "/v1/brake",                  operations_set_brake  },
    { "GET",    "/v1/rebalance",              operations_rebalance  },
    { "PUT",    "/v1/rebalance",              operations_set_mode   },
    { "POST",   "/v1/units",                  changes_submit        },
    { "GET",    "/v1/units/{name}",           units_show            },
    { "DELETE", "/v1/units/{name}",           changes_destroy       },
    { "GET",    "/v1/units/{name}/why",       units_why             },
    { "POST",   "/v1/plan",                   plan_show             },
    { "POST",   "/v1/desired",                changes_desired       },
    { "GET",    "/v1/roles",                  roles_list            },
    { "PUT",    "/v1/roles/{name}",           operations_set_role   },
    { "DELETE", "/v1/roles/{name}",           operations_remove_role},
    { "GET",    "/v1/rollouts",               rollouts_list         },
    { "GET",    "/v1/rollouts/{name}",        rollouts_show         },
    { "PUT",    "/v1/rollouts/{name}",        rollouts_order        },
    { "GET",    "/v1/wait",                   waits_start           },
    { "GET",    "/fleet/v1/machines",         machines_fleet_list   },
    { "GET",    "/fleet/v1/units",            units_fleet_list      },
    { "GET",    "/fleet/v1/units/{name}",     units_fleet_show      },
    { "PUT",    "/fleet/v1/units/{name}",     changes_fleet_put     },
    { "DELETE", "/fleet/v1/units/{name}",     changes_fleet_destroy },
    { "GET",    "/fleet/v1/state",            states_fleet_list     },
    { "GET",    "/fleet/v1/state/{name}",     states_fleet_show     },
};

int route_match(const char *pattern, const char *path, char **ret_name)
{
    static const char variable[] = "{name}";
    const char *at = strstr(pattern, variable);
    if (!at) {
        if (!text_equal(pattern, path))
            return -ENOENT;
        *ret_name = NULL;
        return 0;
    }
    size_t before = (size_t)(at - pattern);
    if (strncmp(pattern, path, before) != 0)
        return -ENOENT;
    size_t length = strcspn(path + before, "/");
    if (!length || !text_equal(at + strlen(variable), path + before + length))
        return -ENOENT;
    char *name = strndup(path + before, length);
    if (!name)
        return -ENOMEM;
    *ret_name = name;
    return 0;
}

void route_call(struct call *call)
{
    autotext allowed = { 0 };
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        autofree char *name = NULL;
        int r = route_match(routes[i].pattern, call->path, &name);
        if (r == -ENOMEM) {
            call_fail_code(call, r, "out of memory");
            return;
        }
        if (r < 0)
            continue;
        if (text_equal(routes[i].method, call->method)) {
            call->name = take_ptr(name);
            routes[i].handle(call);
            return;
        }
        text_addf(&allowed, "%s%s", allowed.length ? ", " : "", routes[i].method);
    }
    if (allowed.length)
        call_fail(call, 405, "only %s supported against this resource", allowed.data);
    else
        call_fail(call, 404, "no such resource: %s", call->path);
}
