# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What tests of muster-container begin and end with: one node without etcd, hand-written services, images of
# the test's own. Needs root, a built muster-container ($top_builddir), and the harness of tests/cluster.

SRC=$(readlink -f "${BATS_TEST_DIRNAME}/../..")
BUILD=$(readlink -f "${top_builddir:-$SRC/build}")
HELPER=/usr/lib/muster/muster-container

# one_node_prepare PROGRAM…: skips where something is missing. What is put into $INSTALL and $IMAGES until
# one_node_up is the node's: the one is its root, the other /var/lib/muster/images.
one_node_prepare() {
    local program
    [ "$(id -u)" = 0 ] || skip "not root"
    for program in crun umoci busybox systemd-nspawn "$@"; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
    [ -x "$BUILD/muster-container" ] || skip "muster-container is not built in $BUILD"
    INSTALL=$BATS_FILE_TMPDIR/install
    IMAGES=$BATS_FILE_TMPDIR/images
    mkdir -p "$INSTALL${HELPER%/*}" "$IMAGES"
    cp "$BUILD/muster-container" "$BUILD/muster-unpack" "$INSTALL${HELPER%/*}"
}

one_node_up() {
    . "$SRC/tests/cluster/lib.sh"
    CLUSTER_LOG_FD=3 cluster_up 1 --etcd 0 --install "$INSTALL" --images "$IMAGES"
    echo "$CLUSTER" >"$BATS_FILE_TMPDIR/cluster"
}

teardown_file() {
    [ -f "$BATS_FILE_TMPDIR/cluster" ] || return 0
    . "$SRC/tests/cluster/lib.sh"
    CLUSTER=$(cat "$BATS_FILE_TMPDIR/cluster") cluster_down
}

setup() {
    CLUSTER=$(cat "$BATS_FILE_TMPDIR/cluster")
    export CLUSTER
    . "$SRC/tests/cluster/lib.sh"
}

# define_service UNIT [LINE…]: the service as musterd would write it, with more lines of [Service].
define_service() {
    node tee "/run/systemd/system/$1" >/dev/null <<END
[Service]
Type=notify
NotifyAccess=all
Delegate=yes
KillMode=mixed
ExecStart=$HELPER start %n
ExecStopPost=-$HELPER clean %n
$(printf '%s\n' "${@:2}")
END
}

# What nspawn's console shows is in the journal of the node too; here the journal is enough.
teardown() {
    [ -n "${BATS_TEST_COMPLETED:-}" ] || node_journal node1 --lines=40 >&3 2>&1
}

node() {
    node_run node1 "$@"
}

property() {
    node_property node1 "$1" "$2"
}

lines_of() {
    node journalctl --sync
    node_journal node1 --output=cat --unit="$1"
}

journal_shows() {
    lines_of "$1" | grep -F -- "$2"
}

is_dead() {
    case $(property "$1" ActiveState) in inactive | failed) ;; *) return 1 ;; esac
}
