#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# systemd's limits hold for containers: on a kernel of its own with every controller, for units submitted to a
# musterd. All are started together, once, since in an emulated machine it is starting that takes time, and so does
# each question; what they come to is asked for all of them in one. Those that would disturb others wait at a gate,
# a FIFO.

bats_require_minimum_version 1.5.0
load vm.sh

BUILD=${MUSTER_BUILD:-$BATS_TEST_DIRNAME/../../build/demo}
IMAGE=oci:/var/lib/muster/images/busybox:latest
CGROUPS=/sys/fs/cgroup/muster.slice
PAIR=muster-pair.slice
export WAIT_PAUSE=1

setup_file() {
    export CLUSTER_LOG_FD=3
    vm_up "$BUILD"
    vm_run mkdir -p /run/gate /run/once
    vm_run mkfifo /run/gate/{twin,bounded,first,second}
    mkdir "$BATS_FILE_TMPDIR/units"
    write_units
    vm_send "$BATS_FILE_TMPDIR/units" /root/units
    # One alone first, without limits: it unpacks the image for all.
    vm_run musterctl start --no-verify /root/units/twin.service
    vm_run musterctl load --no-verify /root/units/srv-data.mount
    # Waits for them, which costs the machine less than asking; some are to fail.
    vm_run sh -c 'musterctl start --no-verify /root/units/*.service /root/units/*.automount' || true
    ask
}

# A test that fails, and a file in which none could run, leave the journal behind.
teardown() {
    : >"$BATS_FILE_TMPDIR/ran"
    [ -n "${BATS_TEST_COMPLETED:-}" ] || : >"$BATS_FILE_TMPDIR/failed"
}

teardown_file() {
    [ -n "${CLUSTER:-}" ] || return 0
    [ -e "$BATS_FILE_TMPDIR/ran" ] && [ ! -e "$BATS_FILE_TMPDIR/failed" ] || vm_collect "$BUILD/failed/limits"
    vm_down
}

# container NAME SERVICE-LINES CONTAINER-LINES SCRIPT: a unit whose container runs the script.
container() {
    printf '[Container]\nNetwork=none\nImage=%s\nExec=sh -c "%s"\n%s\n[Service]\n%s\n' "$IMAGE" "$4" "$3" "$2" \
        >"$BATS_FILE_TMPDIR/units/$1"
}

write_units() {
    local gate=Volume=/run/gate:/gate once=Volume=/run/once:/once machine=Volume=/dev:/machine devices
    local lines=$'CPUQuota=150%\nCPUWeight=250\nIOWeight=300\nAllowedCPUs=1\nMemoryMax=64M\nTasksMax=32'
    container limited.service "$lines" '' 'exec sleep 1000'
    container scoped.service "$lines" CgroupsMode=enabled 'exec sleep 1000'
    container child-hog.service MemoryMax=16M '' 'tail /dev/zero; exec sleep 1000'
    container main-hog.service $'MemoryMax=16M\nRestart=on-failure' "$once" \
        'mkdir /once/hog && exec tail /dev/zero; exec sleep 1000'
    container twin.service '' "$gate" 'read x </gate/twin; while :; do :; done'
    container bounded.service CPUQuota=25% "$gate" 'read x </gate/bounded; while :; do :; done'
    container forker.service TasksMax=10 '' '(for i in $(seq 30); do sleep 1000 & done); exec sleep 1000'
    devices="mknod /dev/made b $(vm_run stat --format=%Hr /dev/vda) 0 && echo made
        dd if=/machine/vda of=/dev/null count=1 && echo read
        dd if=/dev/zero of=/dev/null count=1 && echo usual; exec sleep 1000"
    devices=${devices//$'\n'/;}
    container sealed.service '' "$machine" "$devices"
    container opened.service 'DeviceAllow=/dev/vda rm' "$machine" "$devices"
    container first.service "Slice=$PAIR" "$gate" \
        'read x </gate/first; for i in $(seq 8); do sleep 1000 & done; exec sleep 1000'
    container second.service "Slice=$PAIR" "$gate" \
        '(read x </gate/second; for i in $(seq 30); do sleep 1000 & done); read x </gate/second; exec dd if=/dev/zero of=/dev/null bs=200M count=1'
    printf '[Mount]\nWhat=tmpfs\nWhere=/srv/data\nType=tmpfs\n' >"$BATS_FILE_TMPDIR/units/srv-data.mount"
    printf '[Automount]\nWhere=/srv/data\n' >"$BATS_FILE_TMPDIR/units/srv-data.automount"
    printf '[Slice]\nTasksMax=24\nMemoryMax=64M\n' >"$BATS_FILE_TMPDIR/units/$PAIR"
}

# What systemd says of all services: a program that starts takes half a second in there.
ask() {
    # shellcheck disable=SC2046  # one word per unit
    vm_run systemctl show --property=Id,ActiveState,Result,NRestarts,MainPID \
        $(cd "$BATS_FILE_TMPDIR/units" && ls -- *.service) >"$BATS_FILE_TMPDIR/answer"
}

# property UNIT NAME: as it was when it was asked for.
property() {
    awk -v RS= -v FS='\n' -v unit="Id=$1" -v name="$2" '
        index("\n" $0 "\n", "\n" unit "\n") {
            for (i = 1; i <= NF; i++) if (index($i, name "=") == 1) print substr($i, length(name) + 2)
        }' "$BATS_FILE_TMPDIR/answer"
}

# What a unit has come to stays: whoever finds it so need not ask.
property_is() {
    [ "$(property "$1" "$2")" = "$3" ] || ask
    echo "$1: $2 is $(property "$1" "$2")"
    [ "$(property "$1" "$2")" = "$3" ]
}

is_active() {
    property_is "$1" ActiveState active
}

has_failed() {
    property_is "$1" ActiveState failed
}

# cgroup_value FILE…: below muster.slice.
cgroup_value() {
    vm_run cat "${@/#/$CGROUPS/}"
}

# cgroup_event FILE NAME: the count of a line "NAME COUNT".
cgroup_event() {
    vm_run sed -n "s/^$2 //p" "$CGROUPS/$1"
}

has_happened() {
    [ "$(cgroup_event "$1" "$2")" -gt 0 ]
}

inside() {
    vm_run musterctl exec "$@"
}

output_of() {
    vm_run journalctl --no-pager --output=cat --unit="$1"
}

has_said() {
    output_of "$1" | grep -xF -- "$2"
}

open_gate() {
    local gate
    for gate in "$@"; do
        vm_run timeout 20 sh -c "echo >/run/gate/$gate"
    done
}

# holds_limits UNIT CGROUP: the values are those that write_units asks for, and the main process is in there.
holds_limits() {
    wait_for 120 "$1 is active" is_active "$1" || return
    run -0 cgroup_value "$2"/{cpu.max,cpu.weight,io.weight,cpuset.cpus.effective,memory.max,pids.max}
    [ "${lines[*]}" = "150000 100000 250 default 300 1 $((64 * 1024 * 1024)) 32" ] &&
        vm_run grep -qx "$(property "$1" MainPID)" "$CGROUPS/$2/cgroup.procs"
}

@test "limits of the unit are values of the container's cgroup" {
    holds_limits limited.service limited.service
}

@test "limits of a unit with a scope are the scope's" {
    holds_limits scoped.service muster-scoped.scope
}

@test "a container sees its own cgroup, and cannot write to it" {
    run -0 inside limited.service -- sh -c 'cd /sys/fs/cgroup; cat memory.max pids.max /proc/1/cgroup
        echo max >memory.max; mkdir mine
        mount -o remount,rw /sys/fs/cgroup && echo it is ours now; true'
    [ "${lines[*]:0:3}" = '67108864 32 0::/' ]
    [[ "${lines[3]}" == *'memory.max: Read-only file system' ]]
    [[ "${lines[4]}" == *"'mine': Read-only file system" ]]
    [[ "$output" != *'it is ours now'* ]]
    [ "$(cgroup_value limited.service/memory.max)" = 67108864 ]
}

@test "MemoryMax: whoever wants more is killed, and the unit ends with oom-kill" {
    wait_for 120 'child-hog.service has failed' has_failed child-hog.service
    property_is child-hog.service Result oom-kill
    run -0 vm_run musterctl list-units --no-legend
    [[ "$output" =~ child-hog.service\ +[^\ ]+\ +failed ]]
}

@test "a unit that was killed for its memory is started again as its Restart= says" {
    wait_for 120 'main-hog.service has been restarted' property_is main-hog.service NRestarts 1
    wait_for 120 'main-hog.service is active' is_active main-hog.service
    [[ "$(output_of main-hog.service)" == *"Failed with result 'oom-kill'"* ]]
}

# What the unbounded and the bounded have used, in µs, once the former has had half a second and the latter a twentieth of
# that: on a host that has no time for a processor of the machine, the one of them that is there waits.
# shellcheck disable=SC2016  # the shell inside expands it
USAGES='
    usage() { while read -r name value; do [ "$name" != usage_usec ] || break; done <"$1.service/cpu.stat"; }
    used() { usage twin && a=$((value - twin)) && usage bounded && b=$((value - bounded)); }
    cd "$1" && usage bounded && bounded=$value && usage twin && twin=$value
    until used && [ "$a" -ge 500000 ] && [ "$b" -ge 25000 ] || [ "$SECONDS" -gt 100 ]; do sleep 0.3; done
    echo "$a $b"'

@test "CPUQuota: what is bounded gets less than its twin that is not" {
    local twin bounded
    wait_for 120 'bounded.service is active' is_active bounded.service
    open_gate twin bounded
    read -r twin bounded < <(vm_run bash -c "$USAGES" usages "$CGROUPS")
    echo "CPU time in µs: the twin $twin, the bounded $bounded"
    [ "$bounded" -lt $((twin / 2)) ]
    has_happened bounded.service/cpu.stat nr_throttled
    vm_run systemctl kill --signal=KILL twin.service bounded.service
}

@test "TasksMax: a fork too many fails" {
    wait_for 120 'forker.service has met its limit' has_happened forker.service/pids.events max
    [ "$(cgroup_value forker.service/pids.current)" -le 10 ]
    has_said forker.service "sh: can't fork: Resource temporarily unavailable"
    is_active forker.service
}

@test "no device but the usual ones can be made or opened" {
    wait_for 120 'sealed.service has tried' has_said sealed.service usual
    run -0 output_of sealed.service
    [[ "$output" == *'mknod: /dev/made: Operation not permitted'* ]]
    [[ "$output" == *"dd: can't open '/machine/vda': Operation not permitted"* ]]
}

@test "DeviceAllow lets a device through" {
    wait_for 120 'opened.service has tried' has_said opened.service usual
    run -0 output_of opened.service
    [[ $'\n'$output$'\n' == *$'\nmade\n'* ]]
    [[ $'\n'$output$'\n' == *$'\nread\n'* ]]
}

@test "exec opens the devices that the container may open, and no others" {
    run ! inside sealed.service -- sh -c 'mknod /dev/more b 254 0 || dd if=/machine/vda of=/dev/null count=1'
    [[ "${lines[0]}" == 'mknod: /dev/more: Operation not permitted' ]]
    [[ "${lines[1]}" == "dd: can't open '/machine/vda': Operation not permitted" ]]
    run -0 inside opened.service -- dd if=/machine/vda of=/dev/null count=1
}

tasks_are_bounded() {
    [ "$(cgroup_value "$PAIR/pids.max")" = 24 ]
}

@test "a slice that comes after its services bounds them together: TasksMax" {
    local first second
    wait_for 120 'first.service is active' is_active first.service
    wait_for 120 'second.service is active' is_active second.service
    vm_run musterctl start "/root/units/$PAIR"
    wait_for 60 'the slice has its limits' tasks_are_bounded
    open_gate first
    open_gate second
    wait_for 60 'the slice has met its limit' has_said second.service "sh: can't fork: Resource temporarily unavailable"
    first=$(cgroup_value "$PAIR/first.service/pids.current")
    second=$(cgroup_value "$PAIR/second.service/pids.current")
    echo "tasks: first $first, second $second"
    [ "$first" -ge 9 ]
    [ "$((first + second))" -le 24 ]
}

@test "a slice bounds its services together: MemoryMax" {
    [ "$(cgroup_value "$PAIR/second.service/memory.max")" = max ]
    open_gate second
    wait_for 60 'second.service has failed' has_failed second.service
    property_is second.service Result oom-kill
    is_active first.service
}

in_mount_table() {
    vm_run grep -q "^$1 /srv/data " /proc/mounts
}

is_told_to_be_mounted() {
    vm_run musterctl list-units --no-legend | grep -E '^srv-data.mount +[^ ]+ +active +mounted'
}

@test "an automount mounts when somebody looks, and not before" {
    wait_for 60 'the automount waits' in_mount_table systemd-1
    run ! in_mount_table tmpfs
    vm_run ls /srv/data
    in_mount_table tmpfs
    wait_for 60 'musterctl tells so' is_told_to_be_mounted
}
