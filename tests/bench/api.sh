# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What musterd's API takes of its loop for a request while 1,000 machines and 30,000 units are in the store, and
# a unit's state changes between one request and the next. The list of all units, which is written out in any
# case, is what the others are compared with: .ratio. .first is the first request of all, which reads and decodes
# everything; it does so in many turns of the loop.

# shellcheck disable=SC2034  # read by ./bench
BENCH_api='api.units.30000 api.status.30000 api.status.30000.first api.why.30000 api.why.30000.ratio
    api.machines.30000 api.machines.30000.ratio api.plan.30000 api.plan.30000.ratio'

bench_api() {
    local directory status=0 file=$BENCH_BUILD/api-bench.out
    directory=$(mktemp -d) || return
    "$BENCH_BUILD/api-bench" 1000 30000 "$directory/socket" >"$file" || status=1
    rm -rf "$directory"
    [ "$status" -eq 0 ] || return
    remark "api, 1,000 machines, 30,000 units: kind, first ms, median ms, longest turn ms: $(paste -sd, "$file")"
    api_figures "$file"
}

# api_figures FILE
api_figures() {
    local name first median
    while read -r name first median _; do
        figure "api.$name.30000" "$median" ms
        [ "$name" != status ] || figure api.status.30000.first "$first" ms
        case $name in why | machines | plan)
            figure "api.$name.30000.ratio" \
                "$(awk -v ms="$median" '$1 == "units" { printf "%.4f", ms / $3 }' "$1")" x
            ;;
        esac
    done < <(grep -v '^unit ' "$1")
}
