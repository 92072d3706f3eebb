# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A machine loses its power: how long until its unit is active elsewhere, beyond the TTL of its lease (the link
# goes first, so the clock starts before the machine can say a word). The lease may run out sooner than a
# TTL after that, since it was last renewed before: after_expiry counts from etcd's deletion of the presence.

# shellcheck disable=SC2034  # read by ./bench
BENCH_failover='failover.ttl2.extra failover.ttl2.after_expiry'

# From the environment for a quick look; figures that are published use the default.
FAILOVER_ROUNDS=${FAILOVER_ROUNDS:-5}

# One round, on a cluster that runs both units: prints EXTRA AFTER_EXPIRY in milliseconds.
failover_round() {
    local victim node off active
    victim=$(unit_node busybox@1.service) || return
    expiry_watch "$victim" || return
    node_power_off "$victim" || return
    wait_for 20 'busybox@1 is active elsewhere' unit_runs_somewhere_but "$victim" busybox@1.service || return
    node=$(unit_node busybox@1.service) || return
    active=$(node_unit_active_since_ms "$node" busybox@1.service)
    off=$(cluster_get "$victim.off_ms")
    echo "$((active - off - 2000)) $((active - $(expiry_seen_ms)))"
    node_boot "$victim" || return
    wait_for 20 "$victim is back" machine_is_up "$node" "$victim"
}

bench_failover() {
    local round rounds=$BENCH_BUILD/failover.rounds
    bench_cluster 3 2 || return
    bench_run node1 musterctl start busybox@1.service busybox@2.service || return
    for ((round = 0; round < FAILOVER_ROUNDS; round++)); do
        failover_round || return
    done >"$rounds"
    remark "failover.ttl2: extra and after_expiry of each round, ms: $(paste -sd, "$rounds")"
    figure failover.ttl2.extra "$(seconds "$(awk '{ print $1 }' "$rounds" | median)")" s
    figure failover.ttl2.after_expiry "$(seconds "$(awk '{ print $2 }' "$rounds" | median)")" s
}
