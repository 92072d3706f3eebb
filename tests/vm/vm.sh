# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# One whole machine, with a kernel of its own, for what a node of tests/cluster cannot show: cgroup v2 with
# every controller, device rules, a kernel that kills. qemu emulates it in software, so it needs no /dev/kvm;
# it boots to a running systemd with musterd in a few seconds. What is not tested is not emulated: etcd runs
# outside.
#
#   vm_up BUILD                  makes the image if need be, boots, waits until all runs
#   vm_run musterctl list-units  runs something inside: its output, its exit status
#   vm_down                      nothing of it is left
#
# It has no disk that outlives it, and no network but a cable to the namespace that it and its etcd are in: etcd
# listens on that namespace's loopback, which qemu shows as 10.0.2.2. Neither outlives the process that called
# vm_up ($$), however that ends: they are children of a keeper who waits for that process, and the kernel kills
# them with the keeper.
#
# Variables: CLUSTER (state directory, as for tests/cluster, whose record and waits are used). VM_CACHE (where
# images are kept, default build/vm).

VM_LIB=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tests/cluster/lib.sh
. "$VM_LIB/../cluster/lib.sh"
# shellcheck source=tests/vm/image.sh
. "$VM_LIB/image.sh"

: "${VM_CACHE:=$(readlink -m "$VM_LIB/../../build/vm")}"
VM_BOOT_SECONDS=120
VM_ANSWER_SECONDS=120

# Defences and self-tests take seconds of an emulated boot, and are not what is tested.
VM_KERNEL_ARGUMENTS='mitigations=off tsc=reliable cryptomgr.notests init_on_alloc=0 audit=0 apparmor=0 nowatchdog'

# Arguments: the process not to outlive, where etcd keeps things and qemu's pid goes, qemu's command.
# shellcheck disable=SC2016  # expanded by the shell that runs it
VM_KEEPER='
    owner=$1 directory=$2
    shift 2
    ip link set lo up
    setpriv --pdeathsig KILL etcd --data-dir "$directory/etcd" --unsafe-no-fsync --logger zap \
        --log-outputs "$directory/etcd.log" &
    setpriv --pdeathsig KILL "$@" <&0 &
    echo $! >"$directory/qemu.pid"
    setpriv --pdeathsig KILL tail --pid="$owner" --follow /dev/null &
    wait -n'

# vm_command IMAGE KERNEL-ARGUMENTS: the machine with its keeper, in the array VM_COMMAND. Its serial lines are for
# the caller to add.
vm_command() {
    local image=$1 arguments="console=ttyS0 root=/dev/vda rw $VM_KERNEL_ARGUMENTS $2"
    VM_COMMAND=(unshare --net bash -c "$VM_KEEPER" keeper $$ "$CLUSTER"
        qemu-system-x86_64 -machine pc -accel "tcg,thread=multi" -cpu max -smp 2 -m 768 -no-user-config
        -nodefaults -display none -no-reboot -kernel "$image/vmlinuz" -initrd "$image/initramfs"
        -append "$arguments" -drive "if=virtio,format=raw,file=$image/disk,snapshot=on,cache=unsafe"
        -nic "user,model=virtio-net-pci,ipv6=off")
}

vm_launch() {
    local image=$1 keeper
    vm_command "$image" quiet
    mkfifo "$CLUSTER/control.in" "$CLUSTER/control.out" || return
    setsid "${VM_COMMAND[@]}" -serial "file:$CLUSTER/console" \
        -chardev "pipe,id=control,path=$CLUSTER/control" -serial chardev:control \
        </dev/null >>"$CLUSTER/qemu.log" 2>&1 3>&- 4>&- &
    keeper=$!
    disown "$keeper"
    record_pid "$keeper"
    echo "$keeper $(process_started "$keeper")" >"$CLUSTER/keeper"
    wait_for 10 'qemu has started' test -s "$CLUSTER/qemu.pid" && record_pid "$(cat "$CLUSTER/qemu.pid")"
}

vm_is_running() {
    local pid started
    read -r pid started <"$CLUSTER/keeper" && ! process_is_gone "$pid" "$started"
}

# --- orders, and answers ---

# vm_read_line SECONDS: one line from the machine, into VM_LINE. Descriptor 8 is the caller's.
vm_read_line() {
    local part deadline=$((SECONDS + $1))
    VM_LINE=''
    until IFS= read -r -t 1 -u 8 part; do
        VM_LINE+=$part
        vm_is_running || cluster_fail 'the machine has gone' || return
        [ "$SECONDS" -lt "$deadline" ] || cluster_fail 'the machine does not answer' || return
    done
    VM_LINE+=$part
}

# What an order prints is between two lines of its own, "ID" and "ID STATUS"; what comes before is of an order that
# somebody stopped waiting for.
vm_answer() {
    local id=$1 seconds=$2 output=''
    VM_LINE=''
    until [ "$VM_LINE" = "$id" ]; do
        vm_read_line "$seconds" || return 255
    done
    while vm_read_line "$seconds"; do
        [[ "$VM_LINE" != "$id "* ]] || { printf '%s' "${output%$'\n'}"; return "${VM_LINE#* }"; }
        output+=$VM_LINE$'\n'
    done
    return 255
}

# Opened for both directions, so that neither end can block for want of the other.
vm_ask() {
    local id
    id=$(printf '%s-%s' "$BASHPID" "$(now_ms)")
    (
        flock 9
        printf '%s %s\n' "$id" "$1" >&7
        vm_answer "$id" "$VM_ANSWER_SECONDS"
    ) 7<>"$CLUSTER/control.in" 8<>"$CLUSTER/control.out" 9>"$CLUSTER/control.lock"
}

# vm_run COMMAND…: inside, as root, in /. Prints what it says on both outputs, returns its status.
vm_run() {
    vm_ask "$(printf '%q ' "$@")"
}

# vm_send DIRECTORY TARGET: what is in a directory of ours into one inside.
vm_send() {
    # shellcheck disable=SC2016  # the shell inside expands it
    vm_run bash -c 'mkdir -p "$1" && base64 -d <<<"$2" | tar --extract --directory="$1"' send "$2" \
        "$(tar --create --directory="$1" . | base64 -w 0)"
}

# --- its life ---

vm_wait_booted() {
    local state
    vm_read_line "$VM_BOOT_SECONDS" 8<>"$CLUSTER/control.out" || return
    state=$(vm_run systemctl is-system-running --wait)
    [ "$state" = running ] || {
        vm_run systemctl --failed --no-pager --plain >&"$CLUSTER_LOG_FD"
        cluster_fail "the machine has booted, and is $state"
    }
}

vm_up() {
    local image
    image=$(vm_image "$1" "$VM_CACHE") || cluster_fail 'there is no image to boot' || return
    state_new muster-vm && vm_launch "$image" && vm_wait_booted
}

vm_down() {
    [ -n "${CLUSTER:-}" ] || return 0
    cluster_reap "$CLUSTER"
    CLUSTER=
}

# vm_collect DIR: the console and the journal.
vm_collect() {
    mkdir -p "$1" || return
    vm_run journalctl --sync || true
    vm_run journalctl --no-pager --output=short-monotonic >"$1/journal" 2>&1 || true
    cp "$CLUSTER/console" "$CLUSTER/qemu.log" "$CLUSTER/etcd.log" "$1/" || true
    cluster_log "journal and console are in $1"
}
