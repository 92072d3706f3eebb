# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A container unit from StartUnit to running, beside `crun run` of the same configuration on the same machine
# in the same minute, and `podman run` of the same image. None has a network, so what is compared is the
# container. And how many processes of muster's own stay with a running container.

# shellcheck disable=SC2034  # read by ./bench
BENCH_container='container.start.crun_ratio container.start.podman_ratio container.helpers'

CONTAINER_ROUNDS=${CONTAINER_ROUNDS:-15}
CONTAINER_IMAGE=oci:/var/lib/muster/images/busybox:latest

# container_times START END [START END]…: the microseconds that each start took, a line for each round; its END
# ends what it began. In turn, so that whatever else the machine does meets all alike. {} is the round.
# shellcheck disable=SC2016  # the node's shell expands it
CONTAINER_LOOP='
    rounds=$1
    shift
    for ((i = 1; i <= rounds; i++)); do
        for ((one = 1; one < $#; one += 2)); do
            start=${!one} end=$((one + 1))
            end=${!end}
            began=$(date +%s%N)
            eval "${start//\{\}/$i}" >/dev/null || exit
            ended=$(date +%s%N)
            printf "%s " "$(((ended - began) / 1000))"
            eval "${end//\{\}/$i}" >/dev/null 2>&1 || exit
        done
        echo
    done'

container_times() {
    node_run node1 bash -c "$CONTAINER_LOOP" loop "$CONTAINER_ROUNDS" "$@"
}

# container_median NUMBER TIMES: of that column.
container_median() {
    awk -v column="$1" '{ print $column }' <<<"$2" | median
}

container_template() {
    printf '[Container]\nImage=%s\nNetwork=none\nExec=sleep 10000\n[Service]\nKillSignal=SIGKILL\n' "$CONTAINER_IMAGE"
}

# Units are loaded before: what is measured begins with StartUnit.
container_load() {
    local i
    local -a units=()
    container_template | node_run node1 sh -c 'cat >/root/measured@.service' || return
    for ((i = 1; i <= CONTAINER_ROUNDS; i++)); do
        units+=("/root/measured@$i.service")
    done
    bench_run node1 musterctl load "${units[@]}" || return
    # Without musterd, which would stop what nobody asked it to run. Once, so that the image is unpacked.
    node_run node1 systemctl stop musterd.service || return
    node_run node1 systemctl start measured@1.service || return
}

# crun gets what muster-container gave it: the same config.json and files, on a root that is a plain directory.
# The unit's was the first start, so it has no filter that crun compiled before: to keep those is muster's work.
# shellcheck disable=SC2016  # the node's shell expands it
container_bundle() {
    node_run node1 sh -ec '
        mkdir -p /run/bundle
        umoci raw unpack --image "${1#oci:}" /run/bundle/rootfs >/dev/null
        find /run/muster/containers/measured@1.service -maxdepth 1 -type f -exec cp -t /run/bundle {} +
        sed -e "s|/run/muster/containers/measured@1.service/root|/run/bundle/rootfs|" \
            -e "s|/run/muster/containers/measured@1.service/|/run/bundle/|g" \
            "/run/muster/containers/measured@1.service/config.json" >/run/bundle/config.json
        ! grep seccomp_bpf_data /run/bundle/config.json' bundle "$CONTAINER_IMAGE"
}

# Processes in the service that are not the container's.
# shellcheck disable=SC2016  # the node's shell expands it
container_helpers() {
    node_run node1 sh -c '
        main=$(systemctl show --property=MainPID --value measured@1.service)
        cgroup=$(grep ^0: "/proc/$main/cgroup" | cut -d: -f3)
        space=$(readlink "/proc/$main/ns/pid")
        find /sys/fs/cgroup -path "*measured@1.service*" -name cgroup.procs -exec cat {} + | sort -u |
            while read -r pid; do [ "$(readlink "/proc/$pid/ns/pid")" = "$space" ] || echo "$pid"; done | wc -l'
}

PODMAN='podman --root /run/podman-root --runroot /run/podman-run --storage-driver vfs --cgroup-manager cgroupfs'

# A node of ours cannot set sysctls, which podman does unless it is told not to.
container_podman_load() {
    printf '[containers]\ndefault_sysctls = []\n' |
        node_run node1 sh -c 'mkdir -p /etc/containers && cat >/etc/containers/containers.conf' || return
    bench_run node1 sh -c "$PODMAN pull $CONTAINER_IMAGE && $PODMAN tag \$($PODMAN images --quiet | head -n 1) measured"
}

bench_container() {
    local times muster crun podman
    # shellcheck disable=SC2086  # a list of names
    packages_install $PACKAGES_BENCH >&2 || return
    bench_cluster 1 10 || return
    container_load && container_bundle || return
    figure container.helpers "$(container_helpers)" processes
    node_run node1 systemctl stop measured@1.service || return
    times=$(container_times 'systemctl start measured@{}.service' 'systemctl stop measured@{}.service' \
        'crun --cgroup-manager=disabled run --detach --bundle /run/bundle alone{}' \
        'crun --cgroup-manager=disabled delete --force alone{}') || return
    muster=$(container_median 1 "$times")
    crun=$(container_median 2 "$times")
    remark "container.start: medians of $CONTAINER_ROUNDS rounds, microseconds: muster $muster, crun $crun"
    figure container.start.crun_ratio "$(awk -v a="$muster" -v b="$crun" 'BEGIN { printf "%.2f", a / b }')" x
    container_podman_load || return
    podman=$(container_times "$PODMAN run --detach --network none --cgroups disabled --name p{} measured sleep 10000" \
        "$PODMAN rm --force --time 0 p{}" | median) || return
    remark "container.start: podman $podman"
    figure container.start.podman_ratio "$(awk -v a="$muster" -v b="$podman" 'BEGIN { printf "%.2f", a / b }')" x
}
