#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A store that was restored from an old snapshot, lost everything, or is another's, gives no orders: an absent key never
# stops a unit, nobody founds a new cluster over a remembered one, and nothing new is started beside what runs.

load bats.sh

setup_file() {
    cluster_for_tests 3 --ttl 5
    two_busyboxes_run
    printf '[Service]\nExecStart=/bin/sleep 100000\n' >"$CLUSTER/sleeper"
    node_write node1 /root/since-destroyed.service <"$CLUSTER/sleeper"
    node_write node1 /root/since-started.service <"$CLUSTER/sleeper"
    session_keep running "$(units_identities busybox@1.service busybox@2.service)"
}

# every_machine_says WORDS
every_machine_says() {
    local node
    for node in $(cluster_nodes); do
        node_journal "$node" | grep -qF "$1" || return
    done
}

# no_machine_says WORDS
no_machine_says() {
    local node
    for node in $(cluster_nodes); do
        ! node_journal "$node" | grep -qF "$1" || return
    done
}

# A hundred revisions, as some time takes them: curl repeats the request for each number.
put_much() {
    etcd_curl etcd1 '/v3/kv/put#[1-100]' --data '{"key":"L211Y2g=","value":"bW9yZQ=="}' >/dev/null
}

# transactions_of NODE: how many its musterd has sent.
transactions_of() {
    daemon_status "$1" | sed -n 's/.*"txn":\([0-9]*\).*/\1/p'
}

has_sent() {
    [ "$(transactions_of "$1")" -ge "$2" ]
}

# What a machine knows of the store's revision is what its last proof that it is registered has shown it: every third of
# the TTL. A second one is sent when the first is answered; and one transaction may be a report that was still due.
every_machine_learns_how_far_it_is() {
    local node sent
    for node in $(cluster_nodes); do
        sent=$(transactions_of "$node") && [ -n "$sent" ] || return
        wait_for 15 "$node has proved itself" has_sent "$node" $((sent + 3)) || return
    done
}

as_before_the_restore() {
    units_are_as_before "$(session_recall with_the_newer)" busybox@1.service busybox@2.service since-started.service &&
        unit_runs_nowhere since-destroyed.service
}

@test "a store that is restored from an old snapshot gives no orders to who knows that it was further" {
    NODE_DIRECTORY=/root node_run node1 musterctl start since-destroyed.service
    etcd_ctl snapshot save "$CLUSTER/snapshot" >&2
    NODE_DIRECTORY=/root node_run node1 musterctl start since-started.service
    node_run node1 musterctl destroy since-destroyed.service
    wait_for 5 'it has stopped' unit_runs_nowhere since-destroyed.service
    put_much
    every_machine_learns_how_far_it_is
    session_keep with_the_newer "$(units_identities busybox@1.service busybox@2.service since-started.service)"
    etcd_restore "$CLUSTER/snapshot"
    wait_for 15 'every machine says so' every_machine_says 'its revision went back, so it was restored'
    no_machine_says 'it belongs to another cluster'
    put_much # it gets as far as it was
    put_much
    holds_for 6 as_before_the_restore
}

as_the_snapshot_says() {
    units_are_as_before "$(session_recall running)" busybox@1.service busybox@2.service &&
        unit_runs_nowhere since-started.service && unit_node since-destroyed.service
}

@test "musterd that is started anew does what the restored store says, and disturbs what that wants as it is" {
    local node
    for node in $(cluster_nodes); do
        node_run "$node" systemctl restart musterd.service
    done
    wait_for 20 'what it wants runs, and nothing else' as_the_snapshot_says
    wait_for 10 'every machine is up' machines_are_up node1
    node_run node1 musterctl destroy since-destroyed.service
}

nobody_is_registered() {
    [ -z "$(etcd_ctl get --prefix --keys-only /muster/v1/nodes/)" ]
}

@test "every machine notices that the store is wiped, and says so" {
    etcd_ctl del --prefix /muster/v1/ >&2
    wait_for 15 'every machine says that the store is not its own' every_machine_says 'it belongs to another cluster (none; '
}

@test "no unit is stopped, moved or restarted" {
    holds_for 8 units_are_as_before "$(session_recall running)" busybox@1.service busybox@2.service
}

@test "no cluster is founded over the one that is remembered, and nobody registers" {
    [ -z "$(etcd_ctl get /muster/v1/cluster)" ]
    holds_for 3 nobody_is_registered
}

@test "a start in the empty store starts nothing, and says why" {
    run node_run node1 musterctl start --block-attempts=3 /usr/share/muster/examples/busybox@1.service
    [ "$status" -ne 0 ]
    [[ "$output" == *"no leader"* ]]
    units_are_as_before "$(session_recall running)" busybox@1.service busybox@2.service
}

@test "another cluster's store gives no orders either" {
    etcd_ctl put /muster/v1/cluster '{"schema":1,"uuid":"00000000000000000000000000000000"}' >&2
    holds_for 12 units_are_as_before "$(session_recall running)" busybox@1.service busybox@2.service
    nobody_is_registered
}
