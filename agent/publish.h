/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine says of itself once it is registered: its members/ record, written only if it
 * differs, and the roles of its cloud-config, which seed those that the cluster does not have yet.
 * Where the cluster has another number, the cluster is right, and the difference is logged.
 */
#ifndef AGENT_PUBLISH_H
#define AGENT_PUBLISH_H

#include "agent/config.h"
#include "agent/machine.h"
#include "base/loop.h"
#include "kvclient/kv.h"

struct publish;

int publish_new(struct loop *loop, struct kv *kv, const struct config *config,
                const struct machine *machine, struct publish **ret, struct error *err);
void publish_free(struct publish *publish);
DEFINE_AUTOPTR(publish);

/* Says it (again); retries by itself until said. */
void publish_start(struct publish *publish);

#endif
