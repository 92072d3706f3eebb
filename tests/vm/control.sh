#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Inside the machine: takes orders from the second serial line. An order is a line "ID SCRIPT", the script in
# base64; the answer is a line "ID STATUS OUTPUT", the output, of both kinds, in base64 too.
line=/dev/ttyS1
stty -F "$line" raw -echo
exec <>"$line" >&0
echo ready
while read -r id script; do
    script=$(base64 -d <<<"$script")
    output=$(bash -c "$script" 2>&1 </dev/null | base64 -w 0; exit "${PIPESTATUS[0]}")
    echo "$id $? $output"
done
