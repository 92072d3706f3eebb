/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of settings, lines of KEY = VALUE, and values of musterd's settings: one reader each, so
 * that whoever writes a configuration (muster-cloudinit) judges it as musterd, which has to live
 * with it, will.
 *
 * Each reader of a value returns -EINVAL with the value and what would be right; a caller adds the
 * key. ret is written only on success.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <stdint.h>

#include "base/error.h"

enum { SETTING_VERBOSITY_MAX = 9 };

typedef int (*setting_set_fn)(void *userdata, const char *key, const char *value,
                              struct error *err);

/* Calls set for each line of KEY = VALUE; spaces around either and quotes around the value are
 * taken off, empty lines and those that begin with '#' or ';' left out. -ENOENT: there is no such
 * file. Errors name the file, and those of set the line. */
int settings_read_file(const char *path, setting_set_fn set, void *userdata, struct error *err);

/* Returns -EINVAL: key is none of names (ends with NULL), of which the nearest is suggested. */
int settings_unknown_key(const char *key, const char *const *names, struct error *err);

/* A Go duration of whole seconds from 2s to 1h. */
int setting_read_ttl(const char *value, int64_t *ret_ms, struct error *err);

/* Seconds with a fraction, 0.1 to 60. */
int setting_read_timeout(const char *value, int64_t *ret_ms, struct error *err);

/* URLs with http:// or https:// between commas, also in the JSON-like form that fleet took:
 * ["http://a", "http://b"]. At least one, and no user or password in them; caller frees with
 * strv_free(). */
int setting_read_servers(const char *value, char ***ret, struct error *err);

/* Begins with '/'; *ret also ends in one. Caller frees. */
int setting_read_key_prefix(const char *value, char **ret, struct error *err);

/* 0 to 9. */
int setting_read_verbosity(const char *value, unsigned int *ret, struct error *err);

#endif
