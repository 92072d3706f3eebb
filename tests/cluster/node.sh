# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# One node: a systemd booted by systemd-nspawn over the host's own root. Sourced by lib.sh.

# Units that the host's root brings and that a node must not start. Instances of a template are masked by
# their template.
NODE_MASKS='systemd-networkd.service systemd-resolved.service systemd-timesyncd.service
    systemd-logind.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
    systemd-firstboot.service systemd-sysusers.service systemd-hwdb-update.service
    systemd-journal-catalog-update.service systemd-journal-flush.service systemd-pstore.service
    systemd-boot-system-token.service systemd-machine-id-commit.service ldconfig.service
    console-getty.service getty.target getty@.service etcd.service proc-sys-fs-binfmt_misc.automount
    systemd-ask-password-console.path systemd-ask-password-wall.path modprobe@.service
    kmod-static-nodes.service systemd-udevd.service systemd-udev-trigger.service'

node_dir() {
    echo "$CLUSTER/fs/$1"
}

node_machine_id() {
    local sum
    sum=$(printf '%s' "$(cluster_get prefix)-$1" | sha256sum)
    echo "${sum:0:32}"
}

# What the host has enabled itself (databases, web servers, timers …), whatever it is, and its SysV scripts.
node_host_units() {
    local file
    for file in /etc/systemd/system/*.wants/* /etc/systemd/system/*.requires/*; do
        [ ! -L "$file" ] || basename "$file"
    done
    for file in /etc/init.d/*; do
        [ ! -x "$file" ] || echo "$(basename "$file").service"
    done
    for file in /usr/lib/systemd/system/timers.target.wants/*; do
        basename "$file"
    done
}

node_mask() {
    local unit directory=$1/etc/systemd/system
    mkdir -p "$directory"
    # dbus has a SysV script on the host too, but it is the one service that nodes need.
    for unit in $NODE_MASKS $(node_host_units); do
        [ "$unit" = dbus.service ] || ln -sfn /dev/null "$directory/$unit"
    done
}

node_configure_journal() {
    mkdir -p "$1/etc/systemd/journald.conf.d"
    # The console keeps the words of a node that was powered off; its own journal dies with it.
    cat >"$1/etc/systemd/journald.conf.d/cluster.conf" <<END
[Journal]
Storage=volatile
RateLimitIntervalSec=0
ForwardToConsole=yes
MaxLevelConsole=info
END
}

# The template is a cloud-config as a person writes it; each node gets it with the cluster's own etcd,
# lease and its own host name.
node_cloud_config() {
    local name=$1
    sed -e "s|http://10\\.77\\.0\\.10:2379|$(etcd_urls)|" \
        -e "s|^\\( *\\)agent_ttl:.*|\\1agent_ttl: \"$(cluster_get ttl)s\"|" \
        -e "s|^hostname:.*|hostname: $name|" "$CLUSTER/cloud-config"
}

node_enable() {
    local upper=$1 unit=$2 target=$3
    [ -e "$CLUSTER/fs/install/usr/lib/systemd/system/$unit" ] || return 0
    mkdir -p "$upper/etc/systemd/system/$target.wants"
    ln -sfn "/usr/lib/systemd/system/$unit" "$upper/etc/systemd/system/$target.wants/$unit"
}

# The other names that `systemctl enable` would give the unit.
node_alias() {
    local upper=$1 unit=$2 alias
    while read -r alias; do
        ln -sfn "/usr/lib/systemd/system/$unit" "$upper/etc/systemd/system/$alias"
    done < <(sed -n 's/^Alias=//p' "$CLUSTER/fs/install/usr/lib/systemd/system/$unit" 2>/dev/null)
}

# Writes the node's own files into the upper layer, before its first boot.
node_prepare() {
    local name=$1 directory upper address
    directory=$(node_dir "$name")
    upper=$directory/upper
    address=$(cluster_address "$name")
    mkdir -p "$upper/etc/muster" "$directory/work" "$directory/root" "$directory/var-lib-muster/images"
    node_machine_id "$name" >"$upper/etc/machine-id"
    echo "$name" >"$upper/etc/hostname"
    printf '127.0.0.1 localhost\n%s %s\n' "$address" "$name" >"$upper/etc/hosts"
    : >"$upper/etc/fstab"
    printf 'COREOS_PRIVATE_IPV4=%s\nCOREOS_PUBLIC_IPV4=%s\n' "$address" "$address" >"$upper/etc/environment"
    node_mask "$upper"
    node_configure_journal "$upper"
    ln -sfn /usr/lib/systemd/system/multi-user.target "$upper/etc/systemd/system/default.target"
    [ ! -f "$CLUSTER/cloud-config" ] ||
        node_cloud_config "$name" >"$upper/etc/muster/cloud-config.yml" || return
    node_enable "$upper" muster-cloudinit.service multi-user.target
    node_alias "$upper" musterd.service
    cp -a "$CLUSTER/fs/images/." "$directory/var-lib-muster/images/"
}

# A cgroup of its own in every hierarchy: else all nodes share one subtree, and stopping a unit on one
# kills its namesake on another.
node_cgroups_make() {
    local point cgroup
    for point in $(cgroup_hierarchies); do
        cgroup=$point/$(cluster_netns "$1")
        record cgroup "$cgroup"
        mkdir -p "$cgroup" || return
        # A cpuset takes no process before it has been given processors and memory.
        [ ! -e "$cgroup/cpuset.mems" ] || [ ! -e "$cgroup/tasks" ] || {
            cat "$point/cpuset.cpus" >"$cgroup/cpuset.cpus"
            cat "$point/cpuset.mems" >"$cgroup/cpuset.mems"
        }
        echo "$cgroup"
    done
}

# Runs in a process of its own, which becomes nspawn: joins the cgroups, mounts the root where nobody else
# sees it (so that it goes with the node), and boots.
# Arguments: name, node directory, install tree, namespace, cgroups…
# shellcheck disable=SC2016  # expanded by the shell that runs it
NODE_BOOT_SCRIPT='
    name=$1 directory=$2 install=$3 netns=$4
    shift 4
    for cgroup in "$@"; do echo $$ >"$cgroup/cgroup.procs" || exit; done
    mount -t overlay "$netns" -o "lowerdir=$install:/,upperdir=$directory/upper,workdir=$directory/work" \
        "$directory/root" || exit
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
    exec systemd-nspawn --quiet --directory="$directory/root" --boot --register=no --keep-unit \
        --network-namespace-path="/run/netns/$netns" --capability=all \
        --system-call-filter="@keyring bpf" --machine="$netns" --hostname="$name" --console=pipe --resolv-conf=off \
        --timezone=off --link-journal=no --bind="$directory/var-lib-muster:/var/lib/muster"'

node_launch() {
    local name=$1 netns pid cgroups
    netns=$(cluster_netns "$name")
    cgroups=$(node_cgroups_make "$name") || return
    # shellcheck disable=SC2086  # one word per cgroup
    setsid unshare --mount --propagation private bash -c "$NODE_BOOT_SCRIPT" boot \
        "$name" "$(node_dir "$name")" "$CLUSTER/fs/install" "$netns" $cgroups \
        </dev/null >>"$CLUSTER/log/$name.console" 2>&1 3>&- 4>&- &
    pid=$!
    disown "$pid"
    record_pid "$pid"
    echo "$pid $(process_started "$pid")" >"$CLUSTER/$name.nspawn"
    rm -f "$CLUSTER/$name.init"
}

# nspawn's child that is process 1 of a namespace.
node_find_init() {
    local name=$1 nspawn pid status
    read -r nspawn _ <"$CLUSTER/$name.nspawn"
    for pid in $(ps -o pid= --ppid "$nspawn"); do
        status=$(grep '^NSpid:' "/proc/$pid/status") || continue
        [ "${status##*[[:space:]]}" = 1 ] || continue
        record_pid "$pid"
        echo "$pid $(process_started "$pid")" >"$CLUSTER/$name.init"
        return
    done
    return 1
}

node_init() {
    local pid started
    { read -r pid started <"$CLUSTER/$1.init"; } 2>/dev/null || return
    ! process_is_gone "$pid" "$started" && echo "$pid"
}

node_is_running() {
    node_init "$1" >/dev/null
}

# node_run NODE COMMAND…: inside the node, as root, in $NODE_DIRECTORY (default /).
node_run() {
    local pid
    pid=$(node_init "$1") || { cluster_fail "$1 is not running"; return; }
    shift
    nsenter --target "$pid" --all --root --wdns="${NODE_DIRECTORY:-/}" -- "$@"
}

node_is_booted() {
    local state
    state=$(node_run "$1" systemctl is-system-running 2>&1)
    [ "$state" = running ] || [ "$state" = degraded ] || { echo "$state"; return 1; }
}

# A node with a failed unit is not a node to test on.
node_wait_booted() {
    wait_for 20 "$1 has a process 1" node_find_init "$1" || return
    wait_for 60 "$1 has booted" node_is_booted "$1" || return
    [ "$(node_run "$1" systemctl is-system-running)" = running ] || {
        node_run "$1" systemctl --failed --no-pager --plain >&"$CLUSTER_LOG_FD"
        cluster_fail "$1 has booted with failed units"
    }
}

node_cut() {
    ip -n "$(cluster_netns switch)" link set "$1" down
}

node_heal() {
    ip -n "$(cluster_netns switch)" link set "$1" up
}

# The link goes first: a dying node would else send FIN and RST, and be found dead sooner than a machine
# without power is.
node_power_off() {
    local name=$1 pid started cgroup
    now_ms >"$CLUSTER/$name.off_ms"
    node_cut "$name" || return
    read -r pid started <"$CLUSTER/$name.init"
    process_kill "$pid" "$started" || return
    read -r pid started <"$CLUSTER/$name.nspawn"
    process_kill "$pid" "$started" || return
    for cgroup in $(cgroup_hierarchies); do
        cgroup_remove "$cgroup/$(cluster_netns "$name")" || return
    done
}

# Power back on: the disk is as it was, the cloud-config is applied again.
node_boot() {
    node_heal "$1" && node_launch "$1" && node_wait_booted "$1"
}

node_journal() {
    local name=$1
    shift
    node_run "$name" journalctl --no-pager --boot "$@"
}

# node_property NODE UNIT PROPERTY: what systemd on that node says.
node_property() {
    node_run "$1" systemctl show --property="$3" --value "$2"
}

node_unit_is_active() {
    [ "$(node_property "$1" "$2" ActiveState)" = active ]
}

# When the unit last became active there, in milliseconds of the clock that now_ms reads.
node_unit_active_since_ms() {
    echo "$(($(node_property "$1" "$2" ActiveEnterTimestampMonotonic) / 1000))"
}

# Same process, same run: what must not change while nothing is moved or restarted.
node_unit_identity() {
    echo "$1 $(node_property "$1" "$2" MainPID) $(node_property "$1" "$2" InvocationID)"
}

# Resident memory in kB of the node's process of that name.
node_rss_kb() {
    local pid
    pid=$(node_property "$1" "$2" MainPID)
    # shellcheck disable=SC2016  # awk's own
    node_run "$1" awk '$1 == "VmRSS:" { print $2 }' "/proc/$pid/status"
}
