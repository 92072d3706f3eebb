/* SPDX-License-Identifier: Apache-2.0 */
/* A cloud-config from the bytes to the plan. Besides not crashing, a plan may only write absolute,
 * clean paths, and every line of the agent's drop-in must be one that we know how to write. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cloud-config/fleet.h"
#include "cloud-config/model.h"
#include "cloud-config/paths.h"
#include "cloud-config/plan.h"
#include "cloud-config/report.h"
#include "cloud-config/substitute.h"
#include "cloud-config/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void examine_drop_in(const char *text)
{
    autostrv lines = NULL;
    if (strv_split(text, "\n", &lines, NULL) < 0)
        return;
    for (size_t i = 0; lines && lines[i]; i++)
        require(i == 0 ? strcmp(lines[i], "[Service]") == 0
                       : text_starts_with(lines[i], "Environment=\"FLEET_") &&
                             text_ends_with(lines[i], "\""));
}

static void examine_step(const struct step *step)
{
    if (step->kind != STEP_WRITE)
        return;
    autofree char *clean = path_clean(step->path);
    require(!clean || strcmp(clean, step->path) == 0);
}

static void plan_document(const struct node *root)
{
    autoptr(model) model = NULL;
    autoptr(plan) plan = NULL;
    if (model_build(root, &model, NULL) < 0 || plan_build(model, &plan, NULL) < 0)
        return;
    examine_drop_in(model->fleet_drop_in);
    for (size_t i = 0; i < plan->count; i++)
        examine_step(&plan->steps[i]);
    autotext text = { 0 };
    plan_print(plan, &text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autoptr(node) root = NULL;
    autoreport report = { 0 };
    struct addresses addresses = {
        .values = {"192.0.2.1", "10.0.0.7\n\"", NULL, "fd00::1"}
    };
    int line;
    if (document_parse((const char *)data, size, &root, &line, NULL) < 0)
        return 0;
    if (substitute_document(root, &addresses, NULL) < 0 ||
        validate_document(root, &report, NULL) < 0)
        return 0;
    validate_unapplied(root, &report);
    report_sort(&report);
    autotext text = { 0 };
    report_print(&report, &text);
    if (!report_forbids_apply(&report))
        plan_document(root);
    return 0;
}
