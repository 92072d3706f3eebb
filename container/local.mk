# SPDX-License-Identifier: Apache-2.0
# The pure half of the runtime's configuration lives with the unit language.
libunits_a_SOURCES += units/oci.c units/oci.h units/oci_linux.c units/oci_mounts.c units/oci_parts.h

helper_PROGRAMS += muster-container
muster_container_SOURCES = container/main.c
muster_container_LDADD = libcontainer.a libunits.a $(BASE_LIBS)
# What runs at each start of a container does not load what unpacks images.
helper_PROGRAMS += muster-unpack
muster_unpack_SOURCES = container/unpack_main.c container/unpack.c container/unpack.h
muster_unpack_LDADD = $(BASE_LIBS) $(ARCHIVE_LIBS)

noinst_LIBRARIES += libcontainer.a
libcontainer_a_SOURCES = \
	container/clean.c container/digest.c container/exec.c container/gc.c container/reload.c container/start.c \
	container/verbs.h \
	container/cgroup.c container/cgroup.h \
	container/devices.c container/devices.h \
	container/fetch.c container/fetch.h container/filter_cache.c container/filter_cache.h \
	container/id_claims.c container/id_claims.h container/id_maps.c container/id_maps.h \
	container/id_ranges.c container/id_ranges.h container/idmapped.c container/idmapped.h \
	container/image.c container/image.h container/images.c container/images.h \
	container/layers.c container/layers.h container/lock.c container/lock.h \
	container/place.c container/place.h container/pod.c container/pod.h \
	container/probe.c \
	container/process.c container/process.h \
	container/progress.c container/progress.h \
	container/registries.c container/registries.h \
	container/rootfs.c container/rootfs.h \
	container/runtime.c container/runtime.h \
	container/seccomp.c container/seccomp.h container/seccomp_tighten.c \
	container/scope.c container/scope.h container/system_calls.c container/system_calls.h \
	container/secrets.c container/secrets.h \
	container/settings.c container/settings.h \
	container/skopeo.c container/skopeo.h container/store.c container/store.h \
	container/store_gc.c container/store_gc.h \
	container/tree.c container/tree.h \
	container/user.c container/user.h \
	container/variables.c container/variables.h container/volumes.c container/volumes.h \
	container/userns.c container/userns.h

EXTRA_DIST += data/container.conf

systemdsystemunit_DATA += data/muster-image-gc.service data/muster-image-gc.timer
EXTRA_DIST += data/muster-image-gc.service.in data/muster-image-gc.timer
CLEANFILES += data/muster-image-gc.service
data/muster-image-gc.service: data/muster-image-gc.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) data && \
	sed -e 's|@helperdir[@]|$(helperdir)|g' $(srcdir)/data/muster-image-gc.service.in > $@

# As root: bats tests/integration/container.bats
EXTRA_DIST += tests/integration/container.bats tests/integration/images.bats \
	tests/integration/one-node.sh

check_PROGRAMS += test-oci test-container-image test-container-seccomp test-container-user \
	test-container-settings test-container-registries test-container-pull test-container-unpack test-container-store \
	test-container-id-claims test-container-id-maps test-container-id-ranges
test_container_id_maps_SOURCES = tests/unit/test-container-id-maps.c tests/unit/harness.h
test_container_id_maps_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-container-filter-cache test-container-scope test-container-variables
test_container_filter_cache_SOURCES = tests/unit/test-container-filter-cache.c tests/unit/harness.h tests/unit/tree.h
test_container_filter_cache_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_scope_SOURCES = tests/unit/test-container-scope.c tests/unit/harness.h
test_container_scope_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_variables_SOURCES = tests/unit/test-container-variables.c tests/unit/harness.h
test_container_variables_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_oci_SOURCES = tests/unit/test-oci.c tests/unit/golden.h tests/unit/harness.h
test_oci_LDADD = libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_image_SOURCES = tests/unit/test-container-image.c tests/unit/harness.h tests/unit/tree.h
test_container_image_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_pull_SOURCES = tests/unit/test-container-pull.c tests/unit/harness.h
test_container_pull_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_registries_SOURCES = tests/unit/test-container-registries.c tests/unit/harness.h
test_container_registries_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_store_SOURCES = tests/unit/test-container-store.c tests/unit/harness.h tests/unit/tree.h
test_container_store_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_unpack_SOURCES = tests/unit/test-container-unpack.c tests/unit/harness.h tests/unit/tree.h \
	container/unpack.c container/unpack.h
test_container_unpack_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(ARCHIVE_LIBS) $(TEST_LIBS)
test_container_seccomp_SOURCES = tests/unit/test-container-seccomp.c tests/unit/harness.h
test_container_seccomp_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_id_claims_SOURCES = tests/unit/test-container-id-claims.c tests/unit/harness.h tests/unit/tree.h
test_container_id_claims_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_id_ranges_SOURCES = tests/unit/test-container-id-ranges.c tests/unit/harness.h
test_container_id_ranges_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_settings_SOURCES = tests/unit/test-container-settings.c tests/unit/harness.h
test_container_settings_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_user_SOURCES = tests/unit/test-container-user.c tests/unit/harness.h tests/unit/tree.h
test_container_user_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)

EXTRA_DIST += tests/golden/oci

EXTRA_DIST += \
	tests/fuzz/corpus/fuzz-container-image \
	tests/fuzz/corpus/fuzz-container-registries tests/fuzz/corpus/fuzz-container-texts \
	tests/fuzz/corpus/fuzz-container-user/largest \
	tests/fuzz/corpus/fuzz-container-user/names \
	tests/fuzz/corpus/fuzz-container-user/nis \
	tests/fuzz/corpus/fuzz-container-user/numbers \
	tests/fuzz/corpus/fuzz-oci/odd \
	tests/fuzz/corpus/fuzz-oci/whole

if FUZZING
noinst_PROGRAMS += fuzz-oci fuzz-container-image fuzz-container-registries fuzz-container-texts \
	fuzz-container-user
endif
fuzz_container_image_SOURCES = tests/fuzz/fuzz-container-image.c
fuzz_container_image_LDADD = libcontainer.a libunits.a $(BASE_LIBS)
fuzz_container_image_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_container_registries_SOURCES = tests/fuzz/fuzz-container-registries.c tests/fuzz/piece.h
fuzz_container_registries_LDADD = libcontainer.a libunits.a $(BASE_LIBS)
fuzz_container_registries_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_oci_SOURCES = tests/fuzz/fuzz-oci.c
fuzz_oci_LDADD = libunits.a $(BASE_LIBS)
fuzz_oci_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_container_texts_SOURCES = tests/fuzz/fuzz-container-texts.c tests/fuzz/piece.h
fuzz_container_texts_LDADD = libcontainer.a libunits.a $(BASE_LIBS)
fuzz_container_texts_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_container_user_SOURCES = tests/fuzz/fuzz-container-user.c tests/fuzz/piece.h
fuzz_container_user_LDADD = libcontainer.a libunits.a $(BASE_LIBS)
fuzz_container_user_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

# The network.
libcontainer_a_SOURCES += \
	container/attachments.c container/attachments.h \
	container/cni.c container/cni.h \
	container/cni_networks.c container/cni_networks.h \
	container/cni_plugin.c container/cni_plugin.h \
	container/name_files.c container/name_files.h \
	container/netns.c container/netns.h \
	container/neighbours.c container/neighbours.h container/network.c container/network.h \
	container/ports.c container/ports.h

check_PROGRAMS += test-container-cni test-container-network
test_container_network_SOURCES = tests/unit/test-container-network.c tests/unit/harness.h tests/unit/loopback.h
test_container_network_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)
test_container_cni_SOURCES = tests/unit/test-container-cni.c tests/unit/harness.h
test_container_cni_LDADD = libcontainer.a libunits.a $(BASE_LIBS) $(TEST_LIBS)

EXTRA_DIST += tests/integration/network.bats \
	tests/fuzz/corpus/fuzz-container-cni/chain \
	tests/fuzz/corpus/fuzz-container-cni/odd \
	tests/fuzz/corpus/fuzz-container-cni/single

if FUZZING
noinst_PROGRAMS += fuzz-container-cni
endif
fuzz_container_cni_SOURCES = tests/fuzz/fuzz-container-cni.c
fuzz_container_cni_LDADD = libcontainer.a libunits.a $(BASE_LIBS)
fuzz_container_cni_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

# Not in /etc/cni/net.d: other programs take whatever they find there first.
cninetworkdir = $(pkgdatadir)/cni
dist_cninetwork_DATA = data/muster.conflist
