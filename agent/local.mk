# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libagent.a
libagent_a_SOURCES = \
	agent/agent.c agent/agent.h \
	agent/agent_lead.c agent/agent_parts.h agent/agent_store.c \
	agent/checks.c agent/checks.h \
	agent/commit.c agent/commit.h \
	agent/config.c agent/config.h \
	agent/decisions.c agent/decisions.h \
	agent/fold.c agent/fold.h \
	agent/health.c agent/health.h \
	agent/health_note.c agent/health_note.h \
	agent/identity.c agent/identity.h \
	agent/installation.c agent/installation.h \
	agent/leader.c agent/leader.h \
	agent/machine.c agent/machine.h \
	agent/notify.c agent/notify.h \
	agent/plan_writer.c agent/plan_writer.h \
	agent/presence.c agent/presence.h \
	agent/publish.c agent/publish.h \
	agent/reconcile.c agent/reconcile.h \
	agent/reports.c agent/reports.h \
	agent/runner.c agent/runner.h \
	agent/systemd.h \
	agent/systemd_bus.c \
	agent/texts.c agent/texts.h \
	agent/unit_files.c agent/unit_files.h agent/unit_guard.c agent/unit_guard.h agent/unit_links.c agent/unit_links.h

sbin_PROGRAMS += musterd
musterd_SOURCES = agent/main.c
AGENT_LIBS = libagent.a libapi.a libscheduler.a libunits.a $(KV_LIBS) $(MICROHTTPD_LIBS)
musterd_LDADD = $(AGENT_LIBS)

systemdsystemunit_DATA += data/musterd.service data/muster.slice
EXTRA_DIST += data/musterd.service.in data/muster.slice data/musterd.conf
CLEANFILES += data/musterd.service
data/musterd.service: data/musterd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) data && sed -e 's|@sbindir[@]|$(sbindir)|g' $(srcdir)/data/musterd.service.in > $@

# A cloud-config written for fleet starts fleet.service and configures it by drop-ins: both reach musterd.
install-data-hook:
	cd '$(DESTDIR)$(systemdsystemunitdir)' && $(LN_S) -f musterd.service fleet.service
uninstall-hook:
	rm -f '$(DESTDIR)$(systemdsystemunitdir)/fleet.service'

check_PROGRAMS += test-agent-checks test-agent-health
test_agent_checks_SOURCES = tests/unit/test-agent-checks.c agent/systemd_fake.c agent/systemd_fake.h \
	tests/unit/harness.h
test_agent_checks_LDADD = $(AGENT_LIBS) $(TEST_LIBS)
test_agent_health_SOURCES = tests/unit/test-agent-health.c tests/unit/harness.h
test_agent_health_LDADD = $(AGENT_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-agent-commit
test_agent_commit_SOURCES = tests/unit/test-agent-commit.c tests/unit/harness.h
test_agent_commit_LDADD = $(AGENT_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-agent-unit-guard
test_agent_unit_guard_SOURCES = tests/unit/test-agent-unit-guard.c tests/unit/harness.h
test_agent_unit_guard_LDADD = libagent.a $(TEST_LIBS)
check_PROGRAMS += test-agent-installation
test_agent_installation_SOURCES = tests/unit/test-agent-installation.c tests/unit/harness.h tests/unit/tree.h
test_agent_installation_LDADD = $(AGENT_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-agent-config test-agent-leader test-agent-plan-writer test-agent-presence test-agent-texts \
	test-agent-reconcile test-agent-runner test-agent-systemd
check_PROGRAMS += test-agent-notify
test_agent_notify_SOURCES = tests/unit/test-agent-notify.c tests/unit/harness.h
test_agent_notify_LDADD = libagent.a $(BASE_LIBS) $(TEST_LIBS)
test_agent_config_SOURCES = tests/unit/test-agent-config.c tests/unit/harness.h
test_agent_config_LDADD = $(AGENT_LIBS) $(TEST_LIBS)
test_agent_leader_SOURCES = tests/unit/test-agent-leader.c tests/unit/leader-fixture.c \
	tests/unit/leader-fixture.h tests/unit/contact.h tests/unit/harness.h
test_agent_leader_LDADD = $(AGENT_LIBS) $(TEST_LIBS)
test_agent_plan_writer_SOURCES = tests/unit/test-agent-plan-writer.c tests/unit/leader-fixture.c \
	tests/unit/leader-fixture.h tests/unit/contact.h tests/unit/harness.h
test_agent_plan_writer_LDADD = $(AGENT_LIBS) $(TEST_LIBS)
test_agent_presence_SOURCES = tests/unit/test-agent-presence.c tests/unit/harness.h
test_agent_presence_LDADD = $(AGENT_LIBS) $(TEST_LIBS)
test_agent_texts_SOURCES = tests/unit/test-agent-texts.c tests/unit/harness.h
test_agent_texts_LDADD = $(AGENT_LIBS) $(TEST_LIBS)
test_agent_reconcile_SOURCES = tests/unit/test-agent-reconcile.c tests/unit/harness.h
test_agent_reconcile_LDADD = $(AGENT_LIBS) $(TEST_LIBS)
test_agent_runner_SOURCES = tests/unit/test-agent-runner.c agent/systemd_fake.c agent/systemd_fake.h \
	tests/unit/harness.h
test_agent_runner_LDADD = $(AGENT_LIBS) $(TEST_LIBS)

test_agent_systemd_SOURCES = tests/unit/test-agent-systemd.c tests/unit/harness.h
test_agent_systemd_LDADD = $(AGENT_LIBS) $(TEST_LIBS)

check_PROGRAMS += test-cluster-sim
test_cluster_sim_SOURCES = tests/sim/test-cluster-sim.c tests/sim/cluster.c tests/sim/cluster.h \
	tests/sim/disturb.c tests/sim/rest.c tests/sim/seeds.h tests/unit/tree.h tests/sim/witness.c tests/unit/harness.h \
	agent/systemd_fake.c agent/systemd_fake.h base/loop_fake.c base/loop_fake.h
test_cluster_sim_LDADD = $(AGENT_LIBS) $(TEST_LIBS)

# A cluster of many machines on one: tests/bench/hollow.sh measures it, test-hollow plays a small one.
noinst_PROGRAMS += muster-hollow
muster_hollow_SOURCES = tests/hollow/main.c agent/systemd_fake.c agent/systemd_fake.h \
	tests/hollow/cluster.c tests/hollow/cluster.h \
	tests/hollow/commit.c tests/hollow/drive.c tests/hollow/drive.h tests/hollow/drive_internal.h \
	tests/hollow/hearers.c tests/hollow/hearers.h \
	tests/hollow/machines.c tests/hollow/machines.h \
	tests/hollow/processes.c tests/hollow/processes.h \
	tests/hollow/puts.c tests/hollow/puts.h \
	tests/hollow/store.c tests/hollow/store.h
muster_hollow_LDADD = $(AGENT_LIBS)
EXTRA_DIST += tests/bench/hollow.sh

check_PROGRAMS += test-hollow
test_hollow_SOURCES = tests/integration/test-hollow.c tests/unit/harness.h \
	tests/integration/kv-etcd-server.c tests/integration/kv-etcd-server.h
test_hollow_LDADD = $(BASE_LIBS) $(TEST_LIBS)
test_hollow_DEPENDENCIES = muster-hollow libbase.a
