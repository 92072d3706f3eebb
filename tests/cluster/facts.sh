# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Facts about a cluster, asked of two witnesses: what musterctl says, and what systemd on the nodes does.
# Each is a condition: quick, quiet, repeatable. The first argument VIA is the node to run musterctl on.

seconds() {
    awk -v ms="$1" 'BEGIN { printf "%.2f", ms / 1000 }'
}

# busybox@7.service: 7
instance_number() {
    local name=${1#*@}
    echo "${name%.*}"
}

# Whether TEXT (a cell of some table) speaks of NODE: by machine id, short or long, address or name.
text_names_node() {
    local id
    id=$(node_machine_id "$2")
    case $1 in
    *"${id:0:8}"* | *"/$(cluster_address "$2")" | "$(cluster_address "$2")" | *"$2"*) return 0 ;;
    *) return 1 ;;
    esac
}

# --- machines ---

machine_row() {
    local id
    id=$(node_machine_id "$2")
    node_run "$1" musterctl list-machines --no-legend | grep "^${id:0:8}"
}

machine_is_up() {
    local row
    row=$(machine_row "$1" "$2") && [[ $row != *down* ]]
}

# A machine that is gone is shown with the word, or not at all; a row that looks healthy is a lie.
machine_is_listed_down() {
    node_run "$1" musterctl list-machines --no-legend >/dev/null && ! machine_is_up "$1" "$2"
}

# All that run, as VIA sees them.
machines_are_up() {
    local node
    for node in $(cluster_nodes); do
        ! node_is_running "$node" || machine_is_up "$1" "$node" || return
    done
}

# --- roles: ROLE WANT HAVE SPARE MIN STATE HOLDERS ---

role_row() {
    node_run "$1" musterctl list-roles --no-legend | awk -v role="$2" '$1 == role'
}

# role_is VIA ROLE WANT HAVE SPARE
role_is() {
    local row
    row=$(role_row "$1" "$2")
    echo "$row"
    [ "$(awk '{ print $2, $3, $4 }' <<<"$row")" = "$3 $4 $5" ]
}

role_is_held_by() {
    local holders
    holders=$(role_row "$1" "$2" | cut -d' ' -f2- | awk '{ for (i = 6; i <= NF; i++) print $i }')
    [ -n "$holders" ] && text_names_node "$holders" "$3"
}

# --- units ---

unit_file_is_known() {
    node_run "$1" musterctl list-unit-files --no-legend |
        awk -v unit="$2" '$1 == unit { found = 1 } END { exit !found }'
}

# The running nodes on which systemd has the unit active, one a line.
unit_nodes() {
    local node
    for node in $(cluster_nodes); do
        if node_is_running "$node" && node_unit_is_active "$node" "$1"; then echo "$node"; fi
    done
}

# The one node that runs the unit; fails if there is none, or more than one.
unit_node() {
    local nodes
    nodes=$(unit_nodes "$1")
    [ "$(wc -w <<<"$nodes")" -eq 1 ] || cluster_fail "$1 is active on: ${nodes:-no node}" || return
    echo "$nodes"
}

unit_runs_nowhere() {
    [ -z "$(unit_nodes "$1")" ]
}

# runs_on UNIT NODE…: on these and no others.
runs_on() {
    local unit=$1 nodes
    shift
    nodes=$(unit_nodes "$unit" | xargs)
    echo "$unit: $nodes"
    [ "$nodes" = "$*" ]
}

unit_runs_somewhere_but() {
    local nodes
    nodes=$(unit_nodes "$2")
    [ -n "$nodes" ] && [ "$nodes" != "$1" ]
}

# unit_row VIA UNIT: UNIT MACHINE ACTIVE SUB
unit_row() {
    node_run "$1" musterctl list-units --no-legend | awk -v unit="$2" '$1 == unit'
}

unit_is_listed_on() {
    local via=$1 unit=$2 node=$3 row machine active sub
    row=$(unit_row "$via" "$unit")
    echo "$row"
    [ "$(grep -c . <<<"$row")" -eq 1 ] || return
    read -r _ machine active sub <<<"$row"
    [ "$active/$sub" = active/running ] && text_names_node "$machine" "$node"
}

units_are_listed_where_they_run() {
    local via=$1 unit node
    shift
    for unit in "$@"; do
        node=$(unit_node "$unit") && unit_is_listed_on "$via" "$unit" "$node" || return
    done
}

# Both witnesses: listed once, active/running, on the very node whose systemd runs it.
units_are_listed_running() {
    units_are_listed_where_they_run "$@"
}

# why_says VIA UNIT WORDS
why_says() {
    local said
    said=$(node_run "$1" musterctl why "$2") || true
    echo "$said"
    grep -qF -- "$3" <<<"$said"
}

units_run_on_holders() {
    local via=$1 role=$2 unit node
    shift 2
    for unit in "$@"; do
        node=$(unit_node "$unit") && role_is_held_by "$via" "$role" "$node" || return
    done
}

# What may not change while nothing is moved or restarted: unit, node, main process, invocation.
# One question for each node, since this is asked again and again.
units_identities() {
    local node found
    found=$(for node in $(cluster_nodes); do node_identities "$node" "$@"; done | sort)
    [ "$(cut -d ' ' -f 1 <<<"$found")" = "$(printf '%s\n' "$@" | sort)" ] ||
        cluster_fail "not each of $* is active on one node:"$'\n'"$found" || return
    echo "$found"
}

# node_identities NODE UNIT…: of those that are active there.
node_identities() {
    local node=$1
    shift
    node_is_running "$node" || return 0
    node_run "$node" systemctl show --property=Id,ActiveState,MainPID,InvocationID "$@" |
        awk -v node="$node" 'BEGIN { RS = ""; FS = "\n" }
            { for (i = 1; i <= NF; i++) { at = index($i, "="); value[substr($i, 1, at - 1)] = substr($i, at + 1) } }
            value["ActiveState"] == "active" { print value["Id"], node, value["MainPID"], value["InvocationID"] }'
}

units_are_as_before() {
    local before=$1 now
    shift
    now=$(units_identities "$@") || return
    [ "$now" = "$before" ] || cluster_fail "before:"$'\n'"$before"$'\n'"now:"$'\n'"$now"
}

# same_pids BEFORE AFTER: how many lines they share.
same_pids() {
    comm -12 <(sort <<<"$1") <(sort <<<"$2") | wc -l
}

# Its main process has a process namespace of its own and sits below the unit's own cgroup.
unit_main_is_contained() {
    local node=$1 unit=$2 pid outside inside
    pid=$(node_property "$node" "$unit" MainPID)
    outside=$(node_run "$node" readlink /proc/1/ns/pid)
    inside=$(node_run "$node" readlink "/proc/$pid/ns/pid") || return
    [ "$outside" != "$inside" ] &&
        node_run "$node" grep -qF "/muster.slice/$unit" "/proc/$pid/cgroup"
}

# Output comes back as it was written, and so does the exit status.
exec_is_faithful() {
    local said status=0
    # shellcheck disable=SC2016  # the container's shell expands it
    said=$(node_run "$1" musterctl exec "$2" -- /bin/sh -c 'echo "pid $$"; exit 7') || status=$?
    echo "$said, exit status $status" >&2
    [ "$status" -eq 7 ] && [[ $said =~ ^pid\ [0-9]+$ ]]
}

slice_scopes() {
    node_run "$1" systemctl list-units --no-legend --plain --type=scope --state=active 'muster*' |
        awk '{ print $1 }'
}

slice_has_scope() {
    [ -n "$(slice_scopes "$1")" ]
}

# --- the lease's part of a failover ---

# Notes when etcd deletes the machine's presence, by a watch that is in place before this returns.
expiry_watch() {
    local key pid
    key=/muster/v1/nodes/$(node_machine_id "$1")/presence
    [[ $(etcd_ctl get "$key") == *"$key"* ]] || cluster_fail "$1 has no presence in the store" || return
    rm -f "$CLUSTER/expiry_ms" "$CLUSTER/expiry_watched"
    expiry_follow "$key" </dev/null >/dev/null 2>&1 3>&- 4>&- &
    pid=$!
    disown "$pid"
    record_pid "$pid"
    wait_for 5 'etcd has taken the watch' test -e "$CLUSTER/expiry_watched"
}

# etcd answers a watch with "created" first, then with an event for each change.
expiry_follow() {
    local answer
    while read -r answer; do
        case $answer in
        *'"DELETE"'*)
            now_ms >"$CLUSTER/expiry_ms"
            return
            ;;
        *'"created":true'*) : >"$CLUSTER/expiry_watched" ;;
        esac
    done < <(etcd_curl etcd1 /v3/watch --no-buffer --max-time 600 \
        --data "{\"create_request\":{\"key\":\"$(printf %s "$1" | base64 -w0)\"}}")
}

# The watch may hear of it a moment after the agents have.
expiry_seen_ms() {
    wait_for 5 'etcd has deleted the presence' test -s "$CLUSTER/expiry_ms" && cat "$CLUSTER/expiry_ms"
}

# daemon_status NODE: what its musterd says of itself, the cluster and the store.
daemon_status() {
    node_run "$1" curl -s --unix-socket /run/muster/muster.sock http://localhost/v1/status
}

# The node whose musterd leads, as VIA is told.
leader_node() {
    local id node
    id=$(daemon_status "$1" | sed -n 's/.*"leader":{[^}]*"machine":"\([0-9a-f]*\)".*/\1/p')
    for node in $(cluster_nodes); do
        if [ "$(node_machine_id "$node")" = "$id" ]; then echo "$node" && return; fi
    done
    cluster_fail 'no node leads'
}
