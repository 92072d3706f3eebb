# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A cluster of real systemd nodes on one machine, for ./demo, ./bench and the cluster tests.
#
#   cluster_up 3 --install DIR      etcd and three nodes, booted
#   node_run node1 musterctl …      run something inside a node
#   node_power_off node1            link first, then SIGKILL to the whole node
#   cluster_down                    nothing of it is left
#
# Everything is recorded in $CLUSTER/record *before* it is made, so that `cluster_reap DIR` can clean
# up after a harness that was itself killed. Only processes whose start time matches the record, or
# that live in a cgroup that the harness made, are ever signalled: a pid may have been given to a stranger since.
#
# Variables: CLUSTER (state directory), read by every function; record.sh says where they are made.

CLUSTER_LIB=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# Only chatter goes here; a bats test sets it to 3 to see it in the TAP stream.
: "${CLUSTER_LOG_FD:=2}"

# shellcheck source=tests/cluster/record.sh
. "$CLUSTER_LIB/record.sh"
# shellcheck source=tests/cluster/etcd.sh
. "$CLUSTER_LIB/etcd.sh"
# shellcheck source=tests/cluster/node.sh
. "$CLUSTER_LIB/node.sh"

cluster_log() {
    printf '%s\n' "$*" >&"$CLUSTER_LOG_FD"
}

cluster_fail() {
    cluster_log "error: $*"
    return 1
}

# Milliseconds of CLOCK_MONOTONIC as nodes see it too (/proc/uptime counts in hundredths).
now_ms() {
    local up
    read -r up _ </proc/uptime
    echo "$((10#${up/./} * 10))"
}

# wait_for SECONDS DESCRIPTION COMMAND…: until COMMAND succeeds. The seconds are what a machine takes that has nothing else
# to do; WAIT_PATIENCE (1) times as many are given. The command is a condition, which is asked about each 50 ms (or
# WAIT_PAUSE seconds), and more rarely the longer it takes: others have the processors meanwhile. Its output is in
# WAIT_ANSWER, and shown only when the time is up. A condition that hangs is cut at the deadline only if it is a program;
# keep shell functions quick.
wait_for() {
    local began deadline description=$2 output
    began=$(now_ms)
    deadline=$((began + $1 * 1000 * ${WAIT_PATIENCE:-1}))
    shift 2
    until output=$("$@" 2>&1); do
        if [ "$(now_ms)" -ge "$deadline" ]; then
            cluster_log "timed out waiting until $description"
            [ -z "$output" ] || cluster_log "  last answer of '$*': $output"
            return 1
        fi
        sleep "${WAIT_PAUSE:-$(wait_pause "$began")}"
    done
    # shellcheck disable=SC2034  # read by callers
    WAIT_ANSWER=$output
}

# A sixteenth of the time since then, from 50 ms to 1 s.
wait_pause() {
    local ms=$((($(now_ms) - $1) / 16))
    ms=$((ms < 50 ? 50 : ms > 999 ? 999 : ms))
    printf '0.%03d' "$ms"
}

cluster_get() {
    cat "$CLUSTER/$1"
}

cluster_nodes() {
    cat "$CLUSTER/nodes"
}

# Members of etcd by name (etcd1 …), also the names of their namespaces' suffixes and switch ports.
cluster_etcds() {
    cat "$CLUSTER/etcds"
}

cluster_address() {
    case $1 in
    etcd*) echo "$(cluster_get subnet).$((9 + ${1#etcd}))" ;;
    node*) echo "$(cluster_get subnet).$((100 + ${1#node}))" ;;
    *) cluster_fail "no such machine: $1" ;;
    esac
}

cluster_netns() {
    echo "$(cluster_get prefix)-$1"
}

# A state directory, a name that no other cluster has, and one tmpfs that holds every root: an overlay's
# upper may not lie on an overlay, and one umount removes all of it.
cluster_state_new() {
    state_new muster-cluster || return
    echo "mu${CLUSTER##*.}" >"$CLUSTER/prefix"
    echo "10.77.$((RANDOM % 250 + 1))" >"$CLUSTER/subnet"
    mkdir "$CLUSTER/fs" "$CLUSTER/log"
    record mount "$CLUSTER/fs"
    mount -t tmpfs -o mode=0755 "$(cluster_get prefix)" "$CLUSTER/fs"
}

cluster_switch_up() {
    local switch
    switch=$(cluster_netns switch)
    record netns "$switch"
    ip netns add "$switch"
    ip -n "$switch" link add bridge0 type bridge
    ip -n "$switch" link set bridge0 up
}

# cluster_plug NAME: a namespace of that name with its own address, plugged into the switch.
cluster_plug() {
    local netns switch
    netns=$(cluster_netns "$1")
    switch=$(cluster_netns switch)
    record netns "$netns"
    ip netns add "$netns"
    ip -n "$switch" link add "$1" type veth peer name host0 netns "$netns"
    ip -n "$switch" link set "$1" master bridge0
    ip -n "$switch" link set "$1" up
    ip -n "$netns" link set lo up
    ip -n "$netns" addr add "$(cluster_address "$1")/24" dev host0
    ip -n "$netns" link set host0 up
    ip -n "$netns" route add default via "$(cluster_get subnet).1"
}

# Options: --etcd MEMBERS (1), --etcd-disk MB (for each a disk of its own), --ttl SECONDS (5), --install DIR (what `make install DESTDIR=DIR` made),
# --images DIR (OCI layouts, seen by nodes), --cloud-config FILE (a template, see node_cloud_config).
# What DIR holds is copied: the caller may rebuild while the cluster runs.
cluster_up() {
    local count=$1 members=1 disk='' ttl=5 install='' images='' template='' i
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        --etcd) members=$2 ;;
        --etcd-disk) disk=$2 ;;
        --ttl) ttl=$2 ;;
        --install) install=$2 ;;
        --images) images=$2 ;;
        --cloud-config) template=$2 ;;
        *) cluster_fail "cluster_up does not know $1" || return ;;
        esac
        shift 2
    done
    cluster_state_new || return
    echo "$ttl" >"$CLUSTER/ttl"
    seq -f etcd%g "$members" >"$CLUSTER/etcds"
    seq -f node%g "$count" >"$CLUSTER/nodes"
    mkdir "$CLUSTER/fs/install" "$CLUSTER/fs/images"
    [ -z "$install" ] || cp -a "$install/." "$CLUSTER/fs/install/" || return
    [ -z "$images" ] || cp -a "$images/." "$CLUSTER/fs/images/" || return
    [ -z "$template" ] || cp "$template" "$CLUSTER/cloud-config" || return
    cluster_switch_up || return
    for i in $(cluster_etcds); do
        cluster_plug "$i" && { [ -z "$disk" ] || etcd_disk_up "$i" "$disk"; } && etcd_start "$i" || return
    done
    for i in $(cluster_nodes); do
        cluster_plug "$i" && node_prepare "$i" && node_launch "$i" || return
    done
    etcd_wait || return
    for i in $(cluster_nodes); do
        node_wait_booted "$i" || return
    done
}

cluster_down() {
    [ -n "${CLUSTER:-}" ] || return 0
    cluster_reap "$CLUSTER"
    CLUSTER=
}

# Journals, consoles and etcd's logs into DIR (made if need be); says where they are.
cluster_collect() {
    local directory=$1 node
    mkdir -p "$directory" || return
    for node in $(cluster_nodes); do
        node_is_running "$node" || continue
        node_journal "$node" --output=short-monotonic >"$directory/$node.journal" 2>&1 || true
        node_run "$node" systemctl --failed --no-pager >"$directory/$node.failed" 2>&1 || true
    done
    cp "$CLUSTER"/log/* "$directory/" || true
    etcd_dump >"$directory/store.txt" 2>&1 || true
    cluster_log "journals and logs are in $directory"
}
