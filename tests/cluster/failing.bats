#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A unit that fails where it is gets its turn elsewhere; one that fails everywhere is left, with the reason.

load bats.sh

setup_file() {
    local node
    cluster_for_tests 3 --ttl 5
    for node in node1 node2 node3; do
        node_run "$node" mkdir -p /srv
    done
    node_run node3 touch /srv/works
    node_write node1 /root/picky.service <<'UNIT'
[Service]
ExecStart=/bin/sh -c 'test -e /srv/works && exec sleep 100000'
UNIT
    node_write node1 /root/broken.service <<'UNIT'
[Service]
ExecStart=/bin/false
UNIT
}

starts_of() {
    local node count=0
    for node in $(cluster_nodes); do
        count=$((count + $(node_journal "$node" UNIT="$1" | grep -c 'starting (assignment')))
    done
    echo "$count"
}

was_started() {
    [ "$(starts_of "$1")" -eq "$2" ]
}

@test "a unit that fails on two machines runs on the third" {
    NODE_DIRECTORY=/root node_run node1 musterctl start --no-block picky.service
    wait_for 20 'it runs where it can' runs_on picky.service node3
    holds_for 3 runs_on picky.service node3
}

@test "a unit that fails everywhere is left failed after three machines, and says so" {
    NODE_DIRECTORY=/root node_run node1 musterctl start --no-block broken.service
    wait_for 20 'it is given up' why_says node1 broken.service 'enough machines have tried'
    holds_for 5 was_started broken.service 3
}

@test "asked for again it is tried again" {
    node_run node1 musterctl start --no-block broken.service
    wait_for 20 'it has been tried by all of them once more' was_started broken.service 6
    wait_for 5 'it is given up again' why_says node1 broken.service 'enough machines have tried'
}
