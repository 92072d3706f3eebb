/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a program: to the journal with fields where stderr is the journal, else lines on
 * stderr.
 *
 * Only programs log (agent/, and main functions); libraries return errors. A line reads
 * "subject: what happened, what we do now". The fields UNIT=, MACHINE= and LEADER_EPOCH= tell one
 * failover's story in one query.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

struct log_fields {
    const char *unit;    /* or NULL */
    const char *machine; /* or NULL */
    int64_t epoch;       /* or 0 */
};

/* Lines above this level are dropped. The default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

/* For a program that ends at once: lines go by the stream that systemd opened for its unit. The
 * journal looks up whose a message of its own protocol is when it reads it, and of a process that
 * has ended by then it is nobody's. */
void log_use_stream(void);

/* Lines that the journal could not take at once wait in memory (journal.h); they are offered again
 * with each further line, and by this. */
void log_flush(void);

/* For tests that run a whole cluster: lines go there instead; NULL: no more. */
typedef void (*log_sink_fn)(const char *line, void *userdata);
void log_set_sink(log_sink_fn fn, void *userdata);

void log_write(enum log_level level, const struct log_fields *fields, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, NULL, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)
#define log_unit(level, name, ...) \
    log_write((level), &(struct log_fields){ .unit = (name) }, __VA_ARGS__)

#endif
