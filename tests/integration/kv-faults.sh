# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Three members of etcd, each with a disk of its own, two clients (kv-driver), and faults between them.
# Sourced by kv-faults.bats.
#
#   kv_cluster_up; kv_run_begin SEED; kv_fault stop etcd2 300; …; kv_run_end
#
# A run is one history: kv_run_begin notes the store as it stands and starts both clients, kv_run_end heals
# all, lets the clients end, and has kv-history.py compare what they were told with what etcd holds.
#
# The clients: node1 writes and follows, node2 only follows, so that it can be cut off while writes go on.

# shellcheck source=tests/cluster/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cluster/lib.sh"

KV_HISTORY=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/kv-history.py
KV_DISK_MB=1024

# A table whose chains are empty as long as nothing is wrong.
kv_firewall_up() {
    kv_nft "$1" add table inet fault
    kv_nft "$1" add chain inet fault in '{ type filter hook input priority 0; }'
    kv_nft "$1" add chain inet fault out '{ type filter hook output priority 0; }'
}

kv_nft() {
    local netns
    netns=$(cluster_netns "$1")
    shift
    nsenter --net="/run/netns/$netns" -- nft "$@"
}

# kv_cluster_up [MEMBERS]
kv_cluster_up() {
    local machine
    # Leaders are found in half a second, so that there is time for many faults.
    export ETCD_HEARTBEAT_INTERVAL=50 ETCD_ELECTION_TIMEOUT=500
    cluster_state_new || return
    seq -f etcd%g "${1:-3}" >"$CLUSTER/etcds"
    : >"$CLUSTER/nodes"
    cluster_get prefix >"$CLUSTER/token"
    cluster_switch_up || return
    for machine in $(cluster_etcds); do
        cluster_plug "$machine" && kv_firewall_up "$machine" && etcd_disk_up "$machine" "$KV_DISK_MB" &&
            etcd_start "$machine" || return
    done
    for machine in node1 node2; do
        cluster_plug "$machine" && kv_firewall_up "$machine" || return
    done
    etcd_wait
}

# --- facts ---

# kv_leader: who leads, as soon as anybody does: a member that has just come back may take another's lead away,
# and on a busy machine none may answer in time.
kv_leader() {
    wait_for 20 'etcd has a leader' etcd_leader && echo "$WAIT_ANSWER"
}

# --- runs ---

kv_client_start() {
    local client=$1 seed=$2 work=$3 directory=$CLUSTER/run/$1 urls
    urls=$(etcd_urls)
    # The two begin with different members.
    [ "$client" != node2 ] || urls=$(tr ',' '\n' <<<"$urls" | tac | paste -sd ,)
    mkdir -p "$directory" || return
    # shellcheck disable=SC2086  # a list
    setsid nsenter --net="/run/netns/$(cluster_netns "$client")" -- \
        "${KV_DRIVER:?names the built kv-driver}" "$directory" "$seed-$client" "$work" ${urls//,/ } \
        </dev/null >"$directory/out" 2>"$directory/err" 3>&- 4>&- &
    echo "$! $(process_started $!)" >"$directory/pid"
    record_pid $!
    disown $!
    wait_for 10 "$client is ready" grep -q ready "$directory/out"
}

kv_history() {
    local command=$1 member
    shift
    member=$(kv_leader) || return
    nsenter --net="/run/netns/$(cluster_netns "$member")" -- \
        "$KV_HISTORY" "$command" "$CLUSTER/run/history" "$(etcd_url "$member")" "$@"
}

# kv_run_begin SEED [write|write-large]
kv_run_begin() {
    rm -rf "$CLUSTER/run"
    mkdir "$CLUSTER/run" || return
    wait_for 10 'etcd has a leader' etcd_leader && kv_history begin &&
        kv_client_start node1 "$1" "${2:-write}" && kv_client_start node2 "$1" follow
}

kv_client_is_gone() {
    local pid started
    read -r pid started <"$CLUSTER/run/$1/pid"
    process_is_gone "$pid" "$started"
}

# It has ended by itself, and well: its last words are there, and nobody (a sanitizer, say) complained.
kv_client_end() {
    local directory=$CLUSTER/run/$1 pid started
    read -r pid started <"$directory/pid"
    ! process_is_gone "$pid" "$started" || cluster_fail "$1 ended early: $(cat "$directory/err")" || return
    kill -TERM "$pid"
    wait_for 60 "$1 ends" kv_client_is_gone "$1" || return
    cat "$directory/err"
    tail -n 1 "$directory/out" | grep reconnects && [ ! -s "$directory/err" ]
}

# node1 first: it puts the last revision, for which node2 waits.
kv_run_end() {
    kv_heal && kv_client_end node1 && kv_client_end node2 && kv_history archive &&
        "$KV_HISTORY" check "$CLUSTER/run/history" "$CLUSTER/run/node1" "$CLUSTER/run/node2"
}

# kv_store_replace same|other: every member begins anew from the snapshot; the token makes the cluster's id.
kv_store_replace() {
    [ "$1" = same ] || echo "$1$RANDOM" >"$CLUSTER/token"
    etcd_restore "$CLUSTER/run/snapshot" "$(cluster_get token)"
}

kv_store_save() {
    etcd_ctl --command-timeout=60s snapshot save "$CLUSTER/run/snapshot" >/dev/null
}

# kv_followers_are_lost CLIENT CODE WORDS: every watch and mirror was told so.
kv_followers_are_lost() {
    local log
    for log in "$CLUSTER/run/$1"/{watch,mirror}-*.log; do
        grep "^lost $2 .*$3" "$log" || return
    done
}

kv_no_lease_is_left() {
    ! etcd_curl "$(etcd_leader)" /v3/lease/leases --data '{}' | grep ID
}

kv_reconnects() {
    awk '/^reconnects/ { print $2 }' "$CLUSTER/run/$1/out"
}

kv_is_beyond() {
    [ "$(etcd_revision "$(etcd_leader)")" -gt "$1" ]
}

# kv_wait_writes COUNT: until so many more revisions are written.
kv_wait_writes() {
    local revision
    revision=$(etcd_revision "$(kv_leader)") || return
    wait_for 60 "$1 more revisions are written" kv_is_beyond "$((revision + $1))"
}

kv_heal() {
    local machine
    for machine in $(cluster_etcds) node1 node2; do
        kv_nft "$machine" flush chain inet fault in
        kv_nft "$machine" flush chain inet fault out
        kv_cable "$machine" up
    done
    etcd_cont && etcd_wait
}

# --- faults: each does its harm, waits as long as told, and undoes it ---

pause_ms() {
    sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"
}

kv_leader_or() {
    etcd_leader || echo "$1"
}

fault_kill() {
    etcd_kill "$1" && pause_ms "$2" && etcd_start "$1"
}

# Told to stop, a member ends its streams as if all had been said.
fault_term() {
    local pid started
    read -r pid started <"$CLUSTER/$1.pid"
    etcd_signal TERM "$1"
    wait_for 10 "$1 has stopped" process_is_gone "$pid" "$started" && pause_ms "$2" && etcd_start "$1"
}

fault_kill_all() {
    local member
    etcd_kill && pause_ms "$2" || return
    for member in $(cluster_etcds); do etcd_start "$member"; done
}

fault_stop() {
    etcd_stop "$1" && pause_ms "$2" && etcd_cont "$1"
}

kv_cable() {
    ip -n "$(cluster_netns switch)" link set "$1" "$2"
}

fault_unplug() {
    kv_cable "$1" down && pause_ms "$2" && kv_cable "$1" up
}

# From the other members only: clients still reach it.
fault_isolate() {
    kv_nft "$1" add rule inet fault in tcp dport 2380 drop &&
        kv_nft "$1" add rule inet fault in tcp sport 2380 drop &&
        kv_nft "$1" add rule inet fault out tcp dport 2380 drop && pause_ms "$2" &&
        kv_nft "$1" flush chain inet fault in && kv_nft "$1" flush chain inet fault out
}

fault_freeze_disk() {
    local status=0
    fsfreeze --freeze "$CLUSTER/fs/$1" && pause_ms "$2" || status=1
    fsfreeze --unfreeze "$CLUSTER/fs/$1" && return "$status"
}

fault_move_leader() {
    local status
    status=$(etcd_curl "$1" /v3/maintenance/status --data '{}') || return 0
    # Asked of the leader only; of another it is refused, which harms nobody.
    etcd_curl "$(kv_leader_or "$1")" /v3/maintenance/transfer-leadership \
        --data "{\"targetID\":\"$(etcd_status_field "$status" member_id)\"}" >/dev/null 2>&1 || true
    pause_ms "$2"
}

fault_compact() {
    kv_history compact && pause_ms "$2"
}

# A client's way to one member: silent, or refused and reset.
fault_lose_member() {
    kv_nft "$1" add rule inet fault out ip daddr "$(cluster_address "$3")" drop && pause_ms "$2" &&
        kv_nft "$1" flush chain inet fault out
}

fault_reset_member() {
    kv_nft "$1" add rule inet fault out ip daddr "$(cluster_address "$3")" tcp dport 2379 \
        reject with tcp reset && pause_ms "$2" && kv_nft "$1" flush chain inet fault out
}

# Beyond its sight, history goes on, and is forgotten: its streams break at the next event, and to connect
# anew is to ask for a revision that is gone.
fault_compact_behind() {
    local status=0
    kv_nft "$1" add rule inet fault out tcp dport 2379 reject with tcp reset && pause_ms "$2" &&
        kv_history compact || status=1
    kv_nft "$1" flush chain inet fault out && return "$status"
}

# kv_fault NAME TARGET MS [MORE]: "leader" stands for whoever leads now.
kv_fault() {
    local name=$1 target=$2
    shift 2
    [ "$target" != leader ] || target=$(kv_leader_or etcd1)
    "fault_$name" "$target" "$@" ||
        cluster_fail "the fault itself failed: $name $target $*"
}

# --- plans: a seed's faults, drawn before any is done, so that timing cannot change them ---

pick() {
    shift $((RANDOM % $#))
    PICKED=$1
}

# One line: a member's fault, and for every second one a client's at the same time.
kv_plan_line() {
    local member client other
    pick etcd1 etcd2 etcd3
    member=$PICKED
    pick etcd1 etcd2 etcd3
    other=$PICKED
    pick node1 node2
    client=$PICKED
    pick "kill leader $((RANDOM % 300))" "kill $member $((RANDOM % 300))" "term $member $((RANDOM % 100))" \
        "term leader $((RANDOM % 100))" \
        "stop $member $((50 + RANDOM % 250))" "stop leader $((50 + RANDOM % 250))" \
        "stop $member $((600 + RANDOM % 700))" "stop leader $((600 + RANDOM % 700))" \
        "unplug $member $((100 + RANDOM % 800))" "isolate $member $((100 + RANDOM % 900))" \
        "isolate leader $((100 + RANDOM % 1000))" "freeze_disk leader $((100 + RANDOM % 900))" \
        "freeze_disk $member $((100 + RANDOM % 500))" "move_leader $member $((RANDOM % 200))" \
        "compact leader $((RANDOM % 100))" "compact_behind node2 $((300 + RANDOM % 300))" \
        "kill_all all $((RANDOM % 200))"
    printf '%s' "$PICKED"
    case $PICKED in
    compact_behind*) echo; return ;; # is a client's fault already
    esac
    pick '' '' '' "unplug $client $((50 + RANDOM % 500))" "unplug node2 1500" \
        "lose_member $client $((100 + RANDOM % 700)) $other" \
        "reset_member $client $((20 + RANDOM % 80)) $other"
    echo "${PICKED:+ & $PICKED}"
}

# kv_plan SEED COUNT: lines of COUNT faults, or one more.
kv_plan() {
    local drawn=0 line
    RANDOM=$(cksum <<<"$1" | cut -d' ' -f1)
    while [ "$drawn" -lt "$2" ]; do
        # Not in a subshell, which would draw for itself.
        kv_plan_line >"$CLUSTER/plan-line"
        line=$(cat "$CLUSTER/plan-line")
        drawn=$((drawn + 1))
        case $line in *'&'*) drawn=$((drawn + 1)) ;; esac
        echo "$line"
    done
}

# kv_carry_out LINE
kv_carry_out() {
    local other status=0
    # shellcheck disable=SC2086  # words
    case $1 in
    *'&'*)
        kv_fault ${1#*& } &
        other=$!
        kv_fault ${1%% &*} || status=1
        wait "$other" || status=1
        ;;
    *) kv_fault $1 || status=1 ;;
    esac
    wait_for 20 'etcd has a leader again' etcd_leader >/dev/null || status=1
    return "$status"
}

# kv_faults PLAN: every line of the file.
kv_faults() {
    local line
    while read -r line <&9; do
        echo "$(now_ms) $line" >>"$CLUSTER/run/faults"
        kv_carry_out "$line" || return
    done 9<"$1"
}
