#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A machine is emptied by command: its units go one after the other, each stopped here before it runs there, or after if
# it is to start first.
# And a template's instances get another text, or are started anew, one after the other. Who names another goes with it.

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
    node_run node1 musterctl drain --no-block node3
    wait_for 5 'it is told that it is to leave' why_says node1 pinned.service 'is here, though: is being drained; '
    node_run node1 musterctl uncordon node3
}

copies_of_first_are() {
    local rows
    rows=$(node_run node1 musterctl list-units --no-legend --fields=unit,active,reason | grep '^first.service' | tr -s ' ' | sort)
    echo "$rows"
    grep -qxE "$1" <<<"$(tr '\n' ';' <<<"$rows")"
}

@test "one that is to start first is up there before it stops here, and has two copies only meanwhile" {
    local node up down
    # Whoever starts it waits for leave; the node notes when it was up, and when it was told to stop.
    node_write node1 /root/first.service <<'UNIT'
[Service]
Type=exec
ExecStartPre=/bin/sh -c 'until [ -e /run/leave ]; do sleep 0.1; done'
ExecStart=/bin/sleep 100000
ExecStartPost=/bin/sh -c 'date +%%s%%N >/run/first.up'
ExecStop=/bin/sh -c 'date +%%s%%N >/run/first.down'

[X-Fleet]
MoveOrder=start-first
UNIT
    node_run node1 musterctl cordon node1 node3
    node_run node2 touch /run/leave
    NODE_DIRECTORY=/root node_run node1 musterctl start first.service
    node_run node1 musterctl uncordon node1 node3
    node_run node1 musterctl drain --no-block node2
    wait_for 30 'it is starting elsewhere' \
        copies_of_first_are 'first.service activating moves here from [0-9a-f]{8}\.\.\.;first.service active -;'
    holds_for 2 node_run node2 systemctl is-active first.service
    for node in node1 node3; do
        node_run "$node" touch /run/leave
    done
    wait_for 30 'node2 is drained' machine_is node1 node2 drained
    copies_of_first_are 'first.service active -;'
    node=$(unit_node first.service)
    up=$(node_run "$node" cat /run/first.up)
    down=$(node_run node2 cat /run/first.down)
    echo "up on $node at $up, told to stop on node2 at $down"
    [ "$node" != node2 ] && [ "$up" -lt "$down" ]
    node_run node1 musterctl destroy first.service
    node_run node1 musterctl uncordon node2
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

# Of four instances.
rollout_is_midway() {
    local row
    row=$(rollout status steady@.service --no-legend --fields=changed)
    echo "$row"
    [[ $row == [23]/4 ]]
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

# The processes of everywhere.service; fails if more than one is missing.
pids_everywhere() {
    local node pid count=0
    for node in node1 node2 node3; do
        pid=$(node_property "$node" everywhere.service MainPID)
        [ "$pid" -eq 0 ] || count=$((count + 1))
        echo "$node $pid"
    done
    [ "$count" -ge 2 ]
}

@test "what runs everywhere is started anew on one machine after the other, each once" {
    local before after
    before=$(pids_everywhere)
    rollout restart --no-block --wait=500ms everywhere.service
    local give_up=$((SECONDS + 60))
    until rollout_of_is everywhere.service 'done'; do
        [ "$SECONDS" -lt "$give_up" ]
        pids_everywhere
        rollout_of_is everywhere.service running || rollout_of_is everywhere.service 'done'
    done
    after=$(pids_everywhere)
    [ "$(same_pids "$before" "$after")" -eq 0 ]
    holds_for 2 pids_everywhere
    [ "$(same_pids "$after" "$(pids_everywhere)")" -eq 3 ]
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
    wait_for 5 'it is told who comes first' why_says node1 low@3.service 'of priority 10, comes first'
    node_run node1 musterctl destroy high.service
    wait_for 15 'it is back' unit_node low@3.service
    node_run node1 musterctl destroy low@1.service low@2.service low@3.service
}

# --- groups ---

# group_unit NAME OTHER: a unit of node1's that has to be where the other is.
group_unit() {
    node_write node1 "/root/$1" <<UNIT
[Service]
ExecStart=/bin/sleep 100000

[X-Fleet]
MachineOf=$2
UNIT
}

RING=(ring-a.service ring-b.service)
PAIR=(chief.service aide.service)

all_run_on() {
    local unit
    for unit in "${RING[@]}" "${PAIR[@]}"; do
        runs_on "$unit" "$1" || return
    done
}

# reason_of VIA UNIT: why it is where it is.
reason_of() {
    node_run "$1" musterctl why "$2" | sed -n 's/.*is here; //p'
}

# Each group came for one reason, which speaks of all of it.
came_as_groups() {
    local via=$1 reason
    reason=$(reason_of "$via" ring-a.service)
    echo "$reason"
    [[ $reason == *'as a group of 2, ring-a.service first'* ]] && [ "$reason" = "$(reason_of "$via" ring-b.service)" ] ||
        return
    reason=$(reason_of "$via" chief.service)
    echo "$reason"
    [[ $reason == *'as a group of 2, chief.service first'* ]] && [ "$reason" = "$(reason_of "$via" aide.service)" ]
}

@test "who names another waits for it and joins it; two that name each other are placed as one, and say so" {
    node_run node1 musterctl destroy "${UNITS[@]}" steady@4.service pinned.service
    group_unit ring-a.service ring-b.service
    group_unit ring-b.service ring-a.service
    group_unit aide.service chief.service
    printf '[Service]\nExecStart=/bin/sleep 100000\n' | node_write node1 /root/chief.service
    node_run node1 musterctl cordon node1 node3
    NODE_DIRECTORY=/root node_run node1 musterctl start --no-block aide.service ring-a.service
    wait_for 5 'it is told whom it waits for' why_says node1 aide.service 'waits for chief.service, which is on no machine'
    wait_for 5 'so it is in a ring' why_says node1 ring-a.service 'waits for ring-b.service, which is on no machine'
    NODE_DIRECTORY=/root node_run node1 musterctl start chief.service ring-b.service
    wait_for 5 'all run beside whom they name' all_run_on node2
    why_says node1 ring-b.service 'as a group of 2, ring-a.service first'
}

@test "a drain moves a group as one, for one reason" {
    node_run node1 musterctl uncordon node3
    node_run node1 musterctl drain node2
    all_run_on node3
    came_as_groups node1
}

@test "a group leaves a machine that has died as one" {
    node_run node1 musterctl uncordon node2
    node_power_off node3
    wait_for 25 'both groups run on the other machine' all_run_on node2
    came_as_groups node1
}
