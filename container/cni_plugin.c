/* SPDX-License-Identifier: Apache-2.0 */
#include "container/cni_plugin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "container/process.h"

static const char plugins_package[] = "containernetworking-plugins";

/* Absolute; the first directory that has it counts. */
static int program_find(const char *type, char **ret, struct error *err)
{
    autostrv directories = NULL;
    int r = strv_split(CNI_PATH, ":", &directories, err);
    for (char **directory = directories; r == 0 && *directory; directory++) {
        autofree char *path = text_format("%s/%s", *directory, type);
        if (!path)
            return error_oom(err);
        if (access(path, X_OK) < 0)
            continue;
        *ret = take_ptr(path);
        return 0;
    }
    return r < 0 ? r
                 : error_set(err, -ENOENT,
                             "no such plugin in %s (Debian's package %s has the usual ones)",
                             CNI_PATH, plugins_package);
}

static int environment_build(const struct cni_call *call, const char *command, char ***ret,
                             struct error *err)
{
    const char *interface = json_string_value(json_object_get(call->request, "interface"));
    const char *path = getenv("PATH");
    autostrv list = NULL;
    int r = strv_addf(&list, err, "CNI_COMMAND=%s", command);
    if (r == 0)
        r = strv_addf(&list, err, "CNI_CONTAINERID=%s", call->container);
    if (r == 0)
        r = strv_addf(&list, err, "CNI_NETNS=%s", call->net_namespace);
    if (r == 0)
        r = strv_addf(&list, err, "CNI_IFNAME=%s", interface ? interface : "");
    if (r == 0)
        r = strv_add(&list, "CNI_PATH=" CNI_PATH, err);
    if (r == 0)
        r = strv_add(&list, "CNI_ARGS=IgnoreUnknown=1", err);
    if (r == 0 && path)
        r = strv_addf(&list, err, "PATH=%s", path);
    if (r == 0)
        *ret = take_ptr(list);
    return r;
}

static int input_open(const struct cni_call *call, size_t index, json_t *result, struct error *err)
{
    autojson input = NULL;
    autofree char *text = NULL;
    int r = cni_plugin_input(call->network, index, call->request, result, call->lease_directory,
                             &input, err);
    if (r == 0)
        r = json_write(input, &text, err);
    return r < 0 ? r : process_input(text, strlen(text), err);
}

static int explain(const char *complaint, struct error *err)
{
    autofree char *text = cni_failure_text(complaint, strlen(complaint));
    if (text)
        return error_set(err, -EIO, "%s", text);
    const char *newline = strchr(complaint, '\n');
    return error_set(err, -EIO, "%.*s",
                     (int)(newline ? newline - complaint : (ptrdiff_t)strlen(complaint)),
                     complaint);
}

/* Their complaint is what they answer, where everyone else's is on stderr. */
static int plugin_run(const struct cni_call *call, size_t index, const char *command,
                      json_t *result, char **ret, struct error *err)
{
    autofree char *program = NULL;
    autostrv environment = NULL;
    int r = program_find(cni_plugin_type(call->network, index), &program, err);
    if (r == 0)
        r = environment_build(call, command, &environment, err);
    if (r < 0)
        return r;
    autoclose int input = input_open(call, index, result, err);
    if (input < 0)
        return input;
    const struct process process = {
        .argv = (const char *const[]){program, NULL},
        .environment = environment,
        .package = plugins_package,
        .input = &input,
        .ret_output = ret,
        .complains_to_stdout = true,
        .explain = explain,
    };
    return process_run(&process, err);
}

static int plugin_failed(const struct cni_call *call, size_t index, int r, struct error *err)
{
    return error_prefix(err, r, "network %s: %s", call->network->name,
                        cni_plugin_type(call->network, index));
}

/* Without a port portmap has nothing to do, and takes a tenth of a second to find that out. */
static bool is_idle(const struct cni_call *call, size_t index)
{
    return strcmp(cni_plugin_type(call->network, index), "portmap") == 0 &&
           !json_object_get(call->request, "ports");
}

static int plugin_add(const struct cni_call *call, size_t index, json_t **result, struct error *err)
{
    autofree char *answer = NULL;
    json_t *next = NULL;
    int r = plugin_run(call, index, "ADD", *result, &answer, err);
    if (r == 0)
        r = cni_result_read(answer, strlen(answer), &next, err);
    if (r < 0)
        return plugin_failed(call, index, r, err);
    json_decref(*result);
    *result = next;
    return 0;
}

int cni_add(const struct cni_call *call, json_t **ret, struct error *err)
{
    autojson result = NULL;
    int r = 0;
    for (size_t i = 0; r == 0 && i < cni_plugin_count(call->network); i++)
        if (!is_idle(call, i))
            r = plugin_add(call, i, &result, err);
    if (r == 0 && !result)
        r = error_set(err, -EINVAL, "network %s: none of its plugins makes an interface",
                      call->network->name);
    if (r == 0)
        *ret = take_ptr(result);
    return r;
}

int cni_delete(const struct cni_call *call, json_t *result, struct error *err)
{
    int first = 0;
    for (size_t i = cni_plugin_count(call->network); i-- > 0;) {
        autofree char *answer = NULL;
        struct error reason = { 0 };
        if (is_idle(call, i))
            continue;
        int r = plugin_run(call, i, "DEL", result, &answer, &reason);
        /* One that is not here, and whose end nobody saw, has not been here. */
        if (r == -ENOENT && !result)
            continue;
        if (r < 0 && first == 0) {
            first = error_set(err, r, "%s", reason.text);
            (void)plugin_failed(call, i, r, err);
        }
    }
    return first;
}
