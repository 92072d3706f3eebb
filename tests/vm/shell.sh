#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A root shell on this terminal in the machine of the VM tests, with musterd running in it. The machine ends
# with the shell. As root: tests/vm/shell.sh [BUILD], by default what ./check or else ./demo has built.
set -u -o pipefail
# shellcheck source=tests/vm/vm.sh
. "$(dirname "$(readlink -f "$0")")/vm.sh"

find_build() {
    local build
    for build in "$VM_LIB"/../../build/{check/optimised,demo}; do
        [ ! -d "$build/install" ] || { echo "$build"; return; }
    done
    echo 'shell.sh: there is no build to run: name one that build_installed of tests/cluster/build.sh made' >&2
    return 1
}

main() {
    local build image status=0
    build=${1:-$(find_build)} || exit
    image=$(vm_image "$build" "$VM_CACHE") || exit
    state_new muster-vm || exit
    echo 'booting; "exit" ends the machine, and so does Ctrl-A X'
    vm_command "$image" 'quiet vm.shell'
    "${VM_COMMAND[@]}" -serial mon:stdio || status=$?
    vm_down
    return "$status"
}

main "$@"
