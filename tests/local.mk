# SPDX-License-Identifier: Apache-2.0
# Unit tests and fuzz targets are listed by the folder they belong to; here is what tests whole machines.
EXTRA_DIST += demo bench .ci/run .clang-format .clang-tidy .shellcheckrc \
	tests/bench/container.sh \
	tests/bench/failover.sh \
	tests/bench/health.sh \
	tests/bench/idle.sh \
	tests/bench/rss.sh \
	tests/bench/sched.sh \
	tests/bench/start.sh \
	tests/cluster/auto-update.bats \
	tests/cluster/badinput.bats \
	tests/cluster/bats.sh \
	tests/cluster/brake.bats \
	tests/cluster/build.sh \
	tests/cluster/drain.bats \
	tests/cluster/etcd.sh \
	tests/cluster/facts.sh \
	tests/cluster/failing.bats \
	tests/cluster/escape.c \
	tests/cluster/health.bats \
	tests/cluster/idle.bats \
	tests/cluster/isolation.bats \
	tests/cluster/kill-at.c \
	tests/cluster/lifecycle.bats \
	tests/cluster/keys.bats \
	tests/cluster/lib.sh \
	tests/cluster/node.sh \
	tests/cluster/outage.bats \
	tests/cluster/packages.sh \
	tests/cluster/partition.bats \
	tests/cluster/parts.sh \
	tests/cluster/record.sh \
	tests/cluster/restart.bats \
	tests/cluster/session.bats tests/cluster/wiped.bats \
	tests/cluster/session.sh \
	tests/cluster/types.bats \
	tests/integration/check.bats \
	tests/lint/all.sh \
	tests/lint/cppcheck.sh \
	tests/lint/format.sh \
	tests/lint/includes-self-test.sh \
	tests/lint/includes.sh \
	tests/lint/shell.sh \
	tests/lint/tidy.sh \
	tests/vm/control.sh \
	tests/vm/image.sh \
	tests/vm/limits.bats \
	tests/vm/shell.sh \
	tests/vm/vm-control.service \
	tests/vm/vm-shell.service \
	tests/vm/vm.sh

# A script of that name in EXTRA_DIST would be a goal of dist: all tests would run before anything is packed.
dist-hook:
	cp $(srcdir)/check $(distdir)/check

# As root: the faults of ./check for an hour, or for SOAK_SECONDS=, with one seed after the other.
soak: kv-driver
	SOAK_SECONDS=$${SOAK_SECONDS:-3600} top_builddir='$(top_builddir)' \
		bats $(srcdir)/tests/integration/kv-faults.bats

# The simulators, of the scheduler alone and of whole clusters: SEEDS=n runs so many, SEED=n that one; a seed that
# fails prints its story.
sim: sim-sched sim-cluster
sim-sched: test-sched-sim
	SEEDS=$${SEEDS:-1000} top_srcdir='$(top_srcdir)' ./test-sched-sim
sim-cluster: test-cluster-sim
	SEEDS=$${SEEDS:-1000} top_srcdir='$(top_srcdir)' ./test-cluster-sim

# As root, with an installed build in MUSTER_BUILD: 300 containers on one machine, started and stopped so often.
churn:
	CHURN_ROUNDS=$${CHURN_ROUNDS:-200} bats --filter 'hundreds' $(srcdir)/tests/cluster/lifecycle.bats

.PHONY: lint fmt soak sim sim-sched sim-cluster churn
lint:
	$(srcdir)/tests/lint/all.sh .

fmt:
	find $(srcdir) -name '*.[ch]' -not -name '*.pb-c.[ch]' -not -path '*/build*' -exec clang-format -i {} +
