/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Relocations inside a segment that is not writable (DT_TEXTREL) would be lost with its pages. */
static bool has_text_relocations(const struct dl_phdr_info *object)
{
    for (int i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *entry = (const void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_TEXTREL ||
                (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_TEXTREL))
                return true;
    }
    return false;
}

/* Only segments that were never writable: those hold nothing but what is in the file. What the
 * dynamic linker has relocated and then protected is part of a writable one. */
static int give_back_object(struct dl_phdr_info *object, size_t size, void *page_size)
{
    uintptr_t page = *(const uintptr_t *)page_size;
    (void)size;
    if (has_text_relocations(object))
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
            continue;
        uintptr_t from = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t to = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz) & ~(page - 1);
        if (to > from)
            (void)madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

/* So much of its beginning that it is worth large pages: clearing one costs as much as providing
 * a hundred small ones. */
static size_t worth_large_pages(size_t bytes)
{
    enum { WORTH = 512 << 10 };
    size_t rest = bytes % MEMORY_LARGE_PAGE;
    return bytes - rest + (rest >= WORTH ? MEMORY_LARGE_PAGE : 0);
}

void *memory_reserve(size_t bytes, size_t sure)
{
    size_t large = worth_large_pages(sure);
    if (large == 0)
        return malloc(bytes);
    size_t over = bytes % MEMORY_LARGE_PAGE;
    char *memory =
        aligned_alloc(MEMORY_LARGE_PAGE, over > 0 ? bytes - over + MEMORY_LARGE_PAGE : bytes);
    if (memory)
        (void)madvise(memory, large, MADV_HUGEPAGE);
    return memory;
}

void *memory_large_page(void)
{
    void *memory = aligned_alloc(MEMORY_LARGE_PAGE, MEMORY_LARGE_PAGE);
    if (memory)
        (void)madvise(memory, MEMORY_LARGE_PAGE, MADV_HUGEPAGE);
    return memory;
}

void memory_provide(void *memory, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)memory + page - 1) & ~(page - 1);
    uintptr_t to = ((uintptr_t)memory + bytes) & ~(page - 1);
    if (to > from)
        (void)madvise((void *)from, to - from, MADV_POPULATE_WRITE);
}

static size_t more_room(size_t room, size_t wanted)
{
    size_t more = room > 0 ? room * 2 : 64;
    return more < wanted ? wanted : more;
}

void *memory_grow_pointers(void *array, size_t count, size_t *room)
{
    if (count < *room)
        return array;
    size_t more = more_room(*room, 0);
    void *grown = reallocarray(array, more, sizeof(void *));
    if (grown)
        *room = more;
    return grown;
}

void *memory_expect_pointers(void *array, size_t count, size_t more, size_t *room)
{
    if (more <= *room - count)
        return array;
    size_t wanted = more_room(*room, count + more);
    void **grown = memory_reserve(wanted * sizeof(*grown), (count + more) * sizeof(*grown));
    if (!grown)
        return NULL;
    if (count > 0)
        memcpy(grown, array, count * sizeof(*grown));
    free(array);
    *room = wanted;
    memory_provide(&grown[count], more * sizeof(*grown));
    return grown;
}

void memory_give_back(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(give_back_object, &page);
}
