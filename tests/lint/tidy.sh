#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# clang-tidy over every source of the product: tidy.sh BUILD, a configured build directory (for config.h).
set -u -o pipefail
build=$(readlink -f "${1:?usage: tidy.sh BUILD}") || exit
cd "$(dirname "$(readlink -f "$0")")/../.." || exit
[ -f "$build/config.h" ] || { echo "no config.h in $build"; exit 1; }
flags=$(pkg-config --cflags jansson libcurl libsystemd libcrypto yaml-0.1 libmicrohttpd smartcols libprotobuf-c) || exit
# What the build generates; a build that is only configured does not have it.
generated=$(mktemp -d) || exit
trap 'rm -rf "$generated"' EXIT
mkdir "$generated/kvclient" &&
    protoc-c --proto_path=kvclient --c_out="$generated/kvclient" kvclient/etcd.proto || exit
# shellcheck disable=SC2016  # the inner shell expands it
find base kvclient units scheduler agent container api cli cloud-config -name '*.c' -not -name '*.pb-c.c' -print0 |
    xargs -0 -n 4 -P "$(nproc)" sh -c '
        build=$1 generated=$2 flags=$3
        shift 3
        # shellcheck disable=SC2086
        exec clang-tidy --quiet "$@" -- -std=gnu17 -I. -I"$build" -I"$generated" -include config.h $flags \
            -DSYSCONFDIR=\"/etc\" -DPKGLIBDIR=\"/usr/lib/muster\" -DPKGDATADIR=\"/usr/share/muster\"' \
        tidy "$build" "$generated" "$flags" 2>&1 | grep -v 'warnings generated\.$\|warning generated\.$'
status=${PIPESTATUS[1]}
exit "$status"
