# SPDX-License-Identifier: Apache-2.0
# The pure half of the runtime's configuration lives with the unit language.
libunits_a_SOURCES += units/oci.c units/oci.h

helper_PROGRAMS += muster-container
muster_container_SOURCES = container/main.c
muster_container_LDADD = libcontainer.a libunits.a $(BASE_LIBS)

noinst_LIBRARIES += libcontainer.a
libcontainer_a_SOURCES = \
	container/clean.c container/exec.c container/start.c container/verbs.h \
	container/image.c container/image.h container/unpack.c \
	container/place.c container/place.h \
	container/process.c container/process.h \
	container/rootfs.c container/rootfs.h \
	container/runtime.c container/runtime.h \
	container/seccomp.c container/seccomp.h \
	container/tree.c container/tree.h \
	container/user.c container/user.h

# As root: bats tests/integration/container.bats
EXTRA_DIST += tests/integration/container.bats
