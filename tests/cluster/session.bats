#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The session of ./demo, a test for each step. Steps build on each other.

load bats.sh

setup_file() {
    cluster_for_tests 3 --ttl 5
}

@test "cloud-config validates and configures musterd" {
    session_validates_its_configuration
}

@test "every node is listed as a machine" {
    session_lists_machines
}

@test "role web has two holders and a spare" {
    session_fills_the_role
}

@test "submit stores units and starts nothing" {
    session_submits
}

@test "start runs conflicting units on different machines, role units on holders" {
    session_starts
}

@test "a unit is a container in its own cgroup, and exec a scope beside it" {
    session_shows_the_slice
}

@test "a unit of a machine without power runs on another, its neighbour undisturbed" {
    session_survives_a_power_off
}

@test "the loss shows in list-machines and list-units" {
    session_sees_the_loss
}

@test "the spare is promoted and the role's units follow" {
    session_promotes_the_spare
}

@test "failover takes the lease and less than a second" {
    session_failover_was_quick
}

@test "musterd is smaller than 10 MB" {
    session_is_small
}

@test "the machine that comes back takes part again and disturbs nothing" {
    local before victim
    victim=$(session_recall victim)
    before=$(units_identities busybox@1.service busybox@2.service)
    node_boot "$victim"
    wait_for 20 "$victim is listed as up" machine_is_up "$(session_recall survivor)" "$victim"
    holds_for 8 units_are_as_before "$before" busybox@1.service busybox@2.service
}
