# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libkvclient.a
libkvclient_a_SOURCES = \
	kvclient/backoff.c kvclient/backoff.h \
	kvclient/election.c kvclient/election.h \
	kvclient/keeper.c kvclient/keeper.h \
	kvclient/kv.c kvclient/kv.h \
	kvclient/kv_batch.c kvclient/kv_batch.h \
	kvclient/kv_copy.c kvclient/kv_copy.h \
	kvclient/kv_etcd.c kvclient/kv_etcd.h kvclient/kv_etcd_internal.h \
	kvclient/kv_etcd_answer.c kvclient/kv_etcd_auth.c kvclient/kv_etcd_call.c kvclient/kv_etcd_call.h \
	kvclient/kv_etcd_watch.c \
	kvclient/kv_etcd_listing.c kvclient/kv_etcd_listing.h \
	kvclient/kv_memory.c kvclient/kv_memory.h kvclient/kv_memory_internal.h \
	kvclient/kv_memory_data.c kvclient/kv_memory_late.c kvclient/kv_memory_watch.c \
	kvclient/kv_mirror.c kvclient/kv_mirror.h \
	kvclient/kv_pairs.c kvclient/kv_pairs.h \
	kvclient/kv_wire.h kvclient/kv_wire_internal.h \
	kvclient/kv_wire_answer.c kvclient/kv_wire_arena.c kvclient/kv_wire_failure.c \
	kvclient/kv_wire_member.c kvclient/kv_wire_request.c kvclient/kv_wire_watch.c
nodist_libkvclient_a_SOURCES = kvclient/etcd.pb-c.c kvclient/etcd.pb-c.h

# protoc-c writes both files at once. Where one is missing both are made anew, in two lines: the one with $(MAKE) in
# it is run by make -n as well, which must not delete anything. They are no BUILT_SOURCES, which are made for a few goals only: whoever
# includes the header says so here, for any goal and without what an earlier build has noted.
kvclient/etcd.pb-c.c: $(srcdir)/kvclient/etcd.proto
	$(AM_V_GEN)$(MKDIR_P) kvclient && \
		$(PROTOC_C) --proto_path=$(srcdir)/kvclient --c_out=kvclient $(srcdir)/kvclient/etcd.proto
kvclient/etcd.pb-c.h: kvclient/etcd.pb-c.c
	@if test ! -f $@; then rm -f kvclient/etcd.pb-c.c; else :; fi
	@if test ! -f $@; then $(MAKE) $(AM_MAKEFLAGS) kvclient/etcd.pb-c.c; else :; fi
kvclient/etcd.pb-c.$(OBJEXT) \
kvclient/kv_wire_answer.$(OBJEXT) kvclient/kv_wire_arena.$(OBJEXT) kvclient/kv_wire_member.$(OBJEXT) \
kvclient/kv_wire_request.$(OBJEXT) kvclient/kv_wire_watch.$(OBJEXT): kvclient/etcd.pb-c.h
EXTRA_DIST += kvclient/etcd.proto
CLEANFILES += kvclient/etcd.pb-c.c kvclient/etcd.pb-c.h

KV_LIBS = libkvclient.a $(BASE_LIBS) $(PROTOBUF_C_LIBS)

check_PROGRAMS += test-kv-batch test-kv-election test-kv-keeper test-kv-memory test-kv-mirror test-kv-pairs \
	test-kv-wire test-kv-wire-trouble test-kv-etcd test-kv-etcd-access test-kv-etcd-call test-kv-etcd-listing
KV_ETCD_FIXTURE = \
	tests/integration/kv-contract.c tests/integration/kv-contract.h \
	tests/integration/kv-etcd-fixture.c tests/integration/kv-etcd-fixture.h \
	tests/integration/kv-etcd-server.c tests/integration/kv-etcd-server.h
test_kv_batch_SOURCES = tests/unit/test-kv-batch.c tests/unit/harness.h
test_kv_batch_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_keeper_SOURCES = tests/unit/test-kv-keeper.c tests/unit/harness.h
test_kv_keeper_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_etcd_listing_SOURCES = tests/unit/test-kv-etcd-listing.c tests/unit/harness.h
test_kv_etcd_listing_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_pairs_SOURCES = tests/unit/test-kv-pairs.c tests/unit/harness.h
test_kv_pairs_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_mirror_SOURCES = tests/unit/test-kv-mirror.c tests/unit/harness.h
test_kv_mirror_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_wire_SOURCES = tests/unit/test-kv-wire.c tests/unit/kv-wire-bytes.h tests/unit/harness.h
test_kv_wire_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_wire_trouble_SOURCES = tests/unit/test-kv-wire-trouble.c tests/unit/kv-wire-bytes.h tests/unit/harness.h \
	tests/unit/secret.h
test_kv_wire_trouble_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_wire_trouble_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=free
test_kv_election_SOURCES = tests/unit/test-kv-election.c tests/unit/harness.h
test_kv_election_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_memory_SOURCES = tests/unit/test-kv-memory.c tests/unit/harness.h \
	tests/integration/kv-contract.c tests/integration/kv-contract.h
test_kv_memory_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_etcd_SOURCES = tests/integration/test-kv-etcd.c tests/unit/harness.h \
	$(KV_ETCD_FIXTURE)
test_kv_etcd_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_etcd_access_SOURCES = tests/integration/test-kv-etcd-access.c tests/unit/harness.h \
	$(KV_ETCD_FIXTURE)
test_kv_etcd_access_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_etcd_call_SOURCES = tests/unit/test-kv-etcd-call.c $(GRPC_FIXTURE)
test_kv_etcd_call_LDADD = $(KV_LIBS) $(TEST_LIBS)

# What tests/integration/kv-faults.bats drives the store with.
noinst_PROGRAMS += kv-driver
kv_driver_SOURCES = tests/integration/kv-driver.c tests/integration/kv-driver.h \
	tests/integration/kv-driver-follower.c tests/integration/kv-driver-writer.c
kv_driver_LDADD = $(KV_LIBS)
EXTRA_DIST += \
	tests/integration/kv-faults.bats \
	tests/integration/kv-faults.sh \
	tests/integration/kv-history.py

# What tests/bench/kv.sh measures.
noinst_PROGRAMS += kv-bench
kv_bench_SOURCES = tests/bench/kv-bench.c
kv_bench_LDADD = $(KV_LIBS)
EXTRA_DIST += tests/bench/kv.sh

if FUZZING
noinst_PROGRAMS += fuzz-kv-wire
fuzz_kv_wire_SOURCES = tests/fuzz/fuzz-kv-wire.c
fuzz_kv_wire_LDADD = $(KV_LIBS)
fuzz_kv_wire_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
EXTRA_DIST += \
	kvclient/README.md \
	tests/integration/kv-certificates.sh \
	tests/fuzz/corpus/fuzz-kv-wire/events \
	tests/fuzz/corpus/fuzz-kv-wire/failure \
	tests/fuzz/corpus/fuzz-kv-wire/fragment \
	tests/fuzz/corpus/fuzz-kv-wire/lease \
	tests/fuzz/corpus/fuzz-kv-wire/members \
	tests/fuzz/corpus/fuzz-kv-wire/page \
	tests/fuzz/corpus/fuzz-kv-wire/puts \
	tests/fuzz/corpus/fuzz-kv-wire/range \
	tests/fuzz/corpus/fuzz-kv-wire/status \
	tests/fuzz/corpus/fuzz-kv-wire/stream \
	tests/fuzz/corpus/fuzz-kv-wire/token \
	tests/fuzz/corpus/fuzz-kv-wire/txn \
	tests/fuzz/corpus/fuzz-kv-wire/watch \
	tests/fuzz/corpus/fuzz-kv-wire/watch-end \
	tests/fuzz/corpus/fuzz-kv-wire/watch-refused \
	tests/fuzz/corpus/fuzz-kv-wire/words
