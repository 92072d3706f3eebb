# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libcloudconfig.a
libcloudconfig_a_SOURCES = \
	cloud-config/document.c cloud-config/document.h \
	cloud-config/encoding.c cloud-config/encoding.h \
	cloud-config/fleet.c cloud-config/fleet.h \
	cloud-config/paths.c cloud-config/paths.h \
	cloud-config/report.c cloud-config/report.h \
	cloud-config/roles.c cloud-config/roles.h \
	cloud-config/scalar.c cloud-config/scalar.h \
	cloud-config/schema.c cloud-config/schema.h \
	cloud-config/substitute.c cloud-config/substitute.h \
	cloud-config/validate.c cloud-config/validate.h
CLOUD_CONFIG_LIBS = libcloudconfig.a $(BASE_LIBS) $(YAML_LIBS)
