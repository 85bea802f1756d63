# SPDX-License-Identifier: BSD-3-Clause
# Tests: unit tests, tests under real MPI at several rank counts, and end-to-end tests of the programs.

unit_tests := $(BUILD)/bin/unit_tests
mpi_tests := $(BUILD)/bin/mpi_tests
MPI_TEST_RANKS ?= 1 2 3 4 5 8
# Every group leaves its results here, for the closing lines of `make test`.
test_results := $(BUILD)/test_results
pytest_results = -o junit_family=xunit1 --junitxml=$(test_results)/$(1).xml

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
	@rm -rf $(test_results) && mkdir -p $(test_results)
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(all_cores) all $(unit_tests) $(mpi_tests)
	@$(MAKE) --no-print-directory data
	@$(MAKE) --no-print-directory check-layers test-unit test-mpi test-end-to-end test-analysis
	@if why=$$(tests/slurm/lab impossible); then echo "$$why" >$(test_results)/slurm.left_out; else \
	  $(MAKE) --no-print-directory deps DEPS='$(DEPS) slurm' && $(MAKE) --no-print-directory test-slurm; fi
	@$(MAKE) --no-print-directory test-summary

test-unit: $(unit_tests) ## Unit tests
	@echo '== unit tests'
	@$< --gtest_brief=1 --gtest_output=xml:$(test_results)/unit.xml
test-mpi: $(mpi_tests) ## Tests under mpiexec at MPI_TEST_RANKS ranks
	@set -e; for n in $(MPI_TEST_RANKS); do echo "== MPI tests on $$n ranks"; \
	  timeout 300 jobs/local.sh $$n $< --gtest_brief=1 --gtest_filter=-'*AcrossNodes*' \
	  --gtest_output=xml:$(test_results)/mpi-$$n.xml; done
test-end-to-end: all ## Tests of the programs, as a user runs them
	@echo '== end-to-end tests'
	@LOCKSTEP_BIN=$(abspath $(BUILD)/bin) /usr/bin/python3 -m pytest -q -p no:cacheprovider $(call pytest_results,end_to_end) \
	  tests/end_to_end
test-slurm: all $(mpi_tests) ## Tests under a private Slurm of several nodes, started for them (as root)
	@echo '== Slurm tests'
	@tests/slurm/lab check
	@/usr/bin/python3 -m pytest -q -p no:cacheprovider $(call pytest_results,slurm) tests/slurm
test-summary: ## What the last make test has left out, and why; COMPLETE=1: fails if there is anything
	@tests/summary.py $(if $(COMPLETE),--complete) $(test_results) unit mpi end_to_end analysis slurm
test-bare: ## The README's commands on a bare Debian made for it (as root, an hour); SUITE=bookworm KEEP=1 MIRROR=http://...
	@mk/deps.sh --check bare
	@KEEP='$(KEEP)' MIRROR='$(MIRROR)' tests/bare/run.sh $(SUITE)
.PHONY: test test-unit test-mpi test-end-to-end test-slurm test-summary test-bare
