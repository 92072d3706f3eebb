#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each CASE.yml is validated, planned and applied below an empty directory; what is said and written
# must be CASE.expected. UPDATE_GOLDEN=1 writes those files anew, for a person to look over.
set -u
cases=${top_srcdir:-.}/tests/golden/cloud
program=${top_builddir:-.}/muster-cloudinit
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# The variables of an address family that this machine lacks are unset on purpose.
unset COREOS_PUBLIC_IPV6 COREOS_PRIVATE_IPV6
COREOS_PUBLIC_IPV4=192.0.2.1 COREOS_PRIVATE_IPV4=10.0.0.7
export COREOS_PUBLIC_IPV4 COREOS_PRIVATE_IPV4

# Standard output, then standard error, then the status.
say() {
    echo "== $1"
    shift
    "$@" >"$work/out" 2>"$work/err"
    status=$?
    cat "$work/out" "$work/err"
    echo "exit $status"
}

list_files() {
    echo "== files"
    (cd "$work/root" && find . ! -type d | LC_ALL=C sort | while read -r file; do
        if [ -L "$file" ]; then
            echo "$file -> $(readlink "$file")"
        else
            echo "$file $(stat -c '%a' "$file") $(sha256sum <"$file" | cut -c1-16)"
        fi
    done)
}

examine() {
    mkdir "$work/root"
    cp "$1" "$work/input"
    # The path of the working directory differs from run to run, so it is taken out.
    {
        say validate "$program" --validate --from-file="$work/input"
        say dry-run "$program" --dry-run --from-file "$work/input"
        say apply "$program" -root "$work/root" -from-file="$work/input"
        list_files
    } | sed "s|$work|WORK|g"
    rm -rf "$work/root"
}

number=0 failed=0
for input in "$cases"/*.yml; do
    name=$(basename "$input" .yml)
    number=$((number + 1))
    if [ -n "${UPDATE_GOLDEN:-}" ]; then
        examine "$input" >"$cases/$name.expected"
        continue
    fi
    examine "$input" >"$work/got"
    if diff -u "$cases/$name.expected" "$work/got" >"$work/diff" 2>&1; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
        sed 's/^/# /' "$work/diff"
        failed=1
    fi
done
echo "1..$number"
[ "$number" -gt 0 ] && exit "$failed"
exit 99
