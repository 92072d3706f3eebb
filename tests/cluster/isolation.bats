#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A program inside tries to get out, and fails: as a unit is by default, and with UserNS=auto.

bats_require_minimum_version 1.5.0

load bats.sh

setup_file() {
    cluster_for_tests 1
    gcc -D_GNU_SOURCE -O1 -static -o "$BATS_FILE_TMPDIR/escape" "$BATS_TEST_DIRNAME/escape.c"
    node_run node1 mkdir -p /tmp/units
}

# start UNIT [LINE OF [Container]]…: a container that runs what is brought to it.
start() {
    local unit=$1
    shift
    {
        echo '[Container]'
        echo 'Image=oci:/var/lib/muster/images/busybox:latest'
        # shellcheck disable=SC2016  # the shell inside expands it
        echo 'Exec=sh -c "trap \"exit 0\" TERM; while :; do if [ -e /tmp/go ]; then sh /tmp/go; rm /tmp/go; fi; sleep 0.1; done"'
        printf '%s\n' "$@"
    } | node_write node1 "/tmp/units/$unit"
    NODE_DIRECTORY=/tmp/units node_run node1 musterctl start "$unit"
}

inside() {
    local unit=$1
    shift
    node_run node1 /usr/lib/muster/muster-container exec "$unit" -- "$@"
}

# The listener goes with the test's shell.
listen_abstractly() {
    node_run node1 python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind("\0escape-test")
s.listen(1)
print("listening", flush=True)
sys.stdin.read()' 
}

arguments() {
    local disk
    disk=$(stat -c '%Hd %Ld' /)
    echo "$(node_property node1 musterd.service MainPID) $disk escape-test"
}

bring() {
    # shellcheck disable=SC2016  # the shell inside expands it
    inside "$1" sh -c 'cat >/tmp/escape; chmod 0755 /tmp/escape' <"$BATS_FILE_TMPDIR/escape"
}

said() {
    node_run node1 journalctl --sync
    node_journal node1 --output=cat --unit="$1"
}

has_tried() {
    said "$1" | grep -q '^tried '
}

# The main process of the unit tries; what it says is in the journal.
main_process_is_held() {
    local unit=$1
    bring "$unit"
    coproc listen_abstractly
    read -r -u "${COPROC[0]}" _
    # shellcheck disable=SC2016,SC2046  # the shell inside expands it; words
    inside "$unit" sh -c 'echo "/tmp/escape $*" >/tmp/go.half; mv /tmp/go.half /tmp/go' go $(arguments)
    wait_for 60 'it has tried everything' has_tried "$unit"
    eval "exec ${COPROC[1]}>&-"
    said "$unit" | grep -E '^(OUT|tried)'
    ! said "$unit" | grep '^OUT'
    [ "$(said "$unit" | grep -c '^held ')" -ge 28 ]
}

exec_session_is_held() {
    local unit=$1
    bring "$unit"
    # shellcheck disable=SC2046  # words
    run inside "$unit" /tmp/escape $(arguments)
    echo "$output"
    [ "$status" = 0 ]
    [ "$(grep -c '^held ' <<<"$output")" -ge 28 ]
}

@test "outside, the program would get out by most ways" {
    run -1 node_run node1 sh -c 'cat >/tmp/escape; chmod 0755 /tmp/escape; unshare --mount --fork /tmp/escape 1 0 0 none' \
        <"$BATS_FILE_TMPDIR/escape"
    [ "$(grep -c '^OUT ' <<<"$output")" -ge 10 ]
}

@test "the main process of a unit does not get out" {
    start plain.service
    main_process_is_held plain.service
}

@test "nor does an exec session" {
    exec_session_is_held plain.service
}

@test "nor does the main process with UserNS=auto" {
    start mapped.service UserNS=auto
    main_process_is_held mapped.service
}

@test "nor an exec session with UserNS=auto" {
    exec_session_is_held mapped.service
}

@test "root inside is nobody's id outside, and two units' ids have nothing in common" {
    local pid one other
    start mapped2.service UserNS=auto
    for unit in mapped.service mapped2.service; do
        pid=$(node_property node1 "$unit" MainPID)
        node_run node1 cat "/proc/$pid/uid_map" >"$BATS_TEST_TMPDIR/$unit"
        [ "$(node_run node1 stat -c %u "/proc/$pid")" -ge 65536 ]
    done
    read -r _ one _ <"$BATS_TEST_TMPDIR/mapped.service"
    read -r _ other _ <"$BATS_TEST_TMPDIR/mapped2.service"
    [ $((one > other ? one - other : other - one)) -ge 65536 ]
    node_run node1 musterctl stop mapped.service mapped2.service
    [ -z "$(node_run node1 ls /run/muster/ids)" ]
}

@test "the files of the image belong to root inside, and what root makes too" {
    start files.service UserNS=auto
    [ "$(inside files.service stat -c %u:%g /bin/busybox)" = 0:0 ]
    inside files.service touch /made
    [ "$(inside files.service stat -c %u:%g /made)" = 0:0 ]
    inside files.service chown 1000:1000 /made
    [ "$(inside files.service stat -c %u:%g /made)" = 1000:1000 ]
    inside files.service sh -c 'echo more >>/etc/passwd'
}

@test "a map by number is what the kernel is told" {
    start numbers.service UIDMap=0:5000:10 GIDMap=0:6000:10
    local pid
    pid=$(node_property node1 numbers.service MainPID)
    [ "$(node_run node1 stat -c %u:%g "/proc/$pid")" = 5000:6000 ]
}

@test "SubUIDMap= takes the ranges of that name, and says where to put them" {
    printf 'apps:300000:131072\n' | node_write node1 /etc/subuid
    printf 'apps:400000:131072\n' | node_write node1 /etc/subgid
    start named.service UserNS=auto SubUIDMap=apps SubGIDMap=apps
    local pid uid gid
    pid=$(node_property node1 named.service MainPID)
    IFS=: read -r uid gid < <(node_run node1 stat -c %u:%g "/proc/$pid")
    [ "$uid" -ge 300000 ] && [ "$uid" -lt 431072 ]
    [ "$gid" -ge 400000 ] && [ "$gid" -lt 531072 ]
}
