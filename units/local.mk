# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libunits.a
libunits_a_SOURCES = \
	units/amount.c units/amount.h \
	units/auto_update.c units/auto_update.h \
	units/capabilities.c units/capabilities.h \
	units/container.c units/container.h units/container_value.h \
	units/container_file_keys.c \
	units/container_health_keys.c \
	units/container_limit_keys.c \
	units/container_network_keys.c \
	units/container_pod_keys.c units/container_podman_keys.c \
	units/container_process_keys.c \
	units/container_read.c \
	units/container_service.c units/container_service.h \
	units/container_take.c units/container_take.h \
	units/container_user_keys.c \
	units/drop_in.c units/drop_in.h \
	units/health_check.c units/health_check.h \
	units/install.c units/install.h \
	units/metadata.c units/metadata.h \
	units/quadlet.c units/quadlet.h \
	units/reference.c units/reference.h \
	units/requirements.c units/requirements.h \
	units/requirements_load.c \
	units/requirements_parts.h \
	units/requirements_read.c \
	units/signal_name.c units/signal_name.h \
	units/specifier.c units/specifier.h \
	units/translate.c units/translate.h \
	units/unit_escape.c units/unit_escape.h \
	units/unit_file.c units/unit_file.h \
	units/unit_name.c units/unit_name.h \
	units/unit_rules.c units/unit_rules.h \
	units/unit_words.c

UNITS_LIBS = libunits.a $(BASE_LIBS)

unitexampledir = $(pkgdatadir)/examples
dist_unitexample_DATA = \
	data/examples/busybox@.service \
	data/examples/hello.service \
	data/examples/web@.service

check_PROGRAMS += test-unit-golden
test_unit_golden_SOURCES = tests/unit/test-unit-golden.c tests/unit/golden.h tests/unit/harness.h
test_unit_golden_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
EXTRA_DIST += tests/golden/units

check_PROGRAMS += test-container-golden
test_container_golden_SOURCES = tests/unit/test-container-golden.c tests/unit/golden.h tests/unit/harness.h
test_container_golden_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
EXTRA_DIST += tests/golden/container

check_PROGRAMS += test-unit-name test-unit-file test-unit-container test-unit-requirements
test_unit_name_SOURCES = tests/unit/test-unit-name.c tests/unit/harness.h
test_unit_name_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
test_unit_file_SOURCES = tests/unit/test-unit-file.c tests/unit/harness.h
test_unit_file_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
test_unit_container_SOURCES = tests/unit/test-unit-container.c tests/unit/harness.h
test_unit_container_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
test_unit_requirements_SOURCES = tests/unit/test-unit-requirements.c tests/unit/harness.h
test_unit_requirements_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-unit-health
test_unit_health_SOURCES = tests/unit/test-unit-health.c tests/unit/harness.h
test_unit_health_LDADD = $(UNITS_LIBS) $(TEST_LIBS)

check_PROGRAMS += test-unit-auto-update test-unit-reference
test_unit_auto_update_SOURCES = tests/unit/test-unit-auto-update.c tests/unit/harness.h
test_unit_auto_update_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
test_unit_reference_SOURCES = tests/unit/test-unit-reference.c tests/unit/harness.h
test_unit_reference_LDADD = $(UNITS_LIBS) $(TEST_LIBS)

check_PROGRAMS += test-unit-escape
test_unit_escape_SOURCES = tests/unit/test-unit-escape.c tests/unit/harness.h
test_unit_escape_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-unit-corpus test-unit-drop-in test-unit-quadlet test-unit-systemd
test_unit_drop_in_SOURCES = tests/unit/test-unit-drop-in.c tests/unit/harness.h
test_unit_drop_in_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
test_unit_quadlet_SOURCES = tests/unit/test-unit-quadlet.c tests/unit/harness.h
test_unit_quadlet_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
test_unit_systemd_SOURCES = tests/unit/test-unit-systemd.c tests/unit/harness.h
test_unit_systemd_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
test_unit_corpus_SOURCES = tests/unit/test-unit-corpus.c tests/unit/harness.h
test_unit_corpus_LDADD = $(UNITS_LIBS) $(TEST_LIBS)

EXTRA_DIST += tests/fuzz/corpus/fuzz-unit-drop-in tests/fuzz/corpus/fuzz-unit-health tests/fuzz/corpus/fuzz-unit-reference
EXTRA_DIST += tests/fuzz/corpus/fuzz-unit-file tests/fuzz/corpus/fuzz-unit-translate
if FUZZING
noinst_PROGRAMS += fuzz-unit-drop-in fuzz-unit-file fuzz-unit-health fuzz-unit-reference \
	fuzz-unit-translate
fuzz_unit_drop_in_SOURCES = tests/fuzz/fuzz-unit-drop-in.c
fuzz_unit_drop_in_LDADD = $(UNITS_LIBS)
fuzz_unit_drop_in_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_unit_file_SOURCES = tests/fuzz/fuzz-unit-file.c
fuzz_unit_file_LDADD = $(UNITS_LIBS)
fuzz_unit_file_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_unit_health_SOURCES = tests/fuzz/fuzz-unit-health.c
fuzz_unit_health_LDADD = $(UNITS_LIBS)
fuzz_unit_health_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_unit_reference_SOURCES = tests/fuzz/fuzz-unit-reference.c
fuzz_unit_reference_LDADD = $(UNITS_LIBS)
fuzz_unit_reference_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_unit_translate_SOURCES = tests/fuzz/fuzz-unit-translate.c
fuzz_unit_translate_LDADD = $(UNITS_LIBS)
fuzz_unit_translate_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
