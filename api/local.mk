# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libapi.a
libapi_a_SOURCES = \
	api/assembly.c api/assembly.h \
	api/cache.c api/cache.h \
	api/api.c api/api.h \
	api/call.h \
	api/change.c api/change.h \
	api/changes.c \
	api/foresee.c api/foresee.h \
	api/listen.c api/listen.h \
	api/machine_json.c api/machine_json.h \
	api/machines.c \
	api/operations.c \
	api/plan.c \
	api/roles.c api/roles.h \
	api/rollout_order.c api/rollout_order.h \
	api/rollouts.c \
	api/route.c api/route.h \
	api/states.c \
	api/status.c \
	api/suppose.c api/suppose.h \
	api/unit_json.c api/unit_json.h \
	api/units.c \
	api/view.c api/view.h api/view_internal.h \
	api/view_entry.c \
	api/view_model.c \
	api/view_text.c \
	api/wait.c api/wait.h \
	api/waits.c api/waits.h

# Everything that libapi.a itself needs.
API_LIBS = libapi.a libscheduler.a libunits.a $(KV_LIBS) $(MICROHTTPD_LIBS)

# The API alone over a real etcd, for tests/integration/api.bats.
noinst_PROGRAMS += api-server
api_server_SOURCES = tests/integration/api-server.c
api_server_LDADD = $(API_LIBS)
EXTRA_DIST += tests/integration/api.bats

# What tests/bench/api.sh measures.
noinst_PROGRAMS += api-bench
api_bench_SOURCES = tests/bench/api-bench.c
api_bench_LDADD = $(API_LIBS)
EXTRA_DIST += tests/bench/api.sh

check_PROGRAMS += test-api-wait
test_api_wait_SOURCES = tests/unit/test-api-wait.c tests/unit/harness.h
test_api_wait_LDADD = $(API_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-api-cache
test_api_cache_SOURCES = tests/unit/test-api-cache.c tests/unit/harness.h
test_api_cache_LDADD = $(API_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-api-view
test_api_view_SOURCES = tests/unit/test-api-view.c tests/unit/harness.h
test_api_view_LDADD = $(API_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-api-change
test_api_change_SOURCES = tests/unit/test-api-change.c tests/unit/harness.h
test_api_change_LDADD = $(API_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-api-rollout
test_api_rollout_SOURCES = tests/unit/test-api-rollout.c tests/unit/harness.h
test_api_rollout_LDADD = $(API_LIBS) $(TEST_LIBS)
check_PROGRAMS += test-api-suppose
test_api_suppose_SOURCES = tests/unit/test-api-suppose.c tests/unit/harness.h
test_api_suppose_LDADD = $(API_LIBS) $(TEST_LIBS)
