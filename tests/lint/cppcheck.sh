#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# cppcheck over the product. It cannot see what other files and the system's headers do: hence no
# "unused" and "missing include" findings; no memleak and no resourceLeak, since it does not know the cleanup attribute (LSan judges leaks);
# and no word on functions that are unsafe between threads, of which there are none.
set -u -o pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit
find base kvclient units scheduler agent container api cli cloud-config -name '*.c' -not -name '*.pb-c.c' -print0 |
    xargs -0 cppcheck --quiet --std=c11 -I. -j "$(nproc)" --error-exitcode=1 --inline-suppr \
        --enable=warning,performance,portability --library=posix,gnu \
        --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=internalAstError --suppress=memleak --suppress=resourceLeak \
        --suppress=fgetgrentCalled --suppress=fgetpwentCalled --suppress=getgrnamCalled --suppress=readdirCalled \
        --template='{file}:{line}: {severity}: {message} [{id}]'
