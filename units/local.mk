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
