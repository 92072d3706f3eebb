/* SPDX-License-Identifier: Apache-2.0 */
#include "container/name_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char white[] = " \t\r";

/* --- resolv.conf --- */

struct resolver {
    char **servers;
    char **search;
    char **options;
};

static void resolver_done(struct resolver *resolver)
{
    strv_free(resolver->servers);
    strv_free(resolver->search);
    strv_free(resolver->options);
}
#define autoresolver __attribute__((cleanup(resolver_done))) struct resolver

static int add_words(char ***list, char *const *words, struct error *err)
{
    int r = 0;
    for (; r == 0 && words && *words; words++)
        r = strv_add(list, *words, err);
    return r;
}

/* The last search or domain counts, as resolv.conf(5) has it. */
static int read_line(struct resolver *resolver, const char *line, struct error *err)
{
    autostrv words = NULL;
    int r = strv_split(line, white, &words, err);
    if (r < 0 || !words || !words[0] || *words[0] == '#' || *words[0] == ';')
        return r;
    if (strcmp(words[0], "nameserver") == 0 && words[1])
        return strv_add(&resolver->servers, words[1], err);
    if (strcmp(words[0], "options") == 0)
        return add_words(&resolver->options, words + 1, err);
    if (strcmp(words[0], "search") != 0 && strcmp(words[0], "domain") != 0)
        return 0;
    strv_free(resolver->search);
    resolver->search = NULL;
    return add_words(&resolver->search, words + 1, err);
}

static int read_base(const char *text, struct resolver *ret, struct error *err)
{
    autostrv lines = NULL;
    int r = strv_split(text, "\n", &lines, err);
    for (char **line = lines; r == 0 && line && *line; line++)
        r = read_line(ret, *line, err);
    return r;
}

static bool is_loopback(const char *address)
{
    return text_starts_with(address, "127.") || strcmp(address, "::1") == 0;
}

bool name_files_only_loopback(const char *resolv_conf)
{
    autoresolver resolver = { 0 };
    if (read_base(resolv_conf, &resolver, NULL) < 0 || !resolver.servers)
        return false;
    for (char **server = resolver.servers; *server; server++)
        if (!is_loopback(*server))
            return false;
    return true;
}

static void add_lines(struct text *t, const char *key, char *const *values, bool without_loopback)
{
    for (; values && *values; values++)
        if (!without_loopback || !is_loopback(*values))
            text_addf(t, "%s %s\n", key, *values);
}

static void add_one_line(struct text *t, const char *key, char *const *values)
{
    if (!values || !*values)
        return;
    text_add(t, key);
    for (; *values; values++)
        text_addf(t, " %s", *values);
    text_add(t, "\n");
}

static bool has(char *const *list)
{
    return list && *list;
}

static char *const *first_of(char *const *unit, char *const *network, char *const *base)
{
    return has(unit) ? unit : has(network) ? network : base;
}

int name_files_resolv_conf(const struct name_files_resolver *resolver, char **ret,
                           struct error *err)
{
    const struct container *container = resolver->container;
    autoresolver base = { 0 };
    autotext t = { 0 };
    int r = read_base(resolver->base, &base, err);
    if (r < 0)
        return r;
    char *const *search = first_of(container->dns_search, resolver->search, base.search);
    bool of_base = !has(container->dns) && !has(resolver->servers);
    add_one_line(&t, "search", search && text_equal(*search, ".") ? NULL : search);
    add_lines(&t, "nameserver", first_of(container->dns, resolver->servers, base.servers),
              of_base && !resolver->keep_loopback);
    add_one_line(&t, "options", first_of(container->dns_options, resolver->options, base.options));
    *ret = text_take(&t);
    return *ret ? 0 : error_oom(err);
}

/* --- hosts --- */

/* "NAME[;NAME…]:ADDRESS" as a line. */
static int add_said(struct text *t, const struct name_files_hosts *hosts, const char *said,
                    struct error *err)
{
    const char *colon = strchr(said, ':');
    if (!colon)
        return error_set(err, -EPROTO, "AddHost=%s: want NAME:ADDRESS", said);
    const char *address = colon + 1;
    if (strcmp(address, "host-gateway") == 0)
        address = hosts->gateway;
    if (!address)
        return error_set(err, -EINVAL,
                         "AddHost=%s: this container has no gateway to the machine; say an address",
                         said);
    text_addf(t, "%s\t", address);
    for (const char *c = said; c < colon; c++)
        text_add_bytes(t, *c == ';' ? " " : c, 1);
    text_add(t, "\n");
    return 0;
}

static void add_own(struct text *t, const struct name_files_hosts *hosts)
{
    const char *name = hosts->container->host_name;
    char *const *address = hosts->addresses;
    for (; address && *address; address++)
        text_addf(t, "%.*s\t%s\n", (int)strcspn(*address, "/"), *address, name);
    if (!has(hosts->addresses) && hosts->fallback)
        text_addf(t, "%s\t%s\n", hosts->fallback, name);
}

static bool ends_in_newline(const char *text)
{
    return !*text || text[strlen(text) - 1] == '\n';
}

static const char others_begin[] = "# Others in the same networks:\n";

size_t name_files_own_length(const char *hosts)
{
    const char *others = strstr(hosts, others_begin);
    return others ? (size_t)(others - hosts) : strlen(hosts);
}

int name_files_with_others(const char *hosts, const char *lines, char **ret, struct error *err)
{
    *ret = text_format("%.*s%s%s", (int)name_files_own_length(hosts), hosts,
                       *lines ? others_begin : "", lines);
    return *ret ? 0 : error_oom(err);
}

int name_files_hosts(const struct name_files_hosts *hosts, char **ret, struct error *err)
{
    static const char localhost[] = "127.0.0.1\tlocalhost\n"
                                    "::1\tlocalhost ip6-localhost ip6-loopback\n";
    const char *base = hosts->base ? hosts->base : localhost;
    autotext t = { 0 };
    int r = 0;
    for (char **said = hosts->container->add_hosts; r == 0 && said && *said; said++)
        r = add_said(&t, hosts, *said, err);
    if (r < 0)
        return r;
    text_addf(&t, "%s%s", base, ends_in_newline(base) ? "" : "\n");
    add_own(&t, hosts);
    if (hosts->gateway)
        text_addf(&t, "%s\thost.containers.internal host.docker.internal\n", hosts->gateway);
    *ret = text_take(&t);
    return *ret ? 0 : error_oom(err);
}
