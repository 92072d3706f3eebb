/* SPDX-License-Identifier: Apache-2.0 */
/*
 * $private_ipv4, $public_ipv4, $private_ipv6 and $public_ipv6 in the values of a document.
 *
 * This is done to scalar values after parsing, never to the text before it: an address can
 * therefore not add a key, end a quote, or turn a string into a number. "\$private_ipv4" stands for
 * the name itself. Keys, comments and !!binary values are left alone.
 */
#ifndef CLOUD_CONFIG_SUBSTITUTE_H
#define CLOUD_CONFIG_SUBSTITUTE_H

#include "base/error.h"
#include "cloud-config/document.h"

enum { ADDRESS_COUNT = 4 };

struct addresses {
    const char *values[ADDRESS_COUNT]; /* borrowed; NULL stands for "" */
    bool missed[ADDRESS_COUNT];        /* set where a NULL one was asked for */
};

/* From COREOS_PRIVATE_IPV4 and so on. */
void addresses_from_environment(struct addresses *ret);
const char *address_variable(size_t index); /* "COREOS_PRIVATE_IPV4" */
const char *address_name(size_t index);     /* "$private_ipv4" */

/* The text with every name replaced, owned by the caller; NULL if memory ran out. */
char *substitute_text(const char *text, struct addresses *addresses);

int substitute_document(struct node *node, struct addresses *addresses, struct error *err);

#endif
