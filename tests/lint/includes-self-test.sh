#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A lint that finds nothing may be blind: it must find each offence that is planted here, and only those.
set -u -o pipefail
lint=$(dirname "$(readlink -f "$0")")/includes.sh
tree=$(mktemp -d) || exit
trap 'rm -rf "$tree"' EXIT
mkdir "$tree"/{base,units,scheduler,agent,kvclient,tests} || exit
echo '#include <stdio.h>' >"$tree/base/text.h"
printf '#include "base/text.h"\n#include "scheduler/plan.h"\n' >"$tree/units/up.c"
echo '#include "units/up.h"' >"$tree/scheduler/plan.h"
printf '#include "base/text.h"\n' >"$tree/units/up.h"
printf '#include "scheduler/plan.h"\n#include <ev.h>\n' >"$tree/agent/agent.c"
printf '#include <curl/curl.h>\n' >"$tree/kvclient/kv.c"
printf '#include "text.h"\n' >"$tree/base/text.c"
mkdir "$tree/tests/unit"
echo "#include <cmocka.h>" >"$tree/tests/unit/harness.h"
said=$("$lint" "$tree") && { echo 'the planted offences were not noticed'; exit 1; }
status=0
for expected in units/up.c:2 agent/agent.c:2 kvclient/kv.c:1 base/text.c:1; do
    grep -q "^$expected:" <<<"$said" || { echo "not found: $expected"; status=1; }
done
[ "$(wc -l <<<"$said")" -eq 5 ] || { echo 'something else was found, too:'; echo "$said"; status=1; }
exit "$status"
