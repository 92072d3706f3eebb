# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libkvclient.a
libkvclient_a_SOURCES = \
	kvclient/backoff.c kvclient/backoff.h \
	kvclient/base64.c kvclient/base64.h \
	kvclient/election.c kvclient/election.h \
	kvclient/keeper.c kvclient/keeper.h \
	kvclient/kv.c kvclient/kv.h \
	kvclient/kv_etcd.c kvclient/kv_etcd.h kvclient/kv_etcd_internal.h \
	kvclient/kv_etcd_watch.c \
	kvclient/kv_memory.c kvclient/kv_memory.h \
	kvclient/kv_mirror.c kvclient/kv_mirror.h \
	kvclient/kv_pairs.c kvclient/kv_pairs.h \
	kvclient/kv_wire.c kvclient/kv_wire.h

KV_LIBS = libkvclient.a $(BASE_LIBS)

check_PROGRAMS += test-kv-election test-kv-memory test-kv-etcd
test_kv_election_SOURCES = tests/unit/test-kv-election.c tests/unit/harness.h
test_kv_election_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_memory_SOURCES = tests/unit/test-kv-memory.c tests/unit/harness.h \
	tests/integration/kv-contract.c tests/integration/kv-contract.h
test_kv_memory_LDADD = $(KV_LIBS) $(TEST_LIBS)
test_kv_etcd_SOURCES = tests/integration/test-kv-etcd.c tests/unit/harness.h \
	tests/integration/kv-contract.c tests/integration/kv-contract.h \
	tests/integration/kv-etcd-server.c tests/integration/kv-etcd-server.h
test_kv_etcd_LDADD = $(KV_LIBS) $(TEST_LIBS)
