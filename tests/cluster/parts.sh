# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What a script does at the same time, or what is to end with it: parts, each the script itself in a session of its
# own, which end with whoever began them, however he ends. Sourced by ./check.
#
#   part_begin lane        PARTS_PROGRAM --part $$ lane, which is to call
#   part_run "$2" "$3"     part_lane
#   part_await lane        it has ended, before the script goes on
#   parts_end              all have ended; if the script ends before, they are told to
#
# A part is told to end by SIGINT, and killed when PART_END_SECONDS (120, enough for a cluster to be removed) have passed.
#
# The script has the functions part_NAME, step (see ./check), by which a part fails that ended early, and leftovers_reap,
# which removes what a part may have left.

: "${PART_END_SECONDS:=120}"
declare -A parts=()

# part_begin NAME
part_begin() {
    # What begins in the background is deaf to SIGINT, by which parts are told to clean up and end.
    setsid env --default-signal=INT "$PARTS_PROGRAM" --part "$$" "$1" </dev/null &
    parts[$1]=$!
    trap parts_interrupt EXIT
}

# part_run MAIN NAME
part_run() {
    local follower
    part_follow "$1" &
    follower=$!
    trap 'exit 130' INT TERM
    "part_$2"
    kill "$follower" 2>/dev/null || :
}

# The part ends when that process does, which may not have the time to say so.
part_follow() {
    trap '' INT # which it sends to the whole session
    tail --pid="$1" -f /dev/null >/dev/null 2>&1
    kill -INT -- "-$$"
    process_ends_within "$PART_END_SECONDS" "$$"
    kill -KILL -- "-$$"
}

# part_await NAME
part_await() {
    wait "${parts[$1]}" || {
        kill -KILL -- "-${parts[$1]}" 2>/dev/null # what it had begun goes on, and may make what is removed later
        step "part-$1-ended-early" false
    }
    unset "parts[$1]"
}

parts_end() {
    local name
    for name in "${!parts[@]}"; do
        part_await "$name"
    done
    trap - EXIT
    leftovers_reap
}

# We end before our time, and perhaps nobody listens any more. A part may have no session yet.
parts_interrupt() {
    local name deadline=$((SECONDS + PART_END_SECONDS))
    trap '' INT TERM HUP PIPE
    for name in "${!parts[@]}"; do
        kill -INT -- "-${parts[$name]}" 2>/dev/null || kill "${parts[$name]}" 2>/dev/null
    done
    for name in "${!parts[@]}"; do
        part_end "$name" "$((deadline - SECONDS))"
    done
    leftovers_reap
    echo 'interrupted'
}

# part_end NAME SECONDS: it has been told to. What it leaves of its session is killed; and so is the part itself if it
# takes longer, which nothing but a disk that hangs can then keep.
part_end() {
    local part=${parts[$1]}
    process_ends_within "$2" "$part" || echo "part $1 has not ended within $PART_END_SECONDS s, and is killed"
    kill -KILL -- "-$part" 2>/dev/null
    process_ends_within 10 "$part"
}

# process_ends_within SECONDS PID. Less than a second is a second: none would be no limit.
process_ends_within() {
    timeout "$(($1 > 0 ? $1 : 1))" tail --pid="$2" -f /dev/null >/dev/null 2>&1
}
