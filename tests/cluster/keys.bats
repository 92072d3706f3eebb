#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Keys of [Container] as a program inside sees them, submitted with musterctl to a real node.

bats_require_minimum_version 1.5.0

load bats.sh

setup_file() {
    cluster_for_tests 1
    node_run node1 mkdir -p /tmp/units /etc/credstore /srv/keys
}

# submit UNIT LINE…: [Container] with the image and these lines; a line may open another section.
submit() {
    local unit=$1
    shift
    {
        echo '[Container]'
        echo 'Image=oci:/var/lib/muster/images/busybox:latest'
        printf '%s\n' "$@"
    } | node_write node1 "/tmp/units/$unit"
}

start() {
    submit "$@"
    NODE_DIRECTORY=/tmp/units node_run node1 musterctl start "$1"
}

inside() {
    local unit=$1
    shift
    node_run node1 /usr/lib/muster/muster-container exec "$unit" -- "$@"
}

# FOREVER: what containers here do all day.
FOREVER='Exec=sh -c "trap \"exit 0\" TERM; trap \"echo reloaded >/tmp/reloaded\" HUP; while :; do sleep 1000 & wait $!; done"'

gone() {
    NODE_DIRECTORY=/tmp/units node_run node1 musterctl destroy "$1"
}

@test "volumes are filled once, outlive their container, and can be overlaid" {
    echo original | node_write node1 /srv/keys/file
    start volumes.service "$FOREVER" 'Volume=kept:/etc' 'Volume=/anonymous' 'Volume=/srv/keys:/over:O' \
        'Volume=/srv/keys:/plain:ro' 'Mount=type=glob,source=/srv/keys/f*,destination=/globbed' \
        'Mount=type=image,source=oci:/var/lib/muster/images/busybox:latest,destination=/other' 'Tmpfs=/scratch:size=1m'
    inside volumes.service sh -c 'echo changed >/over/file; echo mine >/anonymous/mine; echo kept >/etc/kept'
    [ "$(inside volumes.service cat /over/file /plain/file /globbed/file)" = $'changed\noriginal\noriginal' ]
    run ! inside volumes.service touch /plain/new /other/new
    inside volumes.service test -x /other/bin/busybox
    inside volumes.service sh -c 'grep " /scratch tmpfs .*size=1024k" /proc/mounts'
    [ "$(node_run node1 cat /srv/keys/file)" = original ]
    gone volumes.service
    wait_for 10 'nothing of it is left' node_run node1 sh -c '! ls /var/lib/muster/containers/volumes.service /run/muster/containers/volumes.service 2>/dev/null'
    start volumes.service "$FOREVER" 'Volume=kept:/etc' 'Volume=/anonymous'
    [ "$(inside volumes.service cat /etc/kept)" = kept ]
    run ! inside volumes.service cat /anonymous/mine
    gone volumes.service
}

@test "secrets are systemd's credentials, as files and as variables" {
    printf 'hidden' | node_write node1 /etc/credstore/db-password
    printf 'token' | node_write node1 /etc/credstore/api-key
    start secrets.service "$FOREVER" 'Secret=db-password,uid=7,mode=0400' 'Secret=api-key,type=env,target=API_KEY'
    [ "$(inside secrets.service cat /run/secrets/db-password)" = hidden ]
    [ "$(inside secrets.service stat -c '%u %a' /run/secrets/db-password)" = '7 400' ]
    inside secrets.service sh -c 'tr "\0" "\n" </proc/1/environ | grep -x API_KEY=token'
    gone secrets.service
    submit without.service "$FOREVER" 'Secret=nowhere'
    NODE_DIRECTORY=/tmp/units run node_run node1 timeout 30 musterctl start without.service
    [ "$status" -ne 0 ]
    [[ $output == *nowhere* ]]
    gone without.service
}

@test "user, groups, directory, names, environment and time are as the unit says" {
    printf 'FROM_FILE=yes\n' | node_write node1 /srv/keys/env
    # shellcheck disable=SC2016  # the shell inside expands it
    start process.service 'Exec=sh -c "echo in $(pwd); env; exec sleep 1000"' 'User=1234:5678' 'GroupAdd=42' 'WorkingDir=/tmp' 'HostName=inner' 'Environment=A=%p' \
        'EnvironmentFile=/srv/keys/env' 'Environment=FROM_SERVICE' 'Timezone=Asia/Tokyo' 'Ulimit=nofile=100:200' \
        '[Service]' 'Environment=FROM_SERVICE=handed-on'
    # exec has another user's eyes; the main process is who counts
    inside process.service sh -c 'grep -E "^(Uid|Gid|Groups):" /proc/1/status' | tr '\t' ' ' >"$BATS_TEST_TMPDIR/ids"
    grep -x 'Uid: 1234 1234 1234 1234' "$BATS_TEST_TMPDIR/ids"
    grep -x 'Gid: 5678 5678 5678 5678' "$BATS_TEST_TMPDIR/ids"
    grep -E '^Groups: .*\b42\b' "$BATS_TEST_TMPDIR/ids"
    node_run node1 journalctl --sync
    node_journal node1 --output=cat --unit=process.service >"$BATS_TEST_TMPDIR/said"
    grep -x 'in /tmp' "$BATS_TEST_TMPDIR/said"
    [ "$(inside process.service hostname)" = inner ]
    [ "$(inside process.service pwd)" = /tmp ]
    grep -x A=process "$BATS_TEST_TMPDIR/said"
    grep -x FROM_FILE=yes "$BATS_TEST_TMPDIR/said"
    grep -x FROM_SERVICE=handed-on "$BATS_TEST_TMPDIR/said"
    inside process.service sh -c 'grep -E "Max open files +100 +200" /proc/1/limits'
    [ "$(inside process.service date +%Z)" = JST ]
    gone process.service
}

@test "a read-only root leaves room in /run and /tmp alone" {
    start readonly.service "$FOREVER" 'ReadOnly=true' 'NoNewPrivileges=true' 'Mask=/proc/meminfo' 'Unmask=/proc/timer_list' \
        'AddCapability=SYS_NICE' 'DropCapability=MKNOD' 'ShmSize=2m'
    run ! inside readonly.service touch /new
    inside readonly.service touch /run/new /tmp/new /var/tmp/new
    inside readonly.service grep -x $'NoNewPrivs:\t1' /proc/1/status
    inside readonly.service grep -x $'NoNewPrivs:\t1' /proc/self/status
    [ "$(inside readonly.service cat /proc/meminfo)" = '' ]
    inside readonly.service sh -c 'grep " /dev/shm tmpfs .*size=2048k" /proc/mounts'
    # CAP_SYS_NICE is 23, CAP_MKNOD 27
    local bounding
    bounding=$(inside readonly.service sed -n 's/^CapBnd:\t//p' /proc/1/status)
    [ $((0x$bounding >> 23 & 1)) = 1 ]
    [ $((0x$bounding >> 27 & 1)) = 0 ]
    gone readonly.service
}

@test "RunInit= reaps, and devices are there" {
    start devices.service "$FOREVER" 'RunInit=true' 'AddDevice=/dev/null:/dev/nothing:rw' 'AddDevice=-/dev/no-such-device'
    [ "$(inside devices.service sh -c 'cat /proc/1/comm')" = init ]
    inside devices.service test -c /dev/nothing
    gone devices.service
}

@test "reload runs a command inside, or sends a signal" {
    start command.service "$FOREVER" 'ReloadCmd=touch /tmp/by-command'
    node_run node1 systemctl reload command.service
    inside command.service test -e /tmp/by-command
    gone command.service
    start signal.service "$FOREVER" 'ReloadSignal=HUP'
    node_run node1 systemctl reload signal.service
    wait_for 5 'the signal has come' inside signal.service test -e /tmp/reloaded
    gone signal.service
}

@test "a oneshot's start lasts as long as its container, and its status is the service's" {
    start once.service 'Exec=sh -c "echo ran >/kept/ran"' 'Volume=once:/kept' '[Service]' 'Type=oneshot' 'RemainAfterExit=yes'
    [ "$(node_run node1 cat /var/lib/muster/volumes/once/ran)" = ran ]
    [ "$(node_property node1 once.service SubState)" = exited ]
    gone once.service
    submit fails.service 'Exec=sh -c "exit 7"' '[Service]' 'Type=oneshot'
    NODE_DIRECTORY=/tmp/units run ! node_run node1 timeout 30 musterctl start fails.service
    [ "$(node_property node1 fails.service ExecMainStatus)" = 7 ]
    gone fails.service
}

@test "keys that do nothing here are said to, and unknown ones are refused" {
    submit warned.service "$FOREVER" 'SecurityLabelType=spc_t' 'LogOpt=tag=x'
    NODE_DIRECTORY=/tmp/units run node_run node1 musterctl start warned.service
    [ "$status" -eq 0 ]
    [[ $output == *'SecurityLabelType=: no SELinux label is set'* ]]
    [[ $output == *'LogOpt='* ]]
    gone warned.service
    submit wrong.service "$FOREVER" 'Volum=/a:/b'
    NODE_DIRECTORY=/tmp/units run node_run node1 musterctl submit wrong.service
    [ "$status" -ne 0 ]
    [[ $output == *'did you mean Volume=?'* ]]
}
