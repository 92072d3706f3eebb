# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds and installs into trees of its own, never into the machine. Sourced by ./demo, ./check, ./bench.

# build_configured SOURCE BUILD [CONFIGURE ARGUMENT…]: out of tree, configured once for the same arguments.
build_configured() {
    local source build=$2 arguments
    source=$(readlink -f "$1")
    shift 2
    arguments="$*"
    [ -x "$source/configure" ] || (cd "$source" && autoreconf -fi) || return
    mkdir -p "$build" || return
    [ -f "$build/Makefile" ] && [ "$(cat "$build/.arguments" 2>/dev/null)" = "$arguments" ] && return
    (cd "$build" && "$source/configure" --quiet --prefix=/usr --sysconfdir=/etc --localstatedir=/var "$@") || return
    echo "$arguments" >"$build/.arguments"
}

build_make() {
    local build=$1
    shift
    make --no-print-directory -C "$build" -j"$(nproc)" "$@"
}

# build_installed SOURCE BUILD [CONFIGURE ARGUMENT…]: an optimised build, installed below BUILD/install, with the busybox image
# below BUILD/images. What was installed before is thrown away.
build_installed() {
    local source=$1 build=$2
    build_configured "$source" "$build" CFLAGS='-O2 -g' "${@:3}" || return
    build_make "$build" || return
    build=$(readlink -f "$build")
    rm -rf "${build:?}/install"
    build_make "$build" --silent install DESTDIR="$build/install" || return
    build_busybox_image "$build/images"
}

# An OCI layout with one image, busybox:latest, made of nothing but Debian's own static busybox.
build_busybox_image() {
    local images=$1 work status=0
    rm -rf "${images:?}"
    mkdir -p "$images" || return
    work=$(mktemp -d) || return
    build_busybox_layout "$images/busybox" "$work" || status=$?
    rm -rf "$work"
    return "$status"
}

build_busybox_layout() {
    local layout=$1 bundle=$2/bundle
    umoci init --layout "$layout" &&
        umoci new --image "$layout:latest" &&
        umoci unpack --image "$layout:latest" "$bundle" &&
        build_busybox_root "$bundle/rootfs" &&
        umoci repack --image "$layout:latest" "$bundle" &&
        umoci config --image "$layout:latest" --config.cmd=/bin/sh \
            --config.env=PATH=/usr/sbin:/usr/bin:/sbin:/bin &&
        umoci gc --layout "$layout"
}

build_busybox_root() {
    local root=$1 applet
    mkdir -p "$root"/{bin,etc,proc,sys,dev,tmp,root,var} || return
    cp /bin/busybox "$root/bin/busybox" || return
    for applet in $(/bin/busybox --list); do
        [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet" || return
    done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    echo 'root:x:0:' >"$root/etc/group"
}
