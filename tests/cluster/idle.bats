#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A cluster in which nothing happens writes nothing, and asks nothing but the proof of its own leases.

load bats.sh

IDLE_S=20
TTL_S=5

setup_file() {
    cluster_for_tests 3 --ttl "$TTL_S"
    two_busyboxes_run
    wait_for 30 'role web has its holders' role_is node1 web 2 2 1
    wait_for 20 'the store is still' store_is_still
    etcd_request_table >"$BATS_FILE_TMPDIR/requests.before"
    etcd_revision >"$BATS_FILE_TMPDIR/revision.before"
    now_ms >"$BATS_FILE_TMPDIR/began"
    # The one plain sleep of these tests: time in which nothing happens is what is measured, and a harness
    # that looks would be something that happens.
    sleep "$IDLE_S"
    now_ms >"$BATS_FILE_TMPDIR/ended"
    etcd_request_table >"$BATS_FILE_TMPDIR/requests.after"
    etcd_revision >"$BATS_FILE_TMPDIR/revision.after"
}

store_is_still() {
    local revision
    revision=$(etcd_revision)
    holds_for 3 store_has_revision "$revision"
}

store_has_revision() {
    [ "$(etcd_revision)" = "$1" ]
}

# METHOD COUNT for each method that was called while idle. Ours is the one Range that read the revision.
requests_while_idle() {
    awk 'NR == FNR { before[$1] = $2; next }
         { count = $2 - before[$1] - ($1 == "Range") }
         count > 0 { print $1, count }' \
        "$BATS_FILE_TMPDIR/requests.before" "$BATS_FILE_TMPDIR/requests.after"
}

request_count() {
    requests_while_idle | awk -v method="$1" '$1 == method { n = $2 } END { print n + 0 }'
}

# How often N parties speak if each does every third of its lease, with one more for where the window begins.
rounds() {
    local elapsed
    elapsed=$(($(cat "$BATS_FILE_TMPDIR/ended") - $(cat "$BATS_FILE_TMPDIR/began")))
    echo "$(($1 * (elapsed * 3 / (TTL_S * 1000) + 1)))"
}

@test "the idle store is not written" {
    [ "$(cat "$BATS_FILE_TMPDIR/revision.before")" = "$(cat "$BATS_FILE_TMPDIR/revision.after")" ]
}

@test "the only requests are keep-alives and proof reads" {
    requests_while_idle
    [ "$(requests_while_idle | grep -cvE '^(LeaseKeepAlive|Range|Txn) ')" -eq 0 ]
}

@test "keep-alives come at their own pace: three machines and one leader" {
    local count
    count=$(request_count LeaseKeepAlive)
    echo "$count keep-alives, at most $(rounds 4)"
    [ "$count" -ge $((3 * IDLE_S / TTL_S)) ] && [ "$count" -le "$(rounds 4)" ]
}

@test "proof reads come at the pace of keep-alives, one for each machine" {
    local count
    count=$(($(request_count Range) + $(request_count Txn)))
    echo "$count proofs, at most $(rounds 4)"
    [ "$count" -ge $((3 * IDLE_S / TTL_S)) ] && [ "$count" -le "$(rounds 4)" ]
}
