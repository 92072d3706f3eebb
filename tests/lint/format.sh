#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every source is as clang-format leaves it (`make fmt` makes it so).
set -u -o pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit
find base kvclient units scheduler agent container api cli cloud-config tests -name '*.[ch]' -not -name '*.pb-c.[ch]' -print0 |
    xargs -0 clang-format --dry-run --Werror
