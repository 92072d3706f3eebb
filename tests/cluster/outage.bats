#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A store out of reach is no order to stop anything. A store that was frozen for longer than the leases
# drops all of them when it wakes: that is no death of machines either. Nor is it when a member of etcd comes to itself
# that had been its leader, and ends the leases of which it has not heard meanwhile.

load bats.sh

UNITS=(busybox@1.service busybox@2.service)

setup_file() {
    cluster_for_tests 3 --ttl 5 --etcd 3 --etcd-disk 256
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

# Whose disk is stuck does not know yet that it leads no more, and says that it does.
etcd_has_another_leader() {
    local member
    for member in $(cluster_etcds); do
        if [ "$member" != "$1" ] && etcd_leads "$member"; then return 0; fi
    done
    return 1
}

@test "the disk of etcd's leader stuck for longer than leases last: nothing restarts or moves, then or after it" {
    local stuck
    wait_for 20 'etcd has a leader' etcd_leader
    stuck=$WAIT_ANSWER
    fsfreeze --freeze "$CLUSTER/fs/$stuck"
    etcd_ctl put /stuck by-this || true
    undisturbed_for 7
    wait_for 5 'etcd has another leader' etcd_has_another_leader "$stuck"
    fsfreeze --unfreeze "$CLUSTER/fs/$stuck"
    recovered
}

@test "after all that a real death is found, though the leader dies in the moment that it is" {
    local leader victim unit
    leader=$(leader_node node1)
    for unit in "${UNITS[@]}"; do
        victim=$(unit_node "$unit")
        [ "$victim" = "$leader" ] || break
    done
    expiry_watch "$victim"
    node_power_off "$victim"
    wait_for 20 'its lease has ended' test -s "$CLUSTER/expiry_ms"
    node_run "$leader" systemctl kill --kill-who=main --signal=KILL musterd.service
    wait_for 20 "$unit runs elsewhere" unit_runs_somewhere_but "$victim" "$unit"
    unit_node "$unit"
}
