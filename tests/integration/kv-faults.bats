#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kvclient against three real members of etcd and everything that happens to them. Clients write down what
# they were told; an independent reader of etcd's history judges it: nothing lost, nothing twice, in order,
# whole revisions; mirrors are the store at every revision that they name; what was acknowledged happened.
#
# KV_DRIVER names the program (else it is in top_builddir). KV_SEED and KV_FAULTS choose the big run;
# SOAK_SECONDS repeats it with further seeds for so long (make soak).

bats_require_minimum_version 1.5.0
load kv-faults.sh

setup_file() {
    export KV_DRIVER=${KV_DRIVER:-$(readlink -f "${top_builddir:-.}")/kv-driver}
    [ -x "$KV_DRIVER" ] || { echo "no kv-driver is built: $KV_DRIVER" >&2; return 1; }
    kv_cluster_up
}

teardown() {
    [ -n "${BATS_TEST_COMPLETED:-}" ] || keep_what_failed
}

teardown_file() {
    cluster_down
}

# Logs, plan and history of the run.
keep_what_failed() {
    local directory=${MUSTER_BUILD:-/var/tmp}/failed/kv-faults-$BATS_TEST_NUMBER
    rm -rf "$directory"
    mkdir -p "$directory"
    cp -r "$CLUSTER/run" "$CLUSTER/log" "$directory/"
    echo "# logs and history are in $directory" >&3
}

@test "a member that is told to stop ends its streams normally: they go on with another" {
    local member
    kv_run_begin term
    for member in $(cluster_etcds); do
        kv_wait_writes 10
        fault_term "$member" 0
        etcd_wait
    done
    kv_wait_writes 10
    kv_run_end
    [ "$(kv_reconnects node1)" -ge 6 ]
    [ "$(kv_reconnects node2)" -ge 6 ]
}

@test "history compacted behind a client: watches are told so, mirrors tell the difference" {
    kv_run_begin compact
    kv_wait_writes 30
    fault_compact_behind node2 800
    kv_wait_writes 30
    run kv_run_end
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *' differences told by mirrors'* ]]
    grep '^lost -34 ' "$CLUSTER/run/node2/watch-all.log"
    run ! grep '^lost' "$CLUSTER"/run/node2/mirror-*.log
}

@test "leases that ran out while a client was away are events like any other" {
    kv_run_begin leases
    wait_for 20 'keys have leases' grep -q '^put /t/[0-9]/l' "$CLUSTER/run/node2/watch-all.log"
    fault_unplug node2 3500
    wait_for 20 'keys whose leases ran out are told as deleted' \
        grep -q '^del /t/[0-9]/l' "$CLUSTER/run/node2/watch-all.log"
    kv_wait_writes 30
    kv_run_end
}

@test "revisions that etcd cuts into fragments are told whole, also when the stream breaks amid them" {
    local member
    kv_run_begin large write-large
    kv_cable node2 down
    kv_wait_writes 4
    kv_cable node2 up
    for member in $(cluster_etcds) $(cluster_etcds); do
        fault_reset_member node2 30 "$member"
        pause_ms 150
    done
    run kv_run_end
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *'fragments'* ]]
}

@test "at least 200 faults, drawn from a seed: nothing lost, nothing twice, in order" {
    local seed=${KV_SEED:-$(date +%s)} count=${KV_FAULTS:-200} until_ms
    until_ms=$(($(now_ms) + ${SOAK_SECONDS:-0} * 1000))
    while :; do
        echo "# KV_SEED=$seed" >&3
        kv_run_begin "$seed"
        kv_plan "$seed" "$count" >"$CLUSTER/run/plan"
        kv_faults "$CLUSTER/run/plan"
        run kv_run_end
        echo "$output"
        [ "$status" -eq 0 ]
        echo "# ${lines[-1]}" >&3
        [ "$(grep -oE '[a-z_]+ (leader|etcd|node|all)' "$CLUSTER/run/faults" | wc -l)" -ge "$count" ]
        # The faults were felt.
        [ "$(kv_reconnects node1)" -ge $((count / 4)) ]
        [ "$(now_ms)" -lt "$until_ms" ] || break
        seed=$((seed + 1))
    done
}

@test "the judge is not blind: one event dropped, doubled, or cut off its revision is found" {
    local log=$CLUSTER/run/node2/watch-all.log line change
    cp "$log" "$CLUSTER/run/sound"
    # The next line is of the same revision: a batch may end between two.
    line=$(awk '$1 == "put" && $3 == revision && count >= 100 { print NR - 1; exit }
        { revision = $1 == "put" ? $3 : 0; count += $1 == "put" }' "$log")
    for change in "${line}d" "${line}p" "${line}{h;p;x;s/.* \\([0-9]*\\) [0-9]* [0-9]* [0-9a-f]* [0-9]* [0-9a-f]* 0/batch \\1/}"; do
        sed "$change" "$CLUSTER/run/sound" >"$log"
        run ! "$KV_HISTORY" check "$CLUSTER/run/history" "$CLUSTER/run/node2"
        echo "$output"
        [[ $output == *'WRONG node2/watch-all.log'* ]]
    done
    cp "$CLUSTER/run/sound" "$log"
    "$KV_HISTORY" check "$CLUSTER/run/history" "$CLUSTER/run/node2"
}

# replaced_by same|other CODE WORDS: node2 follows a store that is replaced by what it was some time ago.
replaced_by() {
    kv_run_begin "$1"
    kv_wait_writes 20
    kv_store_save
    kv_wait_writes 50
    kv_client_end node1
    wait_for 20 'nothing changes by itself any more' kv_no_lease_is_left
    kv_history archive
    kv_store_replace "$1"
    etcd_ctl put /t/0/guard 'of another store'
    wait_for 20 'every follower is told' kv_followers_are_lost node2 "$2" "$3"
    kv_client_end node2
    "$KV_HISTORY" check-replaced "$CLUSTER/run/history" "$CLUSTER/run/node2"
}

@test "the store is wiped and restored as another cluster: followers are told so, and nothing else" {
    replaced_by other -116 'cluster id' # ESTALE
}

@test "the store is restored as the same cluster, younger: followers are told so, and nothing else" {
    replaced_by same -78 'revision went back' # EREMCHG
}
