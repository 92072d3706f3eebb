/* SPDX-License-Identifier: Apache-2.0 */
/* Giving memory back that only a program's start needed. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/* Unmaps the pages of code, symbol tables and constants of the program and its libraries, which are
 * all backed by their files: what is still in use comes back at its next touch from the page cache,
 * and what only the dynamic linker and the initialisers read stays out. Frees what malloc keeps at
 * the end of its heap. For a process that then idles for long: most of a small daemon's resident
 * set is such pages. Never changes what the program sees. */
void memory_give_back(void);

#endif
