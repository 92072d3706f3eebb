/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a secret is given away with memory that is freed. For a test program that is linked with
 * -Wl,--wrap=free, in its main file.
 */
#ifndef TESTS_UNIT_SECRET_H
#define TESTS_UNIT_SECRET_H

#include <malloc.h>
#include <stdbool.h>
#include <string.h>

static const char *secret; /* NULL: nothing is looked for */
static bool secret_was_left;

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
    if (secret && memory)
        secret_was_left |=
            memmem(memory, malloc_usable_size(memory), secret, strlen(secret)) != NULL;
    __real_free(memory);
}

#endif
