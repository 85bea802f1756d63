# SPDX-License-Identifier: BSD-3-Clause
# Tests: unit tests, tests under real MPI at several rank counts, and end-to-end tests of the programs.

unit_tests := $(BUILD)/bin/unit_tests
mpi_tests := $(BUILD)/bin/mpi_tests
# How much: quick (make check), usual (make test) or all (make test-long). tests/pytest.ini says what the marks mean.
TESTS ?= usual
marks.quick := -m 'not slow and not long'
marks.usual := -m 'not long'
ranks.quick := 2 3
ranks.usual := 1 2 3 4 5 8
ranks.all := 1 2 3 4 5 6 7 8
ifeq ($(ranks.$(TESTS)),)
  $(error TESTS=$(TESTS) is unknown; there are: quick usual all)
endif
MPI_TEST_RANKS ?= $(ranks.$(TESTS))
# Two at a time: they wait as often as they compute, and all bind their ranks to the same first cores.
TEST_WORKERS ?= 2
pytest = LOCKSTEP_BIN=$(abspath $(BUILD)/bin) $(python) -m pytest -q -rs -n $(TEST_WORKERS) --dist loadgroup $(marks.$(TESTS))

.PHONY: check-test-deps
check-test-deps:
	@mk/deps.sh --check test run analysis
$(call object,$(wildcard tests/*/*.cpp)): | check-test-deps

$(unit_tests): $(call object,$(wildcard tests/unit/*.cpp tests/support/*.cpp)) $(library)
	@mkdir -p $(@D)
	$(call quiet,LINK $@)$(CXX) $(ALL_CXXFLAGS) $^ $(LDFLAGS) -lgtest_main $(test_ldlibs) $(lib_ldlibs) -o $@
$(mpi_tests): $(call object,$(wildcard tests/mpi/*.cpp tests/support/*.cpp)) $(library)
	@mkdir -p $(@D)
	$(call quiet,LINK $@)$(CXX) $(ALL_CXXFLAGS) $^ $(LDFLAGS) $(test_ldlibs) $(lib_ldlibs) -o $@

test: ## Everything from nothing: parts, build, data, and all tests
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(all_cores) all $(unit_tests) $(mpi_tests)
	@$(MAKE) --no-print-directory data
	@$(MAKE) --no-print-directory check-layers test-unit test-mpi test-end-to-end test-analysis
	@if why=$$(tests/slurm/lab impossible); then echo "== Slurm tests LEFT OUT: $$why"; else \
	  $(MAKE) --no-print-directory deps DEPS='$(DEPS) slurm' && $(MAKE) --no-print-directory test-slurm; fi

check: ## Between commits: layers, and the quick ones of all tests but Slurm's (3 minutes)
	@$(MAKE) --no-print-directory $(all_cores) all $(unit_tests) $(mpi_tests)
	@$(MAKE) --no-print-directory data
	@$(MAKE) --no-print-directory TESTS=quick check-layers test-unit test-mpi test-end-to-end test-analysis
test-long: ## Before a release: make test with nothing left out, whole products of settings too (20 minutes)
	@$(MAKE) --no-print-directory TESTS=all test

test-unit: $(unit_tests) ## Unit tests
	@echo '== unit tests'
	@$< --gtest_brief=1
test-mpi: $(mpi_tests) ## Tests under mpiexec at MPI_TEST_RANKS ranks
	@set -e; for n in $(MPI_TEST_RANKS); do echo "== MPI tests on $$n ranks"; \
	  LOCKSTEP_TESTS=$(TESTS) timeout 600 jobs/local.sh $$n $< --gtest_brief=1; done
test-end-to-end: all | check-test-deps ## Tests of the programs, as a user runs them
	@echo '== end-to-end tests'
	@$(pytest) tests/end_to_end
test-slurm: all | check-test-deps ## Tests under a private Slurm of several nodes, started for them (as root)
	@echo '== Slurm tests'
	@tests/slurm/lab check
	@$(pytest) tests/slurm
.PHONY: check test test-long test-unit test-mpi test-end-to-end test-slurm
