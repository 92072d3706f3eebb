/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An sd-bus connection inside the loop.
 *
 * sd-bus wants its descriptor, its events and its timeout read anew after every use, so the bridge
 * does it before each wait of the loop, and drains sd_bus_process() whenever one of them fires.
 */
#ifndef BASE_LOOP_BUS_H
#define BASE_LOOP_BUS_H

#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/loop.h"

struct loop_bus;

/* Called once when the connection is lost or processing fails (code: negative errno). Free the
 * bridge and connect anew; it may be freed from here. */
typedef void (*loop_bus_lost_fn)(struct loop_bus *bridge, int code, void *userdata);

/* Keeps its own reference to the bus. */
int loop_bus_new(struct loop *loop, sd_bus *bus, loop_bus_lost_fn on_lost, void *userdata,
                 struct loop_bus **ret, struct error *err);
void loop_bus_free(struct loop_bus *bridge);
DEFINE_AUTOPTR(loop_bus);

#endif
