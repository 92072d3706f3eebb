/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_wire.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

/* The codes of gRPC that etcd answers with. */
enum grpc_code {
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_NOT_FOUND = 5,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_FAILED_PRECONDITION = 9,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_UNAVAILABLE = 14,
    GRPC_UNAUTHENTICATED = 16,
};

struct meaning {
    int grpc;
    const char *words; /* in the message; NULL: any */
    int code;
    const char *cure; /* for the operator, or NULL */
};

static const char too_large_cure[] = "etcd's --max-request-bytes, 1.5 MiB by default, bounds it";
static const char no_space_cure[] =
    "the quota is used up: compact (etcdctl compaction REVISION), then etcdctl defrag on every "
    "member, then etcdctl alarm disarm; or raise --quota-backend-bytes";

/* First match wins. What is not here has an unknown outcome: to call a lost answer "did not happen"
 * would be the only dangerous mistake. */
static const struct meaning meanings[] = {
    {GRPC_UNAVAILABLE,          "no leader",             -EAGAIN,      NULL                              },
    { GRPC_INVALID_ARGUMENT,    "too many operations",   -E2BIG,       "etcd's --max-txn-ops"            },
    { GRPC_INVALID_ARGUMENT,    "too large",             -E2BIG,       too_large_cure                    },
    { GRPC_INVALID_ARGUMENT,    "user name is empty",    -EKEYEXPIRED, NULL                              },
    { GRPC_INVALID_ARGUMENT,    "auth store is old",     -EKEYEXPIRED, NULL                              },
    { GRPC_INVALID_ARGUMENT,    "authentication failed", -EACCES,      NULL                              },
    { GRPC_INVALID_ARGUMENT,    NULL,                    -EINVAL,      NULL                              },
    { GRPC_NOT_FOUND,           NULL,                    -ENOENT,      NULL                              },
    { GRPC_PERMISSION_DENIED,   NULL,                    -EACCES,      "grant the user's role these keys"},
    { GRPC_UNAUTHENTICATED,     NULL,                    -EKEYEXPIRED, NULL                              },
    { GRPC_RESOURCE_EXHAUSTED,  "space exceeded",        -ENOSPC,      no_space_cure                     },
    { GRPC_RESOURCE_EXHAUSTED,  "too many requests",     -EAGAIN,      NULL                              },
    { GRPC_RESOURCE_EXHAUSTED,  "larger than max",       -E2BIG,       too_large_cure                    },
    { GRPC_FAILED_PRECONDITION, "lease already exists",  -EEXIST,      NULL                              },
    { GRPC_FAILED_PRECONDITION, "is not enabled",        -EOPNOTSUPP,  NULL                              },
    { GRPC_FAILED_PRECONDITION, NULL,                    -EINVAL,      NULL                              },
    { GRPC_OUT_OF_RANGE,        "compacted",             -ERANGE,      NULL                              },
    { GRPC_OUT_OF_RANGE,        "future revision",       -EREMCHG,     NULL                              },
    { GRPC_OUT_OF_RANGE,        NULL,                    -EINVAL,      NULL                              },
    { GRPC_UNIMPLEMENTED,       NULL,                    -EPROTO,      NULL                              },
};

static struct meaning find_meaning(int grpc, const char *message)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        const struct meaning *m = &meanings[i];
        if ((int)m->grpc == grpc && (!m->words || strstr(message, m->words)))
            return *m;
    }
    return (struct meaning){ .code = -ETIMEDOUT };
}

/* What somebody else says may have ends of line in it, and what a terminal obeys. */
static int as_line(struct error *err, int code)
{
    if (err)
        text_make_line(err->text);
    return code;
}

int kv_wire_read_failure(int grpc_status, const char *message, struct error *err)
{
    struct meaning meaning = find_meaning(grpc_status, message);
    int r = error_set(err, meaning.code, "the store says (gRPC %d): %s%s%s%s", grpc_status, message,
                      meaning.cure ? " (" : "", meaning.cure ? meaning.cure : "",
                      meaning.cure ? ")" : "");
    return as_line(err, r);
}

/* Who redirects or refuses has not handed the request on. Not so a proxy that gave up waiting (408,
 * 499), one in trouble (5xx), or one that lost what makes an answer gRPC's on its way (2xx). */
static bool is_refusal(long http_status)
{
    enum { FIRST = 300, REQUEST_TIMEOUT = 408, CLIENT_CLOSED_REQUEST = 499, END = 500 };
    return http_status >= FIRST && http_status < END && http_status != REQUEST_TIMEOUT &&
           http_status != CLIENT_CLOSED_REQUEST;
}

int kv_wire_read_foreign(long http_status, const char *body, size_t length, struct error *err)
{
    enum { WORDS_MAX = 200 };
    autofree char *words = strndup(body ? body : "", length < WORDS_MAX ? length : WORDS_MAX);
    if (!words)
        return error_oom(err);
    int r = error_set(err, is_refusal(http_status) ? -EPROTO : -ETIMEDOUT,
                      "an answer that is not etcd's gRPC (HTTP %ld): %s", http_status,
                      text_trim(words));
    return as_line(err, r);
}
