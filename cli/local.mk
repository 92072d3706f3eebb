# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libcli.a
libcli_a_SOURCES = \
	cli/cli.h cli/exit.h \
	cli/client.c cli/client.h \
	cli/dial.c cli/dial.h \
	cli/family.c cli/family.h \
	cli/follow.c cli/follow.h \
	cli/machine.c cli/machine.h \
	cli/program.c cli/program.h \
	cli/registry.c cli/registry.h \
	cli/rollouts.c cli/rollouts.h \
	cli/source.c cli/source.h \
	cli/submission.c cli/submission.h \
	cli/table.c cli/table.h \
	cli/unit.c cli/unit.h \
	cli/verb-auto-update.c \
	cli/verb-brake.c \
	cli/verb-cat.c \
	cli/verb-cordon.c \
	cli/verb-destroy.c \
	cli/verb-drain.c \
	cli/verb-exec.c \
	cli/verb-help.c \
	cli/verb-list-machines.c \
	cli/verb-list-roles.c \
	cli/verb-list-unit-files.c \
	cli/verb-list-units.c \
	cli/verb-load.c \
	cli/verb-rollout.c \
	cli/verb-start.c \
	cli/verb-status.c \
	cli/verb-stop.c \
	cli/verb-submit.c \
	cli/verb-unload.c \
	cli/verb-version.c \
	cli/verb-plan.c \
	cli/verb-role.c \
	cli/verb-rebalance.c \
	cli/verb-why.c \
	cli/verbs.c \
	cli/verify.c cli/verify.h
CLI_LIBS = libcli.a libscheduler.a libunits.a $(SMARTCOLS_LIBS) $(BASE_LIBS)

bin_PROGRAMS += musterctl
musterctl_SOURCES = cli/main.c
musterctl_LDADD = $(CLI_LIBS)

systemdsystemunit_DATA += data/muster-auto-update.service data/muster-auto-update.timer
EXTRA_DIST += data/muster-auto-update.service.in data/muster-auto-update.timer
CLEANFILES += data/muster-auto-update.service
data/muster-auto-update.service: data/muster-auto-update.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) data && \
	sed -e 's|@bindir[@]|$(bindir)|g' $(srcdir)/data/muster-auto-update.service.in > $@

check_PROGRAMS += test-cli-auto-update test-cli-source test-cli-verify
test_cli_auto_update_SOURCES = tests/unit/test-cli-auto-update.c tests/unit/harness.h
test_cli_auto_update_LDADD = $(CLI_LIBS) $(TEST_LIBS)
test_cli_verify_SOURCES = tests/unit/test-cli-verify.c tests/unit/harness.h
test_cli_verify_LDADD = $(CLI_LIBS) $(TEST_LIBS)
test_cli_source_SOURCES = tests/unit/test-cli-source.c tests/unit/harness.h tests/unit/tree.h
test_cli_source_LDADD = $(CLI_LIBS) $(TEST_LIBS)
