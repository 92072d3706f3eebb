#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Networks of containers under a real systemd: bridges by CNI plugins, published ports, joined namespaces,
# and what is left of it all. One node, hand-written services, an image of busybox.
# Needs root, a built muster-container ($top_builddir), and the harness of tests/cluster.

IMAGE=oci:/var/lib/muster/images/net
RUN=/run/muster/containers

bats_require_minimum_version 1.5.0
load one-node.sh

setup_file() {
    one_node_prepare iptables /usr/lib/cni/bridge
    mkdir -p "$INSTALL/usr/share/muster/cni" "$INSTALL/etc/cni/net.d"
    cp "$SRC/data/muster.conflist" "$INSTALL/usr/share/muster/cni"
    sed 's/"muster"/"second"/; s/muster0/second0/; s/10\.86\.0/10.96.0/' "$SRC/data/muster.conflist" \
        >"$INSTALL/etc/cni/net.d/50-second.conflist"
    make_image "$IMAGES/net" "$BATS_FILE_TMPDIR/files"
    one_node_up
}

make_image() {
    local layout=$1 files=$2 applet
    mkdir -p "$files/bin" "$files/etc" "$files/www"
    cp "$(command -v busybox)" "$files/bin/busybox"
    for applet in cat echo grep hostname httpd ip nc sh sleep wget; do
        ln -s busybox "$files/bin/$applet"
    done
    echo 'root:x:0:0::/:/bin/sh' >"$files/etc/passwd"
    echo 'it is served' >"$files/www/page"
    umoci init --layout "$layout"
    umoci new --image "$layout:latest"
    umoci insert --image "$layout:latest" "$files" / >/dev/null 2>&1
}

# define UNIT COMMAND: the service and the spec.json as musterd would write them; $spec is more of its JSON.
define() {
    local unit=$1 command=$2
    node mkdir -p "$RUN/$unit"
    node tee "$RUN/$unit/spec.json" >/dev/null <<END
{"image": "$IMAGE", "exec": ["/bin/sh", "-c", "$command"], "hostName": "${unit%%[.@]*}", ${spec:-$(bridge)}}
END
    define_service "$unit" Slice=muster.slice TimeoutStopSec=10 KillSignal=SIGKILL
}

# bridge [MORE]: the default network, with more of the JSON.
bridge() {
    echo "\"network\": \"bridge\", \"networks\": [{\"name\": \"bridge\"}]${1:+, $1}"
}

port() {
    echo "\"ports\": [{\"hostPort\": $1, \"containerPort\": $2, \"count\": ${4:-1}, \"protocol\": \"${3:-tcp}\"}]"
}

SERVE='exec httpd -f -p 80 -h /www'
WAIT='exec sleep 1000'

summary() {
    node jq -r "$2" "$RUN/$1/network.json"
}

inside() {
    node "$HELPER" exec "$1" -- sh -c "$2"
}

stop() {
    node systemctl stop "$@" || true
    node systemctl reset-failed "$@" 2>/dev/null || true
}

# Whatever the node has of networks of containers: interfaces, rules that name one, leases, records.
leftovers() {
    node ip -o link show type veth | grep -v host0 || true
    node iptables-save | grep -F 'muster-' || true
    node iptables-save | grep -E 'CNI-(DN-)?[0-9a-f]{8}' || true
    node sh -c "ls /run/muster/cni/leases/*/[0-9]* $RUN/*/cni.json $RUN/*/network.json 2>/dev/null" || true
    node sh -c 'ls /run/netns 2>/dev/null' || true
}

nothing_is_left() {
    local left
    left=$(leftovers)
    [ -z "$left" ] || {
        echo "$left"
        return 1
    }
}

@test "two containers of the default network have addresses of their own and reach each other" {
    define a.service "$SERVE"
    define b.service "$WAIT"
    node systemctl start a.service b.service
    local a b
    a=$(summary a.service '.addresses[0]')
    b=$(summary b.service '.addresses[0]')
    [[ $a = 10.86.* && $b = 10.86.* && $a != "$b" ]]
    [ "$(inside b.service "wget -qO- http://$a/page")" = 'it is served' ]
    inside b.service 'ip route' | grep -q 'default via 10.86.0.1'
}

@test "the files of names are the container's own" {
    local a
    a=$(summary a.service '.addresses[0]')
    inside a.service 'cat /etc/hosts' | grep -q "^${a}[[:space:]]a$"
    inside a.service 'cat /etc/hosts' | grep -q '^10.86.0.1.*host.containers.internal'
    [ "$(inside a.service 'cat /etc/hostname')" = a ]
    spec=$(bridge '"dns": ["10.9.9.9"], "dnsSearch": ["example.org"], "addHosts": ["x;y:10.1.1.1", "gw:host-gateway"]') \
        define names.service "$WAIT"
    node systemctl start names.service
    [ "$(inside names.service 'cat /etc/resolv.conf')" = $'search example.org\nnameserver 10.9.9.9' ]
    inside names.service 'cat /etc/hosts' | grep -q '^10.1.1.1.x y$'
    inside names.service 'cat /etc/hosts' | grep -q '^10.86.0.1.gw$'
    stop names.service
}

@test "after a stop nothing of either is left" {
    stop a.service b.service
    wait_for 5 "nothing is left" nothing_is_left
}

@test "a published port is reached from outside the node, from the node, and not after the stop" {
    spec=$(bridge "$(port 8080 80)") define web.service "$SERVE"
    node systemctl start web.service
    [ "$(summary web.service '.ports[0]')" = 8080:80/tcp ]
    local switch address
    address=$(cluster_address node1)
    switch=$(cluster_netns switch)
    ip -n "$switch" addr add "$(cluster_get subnet).1/24" dev bridge0
    [ "$(nsenter --net="/run/netns/$switch" curl -s --max-time 5 "http://$address:8080/page")" = 'it is served' ]
    [ "$(node curl -s --max-time 5 http://127.0.0.1:8080/page)" = 'it is served' ]
    spec=$(bridge "$(port 8080 80)") define rival.service "$SERVE"
    run ! node systemctl start rival.service
    journal_shows rival.service 'port 8080/tcp of this machine is published by web.service'
    stop web.service rival.service
    run ! nsenter --net="/run/netns/$switch" curl -s --max-time 1 "http://$address:8080/page"
    wait_for 5 "nothing is left" nothing_is_left
}

# Busybox has no server for udp: one of the node listens in the container's namespace.
@test "udp is published too, and a port that the machine chooses is told" {
    spec=$(bridge "$(port 0 53 udp)") define udp.service "$WAIT"
    node systemctl start udp.service
    local chosen
    chosen=$(summary udp.service '.ports[0]')
    [[ $chosen =~ ^[0-9]+:53/udp$ ]]
    node systemd-run --quiet --unit=listener nsenter --net="/proc/$(node_property node1 udp.service MainPID)/ns/net" \
        perl -MSocket -e 'socket(S, PF_INET, SOCK_DGRAM, 0); bind(S, sockaddr_in(53, INADDR_ANY)); recv(S, $w, 99, 0); print $w'
    wait_for 5 "it listens" inside udp.service 'grep -q :0035 /proc/net/udp'
    nsenter --net="/run/netns/$(cluster_netns switch)" \
        bash -c "echo over udp >/dev/udp/$(cluster_address node1)/${chosen%%:*}"
    wait_for 5 "it came through" journal_shows listener.service 'over udp'
    stop udp.service
}

@test "a port on which a program of the machine listens is told in one line" {
    node systemd-run --quiet --unit=squatter busybox nc -l -p 8081
    wait_for 5 "it listens" node sh -c 'ss -ltn | grep -q :8081'
    spec=$(bridge "$(port 8081 80)") define late.service "$SERVE"
    run ! node systemctl start late.service
    journal_shows late.service 'port 8081/tcp of this machine is taken by a program that listens there'
    node systemctl stop squatter
    stop late.service
    wait_for 5 "nothing is left" nothing_is_left
}

@test "an address of the unit's choice, and the same one twice" {
    spec=$(bridge '"ip": "10.86.7.7", "mac": "02:00:00:00:07:07"') define fixed.service "$WAIT"
    spec=$(bridge '"ip": "10.86.7.7"') define twice.service "$WAIT"
    node systemctl start fixed.service
    [ "$(summary fixed.service '.addresses[0]')" = 10.86.7.7 ]
    inside fixed.service 'ip link show eth0' | grep -q 02:00:00:00:07:07
    run ! node systemctl start twice.service
    journal_shows twice.service 'twice.service: network muster: bridge: '
    stop fixed.service twice.service
}

@test "two networks are two interfaces" {
    spec='"network": "bridge", "networks": [{"name": "bridge"}, {"name": "second", "options": ["ip=10.96.3.3"]}]' \
        define both.service "$WAIT"
    node systemctl start both.service
    inside both.service 'ip addr show eth1' | grep -q 10.96.3.3
    [ "$(summary both.service '.addresses | length')" = 2 ]
    stop both.service
    spec='"network": "bridge", "networks": [{"name": "third"}]' define third.service "$WAIT"
    run ! node systemctl start third.service
    journal_shows third.service 'there is no network third on this machine'
}

@test "a container joins another's network, and is told where there is none" {
    define owner.service "$SERVE"
    spec='"network": "unit", "networkTarget": "owner.service"' define guest.service "$WAIT"
    run ! node systemctl start guest.service
    journal_shows guest.service 'Network=owner.service: no container of it runs on this machine'
    node systemctl start owner.service
    node systemctl start guest.service
    [ "$(inside guest.service 'wget -qO- http://127.0.0.1/page')" = 'it is served' ]
    [ "$(summary guest.service '.addresses[0]')" = "$(summary owner.service '.addresses[0]')" ]
    stop guest.service owner.service
    wait_for 5 "nothing is left" nothing_is_left
}

@test "a container that says no network has the machine's default: a bridge, or what container.conf says" {
    spec='"network": null' define usual.service "$SERVE"
    spec='"network": null' define alone.service "$WAIT"
    node sh -c 'echo Environment=MUSTER_CONTAINER_NETWORK=none >>/run/systemd/system/alone.service'
    node systemctl start usual.service alone.service
    [[ $(summary usual.service '.addresses[0]') = 10.86.* ]]
    [ "$(summary alone.service '.addresses | length')" = 0 ]
    [ "$(inside alone.service 'ip -o link' | grep -vc ' lo:')" = 0 ]
    stop usual.service alone.service
}

@test "a machine without plugins says what is missing, and what does without" {
    spec='"network": null' define bare.service "$WAIT"
    node sh -c 'echo TemporaryFileSystem=/usr/lib/cni >>/run/systemd/system/bare.service'
    run ! node systemctl start bare.service
    journal_shows bare.service 'network muster: bridge: no such plugin in /usr/lib/cni' >"$BATS_TEST_TMPDIR/line"
    grep -F "Debian's package containernetworking-plugins" "$BATS_TEST_TMPDIR/line" | grep -q 'network = none in .*container.conf'
    stop bare.service
    wait_for 5 "nothing is left" nothing_is_left
}

@test "names of containers are known to those in the same network, to newcomers and to those that run" {
    spec=$(bridge) define old.service "$WAIT"
    spec='"network": "unit", "networkTarget": "old.service"' define guest.service "$WAIT"
    spec='"network": "bridge", "networks": [{"name": "second"}]' define far.service "$WAIT"
    spec=$(bridge '"networkAliases": ["db", "store"], "name": "pg"') define named.service "$SERVE"
    node systemctl start old.service far.service
    node systemctl start guest.service named.service
    spec=$(bridge) define new.service "$WAIT"
    node systemctl start new.service
    local unit
    for unit in old guest new named; do
        [ "$(inside $unit.service 'wget -qO- http://db/page; grep -c "store pg$" /etc/hosts')" = $'it is served\n1' ]
    done
    [ "$(inside far.service 'grep -cw db /etc/hosts || true')" = 0 ]
    stop named.service
    for unit in old guest new; do
        [ "$(inside $unit.service 'grep -cw db /etc/hosts || true')" = 0 ]
        inside $unit.service "grep -q '10.86.*[[:space:]]old$' /etc/hosts" || [ $unit = new ]
    done
    stop guest.service old.service new.service far.service
    wait_for 5 "nothing is left" nothing_is_left
    [ -z "$(node ls /run/muster/cni/named)" ]
}

@test "the machine's network, and none" {
    spec='"network": "host"' define host.service "$WAIT"
    spec='"network": "none"' define none.service "$WAIT"
    node systemctl start host.service none.service
    inside host.service 'ip link' | grep -q host0
    [ "$(inside none.service 'ip -o link' | grep -vc ' lo:')" = 0 ]
    stop host.service none.service
}

@test "kill -9 of the container leaves nothing" {
    spec=$(bridge "$(port 8082 80)") define killed.service "$SERVE"
    node systemctl start killed.service
    node systemctl kill --signal=KILL killed.service
    wait_for 5 "it is dead" is_dead killed.service
    wait_for 5 "nothing is left" nothing_is_left
    node "$HELPER" clean killed.service
}

# Wherever it strikes: each round kills a little later, plugins, crun and ourselves alike.
@test "kill -9 of everything while it starts leaves nothing" {
    local round
    spec=$(bridge "$(port 8083 80)") define torn.service "$SERVE"
    for round in $(seq 1 20); do
        node systemctl start --no-block torn.service
        node sh -c "busybox usleep ${round}5000; systemctl kill --signal=KILL torn.service" || true
        stop torn.service
    done
    wait_for 5 "nothing is left" nothing_is_left
    node systemctl start torn.service
    stop torn.service
    wait_for 5 "nothing is left" nothing_is_left
}

@test "fifty started at once have fifty addresses, and leave nothing" {
    local i units=
    for i in $(seq 1 50); do
        define "many@$i.service" "$WAIT"
        units="$units many@$i.service"
    done
    # shellcheck disable=SC2086
    node systemctl start $units
    [ "$(node sh -c "cat $RUN/many@*/network.json" | jq -r '.addresses[0]' | sort -u | wc -l)" = 50 ]
    # shellcheck disable=SC2086
    stop $units
    wait_for 10 "nothing is left" nothing_is_left
}

@test "of all these, systemd has seen no mount come or go" {
    node journalctl --sync
    run -0 node_journal node1 --output=cat
    [[ $output == *'a.service: Deactivated'* || $output == *'Stopped a.service'* ]]
    [[ ! $output =~ (muster|netns|proc-sys)[^[:space:]]*\.mount: ]]
}
