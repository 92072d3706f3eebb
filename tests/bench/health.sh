# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What health checks cost: containers that are all checked once a second, and nothing changes. Sourced by ./bench.

# shellcheck disable=SC2034  # read by ./bench
BENCH_health='health.100.musterd_cpu health.100.probes_cpu health.100.store_writes'

HEALTH_SECONDS=${HEALTH_SECONDS:-30}

health_template() {
    cat <<END
[Container]
Network=none
Image=oci:/var/lib/muster/images/busybox:latest
Exec=/bin/sh -c 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'
HealthCmd=["/bin/true"]
HealthInterval=1s
HealthTimeout=30s
END
}

health_healthy() {
    [ "$(node_run node1 musterctl list-units --no-legend --fields=health | grep -cx healthy)" -eq "$1" ]
}

# OWN CHILDREN: processor time in ms of musterd, and of the checks that it has seen end.
health_ticks() {
    local pid
    pid=$(node_property node1 musterd.service MainPID)
    node_run node1 cat "/proc/$pid/stat" | awk -v hz="$(getconf CLK_TCK)" \
        '{ sub(/.*\) /, ""); print ($12 + $13) * 1000 / hz, ($14 + $15) * 1000 / hz }'
}

bench_health() {
    local revision before after own probes
    bench_cluster 1 10 || return
    health_template | node_run node1 sh -c 'cat >/root/checked@.service' || return
    # shellcheck disable=SC2016  # the node's shell expands it
    node_run node1 sh -c 'cd /root && musterctl start $(seq -f checked@%g.service 100)' >&2 || return
    wait_for 60 'all are healthy' health_healthy 100 || return
    wait_for 30 'the store is still' idle_has_settled || return
    revision=$(etcd_revision) before=$(health_ticks)
    # Time in which nothing changes is what is measured.
    sleep "$HEALTH_SECONDS"
    revision=$(($(etcd_revision) - revision)) after=$(health_ticks)
    read -r own probes < <(echo "$before $after" |
        awk -v s="$HEALTH_SECONDS" '{ printf "%.1f %.1f\n", ($3 - $1) / s, ($4 - $2) / s }')
    figure health.100.musterd_cpu "$own" ms/s
    figure health.100.probes_cpu "$probes" ms/s
    figure health.100.store_writes "$revision" writes
}
