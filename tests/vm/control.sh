#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Inside the machine: takes orders from the second serial line. An order is a line "ID SCRIPT"; what it prints on
# either output comes back between the lines "ID" and "ID STATUS", the latter behind a line break of its own.
# Each process costs 40 ms in here, so that an order takes one: the shell that runs it.
line=/dev/ttyS1
stty -F "$line" raw -echo
exec <>"$line" >&0
echo ready
while read -r id script; do
    echo "$id"
    (eval "$script") 2>&1 </dev/null
    printf '\n%s %s\n' "$id" "$?"
done
