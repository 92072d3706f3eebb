#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A store that lost everything, or is another's, gives no orders: an absent key never stops a unit, nobody founds a new
# cluster over a remembered one, and nothing new is started beside what runs.

load bats.sh

setup_file() {
    cluster_for_tests 3 --ttl 5
    two_busyboxes_run
    session_keep running "$(units_identities busybox@1.service busybox@2.service)"
    etcd_ctl del --prefix /muster/v1/ >&2
}

nobody_is_registered() {
    [ -z "$(etcd_ctl get --prefix --keys-only /muster/v1/nodes/)" ]
}

every_machine_says_so() {
    local node
    for node in $(cluster_nodes); do
        node_journal "$node" | grep -q 'it belongs to another cluster' || return
    done
}

@test "every machine notices and says so" {
    wait_for 15 'every machine says that the store is not its own' every_machine_says_so
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
