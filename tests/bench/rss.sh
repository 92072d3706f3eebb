# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Resident memory of musterd at rest while two units run: of the largest of three, which is the leader's as a rule.

# shellcheck disable=SC2034  # read by ./bench
BENCH_rss='rss.idle'

bench_rss() {
    local node
    local -a sizes=()
    bench_cluster 3 10 || return
    bench_run node1 musterctl start busybox@1.service busybox@2.service || return
    for node in $(cluster_nodes); do
        wait_for 10 "$node is at rest" node_musterd_is_small "$node" || true # then what it has is the figure
        sizes+=("$(node_rss_kb "$node" musterd.service)") || return
    done
    remark "rss.idle: kB on each machine: ${sizes[*]}"
    figure rss.idle "$(printf '%s\n' "${sizes[@]}" | sort -n |
        awk '{ kb = $1 } END { printf "%.1f", kb / 1024 }')" MB
}
