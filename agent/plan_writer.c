/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/plan_writer.h"

#include <stdlib.h>

#include "agent/commit.h"
#include "agent/decisions.h"
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/blocks.h"

enum {
    /* Transactions at a time: enough that the store is never idle between two, few enough that each
     * is answered long before its time is over. */
    IN_FLIGHT_MAX = 8,
};

/* Actions of the plan, from one up to another. */
struct span {
    size_t next, end;
};

/* A transaction that is under way. */
struct flight {
    struct plan_writer *writer; /* NULL: there is none */
    struct span actions;
    bool has_mark; /* its units are guarded by what stands for all: unit_guard.h */
};

struct plan_writer {
    struct plan_writer_config config;
    int64_t epoch;
    int64_t units_mark;
    struct plan *plan;  /* NULL: none is under way */
    size_t next_action; /* of it, not sent yet */
    size_t written;     /* of its actions */
    struct decisions decisions;
    size_t in_flight; /* transactions of it */
    struct flight flights[IN_FLIGHT_MAX];
    struct span again[IN_FLIGHT_MAX]; /* to be sent under a guard for each unit */
    size_t again_count;
    bool is_alone;      /* the one in flight is answered before another is sent */
    bool one_at_a_time; /* something was refused: find what stands in the way */
    bool refused;       /* a part of this plan was, or of the last */
    int64_t revision;
};

int plan_writer_new(const struct plan_writer_config *config, struct plan_writer **ret,
                    struct error *err)
{
    struct plan_writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return error_oom(err);
    writer->config = *config;
    *ret = writer;
    return 0;
}

void plan_writer_forget(struct plan_writer *writer)
{
    for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
        kv_forget(writer->config.kv, &writer->flights[i]);
        writer->flights[i].writer = NULL;
    }
    writer->in_flight = 0;
    writer->again_count = 0;
    writer->refused = false;
    plan_free(take_ptr(writer->plan));
}

void plan_writer_free(struct plan_writer *writer)
{
    if (!writer)
        return;
    plan_writer_forget(writer);
    free(writer);
}

int64_t plan_writer_revision(const struct plan_writer *writer)
{
    return writer->revision;
}

static void finish(struct plan_writer *writer)
{
    decisions_end(&writer->decisions, writer->written, writer->plan->count);
    plan_free(take_ptr(writer->plan));
    writer->config.on_written(writer->refused, writer->config.userdata);
}

static void doubt(struct plan_writer *writer)
{
    plan_writer_forget(writer);
    writer->config.on_doubt(writer->config.userdata);
}

static void send_more(struct plan_writer *writer);

/* Whether a transaction was refused because of the epoch, and not because of what an action was
 * derived from. */
static bool is_deposed(const struct plan_writer *writer, const struct kv_txn_result *result)
{
    const struct kv_op_result *read = result->result_count ? &result->results[0] : NULL;
    return read && (read->pair_count != 1 || read->pairs[0].mod_revision != writer->epoch);
}

/* Some unit was written since the plan was made, or something else is not as it was: under a guard
 * for each of the units it will be seen which of these are in the way. */
static void send_again(struct plan_writer *writer, const struct span *actions)
{
    writer->again[writer->again_count++] = *actions;
    writer->units_mark = 0;
    unit_guard_refuse(writer->config.guard);
}

static void note_written(struct plan_writer *writer, const struct span *actions, int64_t revision)
{
    writer->written += actions->end - actions->next;
    if (revision > writer->revision)
        writer->revision = revision;
}

static void on_committed(const struct kv_txn_result *result, void *userdata)
{
    struct flight *flight = userdata;
    struct plan_writer *writer = take_ptr(flight->writer);
    writer->in_flight--;
    if (result->code < 0) {
        log_warning("leader: outcome of a write unknown (%s); taking a new epoch before the next",
                    result->reason);
        doubt(writer);
        return;
    }
    if (!result->succeeded && is_deposed(writer, result)) {
        log_info("leader: the epoch is not ours any more; asking anew");
        doubt(writer);
        return;
    }
    if (result->succeeded)
        note_written(writer, &flight->actions, result->revision);
    else if (flight->has_mark)
        send_again(writer, &flight->actions);
    else
        writer->refused = true;
    send_more(writer);
}

/* Fills an empty transaction from a block that is too large for any. Its units come to the same
 * machine none the less: should the rest be refused, the next plan has it join these. */
static int add_part(const struct commit_context *context, struct commit *commit,
                    const struct action *head, size_t *count, struct error *err)
{
    size_t added = 0;
    int r = 0;
    while (r == 0 && added < *count) {
        r = commit_add(context, commit, &head[added], 1, err);
        added += r == 0;
    }
    log_warning("leader: no transaction has room for %zu actions that belong together, from %s %s "
                "on; writing %zu of them first",
                *count, action_kind_name(head->kind), head->unit ? head->unit : "", added);
    *count = added;
    return r < 0 ? r : 0;
}

/* What is sent again was told of before. */
static void tell(struct plan_writer *writer, const struct span *actions,
                 const struct commit *commit)
{
    if (actions->next >= writer->next_action)
        decisions_tell(&writer->decisions, &writer->plan->actions[actions->next], commit->reasons,
                       actions->end - actions->next);
}

/* Adds the block that comes next: 1 and nothing added if it is for another transaction. */
static int add_next(const struct plan_writer *writer, const struct commit_context *context,
                    struct commit *commit, struct span *actions, struct error *err)
{
    const struct action *head = &writer->plan->actions[actions->next];
    size_t count = block_length(writer->plan, actions->next);
    if (count > actions->end - actions->next) /* the rest was sent by itself */
        count = actions->end - actions->next;
    int r = commit_add(context, commit, head, count, err);
    if (r == 1 && commit->extent.op_count == 0)
        r = add_part(context, commit, head, &count, err);
    if (r != 0)
        return r;
    actions->next += count;
    return 0;
}

/* Fills a transaction with as many of the next blocks as fit. */
static int fill(const struct plan_writer *writer, const struct commit_context *context,
                struct commit *commit, struct span *actions, struct error *err)
{
    int r = commit_begin(context, commit, err);
    while (r == 0 && actions->next < actions->end &&
           (commit->extent.op_count == 0 || !writer->one_at_a_time))
        r = add_next(writer, context, commit, actions, err);
    return r < 0 ? r : 0;
}

/* What was refused under one guard for all units goes first. */
static struct span next_span(const struct plan_writer *writer)
{
    return writer->again_count ? writer->again[writer->again_count - 1]
                               : (struct span){ writer->next_action, writer->plan->count };
}

static void set_next_span(struct plan_writer *writer, const struct span *left)
{
    if (!writer->again_count)
        writer->next_action = left->next;
    else if (left->next < left->end)
        writer->again[writer->again_count - 1] = *left;
    else
        writer->again_count--;
}

/* New assignments and rewritten ones stand each for itself, in whatever order they land. What takes
 * something away may make room for what follows it, so there the order is kept. */
static bool is_alone(const struct plan_writer *writer, const struct span *actions)
{
    for (size_t i = actions->next; i < actions->end; i++) {
        if (i == actions->next + KV_TXN_OPS_MAX)
            break;
        if (writer->plan->actions[i].kind != ACTION_ASSIGN)
            return true;
    }
    return false;
}

static struct flight *free_flight(struct plan_writer *writer)
{
    struct flight *flight = writer->flights;
    while (flight->writer)
        flight++;
    return flight;
}

static int send(struct plan_writer *writer, struct commit *commit, struct flight *flight,
                struct error *err)
{
    const struct kv_op read_leader = kv_op_range(commit->compares[0].key);
    struct kv_txn txn = { .compares = commit->compares,
                          .compare_count = commit->extent.compare_count,
                          .success = commit->ops,
                          .success_count = commit->extent.op_count,
                          .failure = &read_leader,
                          .failure_count = 1,
                          .once = true };
    flight->has_mark = commit->extent.has_mark;
    if (commit->extent.marks_units) /* for what follows, the mark is another */
        writer->units_mark = 0;
    return kv_txn(writer->config.kv, &txn, on_committed, flight, err);
}

static void send_next(struct plan_writer *writer)
{
    struct error err = { 0 };
    struct commit commit;
    const struct commit_context context = { .prefix = writer->config.prefix,
                                            .epoch = writer->epoch,
                                            .units_mark = writer->units_mark,
                                            .wall_ms = clock_wall_ms() };
    struct span left = next_span(writer);
    struct flight *flight = free_flight(writer);
    const size_t first = left.next;
    int r = fill(writer, &context, &commit, &left, &err);
    flight->actions = (struct span){ first, left.next };
    if (r == 0)
        r = send(writer, &commit, flight, &err);
    if (r == 0)
        tell(writer, &flight->actions, &commit);
    commit_done(&commit);
    if (r < 0) {
        log_error("leader: a plan cannot be written: %s; planning again", err.text);
        writer->refused = true;
        writer->next_action = writer->plan->count;
        writer->again_count = 0;
        return;
    }
    set_next_span(writer, &left);
    flight->writer = writer;
    writer->in_flight++;
}

static bool may_send(struct plan_writer *writer)
{
    const struct span next = next_span(writer);
    if (next.next >= next.end)
        return false;
    bool alone = is_alone(writer, &next);
    if (writer->in_flight > 0 && (alone || writer->is_alone || writer->in_flight >= IN_FLIGHT_MAX))
        return false;
    writer->is_alone = alone;
    return true;
}

static void send_more(struct plan_writer *writer)
{
    while (may_send(writer))
        send_next(writer);
    if (writer->in_flight == 0)
        finish(writer);
}

void plan_writer_begin(struct plan_writer *writer, struct plan *plan, int64_t epoch,
                       int64_t units_mark)
{
    blocks_sort(plan);
    writer->epoch = epoch;
    writer->one_at_a_time = writer->refused;
    writer->units_mark = writer->one_at_a_time ? 0 : units_mark;
    writer->plan = plan;
    writer->next_action = 0;
    writer->written = 0;
    writer->again_count = 0;
    writer->refused = false;
    decisions_begin(&writer->decisions, epoch);
    send_more(writer);
}
