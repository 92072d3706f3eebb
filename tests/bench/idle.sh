# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Two units run and nothing happens: how often the store is written, and asked, in a minute.

# shellcheck disable=SC2034  # read by ./bench
BENCH_idle='idle.2.store_writes idle.2.requests'

IDLE_SECONDS=${IDLE_SECONDS:-60}

idle_requests() {
    etcd_request_table | awk '{ sum += $2 } END { print sum + 0 }'
}

idle_has_settled() {
    local revision
    revision=$(etcd_revision)
    # Two seconds without a write: assignments, states and roles have all been written.
    ! wait_for 2 'a write' idle_is_beyond "$revision" 2>/dev/null
}

idle_is_beyond() {
    [ "$(etcd_revision)" != "$1" ]
}

bench_idle() {
    local revision requests
    bench_cluster 3 10 || return
    bench_run node1 musterctl start busybox@1.service busybox@2.service || return
    wait_for 40 'role web has its holders' role_is node1 web 2 2 1 || return
    wait_for 30 'the store is still' idle_has_settled || return
    requests=$(idle_requests) revision=$(etcd_revision)
    # Time in which nobody does anything is what is measured.
    sleep "$IDLE_SECONDS"
    revision=$(($(etcd_revision) - revision)) requests=$(($(idle_requests) - requests - 2))
    figure idle.2.store_writes "$((revision * 60 / IDLE_SECONDS))" /min
    figure idle.2.requests "$((requests * 60 / IDLE_SECONDS))" /min
}
