/* SPDX-License-Identifier: Apache-2.0 */
/* A test's directory, and what a test leaves behind on the disk. */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int tree_forget_one(const char *path, const struct stat *st, int type,
                                  struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

/* Removes path and all below it, as far as it can be. */
static inline void tree_forget(const char *path)
{
    (void)nftw(path, tree_forget_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* For cmocka: each test has an empty directory of its own, whose path is *state, and fails if
 * something of it cannot be removed. */
static inline int tree_setup(void **state)
{
    *state = strdup("/tmp/muster-test.XXXXXX");
    return *state && mkdtemp(*state) ? 0 : -1;
}

static inline int tree_teardown(void **state)
{
    int r = nftw(*state, tree_forget_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return r;
}

#endif
