#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# AutoUpdate=registry: the tag of an image moves, and who runs it follows, one after the other; an image that fails goes
# back. The registry is Debian's, on node1.

bats_require_minimum_version 1.5.0

load bats.sh

setup_file() {
    cluster_for_tests 3 --ttl 5
    printf '[Service]\nExecStart=/bin/sleep 100000\n' | node_write node1 /root/steady.service
    NODE_DIRECTORY=/root node_run node1 musterctl start steady.service
}

REGISTRY_PORT=5000

registry() {
    echo "$(cluster_address node1):$REGISTRY_PORT"
}

registry_answers() {
    node_run node1 curl --silent --fail --output /dev/null "http://$(registry)/v2/"
}

# Debian's docker-registry on node1, without TLS, which every node is told.
registry_up() {
    local node
    node_write node1 /root/registry.yml <<END
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: "$(registry)"}
END
    node_run node1 systemd-run --quiet --unit=registry docker-registry serve /root/registry.yml
    for node in node1 node2 node3; do
        node_run "$node" mkdir -p /etc/containers/registries.conf.d
        printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$(registry)" |
            node_write "$node" /etc/containers/registries.conf.d/zz-test.conf
    done
    wait_for 10 'the registry answers' registry_answers
}

# make_app VERSION COMMAND: an image of that version, in a layout on node1.
make_app() {
    # shellcheck disable=SC2016  # the node's shell expands it
    node_run node1 sh -c '[ -e /root/app ] || cp -a /var/lib/muster/images/busybox /root/app
        umoci config --image /root/app:latest --tag "$1" --config.env "VERSION=$1" --config.cmd sh --config.cmd -c \
            --config.cmd "$2"' make "$1" "$2"
}

# push VERSION: from now on the tag stands for it.
push() {
    node_run node1 skopeo copy --quiet --dest-tls-verify=false "oci:/root/app:$1" "docker://$(registry)/app:stable"
}

auto_update() {
    NODE_DIRECTORY=/root node_run node1 musterctl auto-update --no-legend "$@" 2>&1
}

# app_text [LINE]: of [Container].
app_text() {
    printf '[Container]\nImage=%s/app:stable\nAutoUpdate=registry\nNetwork=none\n' "$(registry)"
    printf '%s\n' "$@"
}

# apps_run VERSION (or . for any): all of them, say their processes.
apps_run() {
    local unit node pid
    for unit in app@{1,2,3}.service; do
        node=$(unit_node "$unit") || return
        pid=$(node_property "$node" "$unit" MainPID)
        echo "$unit on $node: $pid"
        node_run "$node" grep -qzx -- "VERSION=$1" "/proc/$pid/environ" || return
    done
}

timer_looked() {
    node_journal "$1" --output=cat --unit=muster-auto-update.service | grep 'app@.service'
}

# row_is TEXT ROW: whatever the distance of the columns.
row_is() {
    echo "$2"
    [ "$(tr -s ' ' <<<"$2" | sed 's/ *$//')" = "$1" ]
}

@test "a tag that moves is told by a dry run, and changes the instances over" {
    local before
    registry_up
    make_app 1 'trap "exit 0" TERM; sleep 100000 & wait'
    make_app 2 'trap "exit 0" TERM; sleep 100000 & wait; true'
    make_app 3 'exit 1'
    push 1
    app_text | node_write node1 /root/app@.service
    NODE_DIRECTORY=/root node_run node1 musterctl start app@{1,2,3}.service
    apps_run 1
    row_is "app@.service $(registry)/app:stable registry false" "$(auto_update)"
    push 2
    row_is "app@.service $(registry)/app:stable registry pending" "$(auto_update --dry-run)"
    before=$(apps_run 1)
    row_is "app@.service $(registry)/app:stable registry true" "$(auto_update --wait=200ms app@2.service | tail -n 1)"
    apps_run 2
    node_run node1 musterctl cat app@3.service | grep -x "Image=$(registry)/app:stable@sha256:[0-9a-f]\{64\}"
    [ "$(same_pids "$before" "$(apps_run 2)")" -eq 0 ]
    before=$(apps_run 2)
    row_is "app@.service $(registry)/app:stable registry false" "$(auto_update)"
    [ "$before" = "$(apps_run 2)" ]
}

every_is_reported() {
    [ "$(node_run node1 musterctl list-units --no-legend --fields=unit,image | grep -c '^every.service *sha256:')" -eq 3 ]
}

every_runs() {
    local node pid
    for node in node1 node2 node3; do
        pid=$(node_property "$node" every.service MainPID)
        [ "$pid" -gt 0 ] && node_run "$node" grep -qzx "VERSION=$1" "/proc/$pid/environ" || return
    done
}

@test "what runs everywhere follows its tag, too" {
    app_text '[X-Fleet]' 'Global=true' | node_write node1 /root/every.service
    NODE_DIRECTORY=/root node_run node1 musterctl start every.service
    wait_for 10 'it runs on all nodes, as they know the tag' every_runs 1
    wait_for 5 'that is reported' every_is_reported
    row_is "every.service $(registry)/app:stable registry true" "$(auto_update --wait=200ms every.service | tail -n 1)"
    every_runs 2
    node_run node1 musterctl destroy every.service
}

@test "one that was started from a file without the digest gets it; one with another text stops it" {
    local before status=0 said
    NODE_DIRECTORY=/root node_run node1 musterctl start --replace app@3.service
    before=$(apps_run .)
    row_is "app@.service $(registry)/app:stable registry true" "$(auto_update --wait=200ms | tail -n 1)"
    node_run node1 musterctl cat app@3.service | grep -x "Image=$(registry)/app:stable@sha256:[0-9a-f]\{64\}"
    [ "$(same_pids "$before" "$(apps_run 2)")" -eq 2 ]
    app_text 'Environment=ODD=1' | node_write node1 /root/app@4.service
    NODE_DIRECTORY=/root node_run node1 musterctl start app@4.service
    said=$(auto_update) || status=$?
    echo "$said"
    [ "$status" -eq 1 ]
    grep -q '^musterctl: app@.service: app@1.service and app@4.service have different texts' <<<"$said"
    node_run node1 musterctl destroy app@4.service
}

@test "an image that fails goes back, and is not tried again; nor is one that was undone" {
    local before status=0 said
    push 3
    said=$(auto_update --wait=200ms) || status=$?
    echo "$said"
    [ "$status" -eq 3 ]
    grep -q '^musterctl: app@.service: rolled back: app@1.service on .* has failed' <<<"$said"
    row_is "app@.service $(registry)/app:stable registry rolled back" "$(tail -n 1 <<<"$said")"
    before=$(apps_run 2)
    row_is "app@.service $(registry)/app:stable registry held" "$(auto_update)"
    [ "$before" = "$(apps_run 2)" ]
    push 2
    row_is "app@.service $(registry)/app:stable registry false" "$(auto_update)"
    node_run node1 musterctl rollout undo --wait=200ms app@.service
    apps_run 1
    row_is "app@.service $(registry)/app:stable registry held" "$(auto_update)"
    apps_run 1
}

@test "what cannot be followed is a line each, and the others are looked at; the timer leaves it to the leader" {
    local leader node status=0 said
    printf '[Container]\nImage=%s/none:1\nAutoUpdate=registry\n' "$(registry)" | node_write node1 /root/none.container
    printf '[Container]\nImage=short:1\nAutoUpdate=registry\n' | node_write node1 /root/a-short.container
    NODE_DIRECTORY=/root node_run node1 musterctl submit none.container a-short.container 2>&1 |
        grep 'AutoUpdate=registry: short:1 is a short name'
    said=$(auto_update 2>&1) || status=$?
    echo "$said"
    [ "$status" -eq 1 ]
    [ "$(grep -c '^musterctl: ' <<<"$said")" -eq 2 ]
    grep -q '^musterctl: a-short.service: short:1 is a short name' <<<"$said"
    grep -q "^musterctl: none.service: image $(registry)/none:1: its registry has no such image" <<<"$said"
    grep -q '^app@.service .* held$' <<<"$said"
    refused node1 musterctl auto-update app@.service nothing.service steady.service
    grep -q '^musterctl: nothing.service: there is no such unit$' <<<"$output"
    grep -q '^musterctl: steady.service: it does not say AutoUpdate=registry$' <<<"$output"
    node_run node1 musterctl destroy none.service a-short.service
    leader=$(leader_node node1)
    for node in node1 node2 node3; do
        node_run "$node" systemctl start muster-auto-update.service
        node_run "$node" journalctl --sync
        [ "$node" = "$leader" ] || run ! timer_looked "$node"
    done
    timer_looked "$leader"
}
