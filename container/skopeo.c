/* SPDX-License-Identifier: Apache-2.0 */
#include "container/skopeo.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "container/process.h"

enum {
    DETAIL_MAX = 240,
    FILE_READ_MS = 10 * 60 * 1000, /* for which systemd waits while an archive is read */
};

static const char auth_file[] = "/etc/muster/auth.json";

/* What words of skopeo's mean, the most telling first. */
static const struct {
    const char *words;
    int code;
    const char *lesson;
} lessons[] = {
    {"no space left on device",                    -ENOSPC, "the disk is full"                                      },
    { "disk quota exceeded",                       -ENOSPC, "the disk is full"                                      },
    { "policy.json: no such file",                 -EINVAL,
     "/etc/containers/policy.json is missing: install golang-github-containers-common"                              },
    { "rejected by policy",                        -EACCES, "/etc/containers/policy.json of this machine forbids it"},
    { "loading registries configuration",          -EINVAL,
     "/etc/containers/registries.conf of this machine is damaged"                                                   },
    { "unmarshaling JSON at",                      -EINVAL, "the file with the credentials is damaged"              },
    { "toomanyrequests",                           -EAGAIN,
     "the registry wants fewer requests, or credentials (/etc/muster/auth.json)"                                    },
    { "unauthorized",                              -EACCES,
     "the registry refuses the credentials, or wants some: put them into /etc/muster/auth.json "
      "(skopeo "
      "login --authfile), and see that the name is right"                                                           },
    { "authentication required",                   -EACCES,
     "the registry wants credentials: put them into /etc/muster/auth.json (skopeo login "
      "--authfile)"                                                                                                 },
    { "invalid username/password",                 -EACCES,
     "the registry refuses the credentials in /etc/muster/auth.json, or where skopeo finds them"                    },
    { "denied",                                    -EACCES,
     "the registry does not let these credentials have it, or has no such image"                                    },
    { "manifest unknown",                          -ENOENT, "its registry has no such image"                        },
    { "name unknown",                              -ENOENT, "its registry has no such image"                        },
    { "repository name not known",                 -ENOENT, "its registry has no such image"                        },
    { "StatusCode: 404",                           -ENOENT, "its registry has no such image"                        },
    { "no such file or directory",                 -ENOENT, "there is no such file on this machine"                 },
    { "file does not exist",                       -ENOENT, "it is not in the archive"                              },
    { "server gave HTTP response to HTTPS client", -EPROTO,
     "its registry does not speak TLS; if that is as it should be, say insecure = true for it in "
      "/etc/containers/registries.conf"                                                                             },
    { "certificate has expired",                   -EPROTO, "the certificate of its registry has expired"           },
    { "x509: ",                                    -EPROTO,
     "the certificate of its registry is not trusted; its authority goes into "
      "/etc/containers/certs.d/HOST[:PORT]/ca.crt"                                                                  },
    { "tls: ",                                     -EPROTO, "TLS with its registry fails"                           },
    { "Digest did not match",                      -EPROTO, "what came is not what its digest says"                 },
    { "context deadline exceeded",                 -EAGAIN,
     "its registry does not answer in time (registry_timeout in /etc/muster/container.conf)"                        },
    { "no such host",                              -EAGAIN, "the name of its registry is not known"                 },
    { "server misbehaving",                        -EAGAIN, "the name of its registry cannot be looked up"          },
    { "connection refused",                        -EAGAIN, "nothing listens where its registry should be"          },
    { "no route to host",                          -EAGAIN, "its registry cannot be reached"                        },
    { "network is unreachable",                    -EAGAIN, "its registry cannot be reached"                        },
    { "i/o timeout",                               -EAGAIN, "its registry does not answer"                          },
    { "connection reset",                          -EAGAIN, "the connection to its registry was lost"               },
    { "unexpected EOF",                            -EAGAIN, "the connection to its registry was lost"               },
};

/* The message of the last line in logrus' form, time="…" level=fatal msg="…", or else all of the
 * last line. */
static char *message_of(const char *complaint)
{
    static const char before[] = " msg=\"";
    autotext message = { 0 };
    const char *found = NULL;
    for (const char *next = complaint; (next = strstr(next, before)); next++)
        found = next;
    if (!found) {
        const char *end = complaint + strlen(complaint);
        while (end > complaint && (end[-1] == '\n' || end[-1] == ' '))
            end--;
        const char *line = end;
        while (line > complaint && line[-1] != '\n')
            line--;
        return strndup(line, (size_t)(end - line));
    }
    for (const char *c = found + strlen(before); *c && *c != '"' && *c != '\n'; c++) {
        if (*c == '\\' && c[1])
            c++;
        text_add_bytes(&message, c, 1);
    }
    return text_take(&message);
}

/* What it wraps around the fault names the image, as our own words do. */
static const char *without_wrapping(const char *message)
{
    static const char *const wrappings[] = { "Error parsing image name ", "initializing source ",
                                             NULL };
    for (const char *const *w = wrappings; *w; w++) {
        const char *past =
            text_starts_with(message, *w) ? strstr(message + strlen(*w), ": ") : NULL;
        if (past)
            message = past + 2;
    }
    return message;
}

/* The end of a long message says more than its beginning. */
static const char *tail(const char *message)
{
    size_t length = strlen(message);
    return length > DETAIL_MAX ? message + length - DETAIL_MAX : message;
}

int skopeo_explain(const char *complaint, struct error *err)
{
    autofree char *message = message_of(complaint);
    if (!message)
        return error_oom(err);
    const char *detail = tail(without_wrapping(message));
    for (size_t i = 0; i < sizeof(lessons) / sizeof(lessons[0]); i++)
        if (strstr(message, lessons[i].words))
            return error_set(err, lessons[i].code, "%s (skopeo: %s)", lessons[i].lesson, detail);
    return error_set(err, -EAGAIN, "skopeo: %s", *detail ? detail : "it failed without a word");
}

/* NULL: skopeo is to look where it does. *ret may be NULL on success. */
static int auth_file_find(char **ret, struct error *err)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    autofree char *credential = credentials ? text_format("%s/auth.json", credentials) : strdup("");
    if (!credential)
        return error_oom(err);
    *ret = NULL;
    if (getenv("REGISTRY_AUTH_FILE"))
        return 0;
    if (*credential && access(credential, F_OK) == 0)
        *ret = take_ptr(credential);
    else if (access(auth_file, F_OK) == 0)
        *ret = strdup(auth_file);
    else
        return 0;
    return *ret ? 0 : error_oom(err);
}

/* One run of it, and where its output goes (NULL: nowhere). */
struct order {
    const char *const *argv;
    struct progress *progress;
    char **ret;
    size_t *ret_length;
};

static int run(char *const *environment, const struct order *order, struct error *err)
{
    autofree char *auth = NULL;
    autostrv variables = NULL;
    int r = strv_copy(environment, &variables, err);
    if (r == 0)
        r = auth_file_find(&auth, err);
    if (r == 0 && auth)
        r = strv_addf(&variables, err, "REGISTRY_AUTH_FILE=%s", auth);
    if (r < 0)
        return r;
    const struct process process = {
        .argv = order->argv,
        .environment = variables,
        .package = "skopeo",
        .ret_output = order->ret,
        .ret_length = order->ret_length,
        .progress = order->progress,
        .explain = skopeo_explain,
    };
    return process_run(&process, err);
}

/* skopeo bounds itself; without that it would wait for a silent registry for ever. A file has an
 * end, and takes as long as it takes; there the bound is how long systemd is told to be patient. */
static int ask(const struct skopeo *skopeo, const char *const *words, const char *name,
               const struct order *asked, struct error *err)
{
    bool is_file = !text_starts_with(name, "docker://");
    const char *argv[8] = { "skopeo" };
    autofree char *bound = text_format("%" PRId64 "ms", skopeo->answer_ms);
    autofree char *what =
        text_format("%s: %s", skopeo->what, is_file ? "reading it" : "asking its registry");
    if (!bound || !what)
        return error_oom(err);
    size_t count = 1;
    if (!is_file) {
        argv[count++] = "--command-timeout";
        argv[count++] = bound;
    }
    for (; *words; words++)
        argv[count++] = *words;
    argv[count] = name;
    struct progress progress = { .what = what,
                                 .bound_ms = is_file ? FILE_READ_MS : skopeo->answer_ms };
    struct order order = *asked;
    order.argv = argv;
    order.progress = &progress;
    progress_start(&progress);
    int r = run(skopeo->environment, &order, err);
    progress_stop(&progress);
    return r;
}

int skopeo_manifest(const struct skopeo *skopeo, const char *name, char **ret,
                    /* NOLINTNEXTLINE(readability-non-const-parameter) */
                    size_t *ret_length, struct error *err)
{
    const char *const words[] = { "inspect", "--raw", NULL };
    const struct order order = { .ret = ret, .ret_length = ret_length };
    return ask(skopeo, words, name, &order, err);
}

int skopeo_config(const struct skopeo *skopeo, const char *name, char **ret,
                  /* NOLINTNEXTLINE(readability-non-const-parameter) */
                  size_t *ret_length, struct error *err)
{
    const char *const words[] = { "inspect", "--raw", "--config", NULL };
    const struct order order = { .ret = ret, .ret_length = ret_length };
    return ask(skopeo, words, name, &order, err);
}

int skopeo_copy(const struct skopeo *skopeo, const char *name, const char *layout, const char *tag,
                struct progress *progress, struct error *err)
{
    autofree char *target = text_format("oci:%s:%s", layout, tag);
    if (!target)
        return error_oom(err);
    /* Signatures are judged by policy.json before; a layout cannot hold them. */
    const char *const argv[] = { "skopeo", "copy", "--quiet", "--remove-signatures",
                                 name,     target, NULL };
    const struct order order = { .argv = argv, .progress = progress };
    return run(skopeo->environment, &order, err);
}
