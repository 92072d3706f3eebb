#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# muster-container under a real systemd: one node, hand-written services, an image of busybox.
# Needs root, a built muster-container ($top_builddir), and the harness of tests/cluster.

IMAGE=oci:/var/lib/muster/images/mcont
STORE=/var/lib/muster/images/.store

bats_require_minimum_version 1.5.0
load one-node.sh

setup_file() {
    one_node_prepare skopeo script
    make_image "$IMAGES/mcont" "$BATS_FILE_TMPDIR/files"
    one_node_up
}

make_image() {
    local layout=$1 files=$2 applet
    mkdir -p "$files/bin" "$files/etc"
    cp "$(command -v busybox)" "$files/bin/busybox"
    for applet in cat echo grep id ip kill ls mount sh sleep stat touch true tty unshare; do
        ln -s busybox "$files/bin/$applet"
    done
    echo 'web:x:1000:1000::/home/web:/bin/sh' >"$files/etc/passwd"
    printf 'web:x:1000:\nextra:x:1001:web\n' >"$files/etc/group"
    umoci init --layout "$layout"
    umoci new --image "$layout:latest"
    umoci insert --image "$layout:latest" "$files" / >/dev/null 2>&1
    umoci config --image "$layout:latest" --config.cmd /bin/echo --config.cmd 'the command of the image'
    umoci config --image "$layout:latest" --tag web --config.user web
}

json_strings() {
    local sep='' s
    printf '['
    for s in "$@"; do
        s=${s//\\/\\\\}
        printf '%s"%s"' "$sep" "${s//\"/\\\"}"
        sep=,
    done
    printf ']'
}

# define UNIT COMMAND…: the service and the spec.json as musterd would write them. The variables image,
# network, notify, mounts (JSON) and service (more lines for [Service]) say more.
define() {
    local unit=$1
    shift
    node mkdir -p "/run/muster/containers/$unit"
    node tee "/run/muster/containers/$unit/spec.json" >/dev/null <<END
{"image": "${image:-$IMAGE}", "exec": $(json_strings "$@"), "environment": [], "mounts": ${mounts:-[]},
 "hostName": "mcont", "network": "${network:-none}", "notify": "${notify:-no}"}
END
    define_service "$unit" Slice=muster.slice TimeoutStopSec=10 OOMPolicy=stop DevicePolicy=closed "${service:-}"
}

forever() {
    define "$1" /bin/sh -c 'trap "exit 0" TERM; echo hello from $$; while :; do sleep 1000 & wait $!; done'
}

assert_nothing_left() {
    [ "$(node ls -A "/run/muster/containers/$1")" = spec.json ]
    [ "$(node sh -c "ls -A /run/muster/crun | grep -c -- '^$(echo "$1" | sed 's/@.*//')'")" = 0 ]
    run ! node grep -F "/run/muster/containers/$1" /proc/1/mountinfo
}

@test "a container starts as the main process of its service" {
    forever one@1.service
    node systemctl start one@1.service
    [ "$(property one@1.service ActiveState)" = active ]
    [ "$(node cat "/proc/$(property one@1.service MainPID)/comm")" = sh ]
    [ "$(node cat "/proc/$(property one@1.service MainPID)/cgroup" | grep '^0:')" = '0::/muster.slice/one@1.service' ] ||
        node grep -q '/one@1.service$' "/proc/$(property one@1.service MainPID)/cgroup"
    wait_for 5 "its output is in the journal" journal_shows one@1.service 'hello from 1'
    node sh -c "! pgrep -x crun && ! pgrep -x muster-contain"
}

@test "the host sees no mount of it" {
    run node grep -F /run/muster/containers /proc/1/mountinfo
    [ "$output" = '' ]
}

@test "it is locked in" {
    local status
    status=$(node cat "/proc/$(property one@1.service MainPID)/status")
    grep -q '^CapEff:.*00000000a80425fb' <<<"$status"
    grep -q '^CapInh:.*0000000000000000' <<<"$status"
    grep -q '^Seccomp:.*2' <<<"$status"
    run ! node "$HELPER" exec one@1.service -- mount -t tmpfs none /bin
    run ! node "$HELPER" exec one@1.service -- touch /proc/sys/kernel/hostname
    run ! node "$HELPER" exec one@1.service -- touch /sys/fs/cgroup/cgroup.procs
    [ -z "$(node "$HELPER" exec one@1.service -- ip link show | grep -v 'lo:\|link/loopback')" ]
}

@test "exec runs inside, in a scope of muster.slice, and gives the command's status" {
    run -0 node "$HELPER" exec one@1.service -- cat /proc/self/cgroup
    grep -q 'muster-exec-one\\x401.service-[0-9]*\.scope$' <<<"$output"
    run -5 node "$HELPER" exec one@1.service sh -c 'exit 5'
    [ -z "$(node systemctl list-units --plain --no-legend 'muster-exec-*')" ]
}

@test "exec gives a terminal to whoever has one" {
    run -0 node script -qec "$HELPER exec one@1.service tty" /dev/null
    grep -aq '/dev/pts/' <<<"$output"
    run node sh -c "$HELPER exec one@1.service tty </dev/null"
    [ "$output" = 'not a tty' ]
}

@test "exec where nothing runs says so" {
    run -1 node "$HELPER" exec absent.service -- true
    [ "$output" = 'absent.service: no such container on this machine' ]
    define idle.service /bin/true
    run -1 node "$HELPER" exec idle.service -- true
    [ "$output" = 'idle.service: not running on this machine' ]
    run -1 node "$HELPER" exec ../escape.service -- true
    [ "${#lines[@]}" = 1 ]
}

@test "stop ends it promptly and leaves nothing" {
    local before
    before=$(now_ms)
    node systemctl stop one@1.service
    [ $(($(now_ms) - before)) -lt 8000 ] # systemd would have killed it after 10 s
    [ "$(property one@1.service Result)" = success ]
    assert_nothing_left one@1.service
}

@test "an exit status is reported as it is, twenty at once" {
    local i units=
    for i in $(seq 1 20); do
        define "status@$i.service" /bin/sh -c "exit $i"
        units="$units status@$i.service"
    done
    # shellcheck disable=SC2086
    node systemctl start $units || true
    for i in $(seq 1 20); do
        wait_for 10 "status@$i.service has ended" is_dead "status@$i.service"
        [ "$(property "status@$i.service" ExecMainStatus)" = "$i" ]
        [ "$(property "status@$i.service" Result)" = exit-code ]
        assert_nothing_left "status@$i.service"
    done
}

@test "twenty start at once, with the image still to unpack" {
    local i units=
    node rm -rf "$STORE"
    for i in $(seq 1 20); do
        forever "many@$i.service"
        units="$units many@$i.service"
    done
    # shellcheck disable=SC2086
    node systemctl start $units
    for i in $(seq 1 20); do
        [ "$(property "many@$i.service" ActiveState)" = active ]
    done
    [ "$(node ls "$STORE/layers" | wc -l)" = 1 ]
    [ -z "$(node ls "$STORE/half")" ]
    # shellcheck disable=SC2086
    node systemctl stop $units
    for i in $(seq 1 20); do
        assert_nothing_left "many@$i.service"
    done
}

@test "kill -9 of the main process leaves nothing, and clean may be repeated" {
    forever killed.service
    node systemctl start killed.service
    node kill -KILL "$(property killed.service MainPID)"
    wait_for 5 "the service has failed" is_dead killed.service
    [ "$(property killed.service Result)" = signal ]
    assert_nothing_left killed.service
    node "$HELPER" clean killed.service
    node "$HELPER" clean never-seen.service
}

@test "what a predecessor left does not keep the next from starting" {
    service='ExecStopPost=' forever dirty.service
    node sed -i /ExecStopPost/d /run/systemd/system/dirty.service
    node systemctl start dirty.service
    node "$HELPER" exec dirty.service touch /left
    node systemctl kill --signal=KILL dirty.service
    wait_for 5 "the service has failed" is_dead dirty.service
    node test -e /run/muster/containers/dirty.service/layer/upper/left
    node systemctl start dirty.service
    run node "$HELPER" exec dirty.service ls /left
    [ "$status" != 0 ]
    node systemctl stop dirty.service
    node "$HELPER" clean dirty.service
    assert_nothing_left dirty.service
}

@test "state of a create that was killed half-way goes too" {
    define torn.service /bin/echo mended
    node mkdir -p /run/muster/crun/torn.service /run/muster/containers/torn.service/layer/upper/old
    # A file that was being written; and one that the agent may be writing now.
    node touch /run/muster/containers/torn.service/config.json.Ab3dEf /run/muster/containers/torn.service/spec.json.Ab3dEf
    node systemctl start torn.service
    wait_for 5 "it ran" journal_shows torn.service mended
    wait_for 5 "it has ended" is_dead torn.service
    node rm /run/muster/containers/torn.service/spec.json.Ab3dEf
    assert_nothing_left torn.service
}

@test "half a layer that a killed start left is not used" {
    local whole
    whole=$(node ls "$STORE/layers")
    node rm -rf "$STORE/layers/$whole"
    node mkdir -p "$STORE/half/layer-$whole/files/bin"
    define half.service /bin/echo whole again
    node systemctl start half.service
    wait_for 5 "it ran" journal_shows half.service 'whole again'
    [ "$(node ls "$STORE/layers")" = "$whole" ]
    [ -z "$(node ls "$STORE/half")" ]
}

@test "the image's command runs where the unit names none" {
    define plain.service
    node sed -i 's/"exec": \[\]/"exec": null/' /run/muster/containers/plain.service/spec.json
    node systemctl start plain.service
    wait_for 5 "it ran" journal_shows plain.service 'the command of the image'
}

@test "the image's user is looked up in the image" {
    image=$IMAGE:web define user.service /bin/sh -c 'id; echo home $HOME'
    node systemctl start user.service
    wait_for 5 "it ran" journal_shows user.service 'uid=1000(web) gid=1000(web) groups=1001(extra)'
    journal_shows user.service 'home /home/web'
}

@test "Network=host shows the machine's addresses, none only lo" {
    network=host define hostnet.service /bin/ip address
    network=none define nonet.service /bin/ip address
    node systemctl start hostnet.service nonet.service
    wait_for 5 "it ran" journal_shows hostnet.service host0
    wait_for 5 "it ran" journal_shows nonet.service lo:
    [[ "$(lines_of nonet.service)" != *host0* ]]
}

@test "volumes are bound, and read-only where they say so" {
    node mkdir -p /run/mcont-rw /run/mcont-ro
    mounts='[{"type": "bind", "source": "/run/mcont-rw", "destination": "/rw"},
              {"type": "bind", "source": "/run/mcont-ro", "destination": "/ro", "readOnly": true}]' \
        define volumes.service /bin/sh -c 'touch /rw/a; touch /ro/a || echo refused'
    node systemctl start volumes.service
    wait_for 5 "it ran" journal_shows volumes.service refused
    node test -e /run/mcont-rw/a
    run ! node test -e /run/mcont-ro/a
}

@test "with Notify=yes it is the program that says when it is ready" {
    notify=yes mounts='[{"type": "bind", "source": "/usr", "destination": "/usr", "readOnly": true},
        {"type": "bind", "source": "/lib", "destination": "/lib", "readOnly": true},
        {"type": "bind", "source": "/lib64", "destination": "/lib64", "readOnly": true}]' service='WatchdogSec=1min' \
        define notify.service /bin/sh -c \
        'echo watchdog $WATCHDOG_USEC; until [ -e /go ]; do sleep 0.05; done; /usr/bin/systemd-notify --ready; sleep 1000'
    node systemctl start --no-block notify.service
    wait_for 5 "it runs" journal_shows notify.service 'watchdog 60000000'
    [ "$(property notify.service ActiveState)" = activating ]
    node "$HELPER" exec notify.service touch /go
    wait_for 5 "it is active" node_unit_is_active node1 notify.service
    node systemctl stop notify.service || true
    assert_nothing_left notify.service
}

# fails UNIT TEXT: the start fails with that one line, and nothing is left.
fails() {
    run ! node systemctl start "$1"
    wait_for 5 "the reason is in the journal" journal_shows "$1" "$2"
    [ "$(lines_of "$1" | grep "^$1: " | grep -vc "^$1: \(Main process\|Failed\)")" = 1 ]
    assert_nothing_left "$1"
}

@test "what is missing is named in one line" {
    image=oci:/nowhere define bad-image.service /bin/true
    fails bad-image.service 'bad-image.service: image oci:/nowhere: no such layout'
    image=$IMAGE:v9 define bad-tag.service /bin/true
    fails bad-tag.service "bad-tag.service: image $IMAGE:v9: no tag \"v9\""
    define bad-program.service /bin/absent
    fails bad-program.service 'bad-program.service: crun: executable file `/bin/absent` not found'
    service='Environment=PATH=/nonexistent' define no-crun.service /bin/true
    fails no-crun.service "crun is not installed (Debian's package crun)"
    service='Environment=MUSTER_SECCOMP_PROFILE=/nonexistent' define no-seccomp.service /bin/true
    fails no-seccomp.service 'seccomp profile /nonexistent is missing: install golang-github-containers-common'
    service='Environment=PATH=/nonexistent' image=docker://localhost:1/none define no-skopeo.service /bin/true
    fails no-skopeo.service "skopeo is not installed (Debian's package skopeo)"
}

@test "start by hand is refused" {
    forever hand.service
    run -1 node "$HELPER" start hand.service
    grep -q 'hand.service: NOTIFY_SOCKET is not set' <<<"$output"
}

@test "seccomp can be switched off for a machine" {
    service='Environment=MUSTER_SECCOMP_PROFILE=unconfined' define open.service /bin/grep Seccomp: /proc/self/status
    node systemctl start open.service
    wait_for 5 "it ran" journal_shows open.service "Seccomp:"
}

# with_filter UNIT: what crun was told of a filter that was compiled before.
with_filter() {
    node grep -q '"run.oci.seccomp_bpf_data":"[A-Za-z0-9+/=]*"' "/run/muster/containers/$1/config.json"
}

filter_of() {
    node sha256sum "/run/muster/crun/$1/seccomp.bpf" | cut -d' ' -f1
}

# What a call that the profile takes away is answered with, by the main process and by exec.
calls_of() {
    node grep ^Seccomp: "/proc/$(property "$1" MainPID)/status"
    node "$HELPER" exec "$1" grep ^Seccomp: /proc/self/status
    node "$HELPER" exec "$1" mount -t tmpfs none /bin 2>&1 || true
    node "$HELPER" exec "$1" unshare -U true 2>&1 || true
}

@test "a filter that crun compiled before is in force as if it had been compiled" {
    local kept
    node rm -rf /run/muster/filters
    for unit in filter-1.service filter-2.service; do
        forever "$unit"
        node systemctl start "$unit"
    done
    run ! with_filter filter-1.service
    with_filter filter-2.service
    node grep -q '"seccomp":{' /run/muster/containers/filter-2.service/config.json
    [ "$(filter_of filter-1.service)" = "$(filter_of filter-2.service)" ]
    run calls_of filter-1.service
    echo "$output"
    [ "$(grep -c 'Seccomp:.*2' <<<"$output")" = 2 ]
    [ "$(grep -c 'Function not implemented' <<<"$output")" = 2 ]
    [ "$output" = "$(calls_of filter-2.service)" ]
    kept=$(node ls /run/muster/filters)
    [ "$(wc -l <<<"$kept")" = 1 ]
}

@test "a filter that is damaged is not used, and compiled anew" {
    local file whole
    file=/run/muster/filters/$(node ls /run/muster/filters)
    whole=$(node cat "$file")
    # One that lets everything through, under a digest that is not its own.
    printf '%s BgAAAAAA/38=' "${whole%% *}" | node tee "$file" >/dev/null
    forever filter-3.service
    node systemctl start filter-3.service
    run ! with_filter filter-3.service
    [ "$(filter_of filter-3.service)" = "$(filter_of filter-1.service)" ]
    [ "$(calls_of filter-3.service)" = "$(calls_of filter-1.service)" ]
    [ "$(node cat "$file")" = "$whole" ]
}

@test "a filter that the runtime cannot use costs one start, and is not given again" {
    local name whole useless='//////////8='
    name=$(node ls /run/muster/filters)
    whole=$(node cat "/run/muster/filters/$name")
    printf '%s %s' "$(printf '%s %s' "$name" "$useless" | sha256sum | cut -d' ' -f1)" "$useless" |
        node tee "/run/muster/filters/$name" >/dev/null
    forever filter-4.service
    run ! node systemctl start filter-4.service
    node systemctl start filter-4.service
    [ "$(filter_of filter-4.service)" = "$(filter_of filter-1.service)" ]
    [ "$(node cat "/run/muster/filters/$name")" = "$whole" ]
    node systemctl stop filter-1.service filter-2.service filter-3.service filter-4.service
    assert_nothing_left filter-1.service
}

# The last: systemd tells of every mount unit that goes.
@test "of all these, systemd has seen no mount come or go" {
    node journalctl --sync
    run -0 node_journal node1 --output=cat
    [[ "$output" == *'one@1.service: Deactivated'* ]]
    [[ ! "$output" =~ (crun|containers)[^[:space:]]*\.mount: ]]
}
