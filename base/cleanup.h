/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locals that clean up after themselves. Declare in the innermost scope, initialise at once, and
 * hand over on the last lines with take_ptr() or take_fd().
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
    int saved = errno;
    free(*(void **)p);
    errno = saved;
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        (void)close(*fd);
        errno = saved;
    }
}

#define autofree  __attribute__((cleanup(cleanup_free)))
#define autoclose __attribute__((cleanup(cleanup_close), unused))

/* autoptr(foo) p = NULL; frees p with foo_free() at the end of its scope. The type must have been
 * named once by DEFINE_AUTOPTR(foo), which its header does beside foo_free(). */
#define autoptr(name) __attribute__((cleanup(cleanup_##name))) struct name *
#define DEFINE_AUTOPTR(name)                           \
    static inline void cleanup_##name(struct name **p) \
    {                                                  \
        if (*p)                                        \
            name##_free(*p);                           \
    }                                                  \
    struct name

/* The value of the variable, which no longer owns it. */
#define take_ptr(p)                 \
    ({                              \
        __typeof__(p) taken_ = (p); \
        (p) = NULL;                 \
        taken_;                     \
    })

#define take_fd(fd)        \
    ({                     \
        int taken_ = (fd); \
        (fd) = -1;         \
        taken_;            \
    })

#endif
