#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# systemd is the supervisor: musterd may die, hang or be upgraded, and no container notices.

load bats.sh

UNITS=(busybox@1.service busybox@2.service)

setup_file() {
    cluster_for_tests 3 --ttl 5
    two_busyboxes_run
    session_keep before "$(units_identities "${UNITS[@]}")"
}

musterd_is_another() {
    local pid
    pid=$(node_property "$1" musterd.service MainPID)
    [ "$pid" != 0 ] && [ "$pid" != "$2" ] && node_unit_is_active "$1" musterd.service
}

# musterd_replaced COMMAND…: on every node at once; returns when each has a new process.
musterd_replaced() {
    local node
    local -A pids=()
    for node in $(cluster_nodes); do
        pids[$node]=$(node_property "$node" musterd.service MainPID)
        [ "${pids[$node]}" != 0 ] || return
    done
    for node in $(cluster_nodes); do
        node_run "$node" "$@" || return
    done
    for node in $(cluster_nodes); do
        wait_for 15 "musterd of $node is another process" musterd_is_another "$node" "${pids[$node]}" || return
    done
}

# Longer than a lease: what was going to be declared dead would be by then.
nothing_changed() {
    holds_for 8 units_are_as_before "$(session_recall before)" "${UNITS[@]}" &&
        wait_for 10 'every machine is listed as up' machines_are_up node1 &&
        wait_for 5 'list-units agrees' units_are_listed_where_they_run node1 "${UNITS[@]}"
}

@test "musterd killed on every machine comes back; nothing restarts or moves" {
    musterd_replaced systemctl kill --kill-who=main --signal=KILL musterd.service
    nothing_changed
}

@test "musterd restarted as in an upgrade: nothing restarts or moves" {
    musterd_replaced systemctl restart musterd.service
    nothing_changed
}

@test "a musterd that hangs for less than its lease costs nothing" {
    local node=node1
    node_run "$node" systemctl kill --kill-who=main --signal=STOP musterd.service
    holds_for 1 units_are_as_before "$(session_recall before)" "${UNITS[@]}"
    node_run "$node" systemctl kill --kill-who=main --signal=CONT musterd.service
    nothing_changed
}

@test "the cluster takes orders afterwards" {
    node_run node2 musterctl stop busybox@2.service
    wait_for 5 'busybox@2 has stopped' unit_runs_nowhere busybox@2.service
    node_run node2 musterctl start busybox@2.service
    wait_for 5 'busybox@2 runs' units_are_listed_where_they_run node2 busybox@2.service
}
