#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Whatever is wrong is said in one clear line, with a status that says so, and nothing is half done.

load bats.sh

setup_file() {
    cluster_for_tests 3 --ttl 5
    wait_for 30 'role web has its holders' role_is node1 web 2 2 1
}

units_in_store() {
    etcd_ctl get --prefix --keys-only /muster/v1/units/ && etcd_ctl get --prefix --keys-only /muster/v1/blobs/
}

@test "a unit file that does not parse is refused with its line, and not stored" {
    local before
    before=$(units_in_store)
    printf '[Unit]\nDescription=broken\n[Service\nExecStart=/bin/true\n' | node_write node1 /root/broken.service
    refused node1 musterctl submit /root/broken.service
    is_one_line
    [[ $output == *broken.service* && $output == *3* ]]
    [ "$(units_in_store)" = "$before" ]
}

@test "of two files of which one is bad neither is stored" {
    local before
    before=$(units_in_store)
    printf '[Service]\nExecStart=/bin/sleep 1000\n' | node_write node1 /root/good.service
    printf '[Service\n' | node_write node1 /root/broken.service
    refused node1 musterctl submit /root/good.service /root/broken.service
    [ "$(units_in_store)" = "$before" ]
}

@test "a unit file that is not there is named" {
    refused node1 musterctl submit /root/absent.service
    is_one_line
    [[ $output == *absent.service* ]]
}

@test "a unit that nobody submitted is named" {
    local verb
    for verb in stop cat status destroy; do
        refused node1 musterctl "$verb" nosuch.service
        is_one_line
        [[ $output == *nosuch.service* ]]
    done
}

@test "exec in a unit that does not run is refused" {
    refused node1 musterctl exec nosuch.service -- /bin/true
    is_one_line
    [[ $output == *nosuch.service* ]]
}

@test "why a container did not start reaches whoever waits for it, from whatever machine" {
    printf '[Container]\nNetwork=none\nImage=oci:/nowhere:latest\nExec=true\n' | node_write node1 /root/imageless.service
    run node_run node1 timeout 30 musterctl start /root/imageless.service
    [ "$status" -eq 3 ]
    [[ $output == *muster-container:*oci:/nowhere* ]]
    node_run node1 musterctl destroy imageless.service
}

@test "a unit that no machine may run says which refuse it and why, and does not hang" {
    local node
    printf '[Service]\nExecStart=/bin/sleep 1000\n[X-Fleet]\nMachineMetadata=disk=floppy\n' |
        node_write node1 /root/floppy.service
    refused node1 musterctl start /root/floppy.service
    [[ $output == *floppy.service* && $output == *disk* ]]
    for node in $(cluster_nodes); do
        text_names_node "$output" "$node"
    done
    unit_runs_nowhere floppy.service
}

@test "at-most-once is refused until it can be kept" {
    printf '[Service]\nExecStart=/bin/sleep 1000\n[X-Fleet]\nFailover=at-most-once\n' |
        node_write node1 /root/once.service
    refused node1 musterctl submit /root/once.service
    [[ $output == *at-most-once* ]]
}

@test "a user without permission on the socket is told so" {
    refused node1 setpriv --reuid=65534 --regid=65534 --clear-groups musterctl list-units
    is_one_line
    [[ ${output,,} == *permission* ]]
}

@test "a machine whose musterd is stopped says that it does not answer" {
    node_run node3 systemctl stop musterd.service
    refused node3 musterctl list-units
    is_one_line
    node_run node3 systemctl start musterd.service
    wait_for 20 'node3 is back' machine_is_up node1 node3
}

@test "a cloud-config with a fault is refused with its line" {
    printf '#cloud-config\ncoreos:\n  fleet:\n    roles: "web"\n' | node_write node1 /root/bad.yml
    local status=0
    output=$(node_run node1 muster-cloudinit --validate --from-file=/root/bad.yml 2>&1) || status=$?
    echo "status $status: $output"
    [ "$status" -eq 1 ]
    [[ $output == *4* && $output == *web* ]]
}

@test "with etcd out of reach a submit fails in time, and works when etcd is back" {
    printf '[Service]\nExecStart=/bin/sleep 1000\n' | node_write node1 /root/good.service
    etcd_stop
    local failed=0
    refused node1 musterctl submit /root/good.service || failed=1
    etcd_cont
    [ "$failed" -eq 0 ]
    is_one_line
    etcd_wait
    wait_for 20 'every machine is listed as up' machines_are_up node1
    node_run node1 musterctl submit /root/good.service
    unit_file_is_known node1 good.service
}
