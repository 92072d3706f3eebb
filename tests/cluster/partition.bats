#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A machine that is cut off cannot know whether it is missed: it keeps its copy (Failover=at-least-once), the
# others start theirs, and when it is back it stops what was moved. So it is where musterd has long been stopped.

load bats.sh

setup_file() {
    cluster_for_tests 3 --ttl 5
    two_busyboxes_run
    session_keep cut_off "$(unit_node busybox@1.service)"
    session_keep via "$(cluster_nodes | grep -vx "$(session_recall cut_off)" | sed -n 1p)"
    session_keep other "$(units_identities busybox@2.service)"
}

exactly_one_on() {
    [ "$(unit_nodes busybox@1.service)" = "$1" ]
}

runs_on_both_sides() {
    node_unit_is_active "$(session_recall cut_off)" busybox@1.service &&
        [ "$(unit_nodes busybox@1.service | wc -l)" -eq 2 ]
}

@test "a unit of a machine that is cut off is started elsewhere" {
    local cut_off
    cut_off=$(session_recall cut_off)
    session_keep own_copy "$(node_unit_identity "$cut_off" busybox@1.service)"
    node_cut "$cut_off"
    wait_for 15 'busybox@1 runs on the other side' runs_on_both_sides
    session_keep moved_to "$(unit_nodes busybox@1.service | grep -vx "$cut_off")"
    session_keep new_copy "$(node_unit_identity "$(session_recall moved_to)" busybox@1.service)"
}

@test "the copy of the machine that is cut off keeps running" {
    holds_for 5 runs_on_both_sides
    [ "$(node_unit_identity "$(session_recall cut_off)" busybox@1.service)" = "$(session_recall own_copy)" ]
}

@test "back in contact it stops the copy that was moved; exactly one remains" {
    local moved_to
    moved_to=$(session_recall moved_to)
    node_heal "$(session_recall cut_off)"
    wait_for 20 'one copy remains' exactly_one_on "$moved_to"
    holds_for 8 exactly_one_on "$moved_to"
    [ "$(node_unit_identity "$moved_to" busybox@1.service)" = "$(session_recall new_copy)" ]
    wait_for 5 'list-units agrees' units_are_listed_where_they_run "$(session_recall via)" busybox@1.service
    wait_for 10 'every machine is listed as up' machines_are_up "$(session_recall via)"
}

@test "the other unit has noticed nothing" {
    units_are_as_before "$(session_recall other)" busybox@2.service
}

@test "where musterd stays stopped nothing stops, and it is missed; started again it stops what was moved" {
    local node via moved_to copy
    node=$(unit_node busybox@1.service)
    via=$(cluster_nodes | grep -vx "$node" | sed -n 1p)
    copy=$(node_unit_identity "$node" busybox@1.service)
    session_keep cut_off "$node"
    node_run "$node" systemctl stop musterd.service
    wait_for 20 'busybox@1 runs elsewhere, too' runs_on_both_sides
    [ "$(node_unit_identity "$node" busybox@1.service)" = "$copy" ]
    moved_to=$(unit_nodes busybox@1.service | grep -vx "$node")
    copy=$(node_unit_identity "$moved_to" busybox@1.service)
    node_run "$node" systemctl start musterd.service
    wait_for 20 'one copy remains' exactly_one_on "$moved_to"
    wait_for 10 'every machine is listed as up' machines_are_up "$via"
    [ "$(node_unit_identity "$moved_to" busybox@1.service)" = "$copy" ]
}
