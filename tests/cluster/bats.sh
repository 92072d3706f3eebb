# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What every cluster test begins and ends with: one cluster for each file, journals kept if a test failed.
# The build is in $MUSTER_BUILD (as build_installed of build.sh makes it); ./check says where.

# shellcheck source=tests/cluster/session.sh
. "$(dirname "${BASH_SOURCE[0]}")/session.sh"

# cluster_for_tests NODES [cluster_up's options]
cluster_for_tests() {
    local count=$1 build
    shift
    build=${MUSTER_BUILD:-$CLUSTER_LIB/../../build/demo}
    [ -x "$build/install/usr/sbin/musterd" ] || [ -x "$build/install/usr/bin/musterd" ] ||
        cluster_fail "no musterd is installed in $build/install: run ./check, or set MUSTER_BUILD" || return
    cluster_up "$count" --install "$build/install" --images "$build/images" \
        --cloud-config "$build/install$SESSION_EXAMPLES/cloud-config-node.yaml" "$@" || return
    wait_for 20 'every node is a machine of the cluster' machines_are_up node1
}

two_busyboxes_run() {
    session_show node1 musterctl start busybox@1.service busybox@2.service || return
    wait_for 5 'both are listed where they run' \
        units_are_listed_where_they_run node1 busybox@1.service busybox@2.service
}

# holds_for SECONDS COMMAND…: the condition is true all the time. For facts of the kind "nothing happens".
holds_for() {
    local deadline
    deadline=$(($(now_ms) + $1 * 1000))
    shift
    while [ "$(now_ms)" -lt "$deadline" ]; do
        holds_now "$@" || return
        sleep 0.5
    done
    holds_now "$@"
}

holds_now() {
    "$@" || { cluster_log "no longer so: $*"; return 1; }
}

# node_write NODE FILE: standard input becomes a file of the node's.
node_write() {
    # shellcheck disable=SC2016  # the node's shell expands it
    node_run "$1" sh -c 'cat >"$1"' write "$2"
}

# refused NODE COMMAND…: it ends within 20 s, fails, and says so in what is then $output (standard error only).
refused() {
    local node=$1 status=0
    shift
    output=$(node_run "$node" timeout 20 "$@" 2>&1 >/dev/null </dev/null) || status=$?
    echo "status $status: $output"
    [ "$status" -ne 0 ] && [ "$status" -ne 124 ] && [ "$status" -lt 126 ] && [ -n "$output" ]
}

is_one_line() {
    [ "$(wc -l <<<"$output")" -eq 1 ]
}

# A test that fails, and a file in which none could run, leave the journals behind.
teardown() {
    : >"$BATS_FILE_TMPDIR/ran"
    [ -n "${BATS_TEST_COMPLETED:-}" ] || : >"$BATS_FILE_TMPDIR/failed"
}

teardown_file() {
    [ -n "${CLUSTER:-}" ] || return 0
    if [ -e "$BATS_FILE_TMPDIR/failed" ] || [ ! -e "$BATS_FILE_TMPDIR/ran" ]; then
        CLUSTER_LOG_FD=3 cluster_collect "${MUSTER_BUILD:-/var/tmp}/failed/$(basename "$BATS_TEST_FILENAME" .bats)"
    fi
    cluster_down
}
