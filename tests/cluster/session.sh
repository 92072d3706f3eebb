# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What a user does with a cluster of three, step by step, and the facts that must hold after each. ./demo
# runs it for people, session.bats as tests: the same functions, so that they cannot drift apart.
#
# Steps hand what later ones need through files in $CLUSTER/session, since bats runs each test in a process
# of its own. A step fails with the first fact that does not hold.

# shellcheck source=tests/cluster/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/cluster/facts.sh
. "$(dirname "${BASH_SOURCE[0]}")/facts.sh"

SESSION_EXAMPLES=/usr/share/muster/examples

session_keep() {
    mkdir -p "$CLUSTER/session"
    echo "$2" >"$CLUSTER/session/$1"
}

session_recall() {
    cat "$CLUSTER/session/$1"
}

# Runs a command on a node the way a person would see it: the prompt, the command, what it says.
session_show() {
    local node=$1
    shift
    printf '\n%s# %s\n' "$node" "$*"
    NODE_DIRECTORY=$SESSION_EXAMPLES node_run "$node" "$@"
}

# session_fact DESCRIPTION COMMAND…
session_fact() {
    local description=$1 output
    shift
    if output=$("$@" 2>&1); then
        printf '  ok: %s\n' "$description"
    else
        printf '  NOT SO: %s\n%s\n' "$description" "$output"
        return 1
    fi
}

# As session_fact, for what becomes true a little later without anyone asking again.
session_soon() {
    local seconds=$1 description=$2
    shift 2
    session_fact "$description" wait_for "$seconds" "$description" "$@"
}

session_validates_its_configuration() {
    local node
    session_show node1 cat /etc/muster/cloud-config.yml || return
    session_show node1 muster-cloudinit --validate --from-file=/etc/muster/cloud-config.yml || return
    for node in $(cluster_nodes); do
        session_fact "musterd runs on $node, configured by its cloud-config" \
            node_unit_is_active "$node" musterd.service || return
    done
}

session_lists_machines() {
    session_soon 20 'every node is a machine of the cluster' machines_are_up node1 || return
    session_show node1 musterctl list-machines
}

session_fills_the_role() {
    session_soon 40 'role web has two holders and one spare' role_is node1 web 2 2 1 || return
    session_show node1 musterctl list-roles
}

session_submits() {
    session_show node1 musterctl submit busybox@1.service busybox@2.service || return
    session_show node1 musterctl list-unit-files || return
    session_fact 'both unit files are known, and neither unit runs yet' session_only_submitted
}

session_only_submitted() {
    unit_file_is_known node1 busybox@1.service && unit_file_is_known node1 busybox@2.service &&
        unit_runs_nowhere busybox@1.service && unit_runs_nowhere busybox@2.service
}

session_starts() {
    local first second
    session_show node1 musterctl start busybox@1.service busybox@2.service || return
    session_show node1 musterctl list-units || return
    session_fact 'start returned when both were active and running' \
        units_are_listed_running node1 busybox@1.service busybox@2.service || return
    first=$(unit_node busybox@1.service) || return
    second=$(unit_node busybox@2.service) || return
    session_fact "they run on two machines: $first and $second" [ "$first" != "$second" ] || return
    session_show node1 musterctl start web@1.service web@2.service || return
    session_fact 'the web units run on the holders of role web only' units_run_on_holders node1 web \
        web@1.service web@2.service
}

session_shows_the_slice() {
    local unit=busybox@1.service node exec_pid status=0
    node=$(unit_node "$unit") || return
    session_fact "the main process of $unit is a container in the unit's own cgroup" \
        unit_main_is_contained "$node" "$unit" || return
    session_show "$node" musterctl exec "$unit" -- /bin/busybox echo "hello from inside" || return
    session_fact 'exec hands on output and exit status' exec_is_faithful "$node" "$unit" || return
    printf '\n%s# %s\n' "$node" "musterctl exec $unit -- /bin/busybox sleep 600 &"
    node_run "$node" musterctl exec "$unit" -- /bin/busybox sleep 600 </dev/null >/dev/null 2>&1 3>&- &
    exec_pid=$!
    session_soon 5 'the exec session has a scope of its own beside the service' \
        slice_has_scope "$node" || status=1
    session_show "$node" systemd-cgls --no-pager --unit muster.slice || status=1
    session_ends_exec "$node" "$exec_pid" || status=1
    return "$status"
}

session_ends_exec() {
    local node=$1 scope
    scope=$(slice_scopes "$node" | sed -n 1p)
    [ -z "$scope" ] || node_run "$node" systemctl kill --signal=KILL "$scope"
    kill "$2" 2>/dev/null
    wait "$2" 2>/dev/null
    session_fact 'the unit does not mind the end of the session' node_unit_is_active "$node" busybox@1.service
}

# Two of three nodes hold web and two run a busybox: one at least does both, and its loss shows everything.
session_chooses_the_victim() {
    local unit other node
    for unit in busybox@1.service busybox@2.service; do
        node=$(unit_node "$unit") || return
        role_is_held_by node1 web "$node" || continue
        other=busybox@$((3 - $(instance_number "$unit"))).service
        session_keep victim "$node"
        session_keep moving "$unit"
        session_keep staying "$other"
        session_keep identity "$(node_unit_identity "$(unit_node "$other")" "$other")"
        session_keep survivor "$(cluster_nodes | grep -vx "$node" | sed -n 1p)"
        return
    done
    cluster_fail 'no machine holds web and runs a busybox'
}

session_survives_a_power_off() {
    local victim moving staying survivor node
    session_chooses_the_victim || return
    victim=$(session_recall victim) moving=$(session_recall moving)
    staying=$(session_recall staying) survivor=$(session_recall survivor)
    expiry_watch "$victim" || return
    printf '\n=== %s, which runs %s and holds role web, loses its power: link first, then everything ===\n' \
        "$victim" "$moving"
    node_power_off "$victim" || return
    session_soon "$(($(cluster_get ttl) + 15))" "$moving is active on another machine" \
        unit_runs_somewhere_but "$victim" "$moving" || return
    node=$(unit_node "$moving")
    session_keep moved_to "$node"
    session_keep failover_ms "$(($(node_unit_active_since_ms "$node" "$moving") - $(cluster_get "$victim.off_ms")))"
    session_keep lease_ms "$(($(expiry_seen_ms) - $(cluster_get "$victim.off_ms")))" || return
    session_fact "$staying was not disturbed" session_is_undisturbed "$staying"
}

session_is_undisturbed() {
    local node
    node=$(unit_node "$1") && [ "$(node_unit_identity "$node" "$1")" = "$(session_recall identity)" ]
}

session_sees_the_loss() {
    local victim survivor moving
    victim=$(session_recall victim) survivor=$(session_recall survivor) moving=$(session_recall moving)
    session_soon 5 "$victim is no longer listed as up" machine_is_listed_down "$survivor" "$victim" || return
    session_show "$survivor" musterctl list-machines || return
    session_soon 5 'list-units agrees with systemd on every node' units_are_listed_where_they_run "$survivor" \
        "$moving" "$(session_recall staying)" || return
    session_show "$survivor" musterctl list-units
}

session_promotes_the_spare() {
    local survivor
    survivor=$(session_recall survivor)
    session_soon 10 'the spare now holds web' role_is "$survivor" web 2 2 0 || return
    session_fact "the dead machine does not hold it" session_victim_holds_nothing || return
    session_show "$survivor" musterctl list-roles || return
    session_soon 10 'the web units run on the holders again' units_run_on_holders "$survivor" web \
        web@1.service web@2.service || return
    session_show "$survivor" musterctl list-units
}

session_victim_holds_nothing() {
    ! role_is_held_by "$(session_recall survivor)" web "$(session_recall victim)"
}

# What the issue asks of a failover: the lease and less than a second.
session_failover_was_quick() {
    local failover lease ttl
    failover=$(session_recall failover_ms) lease=$(session_recall lease_ms)
    ttl=$(($(cluster_get ttl) * 1000))
    session_fact "failover took less than the lease's TTL and a second" [ "$failover" -lt $((ttl + 1000)) ] || return
    printf 'failover: %s s from power-off until %s was active on %s; %s s of it was the lease (TTL %s s), %s s the rest\n' \
        "$(seconds "$failover")" "$(session_recall moving)" "$(session_recall moved_to)" \
        "$(seconds "$lease")" "$(cluster_get ttl)" "$(seconds $((failover - lease)))"
}

node_musterd_is_small() {
    [ "$(node_rss_kb "$1" musterd.service)" -lt 10240 ]
}

# At rest: a little after its last change of part, musterd gives back what only that needed.
session_is_small() {
    local node rss
    for node in $(cluster_nodes); do
        node_is_running "$node" || continue
        session_soon 10 "musterd on $node settles under 10 MB" node_musterd_is_small "$node" || return
        rss=$(node_rss_kb "$node" musterd.service) || return
        printf 'RSS of musterd on %s: %s MB\n' "$node" "$(awk -v kb="$rss" 'BEGIN { printf "%.1f", kb / 1024 }')"
    done
}

# shellcheck disable=SC2034  # read by ./demo
SESSION_STEPS='session_validates_its_configuration session_lists_machines session_fills_the_role
    session_submits session_starts session_shows_the_slice session_survives_a_power_off
    session_sees_the_loss session_promotes_the_spare session_is_small session_failover_was_quick'
