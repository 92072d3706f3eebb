#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every lint: all.sh BUILD. `make lint` calls it; ./check counts each one as a test.
set -u
here=$(dirname "$(readlink -f "$0")")
status=0
for lint in includes-self-test includes format shell cppcheck; do
    "$here/$lint.sh" || { echo "lint failed: $lint"; status=1; }
done
"$here/tidy.sh" "$1" || { echo 'lint failed: tidy'; status=1; }
exit "$status"
