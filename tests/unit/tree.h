/* SPDX-License-Identifier: Apache-2.0 */
/* What a test leaves behind on the disk. */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <ftw.h>
#include <stdio.h>

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

#endif
