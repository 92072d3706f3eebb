#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Images from everywhere, under a real systemd: one node, in it Debian's docker-registry with TLS and passwords, and
# hand-written services. Needs root, a built muster-container ($top_builddir), and the harness of tests/cluster.

LAYOUT=/var/lib/muster/images/layout
STORE=/var/lib/muster/images/.store
REGISTRY=localhost:5000  # in the node's own network namespace
PASSWORD=not-on-a-command-line

bats_require_minimum_version 1.5.0
load one-node.sh

setup_file() {
    one_node_prepare skopeo docker-registry htpasswd openssl
    make_images "$IMAGES/layout" "$BATS_FILE_TMPDIR/work"
    make_registry "$INSTALL/etc/registry"
    one_node_up
    registry_start
    push base app/base:v1
    push app app/one:v1
}

teardown() {
    [ -n "${BATS_TEST_COMPLETED:-}" ] || node_journal node1 --lines=200 2>&1 | grep -v docker-registry | tail -n 25 >&3
}

# base: busybox and some files. app: a second layer, which adds, replaces, removes and hides.
make_images() {
    local layout=$1 work=$2 applet
    mkdir -p "$work/base/bin" "$work/base/etc" "$work/base/hidden/deep" "$work/app/etc"
    cp "$(command -v busybox)" "$work/base/bin/busybox"
    for applet in cat echo find id ls mkdir sh sleep test touch; do
        ln -s busybox "$work/base/bin/$applet"
    done
    echo base >"$work/base/etc/who"
    echo gone >"$work/base/etc/removed"
    echo below >"$work/base/hidden/deep/below"
    umoci init --layout "$layout"
    umoci new --image "$layout:base"
    umoci insert --image "$layout:base" "$work/base" / >/dev/null 2>&1
    umoci config --image "$layout:base" --config.cmd /bin/cat --config.cmd /etc/who
    umoci tag --image "$layout:base" app
    echo app >"$work/app/etc/who"
    umoci insert --image "$layout:app" "$work/app/etc/who" /etc/who >/dev/null 2>&1
    umoci insert --image "$layout:app" --whiteout /etc/removed >/dev/null 2>&1
    mkdir -p "$work/above"
    echo above >"$work/above/above"
    umoci insert --image "$layout:app" --opaque "$work/above" /hidden >/dev/null 2>&1
    umoci new --image "$layout:other"
    mkdir -p "$work/other"
    cp -a "$work/base/bin" "$work/other/bin"
    umoci insert --image "$layout:other" "$work/other" / >/dev/null 2>&1
    umoci config --image "$layout:other" --config.cmd /bin/echo --config.cmd other
}

make_registry() {
    local etc=$1
    mkdir -p "$etc"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout "$etc/key.pem" -out "$etc/ca.crt" 2>/dev/null
    printf '%s\n' "$PASSWORD" | htpasswd -Bin muster >"$etc/htpasswd"
    cat >"$etc/config.yml" <<END
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/muster/registry}, delete: {enabled: true}}
http: {addr: localhost:5000, tls: {certificate: /etc/registry/ca.crt, key: /etc/registry/key.pem}}
auth: {htpasswd: {realm: test, path: /etc/registry/htpasswd}}
END
    printf '{"auths": {"%s": {"auth": "%s"}}}\n' "$REGISTRY" "$(printf 'muster:%s' "$PASSWORD" | base64)" \
        >"$etc/auth.json"
}

registry_start() {
    node systemctl reset-failed registry.service 2>/dev/null || true
    node systemd-run --quiet --unit=registry docker-registry serve /etc/registry/config.yml
    wait_for 10 "the registry answers" node curl --silent --output /dev/null --cacert /etc/registry/ca.crt "https://$REGISTRY/v2/"
}

trust() {
    node mkdir -p "/etc/containers/certs.d/$REGISTRY" /etc/muster
    node cp /etc/registry/ca.crt "/etc/containers/certs.d/$REGISTRY/ca.crt"
    node cp /etc/registry/auth.json /etc/muster/auth.json
}

# push TAG NAME: from the layout to the registry, with means of the test's own.
push() {
    node skopeo copy --quiet --dest-authfile /etc/registry/auth.json --dest-cert-dir /etc/registry \
        "oci:$LAYOUT:$1" "docker://$REGISTRY/$2"
}

# define UNIT IMAGE [COMMAND…]: the service and the spec.json as musterd would write them. more (JSON) and service
# (lines for [Service]) say more.
define() {
    local unit=$1 image=$2
    shift 2
    node mkdir -p "/run/muster/containers/$unit"
    jq --null-input --arg image "$image" --argjson more "${more:-"{}"}" \
        '{image: $image, hostName: "images", network: "none"} + $more
         + if $ARGS.positional == [] then {} else {exec: $ARGS.positional} end' --args -- "$@" |
        node tee "/run/muster/containers/$unit/spec.json" >/dev/null
    define_service "$unit" TimeoutStopSec=1 "${service:-}"
}

forget() {
    node umount --quiet "$STORE" || true
    node rm -rf "$STORE"
}

# says UNIT TEXT: it starts, and its output has the text.
says() {
    node systemctl start "$1"
    wait_for 5 "$1 says: $2" journal_shows "$1" "$2"
}

# fails UNIT TEXT: the start fails, with that in the one line that muster-container writes, and in the status text.
fails() {
    run ! node systemctl start "$1"
    wait_for 5 "the reason is in the journal" journal_shows "$1" "$2"
    [[ "$(node_property node1 "$1" StatusText)" == *"$2"* ]]
    [ -z "$(node sh -c "ls /run/muster/containers/$1/images 2>/dev/null")" ]
}

node_unit_is_failed() {
    [ "$(node_property node1 "$1" ActiveState)" = failed ]
}

layer_count() {
    node sh -c "ls $STORE/layers | wc -l"
}

digest_of() {
    node skopeo inspect --raw --authfile /etc/registry/auth.json --cert-dir /etc/registry "docker://$REGISTRY/$1" |
        sha256sum | cut -d' ' -f1
}

skopeos_run() {
    node sh -c "cat /run/skopeo-count 2>/dev/null | wc -l"
}

# From now on each skopeo leaves a line, and its arguments.
count_skopeo() {
    node rm -f /run/skopeo-count
    node mkdir -p /usr/local/sbin
    node tee /usr/local/sbin/skopeo >/dev/null <<'END'
#!/bin/sh
echo "$*" >>/run/skopeo-count
exec /usr/bin/skopeo "$@"
END
    node chmod +x /usr/local/sbin/skopeo
}

@test "a registry whose certificate is not trusted is told apart, with what to do" {
    define tls.service "$REGISTRY/app/base:v1"
    fails tls.service "image $REGISTRY/app/base:v1: the certificate of its registry is not trusted; its authority goes into /etc/containers/certs.d/"
}

@test "without credentials the registry's refusal is told, and where they go" {
    trust
    node rm /etc/muster/auth.json
    define auth.service "$REGISTRY/app/base:v1"
    fails auth.service 'put them into /etc/muster/auth.json'
    node sh -c "sed 's/\"auth\": \".*\"}/\"auth\": \"bm86bm8=\"}/' /etc/registry/auth.json >/etc/muster/auth.json"
    fails auth.service 'the registry refuses the credentials'
}

@test "an image comes from the registry when a unit starts" {
    trust
    count_skopeo
    define pull.service "$REGISTRY/app/base:v1"
    says pull.service base
    journal_shows pull.service "image $REGISTRY/app/base:v1: pulling 1 of its 1 layers"
    journal_shows pull.service 'pulled and unpacked in'
    [ "$(layer_count)" = 1 ]
    [ -z "$(node ls "$STORE/half")" ]
    run ! node grep -F "$PASSWORD" /run/skopeo-count
    run ! node grep -F "$(printf 'muster:%s' "$PASSWORD" | base64)" /run/skopeo-count
}

@test "a second start runs no skopeo and unpacks nothing" {
    local before
    before=$(skopeos_run)
    says pull.service base
    define other.service "$REGISTRY/app/base:v1" /bin/echo another unit
    says other.service 'another unit'
    [ "$(skopeos_run)" = "$before" ]
}

@test "an image on a base that is here fetches and unpacks only what it adds" {
    define app.service "$REGISTRY/app/one:v1" /bin/sh -c 'cat /etc/who; ls /etc /hidden; echo done'
    says app.service app
    wait_for 5 "it ran" journal_shows app.service 'done'
    journal_shows app.service 'pulling 3 of its 4 layers'
    [ "$(layer_count)" = 4 ]
}

@test "what a layer removes or hides is not there" {
    local lines
    lines=$(node_journal node1 --output=cat --unit=app.service)
    grep -qx above <<<"$lines"
    run ! grep -qx removed <<<"$lines"
    run ! grep -qx deep <<<"$lines"
}

@test "a digest is taken for the image, and another's is refused" {
    local digest
    digest=$(digest_of app/one:v1)
    define digest.service "$REGISTRY/app/one@sha256:$digest" /bin/echo by digest
    says digest.service 'by digest'
    define both.service "$REGISTRY/app/one:any@sha256:$digest" /bin/echo by both
    says both.service 'by both'
    define wrong.service "$REGISTRY/app/one@sha256:$(printf '0%.0s' {1..64})"
    fails wrong.service 'its registry has no such image'
}

@test "digest tells what a name stands for, and the image of a running container is written down" {
    local digest
    digest=$(digest_of app/one:v1)
    [ "$(node "$HELPER" digest "$REGISTRY/app/one:v1")" = "sha256:$digest" ]
    define noted.service "$REGISTRY/app/one:v1" /bin/sleep 1000
    node systemctl start noted.service
    [ "$(node cat /run/muster/containers/noted.service/image)" = "sha256:$digest" ]
    node systemctl stop noted.service || true
    run ! node test -e /run/muster/containers/noted.service/image
    run ! node "$HELPER" digest "$REGISTRY/app/one:v9"
    [[ $output == *"image $REGISTRY/app/one:v9: its registry has no such image"* ]]
    run ! node "$HELPER" digest "oci:$LAYOUT:base"
    [[ $output == *'it is in no registry'* ]]
}

@test "what is not in the registry is named" {
    define absent.service "$REGISTRY/app/absent:v1"
    fails absent.service "image $REGISTRY/app/absent:v1: its registry has no such image"
    define no-tag.service "$REGISTRY/app/base:v9"
    fails no-tag.service 'its registry has no such image'
}

@test "a short name is looked up in registries.conf, or refused" {
    define short.service nothing/known
    fails short.service 'write docker.io/library/nothing/known or the like'
    node sh -c "printf '[aliases]\n\"known\" = \"$REGISTRY/app/base\"\n' >/etc/containers/registries.conf.d/zz-test.conf"
    define short.service known:v1 /bin/echo by its short name
    says short.service 'by its short name'
}

@test "Pull= says when the registry is asked" {
    push base app/moving:latest
    more='{"pull": "never"}' define never.service "$REGISTRY/app/moving"
    fails never.service 'not on this machine, and Pull=never'
    define missing.service "$REGISTRY/app/moving"
    says missing.service base
    more='{"pull": "never"}' define never.service "$REGISTRY/app/moving"
    says never.service base
    push app app/moving:latest
    node journalctl --rotate --vacuum-time=1s >/dev/null 2>&1
    more='{"pull": "missing"}' define missing.service "$REGISTRY/app/moving"
    says missing.service base
    more='{"pull": "newer"}' define newer.service "$REGISTRY/app/moving"
    says newer.service app
    push base app/moving:latest
    more='{"pull": "always"}' define always.service "$REGISTRY/app/moving"
    says always.service base
}

@test "with the registry away, what is here starts by missing and newer, not by always" {
    node systemctl stop registry.service
    more='{"pull": "missing"}' define missing.service "$REGISTRY/app/moving" /bin/echo missing is content
    says missing.service 'missing is content'
    more='{"pull": "newer"}' define newer.service "$REGISTRY/app/moving" /bin/echo newer is content
    says newer.service 'newer is content'
    journal_shows newer.service 'going on with the image that is here'
    more='{"pull": "always"}' define always.service "$REGISTRY/app/moving"
    fails always.service 'nothing listens where its registry should be'
    registry_start
}

@test "Retry= tries again until the registry is there" {
    node systemctl stop registry.service
    more='{"pullRetries": 100, "pullRetryDelayMs": 200}' define retry.service "$REGISTRY/app/one:v1" /bin/echo at last
    forget
    node systemctl start --no-block retry.service
    wait_for 10 "it tries again" journal_shows retry.service 'trying again in 0.2 s'
    registry_start
    wait_for 20 "it ran" journal_shows retry.service 'at last'
}

@test "twenty starts at once fetch an image once" {
    local i units=
    forget
    count_skopeo
    for i in $(seq 1 20); do
        define "many@$i.service" "$REGISTRY/app/one:v1" /bin/sleep 1000
        units="$units many@$i.service"
    done
    # shellcheck disable=SC2086
    node systemctl start $units
    [ "$(node grep -c '^copy' /run/skopeo-count)" = 1 ]
    [ "$(layer_count)" = 4 ]
    [ -z "$(node ls "$STORE/half")" ]
    # shellcheck disable=SC2086
    node systemctl stop $units || true
}

@test "archives and directories are images too, and known again until they change" {
    local before
    node skopeo copy --quiet "oci:$LAYOUT:base" docker-archive:/run/docker.tar:some/name:v1
    node skopeo copy --quiet "oci:$LAYOUT:base" oci-archive:/run/oci.tar:v1
    node skopeo copy --quiet "oci:$LAYOUT:base" dir:/run/dir
    forget
    define docker-archive.service docker-archive:/run/docker.tar:some/name:v1
    define oci-archive.service oci-archive:/run/oci.tar:v1
    define dir.service dir:/run/dir
    define layout.service "oci:$LAYOUT:base"
    count_skopeo
    says docker-archive.service base
    says oci-archive.service base
    says dir.service base
    says layout.service base
    [ "$(layer_count)" = 1 ]
    node grep -q 'inspect --raw docker-archive:' /run/skopeo-count
    run ! node grep -e --command-timeout /run/skopeo-count # that is for registries
    count_skopeo
    says docker-archive.service base
    says oci-archive.service base
    says dir.service base
    [ "$(skopeos_run)" = 0 ]
    node rm /run/oci.tar
    node skopeo copy --quiet "oci:$LAYOUT:app" oci-archive:/run/oci.tar:v1
    says oci-archive.service app
    define no-archive.service oci-archive:/run/nothing.tar
    fails no-archive.service '/run/nothing.tar: No such file or directory'
}

@test "Rootfs= runs a directory as it is, or under an overlay" {
    node mkdir -p /run/tree/bin
    node cp /bin/busybox /run/tree/bin/busybox
    node ln -s busybox /run/tree/bin/touch
    node ln -s busybox /run/tree/bin/ls
    node ln -s busybox /run/tree/bin/sh
    more='{"image": null, "rootfs": "/run/tree"}' define direct.service - /bin/touch /direct
    node systemctl start direct.service
    wait_for 5 "it wrote to the directory" node test -e /run/tree/direct
    more='{"image": null, "rootfs": "/run/tree", "rootfsOverlay": true}' \
        define overlay.service - /bin/sh -c 'touch /overlay; ls /; echo done'
    says overlay.service 'done'
    journal_shows overlay.service direct
    journal_shows overlay.service overlay
    run ! node test -e /run/tree/overlay
    more='{"image": null, "rootfs": "/run/no-tree"}' define no-tree.service - /bin/true
    fails no-tree.service 'Rootfs=/run/no-tree: no such directory on this machine'
}

@test "Docker's form of an image is one too" {
    node skopeo copy --quiet --format v2s2 --dest-authfile /etc/registry/auth.json --dest-cert-dir /etc/registry \
        "oci:$LAYOUT:app" "docker://$REGISTRY/app/docker:v1"
    define docker.service "$REGISTRY/app/docker:v1"
    says docker.service app
    [ "$(node ls "$STORE/images" | grep -c "$(digest_of app/docker:v1)")" = 1 ]
}

# docker_form DIR: the image other in Docker's form, and with a health check, which OCI's has no room for.
docker_form() {
    node skopeo copy --quiet --format v2s2 "oci:$LAYOUT:other" "dir:$1"
    node python3 - "$1" <<'END'
import hashlib, json, os, sys
os.chdir(sys.argv[1])
manifest = json.load(open("manifest.json"))
config = json.load(open(manifest["config"]["digest"][7:]))
config["config"]["Healthcheck"] = {"Test": ["CMD", "/bin/true"], "Interval": 7000000000}
text = json.dumps(config).encode()
manifest["config"].update(digest="sha256:" + hashlib.sha256(text).hexdigest(), size=len(text))
open(manifest["config"]["digest"][7:], "wb").write(text)
json.dump(manifest, open("manifest.json", "w"))
END
}

# checks UNIT: its container has the check of docker_form.
checks() {
    node systemctl start "$1"
    node jq --exit-status '.command == ["/bin/true"] and .intervalMs == 7000' \
        "/run/muster/containers/$1/health.json"
    node systemctl stop "$1" || true
}

@test "an image's own health check comes along, from a registry and from files" {
    docker_form /run/checked
    node skopeo copy --quiet --dest-authfile /etc/registry/auth.json --dest-cert-dir /etc/registry \
        dir:/run/checked "docker://$REGISTRY/app/checked:v1"
    node skopeo copy --quiet dir:/run/checked docker-archive:/run/checked.tar:checked:v1
    define checked-registry.service "$REGISTRY/app/checked:v1" /bin/sleep 1000
    define checked-archive.service docker-archive:/run/checked.tar:checked:v1 /bin/sleep 1000
    define checked-dir.service dir:/run/checked /bin/sleep 1000
    checks checked-registry.service
    checks checked-archive.service
    checks checked-dir.service
}

@test "of an index of platforms this machine's image is taken" {
    local digest size
    push app app/many:one
    digest=$(digest_of app/many:one)
    size=$(node skopeo inspect --raw --authfile /etc/registry/auth.json --cert-dir /etc/registry \
        "docker://$REGISTRY/app/many:one" | wc -c)
    jq --null-input --arg digest "sha256:$digest" --arg arch "$(dpkg --print-architecture)" --argjson size "$size" \
        '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
            {mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $digest, size: $size,
             platform: {os: "linux", architecture: $arch}}]}' |
        node curl --silent --fail --show-error --cacert /etc/registry/ca.crt --user "muster:$PASSWORD" \
            --header 'Content-Type: application/vnd.oci.image.index.v1+json' --upload-file - \
            "https://$REGISTRY/v2/app/many/manifests/v1"
    define many.service "$REGISTRY/app/many:v1"
    says many.service app
    [ "$(node "$HELPER" digest "$REGISTRY/app/many:v1")" = "sha256:$(digest_of app/many:v1)"$'\n'"sha256:$digest" ]
}

@test "a layer that is not what its digest says is refused, and leaves nothing" {
    local blob
    forget
    node cp -a "$LAYOUT" /run/broken
    blob=$(node sh -c 'ls -S /run/broken/blobs/sha256/* | head -1')
    node sh -c "gzip -dc $blob | sed s/base/bore/ | gzip >/run/changed && mv /run/changed $blob"
    define broken.service oci:/run/broken:base
    fails broken.service 'its bytes give sha256:'
    node truncate --size 100000 "$blob"
    fails broken.service 'layer sha256:'
    [ "$(layer_count)" = 0 ]
    [ -z "$(node ls "$STORE/half")" ]
}

@test "a full disk is told, and not left full" {
    local size
    for size in 600k 2500k; do
        forget
        node mkdir -p "$STORE"
        node mount -t tmpfs -o "size=$size" none "$STORE"
        define full.service "$REGISTRY/app/base:v1"
        fails full.service 'the disk is full'
        [ -z "$(node ls "$STORE/half")" ]
        [ "$(layer_count)" = 0 ]
        node umount "$STORE"
        node journalctl --rotate --vacuum-time=1s >/dev/null 2>&1
    done
}

@test "images that nobody uses go, those of containers stay" {
    local before
    forget
    define keep.service "$REGISTRY/app/one:v1" /bin/sleep 1000
    define brief.service "oci:$LAYOUT:other"
    node systemctl start keep.service
    says brief.service other
    [ "$(layer_count)" = 5 ]
    node sh -c "touch -d '1 hour ago' $STORE/images/*"
    node env MUSTER_CONTAINER_IMAGES_MAX_SIZE=1K "$HELPER" gc
    [ "$(layer_count)" = 4 ]
    [ "$(node cat "/proc/$(node_property node1 keep.service MainPID)/root/etc/who")" = app ]
    count_skopeo
    node systemctl restart keep.service
    [ "$(skopeos_run)" = 0 ]
    node systemctl stop keep.service || true
    says brief.service other
}

@test "a pull makes room by itself" {
    forget
    define brief.service "oci:$LAYOUT:other"
    says brief.service other
    node sh -c "touch -d '1 hour ago' $STORE/images/*"
    service='Environment=MUSTER_CONTAINER_IMAGES_MAX_SIZE=1K' define pull.service "$REGISTRY/app/base:v1"
    says pull.service base
    journal_shows pull.service 'images: removed 1 that were not used lately'
    [ "$(layer_count)" = 1 ]
}

# relay BYTES_PER_SECOND: the registry once more, at localhost:5001, and slower; 0: it takes connections and is silent.
relay() {
    node systemctl stop relay.service 2>/dev/null || true
    node tee /run/relay.py >/dev/null <<'END'
import socket, sys, threading, time
rate = int(sys.argv[1])
def pump(source, target, rate):
    while data := source.recv(16384):
        if rate:
            time.sleep(len(data) / rate)
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
def serve(client):
    registry = socket.create_connection(("localhost", 5000))
    threading.Thread(target=pump, args=(client, registry, 0), daemon=True).start()
    pump(registry, client, rate)
server = socket.create_server(("localhost", 5001))
held = []
while True:
    client, _ = server.accept()
    held.append(client)
    if rate:
        threading.Thread(target=serve, args=(client,), daemon=True).start()
END
    node systemd-run --quiet --collect --unit=relay /usr/bin/python3 /run/relay.py "$1"
    wait_for 10 "the relay listens" node sh -c 'ss -ltn | grep -q :5001'
    node sh -c 'mkdir -p /etc/containers/certs.d/localhost:5001 &&
        cp /etc/registry/ca.crt /etc/containers/certs.d/localhost:5001 &&
        sed "s/localhost:5000/localhost:5001/" /etc/registry/auth.json >/etc/muster/auth.json'
}

@test "half a pull that was killed is no harm, and the next goes on" {
    relay 200000
    forget
    define dying.service localhost:5001/app/one:v1 /bin/echo whole again
    node systemctl start --no-block dying.service
    wait_for 10 "it fetches" node sh -c "ls $STORE/half/image-*/oci-put-blob*"
    node systemctl kill --signal=KILL dying.service
    wait_for 10 "it is dead" node_unit_is_failed dying.service
    [ -n "$(node ls "$STORE/half")" ]
    relay 20000000
    says dying.service 'whole again'
    [ "$(layer_count)" = 4 ]
    [ -z "$(node ls "$STORE/half")" ]
}

@test "a slow pull does not time out, and tells how far it is" {
    relay 150000
    forget
    service='TimeoutStartSec=3' define slow.service localhost:5001/app/base:v1
    says slow.service base
    journal_shows slow.service 'image localhost:5001/app/base:v1: pulling: '
    [ "$(node_property node1 slow.service StatusText)" = '' ]
}

@test "a registry may take its time to answer, more than TimeoutStartSec=, and is not waited for longer" {
    local before
    relay 0
    service=$'TimeoutStartSec=2\nEnvironment=MUSTER_CONTAINER_REGISTRY_TIMEOUT=5' \
        more='{"pullRetries": -1}' define dead.service localhost:5001/app/one:v2
    before=$(now_ms)
    fails dead.service 'image localhost:5001/app/one:v2: its registry does not answer in time (registry_timeout in'
    [ $(($(now_ms) - before)) -ge 5000 ]
    [ "$(node_property node1 dead.service Result)" = exit-code ]
    node sh -c '! pgrep -x skopeo'
}
