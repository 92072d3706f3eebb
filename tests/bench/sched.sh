# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The scheduler in memory, on one core: what plan_step() decides for a cluster in which nothing runs yet, and
# when a machine is lost. Orders, their guards and their reasons are part of it; a store is not.

# shellcheck disable=SC2034  # read by ./bench
BENCH_sched='sched.place.1000x30000 sched.place.10000x1000000 sched.place_constrained.1000x30000
    sched.place_constrained.10000x1000000 sched.lost100.1000x30000 sched.lost100.10000x1000000
    sched.bytes_per_unit'

SCHED_ROUNDS=${SCHED_ROUNDS:-5}

# sched_rounds MACHINES UNITS plain|mixed: a line each.
sched_rounds() {
    local round
    for ((round = 0; round < SCHED_ROUNDS; round++)); do
        "$BENCH_BUILD/sched-bench" "$@" || return
    done
}

# sched_column FILE NUMBER: the median of a column.
sched_column() {
    awk -v column="$2" '{ print $column }' "$1" | median
}

sched_size() {
    local size=$1 rounds=$BENCH_BUILD/sched.rounds
    sched_rounds "${size%x*}" "${size#*x}" plain >"$rounds" || return
    remark "sched $size plain: placed/s, lost100 ms, its worst, bytes, loaded/s, unplaced: $(paste -sd, "$rounds")"
    figure "sched.place.$size" "$(sched_column "$rounds" 1)" /s
    sched_rounds "${size%x*}" "${size#*x}" mixed >"$rounds" || return
    remark "sched $size mixed: $(paste -sd, "$rounds")"
    figure "sched.place_constrained.$size" "$(sched_column "$rounds" 1)" /s
    figure "sched.lost100.$size" "$(sched_column "$rounds" 2)" ms
    [ "$size" = 1000x30000 ] || figure sched.bytes_per_unit "$(sched_column "$rounds" 4)" B
}

bench_sched() {
    sched_size 1000x30000 && sched_size 10000x1000000
}
