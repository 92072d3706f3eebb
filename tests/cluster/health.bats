#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Health checks of containers on a real node: what is seen, what follows, what is left behind.

load bats.sh

setup_file() {
    cluster_for_tests 1 --ttl 5
}

# container NAME KEY=VALUE…: runs a unit whose container is healthy as long as /ok is there, and whose checks say "no luck".
container() {
    local name=$1
    shift
    {
        echo "[Unit]"
        echo "Description=health of $name"
        echo "[Container]"
        echo "Network=none"
        echo "Image=oci:/var/lib/muster/images/busybox:latest"
        echo "Exec=/bin/sh -c 'touch /ok; trap \"exit 0\" TERM; while :; do sleep 3600 & wait; done'"
        echo "HealthInterval=200ms"
        echo "HealthTimeout=5s"
        echo "HealthRetries=2"
        printf '%s\n' "$@"
    } | node_write node1 "/root/$name.service"
    node_run node1 sh -c "cd /root && musterctl start $name.service"
}

check='HealthCmd=test -e /ok || { echo no luck; exit 1; }'

health_is() {
    local said
    said=$(node_run node1 musterctl list-units --no-legend --fields=unit,health | awk -v unit="$1.service" '$1 == unit { print $2 }')
    echo "$1: $said"
    [ "$said" = "$2" ]
}

break_it() {
    node_run node1 musterctl exec "$1.service" -- rm /ok
}

property() {
    node_property node1 "$1.service" "$2"
}

property_is() {
    local value
    value=$(property "$1" "$2")
    echo "$2=$value"
    [ "$value" = "$3" ]
}

is_another_run() {
    [ "$(property "$1" InvocationID)" != "$2" ] && property_is "$1" ActiveState active
}

# Processes of checks, wherever they are.
no_probe_runs() {
    ! node_run node1 pgrep -af "$1"
}

@test "a container that passes its check is healthy, one that does not says why" {
    container seen "$check"
    wait_for 10 'it is healthy' health_is seen healthy
    break_it seen
    wait_for 10 'it is unhealthy' health_is seen unhealthy
    node_run node1 sh -c 'musterctl status seen.service || true' | grep -x ' *Health: unhealthy: no luck'
    property_is seen ActiveState active
    node_run node1 musterctl exec seen.service -- touch /ok
    wait_for 10 'it is healthy again' health_is seen healthy
}

@test "a check has the container's user, groups and directory, and gives him nothing of the machine's" {
    # shellcheck disable=SC2016  # the shell inside expands it
    container mine User=7:8 GroupAdd=42 WorkingDir=/proc 'HealthCmd=test "$(id -u):$(id -G):$(pwd)" = "7:8 42:/proc"'
    wait_for 10 'it is healthy' health_is mine healthy
    [ "$(node_run node1 stat -c %u:%g /dev/null)" = 0:0 ]
    node_run node1 timeout 30 musterctl destroy mine.service
}

store_has_revision() {
    [ "$(etcd_revision)" = "$1" ]
}

store_is_still() {
    local revision
    revision=$(etcd_revision)
    holds_for 5 store_has_revision "$revision" || { etcd_dump; return 1; }
}

@test "nothing is written while nothing changes" {
    wait_for 20 'the last change is written' store_is_still
}

@test "HealthOnFailure=kill leaves the rest to Restart=" {
    local before
    container killed "$check" HealthOnFailure=kill '[Service]' Restart=on-failure RestartSec=100ms
    wait_for 10 'it is healthy' health_is killed healthy
    before=$(property killed InvocationID)
    break_it killed
    wait_for 15 'it is another run' is_another_run killed "$before"
    wait_for 10 'it is healthy' health_is killed healthy
    [ "$(property killed NRestarts)" -eq 1 ]
}

@test "HealthOnFailure=restart starts it anew" {
    local before
    container restarted "$check" HealthOnFailure=restart
    wait_for 10 'it is healthy' health_is restarted healthy
    before=$(property restarted InvocationID)
    break_it restarted
    wait_for 20 'it is another run' is_another_run restarted "$before"
    wait_for 10 'it is healthy' health_is restarted healthy
}

@test "HealthOnFailure=stop stops it, and the reason stays" {
    container stopped "$check" HealthOnFailure=stop
    wait_for 10 'it is healthy' health_is stopped healthy
    break_it stopped
    wait_for 20 'it is stopped' property_is stopped ActiveState inactive
    wait_for 5 'the reason is told' health_is stopped unhealthy
    node_run node1 sh -c 'musterctl status stopped.service || true' | grep -x ' *Health: unhealthy: no luck'
}

@test "Notify=healthy: the start waits for the first check that passes" {
    local starter
    container awaited Notify=healthy HealthRetries=100 'HealthCmd=test -e /go || { echo not yet; exit 1; }' &
    starter=$!
    wait_for 10 'a check has failed' health_is awaited starting
    property_is awaited ActiveState activating
    kill -0 "$starter"
    node_run node1 /usr/lib/muster/muster-container exec awaited.service -- touch /go
    wait "$starter"
    property_is awaited ActiveState active
    health_is awaited healthy
}

startup_is_done() {
    node_run node1 /usr/lib/muster/muster-container exec startup.service -- touch /started
    health_is startup healthy
}

@test "the check of the start comes first, and restarts what does not start" {
    local before
    container startup HealthStartupCmd='test -e /started' HealthStartupInterval=200ms HealthStartupRetries=5 \
        'HealthCmd=test -e /ok' HealthStartupTimeout=5s
    wait_for 5 'it is starting' health_is startup starting
    before=$(property startup InvocationID)
    wait_for 20 'it is another run' is_another_run startup "$before"
    # It goes on being started anew, and the file goes with each run, until one is early enough.
    wait_for 20 'it is healthy' startup_is_done
}

@test "a check that hangs is ended with all that it started" {
    container hanging HealthTimeout=500ms HealthRetries=1 HealthInterval=60s \
        'HealthCmd=setsid sleep 4711 & setsid sleep 4712'
    wait_for 10 'it is unhealthy' health_is hanging unhealthy
    wait_for 2 'no process of the check is left' no_probe_runs '^sleep 471[12]'
    node_run node1 sh -c 'musterctl status hanging.service || true' | grep 'did not end within 500 ms'
}

@test "a unit that is stopped takes its check along" {
    container leaving HealthTimeout=300s 'HealthCmd=sleep 4713'
    wait_for 10 'its check runs' node_run node1 pgrep -f '^sleep 4713'
    node_run node1 musterctl stop leaving.service
    wait_for 2 'the check is gone' no_probe_runs '^sleep 4713'
}

@test "musterd may come and go: nothing is restarted, what was unhealthy stays so, no check is left" {
    local before
    break_it seen
    wait_for 10 'it is unhealthy' health_is seen unhealthy
    container forgotten HealthTimeout=300s HealthInterval=60s 'HealthCmd=sleep 4714'
    wait_for 10 'its check runs' node_run node1 pgrep -f '^sleep 4714'
    before=$(units_identities seen.service killed.service restarted.service awaited.service)
    node_run node1 systemctl stop musterd
    wait_for 2 'the check is gone' no_probe_runs '^sleep 4714'
    node_run node1 systemctl start musterd
    wait_for 10 'its check runs again' node_run node1 pgrep -f '^sleep 4714'
    node_run node1 systemctl kill -s KILL --kill-who=main musterd
    wait_for 20 'it answers' health_is seen unhealthy
    holds_for 2 units_are_as_before "$before" seen.service killed.service restarted.service awaited.service
    node_run node1 musterctl exec seen.service -- touch /ok
    wait_for 10 'it is healthy' health_is seen healthy
}

@test "a start that waits goes on when musterd is back" {
    container patient Notify=healthy HealthRetries=1000 'HealthCmd=test -e /go' &
    wait_for 10 'it is activating' property_is patient ActiveState activating
    node_run node1 systemctl kill -s KILL --kill-who=main musterd
    wait_for 10 'it can be entered' node_run node1 /usr/lib/muster/muster-container exec patient.service -- touch /go
    wait_for 10 'it is active' property_is patient ActiveState active
    wait "$!" || true
}

@test "containers that are gone leave nothing of their checks" {
    node_run node1 sh -c 'musterctl destroy seen.service killed.service restarted.service stopped.service \
        awaited.service startup.service hanging.service leaving.service forgotten.service patient.service'
    # shellcheck disable=SC2016  # the node's shell expands it
    wait_for 20 'no note is left' node_run node1 sh -c '[ -z "$(ls /run/muster/health)" ]'
    no_probe_runs 'muster-container probe'
    [ -z "$(node_run node1 find /sys/fs/cgroup -name muster-probe)" ]
}
