# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What a script does at the same time: parts, each the script itself in a session of its own, which end with whoever
# began them, however he ends. Sourced by ./check.
#
#   part_begin lane        PARTS_PROGRAM --part $$ lane, which is to call
#   part_run "$2" "$3"     part_lane
#   parts_end              all have ended; if the script ends before, they are told to
#
# The script has the functions part_NAME, step (see ./check), by which a part fails that ended early, and leftovers_reap,
# which removes what a part may have left.

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
    kill "$follower"
}

# The part ends when that process does, which may not have the time to say so.
part_follow() {
    tail --pid="$1" -f /dev/null >/dev/null 2>&1
    kill -INT -- "-$$"
    timeout 120 tail --pid="$$" -f /dev/null >/dev/null 2>&1
    kill -KILL -- "-$$"
}

parts_end() {
    local name
    for name in "${!parts[@]}"; do
        wait "${parts[$name]}" || step "part-$name-ended-early" false
    done
    trap - EXIT
    leftovers_reap
}

# We end before our time. A part may have no session yet.
parts_interrupt() {
    local part
    trap '' INT TERM
    for part in "${parts[@]}"; do
        kill -INT -- "-$part" 2>/dev/null || kill "$part" 2>/dev/null
    done
    wait "${parts[@]}"
    for part in "${parts[@]}"; do
        kill -KILL -- "-$part" 2>/dev/null
    done
    leftovers_reap
    echo 'interrupted'
}
