#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Units of every type, and what is submitted with them, act as on one host, and go without a trace.

bats_require_minimum_version 1.5.0
load bats.sh

# What MachineOf= keeps together; the first of each pair is started, the other is for systemd to run.
UNITS=(tick.timer tick.service talk.socket talk.service look.path look.service srv-mu.mount srv-auto.automount
    srv-auto.mount both.target member.service mu-small.slice bounded.service)

setup_file() {
    cluster_for_tests 2 --ttl 5
}

# write NAME LINE…: a unit file in /root of node1; its lines are given without \n.
write() {
    local name=$1
    shift
    printf '%s\n' "$@" | node_write node1 "/root/$name"
}

# on_one_node UNIT…: the node that has all of these loaded from muster's files.
on_one_node() {
    local node unit
    for node in $(cluster_nodes); do
        for unit in "$@"; do
            node_run "$node" test -e "/run/muster/units/$unit" || continue 2
        done
        echo "$node"
        return
    done
    return 1
}

start() {
    NODE_DIRECTORY=/root node_run node1 timeout 60 musterctl start "$@"
}

loaded() {
    NODE_DIRECTORY=/root node_run node1 timeout 60 musterctl load "$@"
}

@test "a timer fires its service, again and again, and musterd lets it" {
    write tick.service '[Service]' 'Type=oneshot' "ExecStart=/bin/sh -c 'echo tick >>/run/ticks'"
    write tick.timer '[Timer]' 'OnActiveSec=1s' 'OnUnitActiveSec=1s' 'AccuracySec=100ms' \
        '[X-Fleet]' 'MachineOf=tick.service'
    loaded tick.service
    start tick.timer
    node=$(on_one_node tick.service tick.timer)
    # shellcheck disable=SC2016  # the node's shell expands it
    wait_for 20 'it has ticked three times' node_run "$node" sh -c '[ "$(grep -c tick /run/ticks)" -ge 3 ]'
}

@test "a socket starts its service, which goes on running" {
    write talk.socket '[Socket]' 'ListenStream=/run/talk.sock' 'Accept=no' '[X-Fleet]' 'MachineOf=talk.service'
    write talk.service '[Service]' "ExecStart=/bin/sh -c 'echo started >/run/talked; sleep 1000'"
    loaded talk.service
    start talk.socket
    node=$(on_one_node talk.service talk.socket)
    run ! node_unit_is_active "$node" talk.service
    node_run "$node" timeout 5 curl --silent --max-time 1 --unix-socket /run/talk.sock http://x/ || true
    wait_for 10 'the service runs' node_unit_is_active "$node" talk.service
    node_run "$node" cat /run/talked
    holds_for 3 node_unit_is_active "$node" talk.service
}

@test "a path triggers its service" {
    write look.service '[Service]' 'Type=oneshot' 'RemainAfterExit=yes' 'ExecStart=/bin/sh -c "rm /run/look-here; echo >/run/looked"'
    write look.path '[Path]' 'PathExists=/run/look-here' '[X-Fleet]' 'MachineOf=look.service'
    loaded look.service
    start look.path
    node=$(on_one_node look.service look.path)
    node_run "$node" touch /run/look-here
    wait_for 10 'the service has run' node_run "$node" test -e /run/looked
}

@test "a mount mounts, and an automount does when somebody looks" {
    write srv-mu.mount '[Mount]' 'What=tmpfs' 'Where=/srv/mu' 'Type=tmpfs'
    write srv-auto.mount '[Mount]' 'What=tmpfs' 'Where=/srv/auto' 'Type=tmpfs'
    write srv-auto.automount '[Automount]' 'Where=/srv/auto' '[X-Fleet]' 'MachineOf=srv-auto.mount'
    start srv-mu.mount
    node_run "$(on_one_node srv-mu.mount)" findmnt --types tmpfs /srv/mu
    loaded srv-auto.mount
    node=$(on_one_node srv-auto.mount)
    # nspawn gives no node the device, and systemd then has no automounts: that must be what is told.
    if ! node_run "$node" test -e /dev/autofs; then
        refused node1 env -C /root musterctl start srv-auto.automount
        [[ $output$(node_run node1 musterctl status srv-auto.automount) == *unsupported* ]]
        return
    fi
    start srv-auto.automount
    node_run "$node" timeout 10 ls /srv/auto
    wait_for 5 'it is mounted' node_run "$node" findmnt --types tmpfs /srv/auto
}

@test "a target pulls what it wants, and a slice limits what lies in it" {
    write member.service '[Service]' 'ExecStart=/bin/sleep 1000'
    write both.target '[Unit]' 'Wants=member.service' '[X-Fleet]' 'MachineOf=member.service'
    loaded member.service
    start both.target
    node=$(on_one_node member.service both.target)
    wait_for 10 'the member runs' node_unit_is_active "$node" member.service
    write mu-small.slice '[Slice]' 'TasksMax=17'
    write bounded.service '[Service]' 'Slice=mu-small.slice' 'ExecStart=/bin/sleep 1000' '[X-Fleet]' \
        'MachineOf=mu-small.slice'
    start mu-small.slice
    start bounded.service
    node=$(on_one_node mu-small.slice bounded.service)
    [ "$(node_property "$node" mu-small.slice TasksMax)" = 17 ]
    [ "$(node_property "$node" bounded.service Slice)" = mu-small.slice ]
}

@test "what systemd runs of them goes on when musterd is killed and comes back" {
    local before unit
    before=$(units_identities talk.service member.service bounded.service)
    for node in $(cluster_nodes); do
        node_run "$node" systemctl kill --kill-who=main --signal=KILL musterd.service
    done
    wait_for 20 'the machines are up' machines_are_up node1
    holds_for 4 units_are_as_before "$before" talk.service member.service bounded.service
}

@test "drop-ins are submitted along, and shown where they are" {
    write dropped.service '[Service]' 'ExecStart=/bin/sleep 1000'
    node_run node1 mkdir -p /root/dropped.service.d
    write dropped.service.d/10-nice.conf '# why' '[Service]' 'Nice=7'
    start dropped.service
    wait_for 5 'it runs' unit_node dropped.service
    [ "$(node_property "$(unit_node dropped.service)" dropped.service Nice)" = 7 ]
    run node_run node1 musterctl cat dropped.service
    [ "$output" = $'[Service]\nExecStart=/bin/sleep 1000\n\n# dropped.service.d/10-nice.conf\n# why\n[Service]\nNice=7' ]
    node_run node1 musterctl destroy dropped.service
}

@test "a .container file is its service, wherever it is named" {
    write web.container '[Container]' 'Image=oci:/var/lib/muster/images/busybox:latest' 'Exec=sleep 1000'
    start web.container
    wait_for 5 'it runs' unit_node web.service
    node_run node2 musterctl cat web.container | grep -q '^Exec=sleep 1000$'
    node_run node2 timeout 60 musterctl destroy web.container
    wait_for 10 'it is gone' unit_runs_nowhere web.service
}

# inside UNIT SHELL-COMMAND: in its container on $node.
inside() {
    node_run "$node" /usr/lib/muster/muster-container exec "$1" -- sh -c "$2"
}

shop_runs() {
    node_run "$node" systemctl is-active --quiet shop-pod.service front.service back.service &&
        [ "$(inside back.service 'wget -qO- http://127.0.0.1/page')" = 'it is served' ]
}

shop_is_another() {
    [ "$(node_property "$node" shop-pod.service MainPID)" != "$before" ] && shop_runs
}

shop_is_down() {
    local unit
    for unit in shop-pod front back; do
        [ "$(node_property "$node" "$unit.service" ActiveState)" = inactive ] || return 1
    done
}

# What a pod may leave behind on the node.
shop_is_gone() {
    [ -z "$(node_run "$node" sh -c 'ls -d /run/muster/containers/*/cni.json /run/muster/cni/leases/*/[0-9]* \
        /run/systemd/system/shop-pod* /run/muster/units/shop-pod.service 2>/dev/null')" ]
}

@test "a pod's containers share its network, names, memory and volumes" {
    write shop.pod '[Pod]' 'PublishPort=8089:80' 'HostName=shop' 'Volume=cart:/cart' \
        '[Service]' 'Restart=always' 'RestartSec=100ms'
    write front.container '[Container]' 'Image=oci:/var/lib/muster/images/busybox:latest' 'Pod=shop.pod' \
        'Exec=sh -c "echo it is served >/tmp/page; exec httpd -f -p 80 -h /tmp"' '[Service]' 'KillSignal=SIGKILL' 'SuccessExitStatus=SIGKILL'
    write back.container '[Container]' 'Image=oci:/var/lib/muster/images/busybox:latest' 'Pod=shop.pod' \
        'Exec=sleep 1000' '[Service]' 'KillSignal=SIGKILL' 'SuccessExitStatus=SIGKILL'
    start shop.pod front.container back.container
    node=$(on_one_node shop-pod.service front.service back.service)
    wait_for 10 'all of it runs' shop_runs
    [ "$(inside back.service hostname)" = shop ]
    [ "$(node_run "$node" busybox wget -qO- "http://$(cluster_address "$node"):8089/page")" = 'it is served' ]
    inside front.service 'echo 1 >/dev/shm/count; echo 2 >/cart/count'
    [ "$(inside back.service 'cat /dev/shm/count /cart/count')" = $'1\n2' ]
    inside back.service 'grep " /dev/shm " /proc/mounts' | grep -q nosuid,nodev,noexec
    [ "$(inside back.service 'ps | grep -c "[h]ttpd" || true')" = 0 ]
}

@test "a container joins the pod that runs, whatever the pod's text says by now" {
    local spec
    node=$(on_one_node shop-pod.service)
    spec=$(node_run "$node" find /run/muster -name spec.json -path '*shop-pod.service*')
    node_run "$node" grep -q '"userns":"host"' "$spec"
    node_run "$node" sed -i 's/"userns":"host"/"userns":"auto"/' "$spec"
    node_run "$node" systemctl restart back.service
    wait_for 10 'all of it runs' shop_runs
    run ! node_run "$node" test -e /run/muster/ids/back.service
    node_run "$node" sed -i 's/"userns":"auto"/"userns":"host"/' "$spec"
}

@test "containers of a pod stop with it, and start with it" {
    local before
    node=$(on_one_node shop-pod.service)
    before=$(node_property "$node" shop-pod.service MainPID)
    node_run "$node" systemctl kill --signal=KILL shop-pod.service
    wait_for 15 'pod and containers are others' shop_is_another
    node_run node2 timeout 60 musterctl stop shop.pod
    wait_for 15 'the containers are down too' shop_is_down
    node_run node2 timeout 60 musterctl start shop.pod
    wait_for 15 'all of it runs again' shop_runs
    node_run node2 timeout 60 musterctl destroy front.container back.container shop.pod
    wait_for 15 'nothing of it is left' shop_is_gone
}

# namespace UNIT: the user namespace of its main process on $node.
namespace() {
    node_run "$node" readlink "/proc/$(node_property "$node" "$1" MainPID)/ns/user"
}

# What a mapped pod may leave behind on the node.
mapped_is_gone() {
    [ -z "$(node_run "$node" sh -c 'ls -A /run/muster/ids | grep -v "^\.lock$"
        ls -d /run/muster/containers/mapped* /run/muster/crun/mapped* 2>/dev/null
        cat /proc/[0-9]*/mountinfo 2>/dev/null | grep /run/muster/containers/mapped')" ]
}

@test "a pod with UserNS= has one user namespace, whose ids are nobody's after kill -9" {
    local first unit sleep=('Image=oci:/var/lib/muster/images/busybox:latest' 'Pod=mapped.pod' 'Exec=sleep 1000'
        '[Service]' 'KillSignal=SIGKILL' 'SuccessExitStatus=SIGKILL')
    write mapped.pod '[Pod]' 'UserNS=auto' 'Volume=kept:/kept:idmap'
    write mapped-one.container '[Container]' "${sleep[@]}"
    write mapped-two.container '[Container]' 'User=7:7' "${sleep[@]}"
    start mapped.pod mapped-one.container mapped-two.container
    node=$(on_one_node mapped-pod.service mapped-one.service mapped-two.service)
    for unit in mapped-one mapped-two; do
        [ "$(namespace $unit.service)" = "$(namespace mapped-pod.service)" ]
        node_run "$node" cmp /run/muster/ids/mapped-pod.service "/run/muster/ids/$unit.service"
    done
    [ "$(namespace mapped-pod.service)" != "$(node_run "$node" readlink /proc/1/ns/user)" ]
    first=$(node_run "$node" sed -n 's/^uid \([0-9]*\) 65536$/\1/p' /run/muster/ids/mapped-pod.service)
    [ "$first" -ge 65536 ]
    [ "$(node_run "$node" stat -c %u "/proc/$(node_property "$node" mapped-two.service MainPID)")" = $((first + 7)) ]
    [ "$(inside mapped-one.service 'stat -c %u:%g /bin/busybox; echo 1 >/kept/one; stat -c %u:%g /kept/one; echo 2 >/dev/shm/two')" = $'0:0\n0:0' ]
    [ "$(inside mapped-two.service 'cat /kept/one /dev/shm/two')" = $'1\n2' ]
    [ "$(node_run "$node" stat -c %u:%g /var/lib/muster/volumes/kept/one)" = 0:0 ]
    node_run "$node" systemctl kill --signal=KILL mapped-one.service mapped-pod.service
    node_run node2 timeout 60 musterctl destroy mapped-one.container mapped-two.container mapped.pod
    wait_for 15 'nothing of it is left' mapped_is_gone
}

@test "while a unit is on a machine, what it is wanted by starts it, and its alias names it" {
    write app.target '[Unit]' 'Description=App'
    write part.service '[Service]' 'ExecStart=/bin/sleep 1000' '[Install]' 'WantedBy=app.target multi-user.target' \
        'Alias=piece.service' '[X-Fleet]' 'MachineOf=app.target'
    loaded app.target part.service
    node=$(on_one_node app.target part.service)
    [ "$(node_run "$node" sh -c 'find /run/systemd/system -path "*/multi-user.target.wants/part.service"; echo looked')" = looked ]
    start app.target
    wait_for 10 'it was started along' node_run "$node" systemctl is-active --quiet piece.service
    [ "$(node_property "$node" piece.service Id)" = part.service ]
    node_run node1 timeout 60 musterctl destroy part.service app.target
    wait_for 10 'its links are gone' node_run "$node" sh -c \
        '[ ! -e /run/systemd/system/piece.service ] && [ ! -e /run/systemd/system/app.target.wants ]'
}

@test "what systemd would not load is refused before it is stored" {
    write twice.service '[Service]' 'ExecStart=/bin/true' 'ExecStart=/bin/false'
    NODE_DIRECTORY=/root refused node1 musterctl start twice.service
    [[ $output == *'systemd would refuse it'*'more than one ExecStart='* ]]
    run ! unit_file_is_known node1 twice.service
    NODE_DIRECTORY=/root node_run node1 musterctl submit --no-verify twice.service
    node_run node1 musterctl destroy twice.service
}

nothing_is_left() {
    local node unit
    for node in $(cluster_nodes); do
        for unit in "${UNITS[@]}"; do
            ! node_run "$node" test -e "/run/muster/units/$unit" || { echo "$unit on $node"; return 1; }
            ! node_unit_is_active "$node" "$unit" || { echo "$unit is active on $node"; return 1; }
        done
        ! node_run "$node" findmnt /srv/mu && ! node_run "$node" findmnt /srv/auto || return 1
    done
}

@test "stopped and destroyed, they leave nothing" {
    node_run node1 timeout 60 musterctl stop tick.timer talk.socket look.path srv-mu.mount srv-auto.automount both.target
    node_run node1 timeout 60 musterctl destroy "${UNITS[@]}"
    wait_for 20 'nothing is left' nothing_is_left
}
