# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The scheduler in memory, on one core: what plan_step() decides for a cluster in which nothing runs yet, and
# when a machine is lost. Orders, their guards and their reasons are part of it; a store is not.
#
# What a second is worth differs by machine and by hour, so a prototype that is nothing but sets of machines
# places the same units beside it, round by round: prototype_ratio is the best round of the scheduler by the best
# of the prototype.

# shellcheck disable=SC2034  # read by ./bench
BENCH_sched='sched.place.1000x30000 sched.place.1000x30000.prototype_ratio
    sched.place.10000x1000000 sched.place.10000x1000000.prototype_ratio
    sched.place_constrained.1000x30000 sched.place_constrained.1000x30000.prototype_ratio
    sched.place_constrained.10000x1000000 sched.place_constrained.10000x1000000.prototype_ratio
    sched.lost100.1000x30000 sched.lost100.10000x1000000 sched.bytes_per_unit
    sched.step.budget sched.step.budget.growth sched.step.rollout sched.step.rollout.growth
    sched.step.global sched.step.global.growth sched.step.drain sched.step.drain.growth
    sched.step.replace sched.step.replace.growth'

SCHED_ROUNDS=${SCHED_ROUNDS:-5}

# sched_rounds MACHINES UNITS plain|mixed: a line each, of the scheduler's figures and the prototype's.
sched_rounds() {
    local round
    for ((round = 0; round < SCHED_ROUNDS; round++)); do
        echo "$("$BENCH_BUILD/sched-bench" "$@") $("$BENCH_BUILD/sched-prototype" "$@")"
    done
}

# sched_column FILE NUMBER: the median of a column.
sched_column() {
    awk -v column="$2" '{ print $column }' "$1" | median
}

# sched_placed NAME FILE: how fast it was, on this machine and beside the prototype.
sched_placed() {
    figure "$1" "$(sched_column "$2" 1)" /s
    figure "$1.prototype_ratio" "$(awk '$1 > best { best = $1 } $7 > mark { mark = $7 }
        END { printf "%.3f", best / mark }' "$2")" x
}

# sched_size SIZE
sched_size() {
    local size=$1 kind rounds=$BENCH_BUILD/sched.rounds
    for kind in plain mixed; do
        sched_rounds "${size%x*}" "${size#*x}" "$kind" >"$rounds.$kind" || return
        awk 'NF != 7 { exit 1 }' "$rounds.$kind" || return
        remark "sched $size $kind: placed/s, lost100 ms, its worst, bytes, loaded/s, unplaced," \
            "prototype/s: $(paste -sd, "$rounds.$kind")"
    done
    sched_placed "sched.place.$size" "$rounds.plain"
    sched_placed "sched.place_constrained.$size" "$rounds.mixed"
    figure "sched.lost100.$size" "$(sched_column "$rounds.mixed" 2)" ms
    [ "$size" = 1000x30000 ] || figure sched.bytes_per_unit "$(sched_column "$rounds.mixed" 4)" B
}

# sched_steps: a step after one small event, and how many times as long it takes where all is ten times as large.
# What is nearly nothing grows by what the larger cluster has out of the processor's cache.
sched_steps() {
    local kinds='budget rollout global drain replace' kind column=0 small large
    small=$("$BENCH_BUILD/sched-step" 1000 100000) && large=$("$BENCH_BUILD/sched-step" 10000 1000000) || return
    remark "sched step, us ($kinds): 1000x100000 $small; 10000x1000000 $large"
    for kind in $kinds; do
        column=$((column + 1))
        figure "sched.step.$kind" "$(cut -d ' ' -f "$column" <<<"$large")" us
        figure "sched.step.$kind.growth" "$(printf '%s %s\n' "$small" "$large" |
            awk -v i="$column" '{ printf "%.2f", $(i + 5) / $i }')" x
    done
}

sched_sizes() {
    sched_size 1000x30000 && sched_size 10000x1000000
}

bench_sched() {
    [[ $BENCH_PREFIX == sched.s* ]] || sched_sizes || return
    [[ sched.step. != "$BENCH_PREFIX"* && $BENCH_PREFIX != sched.step.* ]] || sched_steps
}
