#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Containers live and die as native units do, and leave nothing, whatever is killed when.

# shellcheck disable=SC2016  # shells inside nodes and containers expand what is quoted here
bats_require_minimum_version 1.5.0

load bats.sh

UNITS=/tmp/units
IMAGE=oci:/var/lib/muster/images/busybox:latest

setup_file() {
    cluster_for_tests 1
    gcc -D_GNU_SOURCE -O1 -static -o "$BATS_FILE_TMPDIR/kill-at" "$BATS_TEST_DIRNAME/kill-at.c"
    node_run node1 mkdir -p "$UNITS"
    node_run node1 sh -c 'cat >/tmp/kill-at; chmod 0755 /tmp/kill-at' <"$BATS_FILE_TMPDIR/kill-at"
}

node() {
    NODE_DIRECTORY=$UNITS node_run node1 "$@"
}

property() {
    node_property node1 "$1" "$2"
}

# container UNIT EXEC [LINE]…: lines before [Service] go to [Container]. It has no network, but the usual one with
# "Network=" among them.
container() {
    local unit=$1 exec=$2
    shift 2
    { printf '[Container]\nNetwork=none\nImage=%s\nExec=%s\n' "$IMAGE" "$exec"; printf '%s\n' "$@"; } |
        node_write node1 "$UNITS/$unit"
}

native() {
    local unit=$1 exec=$2
    shift 2
    { printf '[Service]\nKillMode=mixed\nExecStart=%s\n' "$exec"; printf '%s\n' "$@"; } | node_write node1 "$UNITS/$unit"
}

# All that a container may leave behind, counted where it would be. One line for each thing found.
leftovers() {
    # shellcheck disable=SC2016  # the node's shell expands it
    node sh -c '
        cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -E " /run/muster/(containers|crun|runc)/" | sed "s/^/mount: /" | sort -u
        find /sys/fs/cgroup/muster.slice -type d | grep -E "\.(service|scope)$" | sed "s/^/cgroup: /"
        ls /run/systemd/transient 2>/dev/null | sed "s/^/transient: /"
        find /run/muster/containers -mindepth 2 ! -name spec.json | sed "s/^/file: /"
        find /run/muster/crun /run/muster/runc -mindepth 1 -maxdepth 1 2>/dev/null | sed "s/^/state: /"
        find /run/muster/ids -name "*.service" 2>/dev/null | sed "s/^/ids: /"
        find /var/lib/muster/containers -mindepth 1 2>/dev/null | sed "s/^/layer: /"
        ls /run/muster/cni/leases/*/[0-9]* 2>/dev/null | sed "s/^/lease: /"
        ip -o link show type veth | grep -v host0 | sed "s/^/link: /"
        iptables-save | grep -E "muster-|CNI-(DN-)?[0-9a-f]{8}" | sed "s/^/rule: /"
        ls /run/netns 2>/dev/null | sed "s/^/netns: /"
        systemctl list-units --plain --no-legend --state=active "*.scope" | grep muster | sed "s/^/scope: /"
        ps -eo comm= | grep -E "^(crun|runc|muster-contain|muster-unpack)" | sed "s/^/process: /"'
}

nothing_is_left() {
    local left
    left=$(leftovers)
    [ -z "$left" ] || { echo "$left"; return 1; }
}

is_over() {
    case $(property "$1" SubState) in exited | failed) ;; *) return 1 ;; esac
}

# --- side by side ---

# fate UNIT: what systemd says of how it ended.
fate() {
    echo "$(property "$1" Result) $(property "$1" ExecMainCode) $(property "$1" ExecMainStatus) $(property "$1" NRestarts)"
}

# both NAME SHELL-COMMAND [LINE]…: a native unit and a container run the same, with the same lines. RemainAfterExit=
# keeps systemd from forgetting what ended well.
both() {
    local name=$1 command=$2
    shift 2
    native "$name-native.service" "/bin/sh -c \"$command\"" "$@"
    container "$name-boxed.service" "sh -c \"$command\"" '[Service]' "$@"
    node musterctl start --no-block "$name-native.service" "$name-boxed.service" >/dev/null
}

same_fate() {
    local name=$1 expected=$2
    [ "$(fate "$name-native.service")" = "$expected" ] || { fate "$name-native.service"; return 1; }
    [ "$(fate "$name-boxed.service")" = "$expected" ] || { fate "$name-boxed.service"; return 1; }
}

both_are_over() {
    is_over "$1-native.service" && is_over "$1-boxed.service"
}

both_are() {
    [ "$(property "$1-native.service" "$2")" = "$3" ] && [ "$(property "$1-boxed.service" "$2")" = "$3" ]
}

# Exit code 1 is CLD_EXITED, 2 is CLD_KILLED. A process 1 of its own namespace cannot kill itself, hence the helper.
@test "the end of the main process: as a native unit's" {
    both zero 'exit 0' RemainAfterExit=yes
    both three 'exit 3'
    both again 'exit 4' Restart=on-failure RestartSec=100ms '[Unit]' StartLimitBurst=3 StartLimitIntervalSec=60
    both calm 'exit 0' Restart=on-failure RemainAfterExit=yes
    both listed 'exit 5' SuccessExitStatus=5 RemainAfterExit=yes
    for name in three listed calm zero; do wait_for 10 "$name has ended" both_are_over "$name"; done
    same_fate three 'exit-code 1 3 0'
    same_fate listed 'success 1 5 0'
    same_fate calm 'success 1 0 0'
    same_fate zero 'success 1 0 0'
    wait_for 20 'it has been started again three times' both_are_over again
    both_are again ActiveState failed
    node systemctl stop zero-boxed.service calm-boxed.service listed-boxed.service
    [ "$(property again-native.service NRestarts)" = "$(property again-boxed.service NRestarts)" ]
}

@test "killed from outside: as a native unit" {
    local name
    both killed 'trap : TERM; while :; do sleep 1000 & wait; done'
    both revived 'while :; do sleep 1000 & wait; done' Restart=always RestartSec=100ms
    for name in killed revived; do wait_for 10 "$name runs" both_are "$name" SubState running; done
    node systemctl kill --kill-who=main --signal=KILL killed-native.service killed-boxed.service \
        revived-native.service revived-boxed.service
    wait_for 10 'the killed have ended' both_are_over killed
    same_fate killed 'signal 2 9 0'
    wait_for 10 'the others run again' both_are revived NRestarts 1
    wait_for 10 'the others run again' both_are revived SubState running
    node systemctl stop revived-native.service revived-boxed.service
}

@test "the stop: signal, time, and what ignores it" {
    both polite 'trap \"exit 0\" INT; while :; do sleep 1000 & wait; done' KillSignal=SIGINT
    both deaf 'trap : TERM; while :; do sleep 1000 & wait; done' TimeoutStopSec=1
    wait_for 10 'polite runs' both_are polite SubState running
    wait_for 10 'deaf runs' both_are deaf SubState running
    local before
    before=$(now_ms)
    node systemctl stop polite-native.service polite-boxed.service deaf-native.service deaf-boxed.service
    [ $(($(now_ms) - before)) -lt 9000 ] # another second makes ten, after which a deaf container ends in any case
    same_fate polite 'success 0 0 0'
    same_fate deaf 'timeout 2 9 0'
}

@test "a stop that we asked for leaves no failed unit, however it ended" {
    container stubborn.service "sh -c \"trap : TERM; while :; do sleep 1000 & wait; done\"" '[Service]' TimeoutStopSec=1
    node musterctl start stubborn.service
    node musterctl stop stubborn.service
    wait_for 10 'it is not failed' [ "$(property stubborn.service ActiveState)" = inactive ]
}

# The program inside speaks through the socket that it is given, as systemd-notify does.
@test "readiness and the watchdog are the program's, as a native unit's" {
    gcc -D_GNU_SOURCE -O1 -static -o "$BATS_TEST_TMPDIR/notify" -x c - <<'END'
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    strncpy(a.sun_path, getenv("NOTIFY_SOCKET"), sizeof(a.sun_path) - 1);
    while (access("/opt/notify/go", F_OK) < 0)
        usleep(20000);
    if (sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&a, sizeof(a)) < 0)
        return 1;
    for (;;)
        pause();
}
END
    node sh -c 'mkdir -p /opt/notify; cat >/opt/notify/notify; chmod 0755 /opt/notify/notify' <"$BATS_TEST_TMPDIR/notify"
    native ready-native.service /opt/notify/notify Type=notify WatchdogSec=2 TimeoutStopSec=1
    container ready-boxed.service /opt/notify/notify Notify=yes Volume=/opt/notify:/opt/notify '[Service]' \
        WatchdogSec=2 TimeoutStopSec=1
    node musterctl start --no-block ready-native.service ready-boxed.service
    wait_for 5 'both have begun' both_are ready ActiveState activating
    holds_for 1 both_are ready ActiveState activating
    node touch /opt/notify/go
    wait_for 5 'both are ready' both_are ready ActiveState active
    wait_for 10 'the watchdog has ended both' both_are_over ready
    [ "$(property ready-native.service Result)" = watchdog ]
    [ "$(property ready-boxed.service Result)" = watchdog ]
}

@test "stop ends every process, also those that left their parents" {
    container family.service "sh -c \"trap 'exit 0' TERM; for i in 1 2 3; do setsid sh -c 'trap : TERM HUP INT; (while :; do sleep 1; done) & while :; do sleep 1; done' & done; while :; do sleep 1000 & wait; done\""
    node musterctl start family.service
    local pids
    pids=$(node cat /sys/fs/cgroup/muster.slice/family.service/cgroup.procs)
    [ "$(wc -w <<<"$pids")" -ge 7 ]
    node systemctl stop family.service
    for pid in $pids; do run ! node test -e "/proc/$pid"; done
}

# --- a scope of its own ---

health_is() {
    [ "$(node musterctl list-units --no-legend --fields=unit,health | awk -v unit="$1" '$1 == unit { print $2 }')" = "$2" ]
}

SLICE=/sys/fs/cgroup/muster.slice
SCOPED='muster-scoped\x401.scope'

@test "CgroupsMode=enabled: a scope in the slice of the unit, with its limits, and the life is the service's" {
    local main before i
    container scoped@1.service "sh -c \"trap 'exit 3' TERM; while :; do sleep 1000 & wait; done\"" CgroupsMode=enabled \
        HealthCmd=true HealthInterval=200ms '[Service]' Slice=muster-own.slice MemoryMax=100M CPUQuota=50% 'DeviceAllow=/dev/fuse rw'
    node musterctl start scoped@1.service
    main=$(property scoped@1.service MainPID)
    node grep -Fx "0::/muster.slice/muster-own.slice/$SCOPED" "/proc/$main/cgroup"
    [ -z "$(node cat "$SLICE/muster-own.slice/scoped@1.service/cgroup.procs")" ]
    [ "$(node sh -c 'cat "$1"/comm' comms "/proc/$main")" = sh ]
    [ "$(property "$SCOPED" MemoryMax)" = 104857600 ]
    [ "$(property "$SCOPED" CPUQuotaPerSecUSec)" = 500ms ]
    [ "$(property "$SCOPED" TasksMax)" = 2048 ]
    [ "$(property "$SCOPED" DevicePolicy)" = closed ]
    [ "$(property "$SCOPED" DeviceAllow)" = '/dev/fuse rw' ]
    [ "$(node musterctl exec scoped@1.service -- cat /proc/1/comm)" = sh ]
    wait_for 10 'its check passes' health_is scoped@1.service healthy
    for i in 1 2 3; do
        before=$(property scoped@1.service MainPID)
        node systemctl restart scoped@1.service
        [ "$(property scoped@1.service MainPID)" != "$before" ]
    done
    node systemctl stop scoped@1.service
    [ "$(fate scoped@1.service)" = 'exit-code 1 3 0' ]
    wait_for 5 'nothing is left' nothing_is_left
}

@test "a oneshot in a scope: its status is the service's" {
    container scoped-once.service "sh -c \"exit 7\"" CgroupsMode=enabled '[Service]' Type=oneshot
    run ! node timeout 30 musterctl start scoped-once.service
    [ "$(fate scoped-once.service)" = 'exit-code 1 7 0' ]
    wait_for 5 'nothing is left' nothing_is_left
}

# stray UNIT [LINE OF SERVICE]: without a namespace for processes nothing ends by itself with the main process.
stray() {
    container "$1" "sh -c \"setsid sh -c 'trap : TERM HUP INT; while :; do sleep 1; done' & trap 'exit 0' TERM; while :; do sleep 1000 & wait; done\"" \
        CgroupsMode=enabled PodmanArgs=--pid=host '[Service]' "${@:2}"
    node musterctl start "$1"
}

# all_in_scope UNIT: prints the processes in its scope, once its shell has begun the two others.
all_in_scope() {
    local pids
    pids=$(node cat "$SLICE/muster-${1%.service}.scope/cgroup.procs")
    [ "$(wc -w <<<"$pids")" -ge 3 ] && echo "$pids"
}

# all_end_with UNIT: what was in its scope.
all_end_with() {
    local pids pid
    wait_for 5 "the processes of $1 have begun" all_in_scope "$1"
    pids=$(all_in_scope "$1")
    node systemctl stop "$1"
    for pid in $pids; do
        wait_for 5 "process $pid is gone" node test ! -e "/proc/$pid"
    done
}

@test "the stop ends all of a scope; where there was no clean-up, systemd does" {
    stray stray.service
    all_end_with stray.service
    wait_for 5 'nothing is left' nothing_is_left
    # What fails before it keeps systemd from running ours.
    stray unswept.service ExecStopPost=/bin/false
    all_end_with unswept.service
    wait_for 5 'the scope has gone' node test ! -e "$SLICE/muster-unswept.scope"
    node test -e /run/muster/containers/unswept.service/scope
    node /usr/lib/muster/muster-container clean unswept.service
    wait_for 5 'nothing is left' nothing_is_left
}

# --- the other runtime ---

# A second one is in a scope, a third a oneshot.
@test "runc: start, exec, health, exit status, stop as with crun, and nothing is left" {
    local trap="sh -c \"trap 'exit 3' TERM; touch /ok; while :; do sleep 1000 & wait; done\"" main status=0
    echo 'runtime = runc' | node_write node1 /etc/muster/container.conf
    container other.service "$trap" 'HealthCmd=test -e /ok' HealthInterval=200ms HealthRetries=1 Network=
    container other-scoped.service "$trap" CgroupsMode=enabled
    container other-once.service "sh -c \"exit 7\"" '[Service]' Type=oneshot
    node musterctl start other.service other-scoped.service
    run ! node timeout 30 musterctl start other-once.service
    [ "$(fate other-once.service)" = 'exit-code 1 7 0' ]
    main=$(property other.service MainPID)
    node grep -Fx '0::/muster.slice/other.service/container' "/proc/$main/cgroup"
    node grep -Fx '0::/muster.slice/muster-other-scoped.scope/container' "/proc/$(property other-scoped.service MainPID)/cgroup"
    [ "$(node cat /sys/fs/cgroup/muster.slice/other.service/container/cgroup.procs)" ]
    node test -e /run/muster/runc/other.service
    node grep -q '"seccomp":{"architectures"' /run/muster/containers/other.service/config.json
    run ! node grep -q seccomp_bpf_data /run/muster/containers/other.service/config.json
    node musterctl exec other.service -- sh -c 'exit 5' || status=$?
    [ "$status" = 5 ]
    wait_for 10 'it is healthy' health_is other.service healthy
    node musterctl exec other.service -- rm /ok
    wait_for 10 'it is unhealthy' health_is other.service unhealthy
    node systemctl restart other.service
    [ "$(property other.service MainPID)" != "$main" ]
    node systemctl kill --kill-who=main --signal=KILL other-scoped.service
    wait_for 10 'the killed has ended' is_over other-scoped.service
    [ "$(fate other-scoped.service)" = 'signal 2 9 0' ]
    node systemctl stop other.service
    [ "$(fate other.service)" = 'exit-code 1 3 0' ]
    node rm /etc/muster/container.conf
    wait_for 5 'nothing is left' nothing_is_left
}

# --- a journal that hangs ---

# Fills the socket of the node's journal, whose daemon does not read; a sender alone may not have so much under way.
# shellcheck disable=SC2016  # perl's own
FLOOD='
    use Socket; use Fcntl;
    my $journal = sockaddr_un("/run/systemd/journal/socket");
    for (1 .. 20) {
        socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; fcntl($s, F_SETFL, O_NONBLOCK) or die;
        1 while defined send($s, "MESSAGE=flood\n", 0, $journal);
        push @kept, $s;
    }'

journal_has() {
    node journalctl --unit=musterd --output=cat --no-pager | grep -F "$1"
}

@test "a journal that takes nothing keeps musterd from nothing, and gets its lines later" {
    local musterd journald
    musterd=$(property musterd.service MainPID)
    journald=$(property systemd-journald.service MainPID)
    container unheard.service 'sleep 1000' '[Service]' KillSignal=SIGKILL
    node kill -STOP "$journald"
    node perl -e "$FLOOD"
    node timeout 60 musterctl start unheard.service || { node kill -CONT "$journald"; false; }
    node perl -e "$FLOOD"
    node timeout 60 musterctl destroy unheard.service || { node kill -CONT "$journald"; false; }
    node kill -CONT "$journald"
    wait_for 20 'the journal has what was said meanwhile' journal_has 'assign unheard.service'
    [ "$(property musterd.service MainPID)" = "$musterd" ]
    [ "$(property musterd.service NRestarts)" = 0 ]
}

# --- kill -9 ---

@test "no helper is left running: what the cgroups hold are the containers" {
    local i units=()
    for i in $(seq 1 10); do
        container "alone$i.service" "sleep 1000" '[Service]' TimeoutStopSec=1
        units+=("alone$i.service")
    done
    node musterctl start "${units[@]}" >/dev/null
    for i in $(seq 1 10); do
        [ "$(node sh -c "cat /sys/fs/cgroup/muster.slice/alone$i.service/cgroup.procs | wc -l")" = 1 ]
        [ "$(node cat "/proc/$(property "alone$i.service" MainPID)/comm")" = sleep ]
    done
    # An ordinary end needs no runtime either: it is not there to be run.
    node mount --bind /bin/false /usr/bin/crun
    node musterctl stop "${units[@]}" >/dev/null
    node umount /usr/bin/crun
    wait_for 10 'nothing is left' nothing_is_left
}

# Two to be killed: one in the service's cgroup, one in a scope.
VICTIMS=(victim.service scoped-victim.service)

# killed_at SEED UNIT: one start (and the stop before or after it), in which one process dies at a moment drawn from the seed.
killed_at() {
    local names=(muster-contain crun sh 'muster-container clean') name delay
    RANDOM=$1
    name=${names[RANDOM % 4]}
    delay=$((RANDOM % 30000))
    echo "seed $1, $2: $name after $delay µs"
    node /tmp/kill-at "$name" "$delay" "$SLICE/$2" "$SLICE/muster-${2%.service}.scope" &
    node systemctl restart "$2" >/dev/null 2>&1 || true
    [ $((RANDOM % 2)) = 0 ] || node systemctl stop "$2" || true
    wait || true
    node systemctl stop "$2" >/dev/null 2>&1 || true
    node systemctl reset-failed "$2" 2>/dev/null || true
}

@test "kill -9 of any part at any moment, and after the next start and stop nothing is left" {
    local seed unit trap="sh -c \"trap 'exit 0' TERM; while :; do sleep 1000 & wait; done\""
    container "${VICTIMS[0]}" "$trap" UserNS=auto Network= PublishPort=8180:80
    container "${VICTIMS[1]}" "$trap" CgroupsMode=enabled Network= PublishPort=8181:80
    node musterctl start "${VICTIMS[@]}"
    node systemctl stop "${VICTIMS[@]}"
    for seed in $(seq "${KILL_SEED:-1}" $((${KILL_SEED:-1} + ${KILL_ROUNDS:-40}))); do
        unit=${VICTIMS[seed % 2]}
        killed_at "$seed" "$unit"
        # What ExecStopPost was killed in is for the next start, which is whole.
        if [ -n "$(leftovers)" ]; then
            echo "  left: $(leftovers | head -3)"
            wait_for 5 'it starts again' node systemctl start "$unit"
            node systemctl stop "$unit"
            wait_for 5 "after seed $seed nothing is left" nothing_is_left
        fi
    done
}

# --- many, again and again ---

# shellcheck disable=SC2016  # the node's shell expands it
census() {
    node sh -c '
        echo "musterd.fds $(ls /proc/$(systemctl show -p MainPID --value musterd)/fd | wc -l)"
        echo "units $(systemctl list-units --all --plain --no-legend | wc -l)"
        echo "mounts $(wc -l </proc/1/mountinfo)"
        echo "netns $(readlink /proc/[0-9]*/ns/net | sort -u | wc -l)"
        echo "pid1.fds $(ls /proc/1/fd | wc -l)"'
}

pid1_kb() {
    # shellcheck disable=SC2016  # awk's own
    node awk '$1 == "VmRSS:" { print $2 }' /proc/1/status
}

# PID 1 gives units back a little after they are gone; musterd's connections of the moment come and go.
no_count_has_grown() {
    local now
    now=$(census)
    awk 'NR == FNR { before[$1] = $2; next } $2 > before[$1] + ($1 == "musterd.fds" ? 4 : 0) { print; grown = 1 }
         END { exit grown }' <(echo "$1") <(echo "$now")
}

# A unit is ready a moment before the helper lets the container loose and ends.
churn_processes_are() {
    local found
    found=$(node sh -c 'cat /sys/fs/cgroup/muster.slice/churn@*/cgroup.procs | wc -l')
    [ "$found" = "$1" ] || { echo "$found processes"; return 1; }
}

@test "hundreds of containers, started and stopped again and again, leave nothing" {
    local count=${CHURN_CONTAINERS:-300} rounds=${CHURN_ROUNDS:-1} round before kb
    # Hundreds at once take longer on a busy machine than systemd gives to one.
    container churn@.service "sleep 100000" '[Service]' KillSignal=SIGKILL TimeoutStartSec=10min TimeoutStopSec=10min
    node sh -c "for i in \$(seq 1 $count); do echo churn@\$i.service; done >/tmp/churn.units"
    node sh -c 'musterctl start $(cat /tmp/churn.units) >/dev/null'
    node sh -c 'systemctl stop $(cat /tmp/churn.units)'
    node sh -c 'systemctl reset-failed $(cat /tmp/churn.units) 2>/dev/null || true'
    wait_for 120 'the first round has left nothing' nothing_is_left
    before=$(census)
    kb=$(pid1_kb)
    for round in $(seq 1 "$rounds"); do
        node sh -c 'systemctl start $(cat /tmp/churn.units)'
        wait_for 600 'each container is alone in its cgroup' churn_processes_are "$count"
        node sh -c 'systemctl stop $(cat /tmp/churn.units)'
        node sh -c 'systemctl reset-failed $(cat /tmp/churn.units) 2>/dev/null || true'
        [ $((round % 10)) != 0 ] || echo "round $round of $rounds: PID 1 has $(pid1_kb) kB, at first $kb kB" >&3
    done
    wait_for 300 'nothing is left' nothing_is_left
    wait_for 300 'no count has grown' no_count_has_grown "$before"
    echo "PID 1: $kb kB before, $(pid1_kb) kB after $rounds rounds of $count"
    [ "$(pid1_kb)" -lt $((kb + kb / 10 + 4096)) ]
}
