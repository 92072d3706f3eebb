/* SPDX-License-Identifier: Apache-2.0 */
/* What etcd says of itself: its members, how one of them fares; and the token of a login. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "kvclient/kv_wire_internal.h"

/* Where it lies, and fit to be told on. */
static int take_words(const ProtobufCBinaryData *bytes, const char *what, char **ret,
                      struct error *err)
{
    int r = kv_wire_take_text(bytes, what, ret, err);
    if (r == 0 && !text_is_utf8(*ret))
        r = error_set(err, -EPROTO, "%s is not UTF-8", what);
    return r;
}

static int copy_words(const ProtobufCBinaryData *bytes, const char *what, char **ret,
                      struct error *err)
{
    char *text = NULL;
    int r = take_words(bytes, what, &text, err);
    if (r < 0)
        return r;
    *ret = strdup(text);
    return *ret ? 0 : error_oom(err);
}

static int copy_urls(const ProtobufCBinaryData *urls, size_t count, char ***ret, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        char *url = NULL;
        int r = take_words(&urls[i], "a member's URL", &url, err);
        if (r == 0)
            r = strv_add(ret, url, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int fill_member(const Etcd__Member *member, struct kv_member *ret, struct error *err)
{
    if (member->id == 0)
        return error_set(err, -EPROTO, "a member without an id");
    ret->id = member->id;
    ret->learner = member->is_learner;
    int r = copy_words(&member->name, "a member's name", &ret->name, err);
    if (r == 0)
        r = copy_urls(member->client_urls, member->n_client_urls, &ret->client_urls, err);
    if (r == 0)
        r = copy_urls(member->peer_urls, member->n_peer_urls, &ret->peer_urls, err);
    return r;
}

static int fill_members(const Etcd__MemberListResponse *answer, struct kv_wire_members *ret,
                        struct error *err)
{
    size_t count = answer->n_members;
    if (count == 0)
        return error_set(err, -EPROTO, "a cluster without members");
    ret->members = calloc(count, sizeof(*ret->members));
    if (!ret->members)
        return error_oom(err);
    ret->member_count = count;
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = fill_member(answer->members[i], &ret->members[i], err);
    return r;
}

int kv_wire_read_members(const uint8_t *data, size_t length, struct kv_wire_members *ret,
                         struct error *err)
{
    autoptr(kv_wire_arena) arena = NULL;
    struct kv_wire_members members = { 0 };
    int r = kv_wire_unpack(&etcd__member_list_response__descriptor, data, length, &arena, err);
    if (r < 0)
        return r;
    const Etcd__MemberListResponse *answer = kv_wire_arena_message(arena);
    r = kv_wire_take_header(answer->header, 0, &members.header, err);
    if (r == 0)
        r = fill_members(answer, &members, err);
    if (r < 0) {
        kv_wire_members_done(&members);
        return r;
    }
    *ret = members;
    return 0;
}

void kv_wire_members_done(struct kv_wire_members *members)
{
    kv_members_free(members->members, members->member_count);
    *members = (struct kv_wire_members){ 0 };
}

/* Alarms come as lines: "memberID:1234 alarm:NOSPACE ". */
static int read_alarms(const Etcd__StatusResponse *answer, struct kv_status_result *ret,
                       struct error *err)
{
    for (size_t i = 0; i < answer->n_errors; i++) {
        char *line = NULL;
        int r = kv_wire_take_text(&answer->errors[i], "an alarm", &line, err);
        if (r < 0)
            return r;
        ret->no_space |= strstr(line, "alarm:NOSPACE") != NULL;
        ret->corrupt |= strstr(line, "alarm:CORRUPT") != NULL;
    }
    return 0;
}

static int fill_status(const Etcd__StatusResponse *answer, struct kv_wire_status *ret,
                       struct error *err)
{
    struct kv_status_result *status = &ret->status;
    if (answer->db_size < 0 || answer->db_size_in_use < 0)
        return error_set(err, -EPROTO, "%" PRId64 " bytes in use of %" PRId64,
                         answer->db_size_in_use, answer->db_size);
    if (answer->header->member_id == 0)
        return error_set(err, -EPROTO, "the status of a member without an id");
    status->member = answer->header->member_id;
    status->leader = answer->leader;
    status->revision = ret->header.revision;
    status->size_bytes = answer->db_size;
    status->in_use_bytes = answer->db_size_in_use;
    int r = read_alarms(answer, status, err);
    if (r == 0)
        r = copy_words(&answer->version, "the version", &ret->version, err);
    status->version = ret->version;
    return r;
}

int kv_wire_read_status(const uint8_t *data, size_t length, struct kv_wire_status *ret,
                        struct error *err)
{
    autoptr(kv_wire_arena) arena = NULL;
    struct kv_wire_status status = { 0 };
    int r = kv_wire_unpack(&etcd__status_response__descriptor, data, length, &arena, err);
    if (r < 0)
        return r;
    const Etcd__StatusResponse *answer = kv_wire_arena_message(arena);
    r = kv_wire_take_header(answer->header, 0, &status.header, err);
    if (r == 0)
        r = fill_status(answer, &status, err);
    if (r < 0)
        return r;
    *ret = status;
    return 0;
}

void kv_wire_status_done(struct kv_wire_status *status)
{
    free(status->version);
    *status = (struct kv_wire_status){ 0 };
}

static int read_token(const ProtobufCBinaryData *token, char **ret, struct error *err)
{
    if (token->len == 0)
        return error_set(err, -EPROTO, "the token is empty");
    for (size_t i = 0; i < token->len; i++)
        if (token->data[i] <= ' ' || token->data[i] > '~')
            return error_set(err, -EPROTO, "the token is no word of printable characters");
    return copy_words(token, "the token", ret, err);
}

int kv_wire_read_token(const uint8_t *data, size_t length, char **ret, struct error *err)
{
    autoptr(kv_wire_arena) arena = NULL;
    int r = kv_wire_unpack(&etcd__authenticate_response__descriptor, data, length, &arena, err);
    if (r < 0)
        return r;
    const Etcd__AuthenticateResponse *answer = kv_wire_arena_message(arena);
    r = read_token(&answer->token, ret, err);
    kv_wire_arena_wipe(arena);
    return r;
}
