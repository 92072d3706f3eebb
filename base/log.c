/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/journal.h"

enum { LOG_LINE_MAX = 2048 };

static enum log_level level_max = LOG_LEVEL_INFO;
static bool by_stream;
static log_sink_fn sink;
static void *sink_userdata;

void log_set_level(enum log_level level)
{
    level_max = level;
}

void log_use_stream(void)
{
    by_stream = true;
}

void log_set_sink(log_sink_fn fn, void *userdata)
{
    sink = fn;
    sink_userdata = userdata;
}

/* systemd names device and inode of the journal's stream in JOURNAL_STREAM; if stderr is something
 * else by now (a terminal, a file), the line goes there. */
static int stderr_is_journal(void)
{
    static int known = -1;
    if (known >= 0)
        return known;
    known = 0;
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char actual[64];
    if (stream && fstat(STDERR_FILENO, &st) == 0) {
        (void)snprintf(actual, sizeof(actual), "%ju:%ju", (uintmax_t)st.st_dev,
                       (uintmax_t)st.st_ino);
        known = strcmp(stream, actual) == 0;
    }
    return known;
}

static struct journal *journal_get(void)
{
    static struct journal journal = { .fd = -1 };
    return journal.fd >= 0 || journal_init(&journal, JOURNAL_SOCKET, NULL) == 0 ? &journal : NULL;
}

static void write_journal(enum log_level level, const struct log_fields *fields, const char *line)
{
    char message[LOG_LINE_MAX + 16];
    char priority[16];
    char identifier[80];
    char unit[300];
    char machine[64];
    char epoch[40];
    const char *parts[7];
    int n = 0;
    struct journal *journal = journal_get();
    if (!journal)
        return;
#define add_field(buffer, ...)                                 \
    do {                                                       \
        (void)snprintf((buffer), sizeof(buffer), __VA_ARGS__); \
        parts[n++] = (buffer);                                 \
    } while (0)
    add_field(message, "MESSAGE=%s", line);
    add_field(priority, "PRIORITY=%d", (int)level);
    add_field(identifier, "SYSLOG_IDENTIFIER=%s", program_invocation_short_name);
    if (fields && fields->unit)
        add_field(unit, "UNIT=%s", fields->unit);
    if (fields && fields->machine)
        add_field(machine, "MACHINE=%s", fields->machine);
    if (fields && fields->epoch)
        add_field(epoch, "LEADER_EPOCH=%" PRId64, fields->epoch);
#undef add_field
    parts[n] = NULL;
    (void)journal_send(journal, parts);
}

static bool goes_to_journal(void)
{
    return stderr_is_journal() && !by_stream;
}

void log_flush(void)
{
    struct journal *journal = goes_to_journal() ? journal_get() : NULL;
    if (journal)
        (void)journal_flush(journal);
}

/* In one piece and as it is: a leader has a line for each unit that it places. */
static void write_stderr(const char *prefix, const char *separator, const char *line)
{
    const struct iovec pieces[] = {
        {(void *)prefix,     strlen(prefix)   },
        { (void *)separator, strlen(separator)},
        { (void *)line,      strlen(line)     },
        { (void *)"\n",      1                },
    };
    (void)!writev(STDERR_FILENO, pieces, sizeof(pieces) / sizeof(pieces[0]));
}

void log_write(enum log_level level, const struct log_fields *fields, const char *format, ...)
{
    if (level > level_max)
        return;
    char line[LOG_LINE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (sink)
        sink(line, sink_userdata);
    else if (goes_to_journal())
        write_journal(level, fields, line);
    else if (stderr_is_journal())
        (void)fprintf(stderr, "<%d>%s\n", (int)level, line); /* sd-daemon(3)'s prefix */
    else
        write_stderr(fields && fields->unit ? fields->unit : "", fields && fields->unit ? ": " : "",
                     line);
}
