# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What a cluster has made, written down before it is made, and how to remove it. Sourced by lib.sh.
#
# Variables: MUSTER_CLUSTER_DIR (where state directories are made, default /var/tmp). CLUSTER_REGISTER (a file that is
# told of each; whoever sets it can remove what was left behind by a killed harness: register_reap).
#
# One line each in $CLUSTER/record:   pid PID STARTED    cgroup PATH    netns NAME    mount PATH    disk PATH
# (a mount that may have been left frozen)

# state_new NAME: a new state directory, in CLUSTER.
state_new() {
    local base=${MUSTER_CLUSTER_DIR:-/var/tmp}
    mkdir -p "$base" && CLUSTER=$(mktemp -d "$base/$1.XXXXXX") || return
    export CLUSTER
    [ -z "${CLUSTER_REGISTER:-}" ] || echo "$CLUSTER" >>"$CLUSTER_REGISTER"
    : >"$CLUSTER/record"
}

record() {
    echo "$*" >>"$CLUSTER/record"
}

# When a process started, in clock ticks since boot: with the pid, an identity that is never reused.
process_started() {
    local stat
    { stat=$(cat "/proc/$1/stat"); } 2>/dev/null || return
    # The command name, in parentheses, may hold anything; fields are counted behind it.
    stat=${stat##*) }
    # shellcheck disable=SC2086  # split into fields
    set -- $stat
    [ "$1" != Z ] && echo "${20}"
}

record_pid() {
    record pid "$1" "$(process_started "$1")"
}

process_is_gone() {
    [ "$(process_started "$1")" != "$2" ]
}

# process_kill PID STARTED: SIGKILL, only if it is still the process that was recorded; returns when it is gone.
process_kill() {
    [ -n "$2" ] || return 0
    process_is_gone "$1" "$2" && return 0
    kill -KILL "$1" 2>/dev/null || true
    wait_for 10 "process $1 is gone" process_is_gone "$1" "$2"
}

# Where each cgroup hierarchy is mounted, cgroup2 or not.
cgroup_hierarchies() {
    local _ point rest
    while read -r _ _ _ _ point rest; do
        case $rest in
        *" - cgroup "* | *" - cgroup2 "*) echo "$point" ;;
        esac
    done </proc/self/mountinfo
}

cgroup_pids() {
    find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null
}

# Ours by construction: nobody but the harness puts a process in there.
cgroup_kill() {
    local pid
    for pid in $(cgroup_pids "$1"); do
        [ "$pid" -le 1 ] || kill -KILL "$pid" 2>/dev/null || true
    done
    [ -z "$(cgroup_pids "$1")" ]
}

cgroup_remove_tree() {
    [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
}

cgroup_remove() {
    [ -d "$1" ] || return 0
    wait_for 10 "$1 has no process" cgroup_kill "$1"
    wait_for 10 "$1 is removed" cgroup_remove_tree "$1"
}

mount_remove() {
    ! mountpoint -q "$1" || umount "$1" || umount --lazy "$1"
}

# cluster_reap DIR: removes every trace of the cluster whose state directory is DIR, whoever made it and
# however far it came.
cluster_reap() {
    local directory=$1 kind first second status=0
    [ -f "$directory/record" ] || { rm -rf "$directory"; return; }
    # Nobody who waits for a frozen disk can be killed.
    while read -r kind first; do
        [ "$kind" != disk ] || fsfreeze --unfreeze "$first" 2>/dev/null || true
    done <"$directory/record"
    while read -r kind first second; do
        case $kind in
        pid) process_kill "$first" "$second" || status=1 ;;
        esac
    done <"$directory/record"
    while read -r kind first second; do
        case $kind in
        cgroup) cgroup_remove "$first" || status=1 ;;
        netns) [ ! -e "/run/netns/$first" ] || ip netns del "$first" || status=1 ;;
        esac
    done <"$directory/record"
    while read -r kind first; do
        case $kind in
        mount | disk) mount_remove "$first" || status=1 ;;
        esac
    done < <(tac "$directory/record")
    [ "$status" -eq 0 ] || return
    rm -rf --one-file-system "$directory"
}

# register_reap FILE: the clusters whose state directories are named there, a line each. What could not be removed
# keeps the file, to be tried again.
register_reap() {
    local directory status=0
    [ -f "$1" ] || return 0
    while read -r directory; do
        [ -d "$directory" ] || continue
        cluster_reap "$directory" || { status=1; continue; }
        echo "removed $directory"
    done <"$1"
    [ "$status" -ne 0 ] || rm -f "$1"
    return "$status"
}
