#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What takes a minute, all in one: a machine is reserved for who has found no room for so long; rebalancing begins; and
# the leader has been in contact for that long when two of three machines lose their power at once: the units of one move,
# those of the other are held until a person says otherwise.

load bats.sh

# asks UNIT FIFTHS: a unit of node1's that asks for so much of a machine's memory.
asks() {
    local all
    all=$(($(node_run node1 getconf _PHYS_PAGES) * $(node_run node1 getconf PAGE_SIZE)))
    node_write node1 "/root/$1" <<UNIT
[Service]
ExecStart=/bin/sleep 100000

[X-Fleet]
MemoryRequest=$((all * $2 / 5))
UNIT
}

# What the first tests wait for begins here.
setup_file() {
    cluster_for_tests 3 --ttl 3
    printf '[Service]\nExecStart=/bin/sleep 100000\n' | node_write node1 /root/steady@.service
    asks low@.service 3
    asks big.service 3
    asks small@.service 1
    NODE_DIRECTORY=/root node_run node1 musterctl start low@{1..3}.service
    NODE_DIRECTORY=/root node_run node1 musterctl start --no-block big.service
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
    for unit in steady@{1..3}.service; do
        unit_node "$unit" >/dev/null || return
    done
}

# units_on NODE UNIT…: those of them that run there.
units_on() {
    local node=$1 unit
    shift
    for unit in "$@"; do
        [ "$(unit_node "$unit")" != "$node" ] || echo "$unit"
    done
}

count_of_steady_on_is() {
    local here
    here=$(units_on "$1" steady@{1..5}.service | wc -l)
    echo "$here on $1"
    [ "$here" -eq "$2" ]
}

reserved_node() {
    local reason node
    reason=$(node_run node1 musterctl list-units --no-legend --fields=unit,reason | grep '^big.service ')
    echo "$reason" >&2
    for node in $(cluster_nodes); do
        ! grep -q "machine [0-9a-f]* ($node) is reserved for it" <<<"$reason" || { echo "$node"; return; }
    done
    return 1
}

@test "for who has lacked room for a minute a machine is reserved; newcomers pass it by, until what is there leaves" {
    local node resident unit
    wait_for 75 'a machine is reserved' reserved_node
    node=$(reserved_node)
    why_says node1 big.service 'and what comes free is reserved for it'
    NODE_DIRECTORY=/root node_run node1 musterctl start small@{1..3}.service
    [ -z "$(units_on "$node" small@{1..3}.service)" ]
    why_says node1 small@1.service 'is reserved for big.service'
    resident=$(units_on "$node" low@{1..3}.service)
    node_run node1 musterctl destroy "$resident"
    wait_for 10 'it has the room that came free' runs_on big.service "$node"
    for unit in big.service small@{1..3}.service low@{1..3}.service; do
        [ "$unit" = "$resident" ] || node_run node1 musterctl destroy "$unit"
    done
}

@test "with rebalancing on, a machine that comes back gets a unit, and not the next at once" {
    local said unit full
    full=$(node_machine_id node1 | cut -c 1-8)
    node_run node1 musterctl cordon node2 node3
    NODE_DIRECTORY=/root node_run node1 musterctl start steady@{1..5}.service
    node_run node1 musterctl uncordon node2
    said=$(node_run node1 musterctl rebalance)
    echo "$said"
    grep -q 'advise, the default' <<<"$said"
    [ "$(grep -c "would leave $full" <<<"$said")" -eq 2 ]
    unit=$(sed -n 's/: would leave.*//p' <<<"$said" | head -n 1)
    holds_for 2 count_of_steady_on_is node1 5
    node_run node1 musterctl rebalance auto
    # A leader begins with it after a minute, which has passed if it is the first.
    wait_for 75 'the unit that was named has moved' runs_on "$unit" node2
    holds_for 5 count_of_steady_on_is node1 4
    why_says node1 "$unit" 'rebalanced off'
    node_run node1 musterctl rebalance off
    node_run node1 musterctl uncordon node3
    node_run node1 musterctl destroy steady@{1..5}.service
}

@test "of two machines lost at once one is let go, and the units of the other are held, and say so" {
    local survivor node
    survivor=$(session_recall survivor)
    NODE_DIRECTORY=/root node_run node1 musterctl start steady@{1..3}.service
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
