#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A store out of reach is no order to stop anything. A store that was frozen for longer than the leases
# drops all of them when it wakes: that is no death of machines either.

load bats.sh

UNITS=(busybox@1.service busybox@2.service)

setup_file() {
    cluster_for_tests 3 --ttl 5
    two_busyboxes_run
    session_keep before "$(units_identities "${UNITS[@]}")"
}

undisturbed_for() {
    holds_for "$1" units_are_as_before "$(session_recall before)" "${UNITS[@]}"
}

recovered() {
    etcd_wait &&
        wait_for 20 'every machine is listed as up' machines_are_up node1 &&
        undisturbed_for 12 &&
        wait_for 5 'list-units agrees' units_are_listed_where_they_run node1 "${UNITS[@]}"
}

@test "etcd frozen for a minute: nothing restarts or moves, then or after it" {
    etcd_stop
    undisturbed_for 60
    etcd_cont
    recovered
}

@test "etcd killed and started after the leases ran out: nothing restarts or moves" {
    etcd_kill
    undisturbed_for 9
    for member in $(cluster_etcds); do etcd_start "$member"; done
    recovered
}

@test "after an outage a real death is still found" {
    local victim
    victim=$(unit_node busybox@1.service)
    node_power_off "$victim"
    wait_for 15 'busybox@1 runs elsewhere' unit_runs_somewhere_but "$victim" busybox@1.service
}
