#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Proves the direction of includes, and that each third-party header is used where it is at home. Prints
# file:line for each offence; exit status 1 if there is one. Run from anywhere; an argument is the tree to read.
set -u -f -o pipefail
cd "${1:-$(dirname "$(readlink -f "$0")")/../..}" || exit

# What a folder may include of the others. Nothing points up or sideways.
declare -A MAY_INCLUDE=(
    [base]=''
    [kvclient]='base'
    [units]='base'
    [scheduler]='units base'
    [agent]='scheduler units kvclient base'
    [api]='scheduler units kvclient base'
    [cli]='scheduler units kvclient base'
    [cloud-config]='units base'
    [container]='units base'
)

# The program that wires the parts together sees them all.
declare -A MAY_ALSO_INCLUDE=(
    [agent/main.c]='api'
    [agent/agent_parts.h]='api'
)

# Header → the files that are its home, as shell patterns.
declare -A HOME_OF=(
    [ev.h]='base/loop*'
    [curl/curl.h]='base/loop_http*'
    [curl/multi.h]='base/loop_http*'
    [systemd/sd-bus.h]='base/loop_bus.* agent/systemd* container/scope.c tests/unit/test-agent-systemd.c'
    [yaml.h]='cloud-config/*'
    [microhttpd.h]='api/*'
    [libsmartcols/libsmartcols.h]='cli/*'
    [archive.h]='container/unpack.c tests/unit/test-container-unpack.c'
    [archive_entry.h]='container/unpack.c tests/unit/test-container-unpack.c'
    [cmocka.h]='tests/*'
    [protobuf-c/protobuf-c.h]='kvclient/kv_wire*'
    [kvclient/etcd.pb-c.h]='kvclient/kv_wire*'
)

offences=0

offence() {
    echo "$1: $2"
    offences=$((offences + 1))
}

is_word_of() {
    [[ " $2 " == *" $1 "* ]]
}

# check_own FILE LINE INCLUDED: an include in quotes, "folder/file.h".
check_own() {
    local file=$1 where=$1:$2 from=${1%%/*} to=${3%%/*}
    if [ ! -e "$3" ]; then
        offence "$where" "\"$3\" is not a path from the top of the tree"
    elif [ "$from" != tests ] && [ "$from" != "$to" ] &&
        ! is_word_of "$to" "${MAY_INCLUDE[$from]-} ${MAY_ALSO_INCLUDE[$file]-}"; then
        offence "$where" "$from/ may not include $to/ (only: ${MAY_INCLUDE[$from]:-nothing})"
    fi
}

# check_foreign FILE LINE HEADER: an include in angle brackets.
check_foreign() {
    local pattern home=${HOME_OF[$3]-}
    [ -n "$home" ] || return
    for pattern in $home; do
        # shellcheck disable=SC2053  # a pattern on purpose
        [[ $1 != $pattern ]] || return
    done
    offence "$1:$2" "<$3> is at home in $home only"
}

main() {
    local file line text
    while IFS=: read -r file line text; do
        if [[ $text =~ \#[[:space:]]*include[[:space:]]*\"([^\"]+)\" ]]; then
            check_own "$file" "$line" "${BASH_REMATCH[1]}"
        elif [[ $text =~ \#[[:space:]]*include[[:space:]]*\<([^\>]+)\> ]]; then
            check_foreign "$file" "$line" "${BASH_REMATCH[1]}"
        fi
    done < <(find "${!MAY_INCLUDE[@]}" tests -name '*.[ch]' -not -name '*.pb-c.[ch]' -exec \
        grep -HnE '^[[:space:]]*#[[:space:]]*include' {} + 2>/dev/null)
    [ "$offences" -eq 0 ] || { echo "$offences includes point where they may not"; exit 1; }
}

main
