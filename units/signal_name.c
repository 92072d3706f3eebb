/* SPDX-License-Identifier: Apache-2.0 */
#include "units/signal_name.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { REAL_TIME_MAX = 30 };

static const char real_time[] = "SIGRTMIN+";

static const struct {
    int number;
    const char *name;
} signals[] = {
    {SIGHUP,     "SIGHUP"   },
    { SIGINT,    "SIGINT"   },
    { SIGQUIT,   "SIGQUIT"  },
    { SIGILL,    "SIGILL"   },
    { SIGTRAP,   "SIGTRAP"  },
    { SIGABRT,   "SIGABRT"  },
    { SIGBUS,    "SIGBUS"   },
    { SIGFPE,    "SIGFPE"   },
    { SIGKILL,   "SIGKILL"  },
    { SIGUSR1,   "SIGUSR1"  },
    { SIGSEGV,   "SIGSEGV"  },
    { SIGUSR2,   "SIGUSR2"  },
    { SIGPIPE,   "SIGPIPE"  },
    { SIGALRM,   "SIGALRM"  },
    { SIGTERM,   "SIGTERM"  },
    { SIGCHLD,   "SIGCHLD"  },
    { SIGCONT,   "SIGCONT"  },
    { SIGSTOP,   "SIGSTOP"  },
    { SIGTSTP,   "SIGTSTP"  },
    { SIGTTIN,   "SIGTTIN"  },
    { SIGTTOU,   "SIGTTOU"  },
    { SIGURG,    "SIGURG"   },
    { SIGXCPU,   "SIGXCPU"  },
    { SIGXFSZ,   "SIGXFSZ"  },
    { SIGVTALRM, "SIGVTALRM"},
    { SIGPROF,   "SIGPROF"  },
    { SIGWINCH,  "SIGWINCH" },
    { SIGIO,     "SIGIO"    },
    { SIGPWR,    "SIGPWR"   },
    { SIGSYS,    "SIGSYS"   },
};

enum { SIGNAL_COUNT = sizeof(signals) / sizeof(signals[0]) };

/* systemd writes real-time signals so; an image may say the numbers. number: 0 where it is a name.
 */
static const char *real_time_name(const char *text, uint64_t number)
{
    static char name[sizeof(real_time) + 2];
    const char *plain = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    uint64_t offset = number - (uint64_t)SIGRTMIN;
    if (number == 0 && (strncasecmp(plain, "RTMIN+", 6) != 0 ||
                        text_parse_u64(plain + 6, REAL_TIME_MAX, &offset, NULL) < 0))
        return NULL;
    if (offset > REAL_TIME_MAX)
        return NULL;
    (void)snprintf(name, sizeof(name), "%s%d", real_time, (int)offset);
    return name;
}

const char *signal_name_find(const char *text)
{
    uint64_t number = 0;
    if (text_parse_u64(text, (uint64_t)SIGRTMIN + REAL_TIME_MAX, &number, NULL) < 0)
        number = 0;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        if (number == (uint64_t)signals[i].number || strcasecmp(text, signals[i].name) == 0 ||
            strcasecmp(text, signals[i].name + 3) == 0)
            return signals[i].name;
    return real_time_name(text, number);
}

int signal_name_number(const char *name)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        if (strcmp(signals[i].name, name) == 0)
            return signals[i].number;
    if (text_starts_with(name, real_time) &&
        text_parse_u64(name + strlen(real_time), REAL_TIME_MAX, &offset, NULL) == 0)
        return SIGRTMIN + (int)offset;
    return -EINVAL;
}
