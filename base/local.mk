# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	base/arena.c base/arena.h \
	base/base64.c base/base64.h \
	base/chance.c base/chance.h \
	base/cleanup.h \
	base/clock.c base/clock.h \
	base/contact.c base/contact.h \
	base/digest.c base/digest.h \
	base/error.c base/error.h \
	base/file.c base/file.h \
	base/grpc.c base/grpc.h \
	base/journal.c base/journal.h \
	base/json.c base/json.h \
	base/log.c base/log.h \
	base/loop.c base/loop.h \
	base/loop_bus.c base/loop_bus.h \
	base/loop_grpc.c base/loop_grpc.h \
	base/loop_http.c base/loop_http.h base/loop_http_internal.h \
	base/loop_http_call.c base/loop_http_connection.c base/loop_http_handle.c \
	base/loop_http_result.c \
	base/memory.c base/memory.h \
	base/settings.c base/settings.h \
	base/shape.c base/shape.h \
	base/socket.c base/socket.h \
	base/text.c base/text.h

# Everything that libbase.a itself needs; a program takes what it uses (--as-needed drops the rest).
BASE_LIBS = libbase.a $(JANSSON_LIBS) $(CURL_LIBS) $(SYSTEMD_LIBS) $(CRYPTO_LIBS) $(EV_LIBS) -lm

check_PROGRAMS += test-base-text test-base-json test-base-loop test-base-settings test-base-base64
check_PROGRAMS += test-base-arena
test_base_arena_SOURCES = tests/unit/test-base-arena.c tests/unit/harness.h
test_base_arena_LDADD = $(BASE_LIBS) $(TEST_LIBS)
test_base_base64_SOURCES = tests/unit/test-base-base64.c tests/unit/harness.h
test_base_base64_LDADD = $(BASE_LIBS) $(TEST_LIBS)
test_base_settings_SOURCES = tests/unit/test-base-settings.c tests/unit/harness.h
test_base_settings_LDADD = $(BASE_LIBS) $(TEST_LIBS)
test_base_text_SOURCES = tests/unit/test-base-text.c tests/unit/harness.h
test_base_text_LDADD = $(BASE_LIBS) $(TEST_LIBS)
test_base_json_SOURCES = tests/unit/test-base-json.c tests/unit/harness.h
test_base_json_LDADD = $(BASE_LIBS) $(TEST_LIBS)
test_base_loop_SOURCES = tests/unit/test-base-loop.c tests/unit/harness.h tests/unit/loopback.h
test_base_loop_LDADD = $(BASE_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-base-grpc test-base-loop-grpc test-base-loop-grpc-connections
test_base_grpc_SOURCES = tests/unit/test-base-grpc.c tests/unit/harness.h
test_base_grpc_LDADD = $(BASE_LIBS) $(TEST_LIBS)
GRPC_FIXTURE = tests/unit/grpc-fixture.c tests/unit/grpc-fixture.h tests/unit/harness.h
test_base_loop_grpc_SOURCES = tests/unit/test-base-loop-grpc.c $(GRPC_FIXTURE) tests/unit/secret.h
test_base_loop_grpc_LDADD = $(BASE_LIBS) $(TEST_LIBS)
test_base_loop_grpc_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=free
test_base_loop_grpc_connections_SOURCES = tests/unit/test-base-loop-grpc-connections.c $(GRPC_FIXTURE)
test_base_loop_grpc_connections_LDADD = $(BASE_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-base-http test-base-journal test-base-contact test-base-memory
test_base_memory_SOURCES = tests/unit/test-base-memory.c tests/unit/harness.h
test_base_memory_LDADD = $(BASE_LIBS) $(TEST_LIBS)
test_base_contact_SOURCES = tests/unit/test-base-contact.c tests/unit/harness.h
test_base_contact_LDADD = $(BASE_LIBS) $(TEST_LIBS)
test_base_journal_SOURCES = tests/unit/test-base-journal.c tests/unit/harness.h
test_base_journal_LDADD = $(BASE_LIBS) $(TEST_LIBS)
test_base_http_SOURCES = tests/unit/test-base-http.c tests/unit/harness.h tests/unit/loopback.h
test_base_http_LDADD = $(BASE_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-base-loop-fake
test_base_loop_fake_SOURCES = tests/unit/test-base-loop-fake.c base/loop_fake.c base/loop_fake.h \
	tests/unit/harness.h
test_base_loop_fake_LDADD = $(BASE_LIBS) $(TEST_LIBS)
