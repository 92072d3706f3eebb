#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every script under shellcheck: warnings and errors; its matters of taste are left to reviewers.
set -u -o pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit
shellcheck --severity=warning --external-sources --source-path=. demo check bench .ci/run tests/*/*.sh tests/*/*.bats
