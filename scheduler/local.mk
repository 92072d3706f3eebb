# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libscheduler.a
libscheduler_a_SOURCES = \
	scheduler/arrivals.c scheduler/arrivals.h \
	scheduler/askers.c scheduler/askers.h \
	scheduler/bag.c scheduler/bag.h \
	scheduler/bits.c scheduler/bits.h \
	scheduler/blocks.c scheduler/blocks.h \
	scheduler/brake.c scheduler/brake.h \
	scheduler/budget.c scheduler/budget.h \
	scheduler/drain.c \
	scheduler/failing.c scheduler/failing.h \
	scheduler/failures.c scheduler/failures.h \
	scheduler/index.c scheduler/index.h \
	scheduler/index_groups.c \
	scheduler/index_spread.c \
	scheduler/match.c scheduler/match.h \
	scheduler/model.c scheduler/model.h \
	scheduler/model_data.h \
	scheduler/model_kept.c \
	scheduler/model_life.c \
	scheduler/model_marks.c \
	scheduler/model_orders.c \
	scheduler/model_roles.c \
	scheduler/model_verdicts.c \
	scheduler/model_view.c \
	scheduler/party.c scheduler/party.h \
	scheduler/place.c scheduler/place.h \
	scheduler/place_plain.c scheduler/place_plain.h \
	scheduler/plan.c scheduler/plan.h \
	scheduler/plan_party.c \
	scheduler/plan_unit.c \
	scheduler/plan_write.c \
	scheduler/pool.c scheduler/pool.h \
	scheduler/preempt.c scheduler/preempt.h \
	scheduler/refusals.c scheduler/refusals.h \
	scheduler/replace.c scheduler/replace.h \
	scheduler/rebalance.c scheduler/rebalance.h \
	scheduler/record_fields.h scheduler/record_plain.c \
	scheduler/record_keys.c \
	scheduler/record_rollout.c \
	scheduler/record_values.c \
	scheduler/records.c scheduler/records.h \
	scheduler/reserve.c scheduler/reserve.h \
	scheduler/role_choice.c scheduler/role_choice.h \
	scheduler/role_settings.c scheduler/role_settings.h \
	scheduler/roles.c \
	scheduler/rollout.c scheduler/rollout.h \
	scheduler/rollout_list.c scheduler/rollout_list.h \
	scheduler/rollout_member.c \
	scheduler/sleepers.c scheduler/sleepers.h \
	scheduler/step.h \
	scheduler/succession.c scheduler/succession.h \
	scheduler/table.c scheduler/table.h \
	scheduler/turns.c scheduler/turns.h \
	scheduler/shared.c scheduler/shared.h

SCHED_LIBS = libscheduler.a libunits.a $(BASE_LIBS)

check_PROGRAMS += test-role-settings
test_role_settings_SOURCES = tests/unit/test-role-settings.c tests/unit/harness.h
test_role_settings_LDADD = $(SCHED_LIBS) $(TEST_LIBS)

check_PROGRAMS += test-sched-records
test_sched_records_SOURCES = tests/unit/test-sched-records.c tests/unit/harness.h
test_sched_records_LDADD = $(SCHED_LIBS) $(TEST_LIBS)

if FUZZING
noinst_PROGRAMS += fuzz-records
fuzz_records_SOURCES = tests/fuzz/fuzz-records.c
fuzz_records_LDADD = $(SCHED_LIBS)
fuzz_records_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
EXTRA_DIST += tests/fuzz/corpus/fuzz-records

check_PROGRAMS += test-sched-blocks
test_sched_blocks_SOURCES = tests/unit/test-sched-blocks.c tests/unit/harness.h
test_sched_blocks_LDADD = $(SCHED_LIBS) $(TEST_LIBS)

check_PROGRAMS += test-sched-golden
test_sched_golden_SOURCES = tests/unit/test-sched-golden.c tests/unit/sched_feed.c \
	tests/unit/sched_feed.h tests/unit/golden.h tests/unit/harness.h
test_sched_golden_LDADD = $(SCHED_LIBS) $(TEST_LIBS)
EXTRA_DIST += tests/golden/sched

check_PROGRAMS += test-sched-sim
test_sched_sim_SOURCES = tests/sim/test-sched-sim.c tests/sim/sched.h tests/sim/sched_disturb.c \
	tests/sim/sched_leader.c tests/sim/sched_rest.c tests/sim/sched_rules.c tests/sim/sched_twins.c \
	tests/sim/sched_units.c tests/sim/sched_world.c \
	tests/sim/seeds.h tests/unit/contact.h tests/unit/sched_feed.c \
	tests/unit/sched_feed.h tests/unit/harness.h
test_sched_sim_LDADD = $(SCHED_LIBS) $(TEST_LIBS)

check_PROGRAMS += test-sched-plan
test_sched_plan_SOURCES = tests/unit/test-sched-plan.c tests/unit/contact.h tests/unit/sched_feed.c \
	tests/unit/sched_feed.h tests/unit/harness.h
test_sched_plan_LDADD = $(SCHED_LIBS) $(TEST_LIBS)

check_PROGRAMS += test-sched-index
test_sched_index_SOURCES = tests/unit/test-sched-index.c tests/unit/contact.h tests/unit/sched_feed.c \
	tests/unit/sched_feed.h tests/unit/harness.h
test_sched_index_LDADD = $(SCHED_LIBS) $(TEST_LIBS)

check_PROGRAMS += test-sched-pool
test_sched_pool_SOURCES = tests/unit/test-sched-pool.c tests/unit/harness.h
test_sched_pool_LDADD = $(SCHED_LIBS) $(TEST_LIBS)

check_PROGRAMS += test-sched-cost
test_sched_cost_SOURCES = tests/unit/test-sched-cost.c tests/unit/contact.h tests/unit/sched_feed.c \
	tests/unit/sched_feed.h tests/unit/harness.h
test_sched_cost_LDADD = $(SCHED_LIBS) $(TEST_LIBS)

check_PROGRAMS += test-sched-sleepers
test_sched_sleepers_SOURCES = tests/unit/test-sched-sleepers.c tests/unit/contact.h \
	tests/unit/sched_feed.c tests/unit/sched_feed.h tests/unit/harness.h
test_sched_sleepers_LDADD = $(SCHED_LIBS) $(TEST_LIBS)

noinst_PROGRAMS += sched-bench
sched_bench_SOURCES = tests/bench/sched-bench.c tests/unit/contact.h
sched_bench_LDADD = $(SCHED_LIBS)

noinst_PROGRAMS += sched-step
sched_step_SOURCES = tests/bench/sched-step.c tests/unit/contact.h
sched_step_LDADD = $(SCHED_LIBS)

noinst_PROGRAMS += sched-prototype
sched_prototype_SOURCES = tests/bench/sched-prototype.c
