/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden cases: each folder of tests/golden/SUITE is one, with what is given and what is expected
 * of it. UPDATE_GOLDEN=1 writes what was made as what is expected: read the difference before you
 * commit it.
 */
#ifndef TESTS_UNIT_GOLDEN_H
#define TESTS_UNIT_GOLDEN_H

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/unit/harness.h"

enum { GOLDEN_MAX_BYTES = 2 << 20 };

/* Heap; the caller frees. */
static inline char *golden_path(const char *suite, const char *name, const char *file)
{
    const char *top = getenv("top_srcdir");
    char *path = text_format("%s/tests/golden/%s/%s/%s", top ? top : ".", suite, name, file);
    assert_non_null(path);
    return path;
}

/* A file of a case, ended by a 0 byte, which the caller frees; NULL if it is absent. Any other
 * failure ends the test. */
static inline char *golden_read(const char *suite, const char *name, const char *file,
                                size_t *ret_length)
{
    autofree char *path = golden_path(suite, name, file);
    char *text = NULL;
    struct error err = { 0 };
    int r = file_read(path, GOLDEN_MAX_BYTES, &text, ret_length, &err);
    if (r < 0 && r != -ENOENT)
        fail_msg("%s", err.text);
    return r < 0 ? NULL : text;
}

static inline void golden_write(const char *suite, const char *name, const char *file,
                                const char *text)
{
    autofree char *path = golden_path(suite, name, file);
    struct error err = { 0 };
    int r = text ? file_write(path, text, strlen(text), 0644, &err) : file_remove(path, &err);
    if (r < 0)
        fail_msg("%s", err.text);
}

/* Whether the file says what was made; NULL was made if the file has to be absent. What differs is
 * told. */
static inline bool golden_judge(const char *suite, const char *name, const char *file,
                                const char *made)
{
    if (getenv("UPDATE_GOLDEN"))
        golden_write(suite, name, file, made);
    autofree char *expected = golden_read(suite, name, file, NULL);
    if (text_equal(expected, made))
        return true;
    print_error("%s/%s/%s: expected\n%s\nmade\n%s\n", suite, name, file,
                expected ? expected : "(nothing)", made ? made : "(nothing)");
    return false;
}

static inline int golden_is_case(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Judges every case, in the order of their names; the test fails if one did. So that a case that is
 * lost does not go unseen, there have to be some number of them. */
static inline void golden_each(const char *suite, int at_least, bool (*judge)(const char *name))
{
    struct dirent **names = NULL;
    autofree char *folder = golden_path(suite, "", "");
    int count = scandir(folder, &names, golden_is_case, alphasort);
    int failed = 0;
    assert_true(count >= at_least);
    for (int i = 0; i < count; i++) {
        failed += !judge(names[i]->d_name);
        free(names[i]);
    }
    free(names);
    assert_int_equal(failed, 0);
}

#endif
