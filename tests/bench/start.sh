# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# `musterctl start` of one unit until systemd has it active, and `systemctl start` of the same service on the
# same machine in the same minute. Both are called inside the node by one loop, so both pay the same for it.

# shellcheck disable=SC2034  # read by ./bench
BENCH_start='start.1.ratio start.1.muster start.1.systemctl'

START_ROUNDS=${START_ROUNDS:-15}

# Prints, for each round, the milliseconds that COMMAND UNIT took; stops the unit after each.
# shellcheck disable=SC2016  # the node's shell expands it
START_LOOP='
    rounds=$1 command=$2 template=$3
    for ((i = 1; i <= rounds; i++)); do
        unit=$template@$i.service
        began=$(date +%s%N)
        "$command" start "$unit" >/dev/null || exit
        ended=$(date +%s%N)
        echo "$(((ended - began) / 1000))"
        "$command" stop "$unit" >/dev/null || exit
    done'

start_times() {
    node_run node1 bash -c "$START_LOOP" loop "$START_ROUNDS" "$1" "$2"
}

start_template() {
    printf '[Service]\nExecStart=/bin/sleep 10000\n'
}

# Units are submitted before, so that both measure a start and nothing else.
start_prepare() {
    local i
    local -a units=()
    start_template | node_run node1 sh -c 'cat >/run/systemd/system/plain@.service' || return
    start_template | node_run node1 sh -c 'cat >/root/started@.service' || return
    for ((i = 1; i <= START_ROUNDS; i++)); do
        units+=("/root/started@$i.service")
    done
    bench_run node1 musterctl submit "${units[@]}" && bench_run node1 systemctl daemon-reload
}

bench_start() {
    local muster systemctl
    bench_cluster 3 10 || return
    start_prepare || return
    systemctl=$(start_times systemctl plain | median) || return
    muster=$(start_times musterctl started | median) || return
    remark "start.1: medians of $START_ROUNDS rounds, microseconds: muster $muster, systemctl $systemctl"
    figure start.1.ratio "$(awk -v a="$muster" -v b="$systemctl" 'BEGIN { printf "%.2f", a / b }')" x
    figure start.1.muster "$(seconds "$((${muster%.*} / 1000))")" s
    figure start.1.systemctl "$(seconds "$((${systemctl%.*} / 1000))")" s
}
