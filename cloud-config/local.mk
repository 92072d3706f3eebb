# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libcloudconfig.a
libcloudconfig_a_SOURCES = \
	cloud-config/apply.c cloud-config/apply.h \
	cloud-config/document.c cloud-config/document.h \
	cloud-config/encoding.c cloud-config/encoding.h \
	cloud-config/fleet.c cloud-config/fleet.h \
	cloud-config/model.c cloud-config/model.h \
	cloud-config/options.c cloud-config/options.h \
	cloud-config/paths.c cloud-config/paths.h \
	cloud-config/plan.c cloud-config/plan.h \
	cloud-config/report.c cloud-config/report.h \
	cloud-config/roles.c cloud-config/roles.h \
	cloud-config/scalar.c cloud-config/scalar.h \
	cloud-config/schema.c cloud-config/schema.h \
	cloud-config/substitute.c cloud-config/substitute.h \
	cloud-config/user_data.c cloud-config/user_data.h \
	cloud-config/validate.c cloud-config/validate.h
CLOUD_CONFIG_LIBS = libcloudconfig.a $(UNITS_LIBS) $(YAML_LIBS)

sbin_PROGRAMS += muster-cloudinit
muster_cloudinit_SOURCES = cloud-config/main.c
muster_cloudinit_LDADD = $(CLOUD_CONFIG_LIBS)

systemdsystemunit_DATA += data/muster-cloudinit.service
CLEANFILES += data/muster-cloudinit.service
EXTRA_DIST += data/muster-cloudinit.service.in
dist_unitexample_DATA += data/examples/cloud-config-node.yaml
data/muster-cloudinit.service: data/muster-cloudinit.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) data && \
	sed -e 's|@sbindir[@]|$(sbindir)|g' $(srcdir)/data/muster-cloudinit.service.in > $@.tmp && \
	mv $@.tmp $@

dist_check_SCRIPTS += tests/unit/test-cloud-golden.sh
TESTS += tests/unit/test-cloud-golden.sh
EXTRA_DIST += tests/golden/cloud

check_PROGRAMS += test-cloud-document test-cloud-values
test_cloud_document_SOURCES = tests/unit/test-cloud-document.c tests/unit/harness.h
test_cloud_document_LDADD = $(CLOUD_CONFIG_LIBS) $(TEST_LIBS)
test_cloud_values_SOURCES = tests/unit/test-cloud-values.c tests/unit/harness.h
test_cloud_values_LDADD = $(CLOUD_CONFIG_LIBS) $(TEST_LIBS)

EXTRA_DIST += tests/fuzz/corpus/fuzz-cloud-config
if FUZZING
noinst_PROGRAMS += fuzz-cloud-config
fuzz_cloud_config_SOURCES = tests/fuzz/fuzz-cloud-config.c
fuzz_cloud_config_LDADD = $(CLOUD_CONFIG_LIBS)
fuzz_cloud_config_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
