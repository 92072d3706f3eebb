# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A thousand machines and 30,000 units on a real etcd: the machines are musterd's agents, whole, ten processes
# of a hundred, over systemds that are simulated; the leader has a process of its own. tests/hollow/main.c
# tells the story; every figure of it that is not named here is a remark.
#
# hollow.commit.ratio is how fast a leader that finds all units to be placed writes their assignments, by how fast
# the same etcd took bare puts of such keys and values right before and after: as many at a time, through the same
# client, the machines standing still, and nobody hearing of the puts; the median of HOLLOW_ROUNDS. hollow.commit.heard_ratio is the same by puts under a
# leader's guards, of each of which one machine hears and one who hears of all, as of assignments: what is missing
# from 1 there is what the leader thinks and does, and what is missing between the two is what no leader could spare
# etcd.

# shellcheck disable=SC2034  # read by ./bench
BENCH_hollow='hollow.commit.ratio hollow.commit.heard_ratio hollow.commit.rate hollow.idle.store_writes
    hollow.idle.requests hollow.register hollow.submit.running hollow.lose.running hollow.destroy.gone hollow.leader_rss'

HOLLOW_MACHINES=${HOLLOW_MACHINES:-1000}
HOLLOW_UNITS=${HOLLOW_UNITS:-30000}
HOLLOW_TTL_S=${HOLLOW_TTL_S:-120} # the machines hold still for longer than half a minute
HOLLOW_IDLE_S=${HOLLOW_IDLE_S:-30}
HOLLOW_ROUNDS=${HOLLOW_ROUNDS:-5}

hollow_play() {
    local directory=$1
    nsenter --net="/run/netns/$(cluster_netns etcd1)" -- "$BENCH_BUILD/muster-hollow" drive \
        "$(etcd_url etcd1)" "$directory" "$HOLLOW_MACHINES" "$HOLLOW_UNITS" "$HOLLOW_TTL_S" "$HOLLOW_IDLE_S" \
        "$HOLLOW_ROUNDS"
}

bench_hollow() {
    local directory name value unit status=0
    cluster_up 0 || return
    # In memory: a thousand machines write their units' files, each to a disk of its own.
    directory=$(mktemp -d -p /dev/shm muster-hollow.XXXXXX) || return
    hollow_play "$directory" >"$BENCH_BUILD/hollow" || status=1
    rm -rf "$directory"
    while read -r name value unit; do
        if [[ " ${BENCH_hollow//[$'\n']/ } " == *" $name "* ]]; then
            figure "$name" "$value" "$unit"
        else
            remark "$name $value $unit"
        fi
    done <"$BENCH_BUILD/hollow"
    return "$status"
}
