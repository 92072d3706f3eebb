#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Two of three machines lose their power at once: the units of one move, those of the other are held until a
# person says otherwise.

load bats.sh

setup_file() {
    cluster_for_tests 3 --ttl 3
    node_write node1 /root/steady@.service <<'UNIT'
[Service]
ExecStart=/bin/sleep 100000
UNIT
    NODE_DIRECTORY=/root node_run node1 musterctl start steady@1.service steady@2.service steady@3.service
    session_keep survivor "$(leader_node node1)"
}

# Its contact cannot be older than its process; from the second proof on it is hardly younger.
leader_contact_is_older() {
    local since_us
    since_us=$(node_property "$1" musterd.service ActiveEnterTimestampMonotonic)
    [ "$(now_ms)" -gt $((since_us / 1000 + $2 * 1000 + 5000)) ]
}

brake_holds() {
    local said
    said=$(node_run "$1" musterctl brake)
    echo "$said"
    grep -q "$2" <<<"$said"
}

all_run() {
    local unit
    for unit in steady@1.service steady@2.service steady@3.service; do
        unit_node "$unit" >/dev/null || return
    done
}

@test "of two machines lost at once one is let go, and the units of the other are held, and say so" {
    local survivor node
    survivor=$(session_recall survivor)
    # The leader's contact must be older than a minute, or it takes this for a cold start.
    wait_for 90 'the leader has been in contact for a minute' leader_contact_is_older "$survivor" 60
    for node in $(cluster_nodes); do
        [ "$node" = "$survivor" ] || node_power_off "$node"
    done
    wait_for 15 'the units of one are held' brake_holds "$survivor" 'held by the brake: 2 of 3 machines are lost'
    holds_for 5 brake_holds "$survivor" 'held by the brake: 2 of 3 machines are lost'
}

@test "an order releases them" {
    local survivor
    survivor=$(session_recall survivor)
    node_run "$survivor" musterctl brake release
    wait_for 5 'all three run' all_run
    wait_for 5 'nothing is held' brake_holds "$survivor" 'No unit is held'
}
