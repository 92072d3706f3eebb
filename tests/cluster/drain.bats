#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A machine is emptied by command: its units go one after the other, each stopped here before it runs there.
# And a template's instances get another text, or are started anew, one after the other.

bats_require_minimum_version 1.5.0

load bats.sh

UNITS=(steady@1.service steady@2.service steady@3.service)

setup_file() {
    cluster_for_tests 3 --ttl 5
    node_write node1 /root/steady@.service <<'UNIT'
[Service]
ExecStart=/bin/sleep 100000
UNIT
    node_write node1 /root/everywhere.service <<'UNIT'
[Service]
ExecStart=/bin/sleep 100000

[X-Fleet]
Global=true
UNIT
    node_write node1 /root/pinned.service <<UNIT
[Service]
ExecStart=/bin/sleep 100000

[X-Fleet]
MachineID=$(node_machine_id node3)
UNIT
    NODE_DIRECTORY=/root node_run node1 musterctl start "${UNITS[@]}" everywhere.service pinned.service
    wait_for 10 'the global unit runs on all nodes' runs_on everywhere.service node1 node2 node3
}

# runs_on UNIT NODE…: on these and no others.
runs_on() {
    local unit=$1 nodes
    shift
    nodes=$(unit_nodes "$unit" | xargs)
    echo "$unit: $nodes"
    [ "$nodes" = "$*" ]
}

# The machine's word in list-machines.
machine_is() {
    local row
    row=$(machine_row "$1" "$2")
    echo "$row"
    grep -qw "$3" <<<"$row"
}

units_run_once_off() {
    local off=$1 unit node
    shift
    for unit in "$@"; do
        node=$(unit_node "$unit") && [ "$node" != "$off" ] || return
    done
}

@test "a cordoned machine keeps its units and gets no others" {
    local node
    node_run node1 musterctl cordon node2
    machine_is node1 node2 cordoned
    NODE_DIRECTORY=/root node_run node1 musterctl start steady@4.service steady@5.service steady@6.service
    for node in $(unit_nodes steady@4.service) $(unit_nodes steady@5.service) $(unit_nodes steady@6.service); do
        [ "$node" != node2 ]
    done
    node_run node1 musterctl destroy steady@4.service steady@5.service steady@6.service
    node_run node1 musterctl uncordon node2
    machine_is node1 node2 up
}

@test "drain moves every unit to other machines, then stops the global one" {
    node_run node1 musterctl drain node2
    runs_on everywhere.service node1 node3
    units_run_once_off node2 "${UNITS[@]}"
    machine_is node1 node2 drained
}

@test "nothing comes back before uncordon; then only what belongs everywhere" {
    holds_for 3 units_run_once_off node2 "${UNITS[@]}"
    node_run node3 musterctl uncordon node2
    wait_for 10 'the global unit runs on node2 again' runs_on everywhere.service node1 node2 node3
    units_run_once_off node2 "${UNITS[@]}"
}

@test "what no other machine may run stays, is named, and the drain ends by its time" {
    local status=0 said
    said=$(node_run node1 musterctl drain --timeout=6s node3 2>&1) || status=$?
    echo "$said"
    [ "$status" -eq 4 ]
    grep -q 'pinned.service: no machine may run it' <<<"$said"
    units_run_once_off node3 "${UNITS[@]}"
    runs_on pinned.service node3
    machine_is node1 node3 cordoned
    node_run node1 musterctl uncordon node3
}

steady_on() {
    local i
    for i in 1 2 3 4 5; do
        [ "$(unit_node "steady@$i.service")" != "$1" ] || echo "steady@$i.service"
    done
}

count_of_steady_on_is() {
    local here
    here=$(steady_on "$1" | wc -l)
    echo "$here on $1"
    [ "$here" -eq "$2" ]
}

@test "with rebalancing on, a machine that comes back gets a unit, and not the next at once" {
    local said unit full
    full=$(node_machine_id node1 | cut -c 1-8)
    node_run node1 musterctl destroy pinned.service "${UNITS[@]}"
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
    # A leader begins with it after a minute.
    wait_for 75 'the unit that was named has moved' runs_on "$unit" node2
    holds_for 5 count_of_steady_on_is node1 4
    said=$(node_run node1 musterctl why "$unit")
    echo "$said"
    grep -q 'rebalanced off' <<<"$said"
    node_run node1 musterctl rebalance off
    node_run node1 musterctl uncordon node3
}

@test "a drain survives the leader that began it" {
    local leader
    leader=$(leader_node node1)
    node_run node1 musterctl drain --no-block node1
    node_run "$leader" systemctl kill --kill-who=main --signal=KILL musterd.service
    wait_for 30 'node1 is drained' machine_is node2 node1 drained
    units_run_once_off node1 "${UNITS[@]}"
}

# --- rollouts ---

# steady_text COMMAND: steady@.service on node1 as a file that runs this.
steady_text() {
    node_write node1 /root/steady@.service <<UNIT
[Service]
ExecStart=$1
UNIT
}

rollout() {
    NODE_DIRECTORY=/root node_run node1 musterctl rollout "$@" 2>&1
}

rollout_is() {
    rollout_of_is steady@.service "$1"
}

# rollout_of_is UNIT STATE
rollout_of_is() {
    local row
    row=$(rollout status "$1" --no-legend --fields=unit,state)
    echo "$row"
    [[ $row == *" $2" ]]
}

# Of four instances and the template, which is changed at once.
rollout_is_midway() {
    local row
    row=$(rollout status steady@.service --no-legend --fields=changed)
    echo "$row"
    [[ $row == [2-4]/5 ]]
}

at_least_run() {
    local count
    count=$(node_run node1 musterctl list-units --no-legend --fields=unit,active | grep -c '^steady@.* active$')
    echo "$count run"
    [ "$count" -ge "$1" ]
}

# all_have_text COMMAND: every instance runs it, says systemd where it is.
all_have_text() {
    local unit node
    for unit in "${UNITS[@]}" steady@4.service; do
        node=$(unit_node "$unit") || return
        node_run "$node" systemctl show --property=ExecStart "$unit" | grep -qF "argv[]=$1 " || return
    done
}

pids_of_all() {
    local unit node
    for unit in "${UNITS[@]}" steady@4.service; do
        node=$(unit_node "$unit") || return
        echo "$unit $node $(node_run "$node" systemctl show --property=MainPID --value "$unit")"
    done
}

@test "a rollout gives every instance its new text, with one down at most" {
    node_run node1 musterctl uncordon node1 node2 node3
    NODE_DIRECTORY=/root node_run node1 musterctl start steady@4.service
    steady_text '/bin/sleep 200000'
    rollout start --no-block --wait=500ms steady@.service
    local give_up=$((SECONDS + 180))
    until rollout_is 'done'; do
        [ "$SECONDS" -lt "$give_up" ]
        at_least_run 3
        rollout_is running || rollout_is 'done'
    done
    all_have_text '/bin/sleep 200000'
}

@test "a text that fails pauses it, with the others as they were; undo goes back" {
    local status=0 said
    steady_text '/bin/false'
    said=$(rollout start --wait=3s steady@.service) || status=$?
    echo "$said"
    [ "$status" -eq 3 ]
    grep -q 'steady@1.service on .* has failed' <<<"$said"
    rollout_is paused
    at_least_run 3
    refused node1 musterctl rollout pause steady@.service
    rollout undo --wait=0s steady@.service
    all_have_text '/bin/sleep 200000'
}

@test "a text that fails is taken back where that is asked for" {
    local status=0
    rollout start --wait=3s --on-failure=rollback steady@.service || status=$?
    [ "$status" -eq 3 ]
    rollout_is rolled-back
    all_have_text '/bin/sleep 200000'
    rollout history steady@.service | grep -q 'rollback of'
}

@test "a rolling restart survives the leader, and restarts every instance once" {
    local before after leader
    before=$(pids_of_all)
    rollout restart --no-block --wait=2s steady@.service
    wait_for 20 'some have had their turn, and some have not' rollout_is_midway
    rollout_is running
    leader=$(leader_node node1)
    node_run "$leader" systemctl kill --kill-who=main --signal=KILL musterd.service
    wait_for 60 'the restart is done' rollout_is 'done'
    after=$(pids_of_all)
    printf '%s\n%s\n' "$before" "$after"
    [ "$(same_pids "$before" "$after")" -eq 0 ]
    holds_for 2 at_least_run 4
    [ "$(same_pids "$after" "$(pids_of_all)")" -eq 4 ]
}

# everywhere_text COMMAND: everywhere.service on node1 as a file that runs this.
everywhere_text() {
    node_write node1 /root/everywhere.service <<UNIT
[Service]
ExecStart=$1

[X-Fleet]
Global=true
UNIT
}

# nodes_run COUNT COMMAND: on so many nodes everywhere.service runs this.
nodes_run() {
    local node count=0
    for node in $(unit_nodes everywhere.service); do
        ! node_run "$node" systemctl show --property=ExecStart everywhere.service | grep -qF "argv[]=$2 " ||
            count=$((count + 1))
    done
    echo "$2 on $count nodes"
    [ "$count" -eq "$1" ]
}

@test "what runs everywhere gets another text on one machine after the other" {
    everywhere_text '/bin/sleep 200000'
    rollout start --no-block --wait=500ms everywhere.service
    local give_up=$((SECONDS + 180))
    until rollout_of_is everywhere.service 'done'; do
        [ "$SECONDS" -lt "$give_up" ]
        [ "$(unit_nodes everywhere.service | wc -l)" -ge 2 ]
        rollout_of_is everywhere.service running || rollout_of_is everywhere.service 'done'
    done
    nodes_run 3 '/bin/sleep 200000'
}

@test "where it fails, what runs everywhere is left as it was on the others; undo goes back" {
    local status=0 said
    everywhere_text '/bin/false'
    said=$(rollout start --wait=3s everywhere.service) || status=$?
    echo "$said"
    [ "$status" -eq 3 ]
    grep -q 'everywhere.service on .* has failed' <<<"$said"
    rollout_of_is everywhere.service paused
    nodes_run 2 '/bin/sleep 200000'
    NODE_DIRECTORY=/root refused node1 musterctl start --replace everywhere.service
    NODE_DIRECTORY=/root refused node1 musterctl rollout restart everywhere.service
    rollout undo --wait=0s everywhere.service
    nodes_run 3 '/bin/sleep 200000'
}

# --- room ---

# why_says UNIT WORDS
why_says() {
    local said
    said=$(node_run node1 musterctl why "$1") || true
    echo "$said"
    grep -qF "$2" <<<"$said"
}

@test "the less important yields when memory is short, is told why, and comes back when there is room" {
    local most unit
    most=$((3 * $(node_run node1 getconf _PHYS_PAGES) * $(node_run node1 getconf PAGE_SIZE) / 5))
    node_write node1 /root/low@.service <<UNIT
[Service]
ExecStart=/bin/sleep 100000

[X-Fleet]
MemoryRequest=$most
UNIT
    node_write node1 /root/high.service <<UNIT
[Service]
ExecStart=/bin/sleep 100000

[X-Fleet]
MemoryRequest=$most
Priority=10
UNIT
    NODE_DIRECTORY=/root node_run node1 musterctl start low@1.service low@2.service
    NODE_DIRECTORY=/root node_run node1 musterctl start low@3.service
    NODE_DIRECTORY=/root node_run node1 musterctl start high.service
    [ "$(unit_nodes high.service | wc -l)" -eq 1 ]
    [ -z "$(unit_nodes low@3.service)" ] # the youngest
    for unit in low@1.service low@2.service; do unit_node "$unit"; done
    wait_for 5 'it is told who comes first' why_says low@3.service 'of priority 10, comes first'
    node_run node1 musterctl destroy high.service
    wait_for 15 'it is back' unit_node low@3.service
    node_run node1 musterctl destroy low@1.service low@2.service low@3.service
}
