# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The store's client against what the same etcd gives to others: h2load, which sends a request of the same over
# and over, by one connection too, and curl, which watches the same key. One member, one client, the same two
# ends of the same network.

# shellcheck disable=SC2034  # read by ./bench
BENCH_kv='kv.put.ratio kv.txn.ratio kv.watch.p50 kv.watch.p99 kv.watch.curl_p50 kv.watch.curl_p99
    kv.watch.memory kv.idle.cpu'

KV_SECONDS=${KV_SECONDS:-3}
KV_ROUNDS=${KV_ROUNDS:-7}
KV_IN_FLIGHT=32
KV_WATCHES=1000
KV_KEYS=10000

kv_inside() {
    nsenter --net="/run/netns/$(cluster_netns etcd1)" -- "$@"
}

kv_bench() {
    kv_inside "$BENCH_BUILD/kv-bench" "$@"
}

# Requests per second, or failure if any of them was refused.
kv_h2load_rate() {
    kv_inside h2load --threads 1 --clients 1 --max-concurrent-streams "$KV_IN_FLIGHT" --duration "$KV_SECONDS" \
        --data "$1" --header 'content-type: application/grpc' --header 'te: trailers' \
        "$(etcd_url etcd1)/etcdserverpb.KV/Txn" |
        awk '$1 == "finished" { rate = $4 } $1 == "requests:" { bad = $10 + $12 + $14 }
            END { if (!rate || bad) exit 1; printf "%.1f\n", rate }'
}

# Each takes its turn, and is first every second time, since a machine is not the same in every minute; a
# ratio is that of neighbours, the figure the median of ratios.
kv_ratio() {
    local kind=$1 body=$CLUSTER/body-$1 ours others p50 p99 cpu round
    local -a ratios=()
    kv_bench body "$kind" >"$body" || return
    for ((round = 0; round < KV_ROUNDS; round++)); do
        [ $((round % 2)) -eq 0 ] || others=$(kv_h2load_rate "$body") || return
        read -r ours p50 p99 cpu < <(kv_bench rate "$kind" "$(etcd_url etcd1)" "$KV_SECONDS" "$KV_IN_FLIGHT") || return
        [ $((round % 2)) -eq 1 ] || others=$(kv_h2load_rate "$body") || return
        ratios+=("$(awk -v ours="$ours" -v others="$others" 'BEGIN { printf "%.3f", ours / others }')")
        remark "kv.$kind.ratio: ${ratios[-1]}: kvclient $ours/s (p50 $p50 ms, p99 $p99 ms, $cpu ms CPU each)," \
            "h2load $others/s"
    done
    figure "kv.$kind.ratio" "$(printf '%s\n' "${ratios[@]}" | median)" x
}

kv_latency() {
    local p50 p99 curl_p50 curl_p99
    read -r p50 p99 curl_p50 curl_p99 < <(kv_bench latency "$(etcd_url etcd1)" "$((KV_SECONDS * 2))") || return
    figure kv.watch.p50 "$p50" ms
    figure kv.watch.p99 "$p99" ms
    figure kv.watch.curl_p50 "$curl_p50" ms
    figure kv.watch.curl_p99 "$curl_p99" ms
}

kv_hold() {
    local memory cpu
    read -r memory cpu < <(kv_bench hold "$(etcd_url etcd1)" "$((KV_SECONDS * 3))" "$KV_WATCHES" "$KV_KEYS") || return
    remark "kv.watch.memory, kv.idle.cpu: one process, $KV_WATCHES watches, $KV_KEYS keys on its lease"
    figure kv.watch.memory "$memory" kB
    figure kv.idle.cpu "$cpu" %
}

# Whether one of the names is wanted.
kv_wants() {
    local name
    for name in "$@"; do
        [[ $name != "$BENCH_PREFIX"* ]] || return 0
    done
    return 1
}

bench_kv() {
    # shellcheck disable=SC2086  # a list of names
    packages_install $PACKAGES_BENCH >&2 || return
    cluster_up 0 || return
    ! kv_wants kv.put.ratio || kv_ratio put || return
    ! kv_wants kv.txn.ratio || kv_ratio txn || return
    ! kv_wants kv.watch.p50 kv.watch.p99 kv.watch.curl_p50 kv.watch.curl_p99 || kv_latency || return
    ! kv_wants kv.watch.memory kv.idle.cpu || kv_hold
}
