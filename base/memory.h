/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, as the kernel sees it: giving back what only a program's start needed, and taking a lot;
 * and what grows. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

enum { MEMORY_LARGE_PAGE = 2 << 20 };

/* Unmaps the pages of code, symbol tables and constants of the program and its libraries, which are
 * all backed by their files: what is still in use comes back at its next touch from the page cache,
 * and what only the dynamic linker and the initialisers read stays out. Frees what malloc keeps at
 * the end of its heap. For a process that then idles for long: most of a small daemon's resident
 * set is such pages. Never changes what the program sees. */
void memory_give_back(void);

/* malloc() for what is written from its beginning, as far as need be: what is not written costs
 * nothing. As much of it as is sure to be written lies on large pages, if the kernel has some and
 * it is enough to be worth them, since each small one costs as much as hundreds of words of work.
 * NULL if there is no memory. Caller frees. */
void *memory_reserve(size_t bytes, size_t sure);

/* One large page, aligned, or as much in small ones where the kernel has none to give. What is read
 * here and there needs one address translated for all of it. NULL if there is no memory. Caller
 * frees. */
void *memory_large_page(void);

/* This much of it is about to be written: the kernel provides its pages in one go, which it does
 * for a fraction of what each costs when it is met unprovided. Only that depends on it. */
void memory_provide(void *memory, size_t bytes);

/* An array of pointers with room for one more than count, and then for many: itself, or grown, and
 * room says so. NULL if there is no memory: then it is what it was. */
void *memory_grow_pointers(void *array, size_t count, size_t *room);
/* The same for so many more that are about to come; if it is grown, their pages are provided. */
void *memory_expect_pointers(void *array, size_t count, size_t more, size_t *room);

#endif
