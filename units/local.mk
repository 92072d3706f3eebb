# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libunits.a
libunits_a_SOURCES = \
	units/container.c units/container.h \
	units/requirements.c units/requirements.h \
	units/specifier.c units/specifier.h \
	units/translate.c units/translate.h \
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
test_unit_golden_SOURCES = tests/unit/test-unit-golden.c tests/unit/harness.h
test_unit_golden_LDADD = $(UNITS_LIBS) $(TEST_LIBS)
EXTRA_DIST += tests/golden/units
