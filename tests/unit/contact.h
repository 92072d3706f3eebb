/* SPDX-License-Identifier: Apache-2.0 */
/* The contact of one to whom the store has always answered, and always will. */
#ifndef TESTS_UNIT_CONTACT_H
#define TESTS_UNIT_CONTACT_H

#include "base/contact.h"

static const struct contact contact_always = { .heard_ms = INT64_MAX };

#endif
