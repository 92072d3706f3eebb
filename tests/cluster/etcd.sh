# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The cluster's etcd, each member in a namespace of its own. Sourced by lib.sh.

etcd_url() {
    echo "http://$(cluster_address "$1"):2379"
}

# Of all members, separated by commas: what clients are configured with.
etcd_urls() {
    local member urls=''
    for member in $(cluster_etcds); do
        urls+=",$(etcd_url "$member")"
    done
    echo "${urls#,}"
}

etcd_initial_cluster() {
    local member list=''
    for member in $(cluster_etcds); do
        list+=",$member=http://$(cluster_address "$member"):2380"
    done
    echo "${list#,}"
}

# etcd_disk_up MEMBER MB: a disk of its own for its data, which can be full, or frozen.
etcd_disk_up() {
    local disk=$CLUSTER/fs/$1
    record disk "$disk"
    truncate -s "$2M" "$disk.img" && mkfs.ext4 -q -F "$disk.img" && mkdir "$disk" &&
        mount -o loop "$disk.img" "$disk"
}

# A member that was started before comes back with its data: etcd ignores the initial-* flags then.
etcd_start() {
    local member=$1 address pid
    address=$(cluster_address "$member")
    setsid nsenter --net="/run/netns/$(cluster_netns "$member")" -- \
        etcd --name "$member" --data-dir "$CLUSTER/fs/$member" \
        --listen-client-urls "http://$address:2379" --advertise-client-urls "http://$address:2379" \
        --listen-peer-urls "http://$address:2380" \
        --initial-advertise-peer-urls "http://$address:2380" \
        --initial-cluster "$(etcd_initial_cluster)" --initial-cluster-token "$(cluster_get prefix)" \
        --logger zap --log-outputs stderr \
        </dev/null >>"$CLUSTER/log/$member.log" 2>&1 3>&- 4>&- &
    pid=$!
    disown "$pid"
    record_pid "$pid"
    echo "$pid $(process_started "$pid")" >"$CLUSTER/$member.pid"
}

# etcd_restore SNAPSHOT [TOKEN]: every member begins anew from it. The token makes the cluster's id; without one it is the
# same cluster.
etcd_restore() {
    local member data
    etcd_kill || return
    for member in $(cluster_etcds); do
        data=$CLUSTER/fs/$member
        ETCDCTL_API=3 etcdctl snapshot restore "$1" --name "$member" --data-dir "$data/restored" \
            --initial-cluster "$(etcd_initial_cluster)" --initial-cluster-token "${2:-$(cluster_get prefix)}" \
            --initial-advertise-peer-urls "http://$(cluster_address "$member"):2380" \
            >>"$CLUSTER/log/restore.log" 2>&1 || return
        rm -rf "${data:?}/member" && mv "$data/restored/member" "$data/member" && rm -rf "$data/restored" || return
        etcd_start "$member"
    done
    etcd_wait
}

# etcd_curl MEMBER PATH [CURL OPTION…]: one HTTP request to that member, from its own namespace.
etcd_curl() {
    local member=$1 path=$2
    shift 2
    nsenter --net="/run/netns/$(cluster_netns "$member")" -- \
        curl --silent --show-error --fail --max-time 3 "$@" "$(etcd_url "$member")$path"
}

etcd_is_healthy() {
    [[ $(etcd_curl "$1" /health) == *'"health":"true"'* ]]
}

etcd_wait() {
    local member
    for member in $(cluster_etcds); do
        wait_for 20 "$member is healthy" etcd_is_healthy "$member" || return
    done
}

etcd_status_field() {
    grep -o "\"$2\":\"[0-9]*\"" <<<"$1" | grep -om1 '[0-9]*'
}

# Quick even if a member hangs, and says nothing then.
etcd_leads() {
    local status
    status=$(etcd_curl "$1" /v3/maintenance/status --max-time 0.5 --data '{}' 2>/dev/null) || return
    [ "$(etcd_status_field "$status" leader)" = "$(etcd_status_field "$status" member_id)" ]
}

etcd_leader() {
    local member
    for member in $(cluster_etcds); do
        ! etcd_leads "$member" || { echo "$member"; return; }
    done
    return 1
}

# The members named, or all of them.
etcd_members() {
    if [ $# -gt 0 ]; then echo "$@"; else cluster_etcds; fi
}

# etcd_signal SIGNAL [MEMBER…]
etcd_signal() {
    local signal=$1 member pid started
    shift
    for member in $(etcd_members "$@"); do
        read -r pid started <"$CLUSTER/$member.pid"
        process_is_gone "$pid" "$started" || kill -"$signal" "$pid" || return
    done
}

etcd_stop() {
    etcd_signal STOP "$@"
}

etcd_cont() {
    etcd_signal CONT "$@"
}

# shellcheck disable=SC2120 # all of them, but for kv-faults.sh, which names one
etcd_kill() {
    local member pid started
    for member in $(etcd_members "$@"); do
        read -r pid started <"$CLUSTER/$member.pid"
        process_kill "$pid" "$started" || return
    done
}

etcd_metrics() {
    etcd_curl "${1:-etcd1}" /metrics
}

# How many unary calls and streams of METHOD (Range, Txn, LeaseKeepAlive …) the member has taken so far.
# Streams count their messages, since one keep-alive stream lives as long as its client.
etcd_requests() {
    etcd_metrics "${2:-etcd1}" | awk -v method="$1" '
        index($0, "grpc_method=\"" method "\"") && /^grpc_server_msg_received_total/ { sum += $NF }
        END { printf "%d\n", sum }'
}

# Every method that was called at least once: METHOD COUNT, sorted.
etcd_request_table() {
    etcd_metrics "${1:-etcd1}" | awk '
        /^grpc_server_msg_received_total/ && $NF > 0 {
            match($0, /grpc_method="[A-Za-z]+"/)
            count[substr($0, RSTART + 13, RLENGTH - 14)] += $NF
        }
        END { for (method in count) print method, count[method] }' | sort
}

# The store's revision: it moves with every write and with nothing else (a lease's keep-alive is no write).
etcd_revision() {
    etcd_curl "${1:-etcd1}" /v3/kv/range --data '{"key":"Lw==","count_only":true}' |
        grep -o '"revision":"[0-9]*"' | grep -o '[0-9]*'
}

# etcd_ctl COMMAND…: etcdctl against the first member.
etcd_ctl() {
    nsenter --net="/run/netns/$(cluster_netns etcd1)" -- \
        env ETCDCTL_API=3 etcdctl --endpoints="$(etcd_url etcd1)" --command-timeout=3s "$@"
}

etcd_dump() {
    etcd_ctl get --prefix /
}
