# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The Debian 12 packages that building, running and testing take, and how to get those that are missing.

# shellcheck disable=SC2034  # read by those who source this
PACKAGES_BUILD='gcc libc6-dev make autoconf automake pkg-config libcurl4-openssl-dev libjansson-dev
    libsystemd-dev libssl-dev libarchive-dev libev-dev libyaml-dev libmicrohttpd-dev libsmartcols-dev uthash-dev
    libcmocka-dev libprotobuf-c-dev protobuf-c-compiler'
# shellcheck disable=SC2034
PACKAGES_CLUSTER='systemd systemd-sysv systemd-container dbus iproute2 util-linux procps mount curl etcd-server
    etcd-client crun golang-github-containers-common skopeo umoci busybox-static nftables e2fsprogs
    containernetworking-plugins iptables catatonit perl-base'
# shellcheck disable=SC2034
PACKAGES_CHECK='jq curl clang clang-format clang-tidy llvm libclang-rt-dev cppcheck shellcheck bats git xz-utils openssl
    python3 docker-registry apache2-utils ca-certificates runc'
# shellcheck disable=SC2034
PACKAGES_VM='qemu-system-x86 seabios kmod'
# shellcheck disable=SC2034
PACKAGES_BENCH='nghttp2-client podman umoci'

package_is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# packages_install NAME…: those that are missing. Their services are not started: this is somebody's machine,
# and a chroot's apt would else try to.
packages_install() {
    local name policy=/usr/sbin/policy-rc.d
    local -a missing=()
    for name in "$@"; do
        package_is_installed "$name" || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "installing ${missing[*]}"
    apt-get -q update </dev/null || return
    if [ -e "$policy" ]; then
        packages_apt_install "${missing[@]}"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
    local status=0
    packages_apt_install "${missing[@]}" || status=$?
    rm -f "$policy"
    return "$status"
}

packages_apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold install "$@" </dev/null
}
