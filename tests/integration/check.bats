#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What ./check is made of: it ends all that it began, and removes what was left behind, also after those who cannot do
# it themselves. Needs no root, and boots nothing.

bats_require_minimum_version 1.5.0
TESTS=$(readlink -f "$BATS_TEST_DIRNAME/..")

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    . "$TESTS/cluster/lib.sh"
}

teardown() {
    local part
    for part in deaf tidy torn busy; do
        # shellcheck disable=SC2046  # pid and start
        [ ! -e "$part" ] || process_kill $(cat "$part")
    done
}

# script COMMANDS: ./script, which has parts of four kinds, and does these commands.
script() {
    cat >script <<END
#!/bin/bash
PARTS_PROGRAM=\$PWD/script
. "$TESTS/cluster/lib.sh"
. "$TESTS/cluster/parts.sh"
part_deaf() { trap '' INT; echo "\$\$ \$(process_started \$\$)" >deaf; exec sleep infinity; }
part_tidy() { trap 'echo tidied >tidied; exit' INT; echo "\$\$ \$(process_started \$\$)" >tidy; sleep infinity; }
part_brief() { exit 3; }
part_torn() { sleep infinity & echo "\$! \$(process_started \$!)" >torn; kill -KILL \$\$; }
part_is_there() { test -s "\$1"; }
step() { "\${@:2}" || echo "failed: \$1"; }
leftovers_reap() { : >reaped; echo 'leftovers are removed'; }
[ "\${1:-}" != --part ] || { part_run "\$2" "\$3"; exit; }
$1
END
    chmod +x script
}

# script_said STATUS: the script ends with it, and what it said is in $output. What it leaves behind is not waited for.
script_said() {
    status=0
    timeout --signal=KILL 60 ./script >said 2>&1 3>&- || status=$?
    output=$(cat said)
    echo "status $status: $output"
    [ "$status" -eq "$1" ]
}

# part_is_gone NAME
part_is_gone() {
    local pid started
    read -r pid started <"$1" && process_is_gone "$pid" "$started"
}

@test "a part that does not hear that it is to end is killed, and named" {
    script "part_begin deaf; wait_for 10 'it is deaf' part_is_there deaf; exit 1"
    PART_END_SECONDS=1 script_said 1
    [[ "$output" == *'part deaf has not ended within 1 s, and is killed'*'leftovers are removed'*interrupted ]]
    part_is_gone deaf
}

@test "a part that hears it has the time to tidy up" {
    script "part_begin tidy; wait_for 10 'it runs' part_is_there tidy; exit 1"
    script_said 1
    [ "$output" = $'leftovers are removed\ninterrupted' ]
    [ -e tidied ] && part_is_gone tidy
}

@test "parts end with a script that is killed, be they deaf or not" {
    script "part_begin deaf; part_begin tidy; wait_for 10 'both run' eval 'part_is_there deaf && part_is_there tidy'; kill -KILL \$\$"
    PART_END_SECONDS=1 script_said 137
    wait_for 20 'both are gone' eval 'part_is_gone deaf && part_is_gone tidy'
    [ -e tidied ]
}

@test "a script that nobody listens to any more removes what its parts leave" {
    script "part_begin deaf; wait_for 10 'it runs' part_is_there deaf; exit 1"
    PART_END_SECONDS=1 ./script 3>&- | :
    wait_for 20 'it is gone, and what it left' eval 'part_is_gone deaf && [ -e reaped ]'
}

@test "a part that ends before its time has failed" {
    script 'part_begin brief; parts_end'
    script_said 0
    [ "$output" = $'failed: part-brief-ended-early\nleftovers are removed' ]
}

@test "what a part that was killed had begun is ended before it is removed" {
    # shellcheck disable=SC2016  # expanded in the script
    script 'leftovers_reap() { wait_for 10 "it is gone" process_is_gone $(cat torn) && echo "nothing goes on"; }
        part_begin torn; parts_end'
    script_said 0
    [[ "$output" == *$'failed: part-torn-ended-early\nnothing goes on' ]]
}

@test "a part that is waited for has ended before the script goes on, well or not" {
    # shellcheck disable=SC2016  # expanded in the script
    script 'part_begin brief; part_await brief; part_begin tidy; wait_for 10 "it runs" part_is_there tidy
        kill -INT -- "-${parts[tidy]}"; part_await tidy; [ ! -e tidied ] || echo "it has tidied"; parts_end'
    script_said 0
    [ "$output" = $'failed: part-brief-ended-early\nit has tidied\nleftovers are removed' ]
}

# check_with STEP: ./check as it is, of which that step takes for ever, and the others take no time.
check_with() {
    mkdir -p bin tests/cluster tests/vm
    cp "$TESTS/../check" . && cp "$TESTS/cluster/parts.sh" tests/cluster/ || return
    printf '#!/bin/sh\necho 0\n' >bin/id && chmod +x bin/id
    cat >busy.sh <<END
. "$TESTS/cluster/record.sh"
echo "\$\$ \$(process_started \$\$)" >busy
exec sleep infinity
END
    echo ". $TESTS/cluster/packages.sh; packages_install() { :; }" >tests/cluster/packages.sh
    echo "take() { [ \$1 != $1 ] || bash busy.sh; }" | tee tests/vm/vm.sh >tests/cluster/build.sh
    echo 'build_configured() { take configure; }; build_installed() { take machines; }; build_make() { :; }' >>tests/cluster/build.sh
    echo 'vm_image() { take image; }' >>tests/vm/vm.sh
    PATH=$PWD/bin:$PATH PART_END_SECONDS=5 ./check >said 2>&1 3>&- &
}

@test "what ./check itself begins before its tests ends with it when it is killed" {
    local step
    for step in configure machines image; do
        rm -f busy
        check_with "$step"
        wait_for 20 "$step has begun" test -s busy
        kill -KILL $!
        wait_for 20 "$step is gone" part_is_gone busy
    done
}

@test "clusters and machines are in the register before anything is made, and what is there is removed" {
    local kind
    export MUSTER_CLUSTER_DIR=$PWD/states CLUSTER_REGISTER=$PWD/register
    # Each loses its life where the first thing would be made.
    for kind in 'cluster_up 1' 'vm_image() { echo image; }; vm_up build'; do
        run bash -c '. "$1/vm/vm.sh"; mkdir() { [ "$*" != "-p $MUSTER_CLUSTER_DIR" ] || { command mkdir "$@"; return; }; kill -KILL $$; }
            mkfifo() { kill -KILL $$; }; eval "$2"' killed "$TESTS" "$kind"
        [ "$status" -eq 137 ]
    done
    [ "$(wc -l <register)" -eq 2 ]
    register_reap register
    [ -z "$(ls states)" ] && [ ! -e register ]
}

# Whether somebody waits for the lock of the cache, or makes an image beside another.
second_has_come() {
    [ "$(wc -l <made)" -gt 1 ] || grep -q -- "-> FLOCK .*:$(stat --format=%i cache/lock) " /proc/locks
}

@test "two who want the same image at the same time get one, made once" {
    . "$TESTS/vm/vm.sh"
    vm_kernel() { :; }
    vm_image_digest() { echo digest; }
    vm_image_make() { echo "$2" >>made && wait_for 10 'the second has come' second_has_come && : >"$3/disk"; }
    mkdir -p cache/new.killed
    vm_image build cache >first 3>&- &
    vm_image build cache >second
    wait $!
    [ "$(cat first second)" = $'cache/image-digest\ncache/image-digest' ]
    [ "$(cat made)" = build ] && [ -e cache/image-digest/disk ] && [ ! -e cache/new.killed ]
}
