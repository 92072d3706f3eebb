# SPDX-License-Identifier: Apache-2.0
# musterctl against the API over a real etcd on ports of its own. There is no agent and no leader
# here: what they would write is written by etcdctl where a test needs it.
# Run with: bats tests/integration/api.bats, top_builddir naming the build.

M1=11111111111111111111111111111111
M2=22222222222222222222222222222222
P=/muster/v1

# Two ports on which nothing listens. Should a stranger take one before etcd does, etcd ends, and start_etcd says so.
free_ports() {
    local found=() port
    while [ "${#found[@]}" -lt 2 ]; do
        port=$((20000 + RANDOM % 10000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || found+=("$port")
    done
    echo "${found[@]}"
}

start_etcd() {
    etcd --name t --data-dir "$DIR/etcd" --listen-client-urls "$ETCD" \
        --advertise-client-urls "$ETCD" --listen-peer-urls "http://127.0.0.1:$2" \
        --initial-advertise-peer-urls "http://127.0.0.1:$2" \
        --initial-cluster "t=http://127.0.0.1:$2" >"$DIR/etcd.log" 2>&1 3>&- &
    echo $! >"$DIR/etcd.pid"
    # Our own member answers, not a stranger on the same port.
    for _ in $(seq 300); do
        kill -0 "$(cat "$DIR/etcd.pid")" || return 1
        curl -s "$ETCD/health" 2>/dev/null | grep -q true && return 0
        sleep 0.1
    done
    return 1
}

start_server() {
    "$BUILD/api-server" "$ETCD" "$SOCKET" >"$DIR/server.out" 2>"$DIR/server.err" 3>&- &
    echo $! >"$DIR/server.pid"
    for _ in $(seq 600); do
        grep -q ready "$DIR/server.out" && return 0
        kill -0 "$(cat "$DIR/server.pid")" || return 1
        sleep 0.05
    done
    return 1
}

# Somebody may be quicker on a port.
start_etcd_somewhere() {
    local attempt port peer
    for attempt in 1 2 3; do
        read -r port peer <<<"$(free_ports)"
        ETCD=http://127.0.0.1:$port
        rm -rf "$DIR/etcd"
        start_etcd "$port" "$peer" && return
        kill "$(cat "$DIR/etcd.pid")" 2>/dev/null
        echo "attempt $attempt: etcd has not started on $port and $peer" >&2
    done
    return 1
}

setup_file() {
    command -v etcd >/dev/null || skip "etcd is not installed"
    BUILD=$(cd "${top_builddir:-.}" && pwd)
    DIR=$(mktemp -d)
    SOCKET=$DIR/muster.sock
    start_etcd_somewhere
    export BUILD DIR SOCKET ETCD ETCDCTL_API=3 ETCDCTL_ENDPOINTS=$ETCD
    export MUSTERCTL_ENDPOINT=unix://$SOCKET
    start_server
}

teardown_file() {
    kill -CONT "$(cat "$DIR/etcd.pid")" 2>/dev/null
    for name in server etcd; do
        kill "$(cat "$DIR/$name.pid")" 2>/dev/null
        while kill -0 "$(cat "$DIR/$name.pid")" 2>/dev/null; do sleep 0.05; done
    done
    if [ -s "$DIR/server.err" ]; then
        cat "$DIR/server.err" >&2 # a sanitizer has spoken
        false
    fi
    rm -rf "$DIR"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    printf '[Service]\nExecStart=/bin/sleep 1000\n\n[X-Fleet]\nConflicts=busybox@*.service\n' \
        >busybox@.service
    printf '[Unit]\nDescription=One\n\n[Service]\nExecStart=/bin/true\n' >one.service
    etcdctl del --prefix $P/ >/dev/null
}

ctl() {
    run timeout 40 "$BUILD/musterctl" "$@"
    echo "musterctl $* -> $status: $output"
}

# A machine that has joined, as its agent would write it.
# join [ID NAME IP METADATA]
join() {
    local id=${1:-$M1} name=${2:-n1} ip=${3:-10.0.0.1}
    etcdctl put "$P/members/$id" "{\"name\":\"$name\",\"public_ip\":\"$ip\",\"metadata\":{${4:-}},\"ttl_ms\":10000,\"may_lead\":true,\"version\":\"1\",\"roles\":\"\",\"role_priority\":\"\"}" >/dev/null
    etcdctl put "$P/nodes/$id/presence" "{\"boot_id\":\"b\",\"nonce\":\"n\",\"address\":\"$ip\",\"ready\":true,\"not_ready_reason\":\"\"}" >/dev/null
}

# mod_revision (or another field) of a key.
field() {
    etcdctl get "$1" -w json | jq -r ".kvs[0].$2"
}

@test "submit of instances stores one text and two units" {
    ctl submit busybox@1.service busybox@2.service
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "Unit busybox@1.service inactive" ]
    [ "$(etcdctl get --prefix --keys-only $P/units/ | grep -c .)" -eq 2 ]
    [ "$(etcdctl get --prefix --keys-only $P/blobs/ | grep -c .)" -eq 1 ]
    ctl cat busybox@2
    diff <(printf '%s\n' "$output") busybox@.service
}

@test "a file that does not parse leaves nothing written, of its neighbours neither" {
    printf '[Service\nExecStart=/bin/true\n' >bad.service
    ctl submit one.service bad.service
    [ "$status" -eq 1 ]
    [[ "$output" == *bad.service*"line 1"* ]]
    [ "${#lines[@]}" -eq 1 ]
    [ -z "$(etcdctl get --prefix --keys-only $P/)" ]
}

@test "a rollout is ordered, refused twice, paused, undone and told" {
    ctl submit busybox@1.service busybox@2.service
    printf '[Service]\nExecStart=/bin/sleep 2000\n' >busybox@.service
    ctl rollout start --no-block --parallel=50% --wait=2s --on-failure=rollback busybox@.service
    [ "$status" -eq 0 ]
    [ "$output" = 'busybox@.service: running, 0 of 2 changed' ]
    [ "$(etcdctl get --print-value-only $P/ops/rollout/busybox@.service | jq -c '[.state, .percent, .wait_ms, .roll_back, .version, (.versions | map(.how))]')" = '["running",50,2000,true,2,["found","start"]]' ]
    [ "$(etcdctl get --prefix --keys-only $P/blobs/ | grep -c .)" -eq 2 ]
    ctl rollout start --no-block busybox@.service
    [ "$status" -eq 1 ]
    [[ "$output" == *"a rollout of busybox@.service is under way"* ]]
    ctl submit --replace busybox@1.service
    [ "$status" -eq 1 ]
    [[ "$output" == *"pause it first"* ]]
    ctl rollout pause busybox@
    [ "$status" -eq 0 ]
    ctl rollout status --no-legend --fields=unit,state,changed
    [[ "$output" =~ ^busybox@.service\ +paused\ +0/2$ ]]
    ctl rollout undo --no-block busybox@
    [ "$output" = 'busybox@.service: running, 2 of 2 changed' ]
    ctl rollout history --no-legend --fields=version,how,good busybox@
    [[ "${lines[2]}" =~ ^3\ +undo\ to\ 1\ +no$ ]]
    ctl rollout status --json busybox@
    [ "$(jq -c '[.name, .version, .on_failure]' <<<"$output")" = '["busybox@.service",3,"pause"]' ]
    ctl rollout start busybox@7.service
    [ "$status" -eq 1 ]
    [[ "$output" == *"a rollout is of its template, busybox@.service" ]]
}

@test "auto-update leaves alone what has a rollout, and what says nothing of a tag" {
    printf '[Container]\nImage=localhost:1/app:1\nAutoUpdate=registry\n' >app@.service
    ctl submit app@1.service app@2.service busybox@1.service
    ctl auto-update --if-leader
    [ "$status" -eq 1 ]
    [ "$output" = 'musterctl: no machine leads just now, so none does it this time' ]
    printf 'Exec=two\n' >>app@.service
    ctl rollout start --no-block app@.service
    ctl auto-update --no-legend
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^app@.service\ +localhost:1/app:1\ +registry\ +busy$ ]]
    ctl rollout pause app@
    ctl auto-update --no-legend app@1 app@2.service
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = 'musterctl: app@.service: its rollout is paused; resume or undo that first' ]
    [[ "${lines[1]}" =~ ^app@.service\ .*\ paused$ ]]
    [ "${#lines[@]}" -eq 2 ]
    ctl auto-update busybox@1 'app*'
    [ "$status" -eq 1 ]
    [[ "$output" == *'busybox@.service: it does not say AutoUpdate=registry'*'is a pattern'* ]]
    ctl rollout status --dry-run
    [ "$status" -eq 2 ]
}

@test "a role is set, changed in part, listed and removed" {
    join
    ctl role set db nodes=3 min-nodes=2 spread=rack
    [ "$status" -eq 0 ]
    [ "$output" = "Role db wants 3 machines (at least 2), 0 hold it, 1 could besides" ]
    ctl role set db require=disk=ssd
    [ "$output" = "Role db wants 3 machines (at least 2), 0 hold it, 0 could besides" ]
    [ "$(etcdctl get --print-value-only $P/roles/db | jq -c '[.nodes, .min_nodes, .spread, .require]')" = '[3,2,"rack",["disk=ssd"]]' ]
    ctl list-roles --json
    [ "$(jq -c '.[0] | [.role, .want, .definition.require]' <<<"$output")" = '["db",3,["disk=ssd"]]' ]
    ctl role set db min-nodes=4
    [ "$status" -eq 1 ]
    [ "$output" = 'musterctl: role "db": min-nodes 4 is more than nodes 3' ]
    ctl role remove db
    [ "$status" -eq 0 ]
    ctl role remove db
    [ "$status" -eq 1 ]
    [ "$output" = "musterctl: there is no role db" ]
    [ -z "$(etcdctl get --keys-only $P/roles/db)" ]
}

@test "a file that is not there is one clear line" {
    ctl start nope.service
    [ "$status" -eq 1 ]
    [ "$output" = "musterctl: unit nope.service is neither in the store nor a file here" ]
}

@test "submit twice changes nothing; another text is left alone, and taken with --replace" {
    ctl submit one.service
    before=$(field $P/units/one.service mod_revision)
    ctl submit one.service
    [ "$status" -eq 0 ]
    [ "$(field $P/units/one.service mod_revision)" = "$before" ]
    echo Environment=A=1 >>one.service
    ctl submit one.service
    [ "$status" -eq 0 ]
    [[ "$output" == WARNING*differs* ]]
    [ "$(field $P/units/one.service mod_revision)" = "$before" ]
    ctl submit --replace one.service
    [ "$output" = "Unit one.service replaced" ]
    ctl cat one.service
    [[ "$output" == *A=1* ]]
}

@test "lists show names and descriptions as they are" {
    printf '[Unit]\nDescription=gr\303\274\303\237e \033[31m\n[Service]\nExecStart=/bin/true\n' >'a\x2db.service'
    ctl submit 'a\x2db.service'
    LC_ALL=C ctl list-unit-files --no-legend --fields=unit,desc,global
    [ "$output" = 'a\x2db.service  grüße ?[31m  false' ]
}

@test "a file that is not UTF-8 is refused with its line" {
    printf '[Service]\nExecStart=/bin/true \377\n' >latin.service
    ctl submit latin.service
    [ "$status" -eq 1 ]
    [ "$output" = "musterctl: latin.service: line 2: not UTF-8" ]
}

@test "what load --replace may not replace it does not stop either" {
    ctl start --no-block one.service
    echo Environment=A=1 >>one.service
    ctl load --replace one.service
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    ctl list-unit-files --fields=dstate --no-legend
    [ "$output" = launched ]
}

@test "another text without replace is refused by the server with both hashes" {
    ctl submit one.service
    run curl -s --unix-socket "$SOCKET" http://m/v1/units -d \
        '{"units":[{"name":"one.service","text":"[Service]\nExecStart=/bin/false\n"}]}'
    [[ "$output" == *'"code":409'*"there $(sha256sum <one.service | cut -c1-7), given "* ]]
}

@test "lists have fleet's columns" {
    join
    ctl submit one.service
    ctl list-unit-files
    [[ "${lines[0]}" =~ ^UNIT\ +HASH\ +DSTATE\ +STATE\ +TARGET ]]
    [[ "${lines[1]}" =~ ^one.service\ +[0-9a-f]{7}\ +inactive\ +inactive\ +-$ ]]
    ctl list-units
    [[ "${lines[0]}" =~ ^UNIT\ +MACHINE\ +ACTIVE\ +SUB$ ]]
    [ "${#lines[@]}" -eq 1 ]
    ctl list-m --no-legend --full --fields=machine,ip,state
    [[ "$output" =~ ^$M1\ +10.0.0.1\ +up$ ]]
    etcdctl del $P/nodes/$M1/presence >/dev/null
    ctl list-machines --no-legend
    [[ "$output" =~ ^11111111...\ +10.0.0.1\ +-\ +down$ ]]
    ctl list-units --fields=bogus
    [ "$status" -eq 1 ]
    ctl list-unit-files --json
    [ "$(jq -r '.[0].name' <<<"$output")" = one.service ]
}

@test "list-machines shows what of a machine is promised, and what may be" {
    join "$M2" n2 10.0.0.2
    etcdctl put "$P/members/$M1" '{"name":"n1","public_ip":"","metadata":{},"ttl_ms":10000,"may_lead":true,"version":"1","roles":"","role_priority":"","cpu_milli":4000,"reserve_cpu_milli":500,"overcommit_cpu":200,"memory_bytes":1073741824,"overcommit_memory":100,"tasks":500}' >/dev/null
    printf '[Service]\nExecStart=/bin/true\nCPUQuota=150%%\nMemoryMax=1000001K\nTasksMax=20\n' >one.service
    ctl start --no-block one.service
    carry_out active success ""
    ctl list-machines --no-legend --fields=name,cpu,memory,tasks
    [[ "${lines[0]}" =~ ^n1\ +1.5/7\ +977M/1024M\ +20/500$ ]]
    [[ "${lines[1]}" =~ ^n2\ +0/-\ +0M/-\ +0/-$ ]]
    ctl list-machines --json
    [ "$(jq -c '.[0].room.cpu' <<<"$output")" = '{"capacity":7000,"promised":1500}' ]
}

@test "why without a machine says so" {
    ctl submit one.service
    ctl why one.service
    [ "$status" -eq 0 ]
    [[ "$output" == *"no machine has joined the cluster"* ]]
    [[ "$output" == *"there is no leader"* ]]
}

@test "why tells the problem that the machine has with its copy" {
    join
    ctl start --no-block one.service
    carry_out failed exit-code "the image is not there"
    ctl why one.service
    [ "$status" -eq 0 ]
    [[ "$output" == *"11111111.../10.0.0.1"*"is here; "*"; problem: the image is not there"* ]]
    ctl why --json one.service
    [ "$(jq -r '.machines[0].problem' <<<"$output")" = "the image is not there" ]
}

@test "plan tells what would be placed where, writes nothing, and ends as diff does" {
    join
    before=$(etcdctl get --prefix "$P/")
    ctl plan busybox@1.service busybox@2.service
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "busybox@1.service: place 11111111: the only eligible machine (0 units)" ]
    [ "${lines[1]}" = "busybox@2.service: wait: no machine may run it: 11111111 (n1): conflicts with busybox@1.service" ]
    [ "$(etcdctl get --prefix "$P/")" = "$before" ]
    ctl plan nowhere.service
    [ "$status" -eq 255 ]
}

@test "plan of what runs as it is has nothing to do; what may not stay would leave" {
    join
    ctl start --no-block one.service
    carry_out active success ""
    ctl plan one.service
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    printf '[X-Fleet]\nMachineMetadata=disk=ssd\n' >>one.service
    ctl plan --replace one.service
    [ "$status" -eq 1 ]
    [ "$output" = "one.service: leave 11111111: must leave 11111111 (n1): has no metadata disk=ssd; no machine may run it: 11111111 (n1): has no metadata disk=ssd" ]
    join $M2 n2 10.0.0.2 '"disk":"ssd"'
    ctl plan --replace one.service
    [ "$status" -eq 1 ]
    [[ "$output" == "one.service: move 11111111 -> 22222222: must leave 11111111 (n1): has no metadata disk=ssd; "*"the only eligible machine (0 units)" ]]
    ctl plan --replace --json one.service
    [ "$(jq -r '.changes[0] | "\(.action) \(.from) \(.machine)"' <<<"$output")" = "move $M1 $M2" ]
    jq -e .settled <<<"$output"
}

@test "plan tells who yields, where that goes, and who gets the place" {
    for n in 1 2; do
        join "${M1//1/$n}" "n$n" "10.0.0.$n"
        etcdctl get --print-value-only "$P/members/${M1//1/$n}" | jq -c ".memory_bytes = $((n == 1 ? 100 : 50)) * 1048576" | etcdctl put "$P/members/${M1//1/$n}" >/dev/null
    done
    printf '[Service]\nExecStart=/bin/true\nMemoryMax=40M\n' >one.service
    printf '[Service]\nExecStart=/bin/true\nMemoryMax=90M\n[X-Fleet]\nPriority=1\n' >db.service
    ctl start --no-block one.service
    carry_out active success ""
    ctl plan db.service
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 2 ]
    [[ "${lines[0]}" == "one.service: move 11111111 -> 22222222: yields its place on 11111111 (n1) to db.service (priority 1); "* ]]
    [[ "${lines[1]}" == "db.service: place 11111111: "* ]]
}

@test "whatever goes wrong with plan ends with 255, and not as changes do" {
    join
    ctl submit one.service
    for wrong in "plan" "plan --full one.service" "plan --no-such-option one.service" "--no-such-option plan one.service" \
        "--endpoint=nonsense plan one.service" "--endpoint=unix://$DIR/nobody.sock plan one.service"; do
        # shellcheck disable=SC2086 # words are what is meant
        ctl $wrong
        [ "$status" -eq 255 ]
        [[ "$output" == musterctl:* ]]
    done
    ctl start --no-block one.service
    carry_out active success ""
    run bash -c '"$BUILD/musterctl" plan --json one.service >/dev/full'
    [ "$status" -eq 255 ]
    [[ "$output" == *"cannot be written"* ]]
    ctl list-units --no-such-option
    [ "$status" -eq 2 ]
}

@test "plan says that a file differs, warns and refuses as start does" {
    join
    ctl start --no-block one.service
    carry_out active success ""
    printf '[X-Fleet]\nPriority=1\n' >>one.service
    ctl plan one.service
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == "WARNING: Unit one.service in the store differs from local unit file one.service. It is planned as with --replace,"* ]]
    [ "${lines[-1]}" = "one.service: change 11111111: its text has changed" ]
    printf '[Container]\nImage=docker.io/library/busybox\nAutoUpdate=local\n' >idle.container
    ctl plan idle.container
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == "WARNING: idle.service: "*AutoUpdate=* ]]
    printf '[Service\n' >broken.service
    ctl plan broken.service
    [ "$status" -eq 255 ]
    command -v systemd-analyze || return 0
    printf '[Service]\nExecStart=/bin/true\nExecStart=/bin/true\n' >bad.service
    ctl plan bad.service
    [ "$status" -eq 255 ]
    [[ "$output" == *"bad.service: systemd would refuse it"*"(--no-verify takes it nevertheless)" ]]
    ctl plan --no-verify bad.service
    [ "$status" -eq 1 ]
    [ "$output" = "bad.service: place 11111111: the only eligible machine (1 unit)" ]
}

@test "instances that are replaced all at once are told of rollouts" {
    ctl start --no-block busybox@1.service busybox@2.service
    ctl submit busybox@3.service
    ctl start --no-block --replace busybox@1.service busybox@2.service
    [[ "$output" != *WARNING* ]]
    echo '# changed' >>busybox@.service
    ctl start --no-block --replace busybox@{1..3}.service
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = 'WARNING: 2 instances of busybox@.service are restarted at once; "musterctl rollout start busybox@.service" changes them a few at a time.' ]
    echo '# again' >>busybox@.service
    ctl start --no-block --replace busybox@1.service
    [[ "$output" != *WARNING* ]]
}

@test "start without a leader says what is missing and gives up" {
    ctl start one.service
    [ "$status" -eq 4 ]
    [[ "$output" == *"waiting for the leader to choose a machine: there is no leader"* ]]
    [[ "$(etcdctl get --print-value-only $P/units/one.service)" == *launched* ]]
}

@test "start of a unit that no machine may run prints the verdict and ends with 4" {
    ctl start --no-block one.service
    [ "$output" = "Unit one.service inactive
Triggered unit one.service start" ]
    revision=$(field $P/units/one.service mod_revision)
    etcdctl put $P/verdicts/one.service "{\"unit_revision\":$revision,\"reason\":\"n1: wants disk=ssd\",\"since_ms\":1}" >/dev/null
    ctl start one.service
    [ "$status" -eq 4 ]
    [ "$output" = "Unit one.service: n1: wants disk=ssd" ]
}

# What leader and agent would write: $1 active, $2 result, $3 problem.
carry_out() {
    etcdctl put "$P/nodes/$M1/units/one.service" "{\"blob\":\"x\",\"want\":\"run\",\"unit_revision\":$(field $P/units/one.service mod_revision),\"failover\":\"at-least-once\",\"hold_ms\":0,\"epoch\":1,\"reason\":\"r\"}" >/dev/null
    etcdctl put "$P/states/$M1/one.service" "{\"registration\":$(field $P/nodes/$M1/presence create_revision),\"assignment_revision\":$(field $P/nodes/$M1/units/one.service mod_revision),\"load\":\"loaded\",\"active\":\"$1\",\"sub\":\"s\",\"result\":\"$2\",\"problem\":\"${3:-}\",\"invocation\":\"i\",\"released_revision\":0,\"since_ms\":1}" >/dev/null
}

@test "start ends when the state of its own revision says active, and not before" {
    join
    ctl start --no-block one.service
    "$BUILD/musterctl" start one.service >out 2>&1 3>&- &
    waiter=$!
    carry_out activating success
    until grep -q activating out; do kill -0 $waiter; sleep 0.05; done
    carry_out active success
    wait $waiter
    grep -qx "Unit one.service launched on 11111111.../10.0.0.1" out
    ctl list-units --no-legend
    [[ "$output" =~ ^one.service\ +11111111.../10.0.0.1\ +active\ +s$ ]]
    before=$(field $P/units/one.service mod_revision)
    ctl start one.service
    [ "$status" -eq 0 ]
    [ "$(field $P/units/one.service mod_revision)" = "$before" ]
}

@test "start of a unit that failed asks again, and ends with 3 when it fails again" {
    join
    ctl start --no-block one.service
    carry_out failed exit-code
    before=$(field $P/units/one.service mod_revision)
    "$BUILD/musterctl" start one.service >out 2>&1 3>&- &
    waiter=$!
    until [ "$(field $P/units/one.service mod_revision)" != "$before" ]; do kill -0 $waiter; sleep 0.05; done
    carry_out failed exit-code
    code=0
    wait $waiter || code=$?
    [ $code -eq 3 ]
    grep -q "failed on 11111111.../10.0.0.1: failed (s), result: exit-code" out
}

@test "stop of a unit on an absent machine is recorded and says so, exit 5" {
    join
    ctl start --no-block one.service
    carry_out active success
    etcdctl del $P/nodes/$M1/presence >/dev/null
    ctl unload one.service
    [ "$status" -eq 5 ]
    [[ "$output" == *"recorded; machine 11111111.../10.0.0.1 is absent, its copy may still run"* ]]
}

@test "destroy removes a unit; an unknown one is an error and does not keep the others" {
    ctl submit one.service
    ctl destroy nope.service one.service
    [ "$status" -eq 1 ]
    [[ "$output" == *"unit nope.service does not exist"*"Destroyed one.service"* ]]
    [ -z "$(etcdctl get --prefix --keys-only $P/units/)" ]
}

@test "a template cannot be started" {
    ctl start busybox@.service
    [ "$status" -eq 1 ]
    [[ "$output" == *'cannot activate template "busybox@.service"'* ]]
}

@test "exec and status name the machine" {
    join
    ctl start --no-block one.service
    carry_out active success
    for command in '-- true' 'ls -l' 'ls --json -- x'; do
        # shellcheck disable=SC2086  # words
        ctl exec one.service $command
        [ "$status" -eq 1 ]
        [ "$output" = "musterctl: unit one.service runs on machine n1 (11111111.../10.0.0.1): ssh -t 10.0.0.1 musterctl exec one.service -- …" ]
    done
    ctl status one.service
    [ "$status" -eq 0 ]
    [[ "$output" == *"State: active (s), loaded"* ]]
    carry_out failed exit-code
    ctl status one.service
    [ "$status" -eq 3 ]
    cp one.service two.service
    ctl submit two.service
    ctl status two.service
    [ "$status" -eq 3 ]
    [[ "$output" == *"Machine: none"* ]]
}

@test "status of a unit on an absent machine shows what was last heard" {
    join
    ctl start --no-block one.service
    carry_out active success
    etcdctl del $P/nodes/$M1/presence >/dev/null
    ctl status one.service
    [ "$status" -eq 3 ]
    [[ "$output" == *"(absent; what follows is the last that was heard)"*"State: active (s), loaded"* ]]
    ctl list-units --no-legend --fields=unit,active
    [[ "$output" =~ ^one.service\ +unknown$ ]]
}

@test "the description of an instance is its own" {
    printf '[Unit]\nDescription=%%p number %%i\n[Service]\nExecStart=/bin/true\n' >web@.service
    printf '[Unit]\nDescription=100%% on %%H\n[Service]\nExecStart=/bin/true\n' >one.service
    ctl submit web@.service web@7.service one.service
    ctl list-unit-files --no-legend --fields=unit,desc
    [[ "$output" =~ web@7.service\ +'web number 7' ]]
    [[ "$output" =~ web@.service\ +'%p number %i' ]]
    [[ "$output" =~ one.service\ +'100% on %H' ]]
    ctl status web@7.service
    [[ "$output" == "web@7.service - web number 7"* ]]
}

@test "every verb refuses a pattern in the same words" {
    ctl submit busybox@1.service
    for verb in cat stop unload destroy start status why; do
        ctl "$verb" 'busybox@*'
        [ "$status" -eq 1 ]
        [ "$output" = 'musterctl: "busybox@*" is a pattern; name each unit, as the shell does with NAME@{1,2}.service' ]
    done
}

@test "the help of a verb has the options that it takes, and no others" {
    ctl help auto-update
    [ "$status" -eq 0 ]
    for option in '-l, --full ' '--json ' --parallel=N '--dry-run ' '--if-leader '; do
        [[ "$output" == *"  $option"* ]]
    done
    [[ "$output" != *--on-failure* && "$output" != *--no-verify* ]]
    ctl rollout --help
    [[ "$output" == *"  --on-failure=WORD "* && "$output" == *"  --no-verify "* ]]
    [[ "$output" != *--dry-run* ]]
    ctl help
    [[ "$output" == *"  --dry-run "* && "$output" == *"  --if-leader "* ]]
}

@test "usage errors exit 2 with a hint" {
    ctl strat one.service
    [ "$status" -eq 2 ]
    [[ "$output" == *"did you mean start"* ]]
    ctl list
    [ "$status" -eq 2 ]
    ctl start
    [ "$status" -eq 2 ]
    ctl list-units --replace
    [ "$status" -eq 2 ]
    [ "$output" = "musterctl: list-units takes no --replace" ]
    ctl auto-update --to=1 --no-verify
    [ "$status" -eq 2 ]
    [ "$output" = "musterctl: auto-update takes no --no-verify" ]
    ctl auto-update --to=1
    [ "$status" -eq 2 ]
    [ "$output" = "musterctl: auto-update takes no --on-failure or --to" ]
    ctl list-units one.service
    [ "$status" -eq 2 ]
    [ "$output" = "musterctl: list-units takes no arguments" ]
    ctl --endpoint=foo list-units
    [ "$status" -eq 2 ]
    for port in 99999 0 x ''; do
        ctl --endpoint="http://127.0.0.1:$port" list-units
        [ "$status" -eq 2 ]
        [ "$output" = "musterctl: endpoint \"http://127.0.0.1:$port\": port \"$port\" is not a number from 1 to 65535" ]
    done
    ctl --endpoint=http://:80 list-units
    [ "$output" = 'musterctl: endpoint "http://:80" names no host; want http://HOST:PORT' ]
    ctl --endpoint='http://[::1]:1' list-units
    [ "$status" -eq 1 ]
}

@test "no socket, and a socket without permission, are one clear line each" {
    ctl --endpoint=unix:///nonexistent/muster.sock list-units
    [ "$status" -eq 1 ]
    [ "$output" = "musterctl: /nonexistent/muster.sock: musterd is not running here (systemctl start musterd), or name another machine with --endpoint" ]
    [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null || skip "needs root to be somebody else"
    chmod 0711 "$DIR"
    cp "$BUILD/musterctl" "$DIR/ctl" && chmod 0755 "$DIR/ctl"
    run setpriv --reuid=65534 --regid=65534 --clear-groups "$DIR/ctl" list-units
    [ "$status" -eq 1 ]
    [ "$output" = "musterctl: $SOCKET: no permission; you must be root or in the group muster" ]
}

@test "fleet's API: put, get, state, errors" {
    api() { curl -s --unix-socket "$SOCKET" -w '\n%{http_code}' -H 'Content-Type: application/json' "$@"; }
    run api -X PUT http://m/fleet/v1/units/f.service -d '{"name":"f.service","desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":"/bin/true"}]}'
    [ "${lines[0]}" = 201 ]
    run api http://m/fleet/v1/units/f.service
    [[ "$output" == *'"desiredState":"launched"'*'"value":"/bin/true"'* ]]
    run api http://m/fleet/v1/units/none.service
    [[ "${lines[0]}" == '{"error":{"code":404,"message":"unit does not exist"}}' ]]
    run api -X PUT http://m/fleet/v1/units/none.service -d '{"desiredState":"launched"}'
    [ "${lines[1]}" = 409 ]
    run api -X PUT http://m/fleet/v1/units/f.service -d '{"desiredState":"bogus"}'
    [ "${lines[1]}" = 400 ]
    run api http://m/fleet/v1/state
    [[ "${lines[0]}" == '{"states":[]}' ]]
    run api -X DELETE http://m/fleet/v1/units/f.service
    [ "${lines[0]}" = 204 ]
    run api -X POST http://m/fleet/v1/machines
    [ "${lines[1]}" = 405 ]
}

# How many requests of a kind etcd has answered.
requests() {
    curl -s "$ETCD/metrics" | awk -v method="grpc_method=\"$1\"" \
        '/^grpc_server_handled_total/ && index($0, method) && /grpc_code="OK"/ { sum += $NF } END { print sum + 0 }'
}

lists_from_memory() {
    local before
    before=$(requests Range)
    ctl list-unit-files --no-legend
    [ "$(requests Range)" -eq "$before" ]
}

eventually() {
    for _ in $(seq 300); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

@test "who asks often is answered from memory, and no less freshly" {
    ctl submit one.service
    eventually lists_from_memory
    for _ in 1 2 3 4 5; do
        ctl destroy one.service
        ctl list-unit-files --no-legend
        [ "$output" = '' ]
        ctl submit one.service
        ctl list-unit-files --no-legend
        [[ "$output" = one.service* ]]
    done
    lists_from_memory
    # Somebody else's keys move the store's revision, and the mirror never hears of them.
    etcdctl put /somebody/else x >/dev/null
    ctl list-unit-files --no-legend
    [[ "$output" = one.service* ]]
}

@test "etcd that does not answer is one clear line, and the server lives on" {
    kill -STOP "$(cat "$DIR/etcd.pid")"
    ctl list-units
    local status_then
    status_then=$(curl -s --max-time 20 --unix-socket "$SOCKET" http://muster/v1/status)
    kill -CONT "$(cat "$DIR/etcd.pid")"
    [ "$(jq -r .store_problem <<<"$status_then")" != null ] && jq -e .machine <<<"$status_then" >/dev/null
    [ "$status" -eq 1 ]
    [[ "$output" == "musterctl: the store (etcd) does not answer"* ]]
    [ "${#lines[@]}" -eq 1 ]
    ctl list-units
    [ "$status" -eq 0 ]
}
