#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every script under shellcheck, at every level.
set -u -o pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit
shellcheck --external-sources --source-path=. demo check bench .ci/run tests/*/*.sh tests/*/*.bats
