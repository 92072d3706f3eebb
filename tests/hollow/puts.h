/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a leader's assignments are measured by: as many puts, of keys and values as an assignment
 * has them, through the same client, as many in a transaction and as many transactions at a time.
 * They are written beside the cluster, and each function returns how many etcd took in a second.
 */
#ifndef TESTS_HOLLOW_PUTS_H
#define TESTS_HOLLOW_PUTS_H

#include "tests/hollow/store.h"

/* Puts and nothing else, of which nobody hears. */
double puts_bare(struct store *store, unsigned int units, unsigned int machines);

/* Below this, for who is to hear of them. */
#define PUTS_GUARDED_PREFIX "/guarded/"

/* The same under a leader's guards, which the cluster's own keys fulfil: in each transaction that
 * nobody else leads, that no unit has been written, and that its machines are the same still. */
double puts_guarded(struct store *store, unsigned int units, unsigned int machines);

/* Both kinds, so that the next are new again; a few at a time, since what etcd 3.4 has once kept of
 * a great transaction until it wrote its file it copies for each that follows. */
void puts_delete(struct store *store, unsigned int units, unsigned int machines);

#endif
