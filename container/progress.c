/* SPDX-License-Identifier: Apache-2.0 */
#include "container/progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/log.h"

struct progress_news progress_step(struct progress *progress, int64_t now_ms, int64_t bytes)
{
    struct progress_news news = {
        .extend = bytes > progress->bytes ||
                  (progress->bound_ms && now_ms < progress->started_ms + progress->bound_ms),
    };
    news.line = news.extend && now_ms >= progress->line_at_ms;
    if (news.line)
        progress->line_at_ms = now_ms + PROGRESS_LINE_MS;
    /* A file that was given up makes it less: what comes after is news again. */
    progress->bytes = bytes;
    return news;
}

void progress_text(const struct progress *progress, int64_t now_ms, char ret[PROGRESS_TEXT_MAX])
{
    static const double mega = 1e6;
    if (progress->bound_ms)
        (void)snprintf(ret, PROGRESS_TEXT_MAX, "%" PRId64 " of %" PRId64 " s",
                       (now_ms - progress->started_ms) / 1000, progress->bound_ms / 1000);
    else if (progress->total_bytes)
        (void)snprintf(ret, PROGRESS_TEXT_MAX, "%.1f of %.1f MB", (double)progress->bytes / mega,
                       (double)progress->total_bytes / mega);
    else
        (void)snprintf(ret, PROGRESS_TEXT_MAX, "%.1f MB", (double)progress->bytes / mega);
}

static void on_alarm(int number)
{
    (void)number;
}

/* Without SA_RESTART: the interruption is what it is for. */
static void timer_set(time_t seconds)
{
    struct sigaction action = { .sa_handler = seconds ? on_alarm : SIG_DFL };
    const struct itimerval timer = { .it_interval.tv_sec = seconds, .it_value.tv_sec = seconds };
    if (seconds)
        (void)sigaction(SIGALRM, &action, NULL);
    (void)setitimer(ITIMER_REAL, &timer, NULL);
    if (!seconds)
        (void)sigaction(SIGALRM, &action, NULL);
}

static int64_t measure(const struct progress *progress)
{
    return progress->measure ? progress->measure(progress->of) : 0;
}

void progress_start(struct progress *progress)
{
    progress->bytes = measure(progress);
    progress->started_ms = clock_mono_ms();
    progress->line_at_ms = progress->started_ms + PROGRESS_LINE_MS;
    timer_set(1);
}

void progress_tick(struct progress *progress)
{
    if (!progress)
        return;
    char text[PROGRESS_TEXT_MAX];
    int64_t now_ms = clock_mono_ms();
    struct progress_news news = progress_step(progress, now_ms, measure(progress));
    progress_text(progress, now_ms, text);
    if (news.extend)
        (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRId64 "\nSTATUS=muster-container: %s: %s",
                         (int64_t)PROGRESS_EXTENSION_MS * 1000, progress->what, text);
    if (news.line)
        log_info("%s: %s", progress->what, text);
}

void progress_stop(struct progress *progress)
{
    (void)progress;
    timer_set(0);
}
