/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

enum { RANK_DELAY_MS = 20, RANK_DELAY_MAX_MS = 1000, NONCE_BYTES = 16 };

static const struct contact *contact(void *userdata)
{
    const struct agent *agent = userdata;
    return presence_contact(agent->presence);
}

static void judge(int64_t ttl_ms, void *userdata)
{
    const struct agent *agent = userdata;
    presence_judge(agent->presence, ttl_ms);
}

static bool may_lead(const char *uuid, void *userdata)
{
    struct agent *agent = userdata;
    if (!agent->uuid && uuid)
        agent_remember_cluster(agent, uuid);
    return !agent->uuid || text_equal(agent->uuid, uuid);
}

/* Called from inside the leader: what follows comes in a later turn, with a look at whose store it
 * is. */
static void on_barred(void *userdata)
{
    struct agent *agent = userdata;
    agent->leader_is_barred = true;
    loop_timer_set(agent->identify, 0);
}

void agent_stop_leading(struct agent *agent)
{
    leader_free(take_ptr(agent->leader));
    presence_judge(agent->presence, 0);
}

void agent_replace_leader(struct agent *agent)
{
    if (!agent->leader_is_barred)
        return;
    agent->leader_is_barred = false;
    agent_stop_leading(agent);
    (void)election_resign(agent->election, NULL);
    election_set_candidate(agent->election, agent->config->may_lead && !agent->stopping);
    agent_tell_systemd(agent);
}

static void renew_epoch(void *userdata)
{
    struct agent *agent = userdata;
    election_renew_epoch(agent->election);
}

static void on_elected(int64_t epoch, void *userdata)
{
    struct agent *agent = userdata;
    struct error err = { 0 };
    const struct leader_config config = { .loop = agent->loop,
                                          .kv = agent->kv,
                                          .prefix = agent->config->etcd_key_prefix,
                                          .machine = agent->machine.id,
                                          .contact = contact,
                                          .judge = judge,
                                          .may_lead = may_lead,
                                          .on_barred = on_barred,
                                          .renew_epoch = renew_epoch,
                                          .userdata = agent };
    if (agent->leader) {
        log_info("leader: epoch is now %" PRId64, epoch);
        leader_set_epoch(agent->leader, epoch);
        return;
    }
    log_info("leader: this machine leads from now on, epoch %" PRId64, epoch);
    if (leader_new(&config, epoch, &agent->leader, &err) < 0) {
        log_error("leader: cannot lead: %s; giving it back", err.text);
        (void)election_resign(agent->election, NULL);
    }
    agent_tell_systemd(agent);
}

static void on_deposed(int code, const char *reason, void *userdata)
{
    struct agent *agent = userdata;
    if (code == -EREMCHG) { /* the election is over, and so is all else */
        agent_turn_younger(agent);
        return;
    }
    if (agent->leader)
        log_info("leader: this machine no longer leads: %s", reason);
    if (election_is_stopped(agent->election))
        log_error("leader: this machine cannot lead: %s", reason);
    agent_stop_leading(agent);
    agent_tell_systemd(agent);
}

/* Those that may lead campaign one after the other, 20 ms apart by their rank among the members, so
 * that a thousand do not run at once. */
static void on_members_read(const struct kv_txn_result *result, void *userdata)
{
    struct agent *agent = userdata;
    int64_t rank = 0;
    if (result->code < 0 || result->result_count != 1)
        return;
    for (size_t i = 0; i < result->results[0].pair_count; i++) {
        struct store_key_parts parts;
        store_key_parse(agent->config->etcd_key_prefix, result->results[0].pairs[i].key, &parts);
        rank += parts.kind == STORE_KEY_MEMBER && strcmp(parts.machine, agent->machine.id) < 0;
    }
    int64_t delay_ms = rank * RANK_DELAY_MS;
    election_set_delay(agent->election,
                       delay_ms < RANK_DELAY_MAX_MS ? delay_ms : RANK_DELAY_MAX_MS);
}

void agent_find_rank(struct agent *agent)
{
    autofree char *members = text_format("%smembers/", agent->config->etcd_key_prefix);
    if (!members)
        return;
    struct kv_op read = kv_op_range_prefix(members);
    struct kv_txn txn = { .success = &read, .success_count = 1 };
    read.keys_only = true;
    (void)kv_txn(agent->kv, &txn, on_members_read, agent, NULL);
}

int agent_make_election(struct agent *agent, struct error *err)
{
    static const struct election_callbacks callbacks = { .on_elected = on_elected,
                                                         .on_lost = on_deposed };
    char nonce[2 * NONCE_BYTES + 1];
    autofree char *value = NULL;
    autofree char *key = store_key(agent->config->etcd_key_prefix, STORE_KEY_LEADER, NULL, NULL, 0);
    text_random_hex(NONCE_BYTES, nonce);
    const struct record_leader record = { .machine = agent->machine.id, .nonce = nonce };
    int r = key ? record_leader_encode(&record, &value, err) : error_oom(err);
    if (r < 0)
        return r;
    return election_new(agent->loop, agent->kv, key, value, agent->config->ttl_ms / 1000,
                        &callbacks, agent, &agent->election, err);
}
