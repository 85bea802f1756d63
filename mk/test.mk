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
# Every group leaves its results here, for the closing lines of `make test`.
test_results := $(BUILD)/test_results
# Two at a time: they wait as often as they compute, and all bind their ranks to the same first cores.
TEST_WORKERS ?= 2
pytest = LOCKSTEP_BIN=$(call quoted,CURDIR)/$(BUILD)/bin $(python) -m pytest -q -rs -n $(TEST_WORKERS) --dist loadgroup $(marks.$(TESTS)) \
  -o junit_family=xunit1 --junitxml=$(test_results)/$(1).xml $(or $(2),tests/$(1))

.PHONY: check-test-deps
check-test-deps:
	@mk/deps.sh --check test run analysis
$(call object,$(wildcard tests/*/*.cpp)) $(precompiled)/test.hpp.gch: | check-test-deps

$(unit_tests): $(call object,$(wildcard tests/unit/*.cpp tests/support/*.cpp)) $(library)
	@mkdir -p $(@D)
	$(call quiet,LINK $@)$(CXX) $(ALL_CXXFLAGS) $^ $(LDFLAGS) -lgtest_main $(test_ldlibs) $(lib_ldlibs) -o $@
$(mpi_tests): $(call object,$(wildcard tests/mpi/*.cpp tests/support/*.cpp)) $(library)
	@mkdir -p $(@D)
	$(call quiet,LINK $@)$(CXX) $(ALL_CXXFLAGS) $^ $(LDFLAGS) $(test_ldlibs) $(lib_ldlibs) -o $@

# What depends on how wide vectors are, without the rest, so that builds for other processors take a minute.
kernel_tests := $(BUILD)/bin/kernel_tests
kernel_test_files := $(foreach name,random simd gemm gemm_auto softmax layer graph batch_norm *model optimizer data,$(wildcard tests/unit/$(name)_test.cpp))
$(kernel_tests): $(call object,$(kernel_test_files) $(wildcard tests/support/*.cpp)) \
    $(filter $(foreach folder,core math data nn,$(BUILD)/obj/src/$(folder)/%),$(objects)) $(BUILD)/obj/build_info.o
	@mkdir -p $(@D)
	$(call quiet,LINK $@)$(CXX) $(ALL_CXXFLAGS) $^ $(LDFLAGS) -lgtest_main $(test_ldlibs) $(lib_ldlibs) -o $@
test-kernels: $(kernel_tests)
	@$< --gtest_brief=1

# The processors of this kind whose vectors are narrower: 128 bits on x86, and with TESTS=all 256 bits, too.
narrow_archs := $(if $(filter x86_64,$(shell uname -m)),x86-64 $(if $(filter all,$(TESTS)),$(if \
  $(shell grep -ow avx2 /proc/cpuinfo | head -n 1),x86-64-v3)))
test-vectors: ## Tests of random numbers, data, kernels and layers, built for narrower vectors too
	@set -e; for arch in $(narrow_archs); do echo "== kernels built for $$arch"; \
	  $(MAKE) --no-print-directory $(all_cores) ARCH=$$arch test-kernels; done
test-clang: ## Everything built by Clang without a warning; unit tests and tests under mpiexec
	@mk/deps.sh --check clang
	@$(MAKE) --no-print-directory $(all_cores) CXX=clang++ WERROR=1 all benches build-tests
	@$(MAKE) --no-print-directory CXX=clang++ WERROR=1 test-unit test-mpi
build-tests: $(unit_tests) $(mpi_tests)

test: ## Everything from nothing: parts, build, data, and all tests
	@rm -rf $(test_results) && mkdir -p $(test_results)
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(all_cores) all $(unit_tests) $(mpi_tests)
	@$(MAKE) --no-print-directory data
	@$(MAKE) --no-print-directory check-layers test-unit test-vectors test-mpi test-end-to-end test-analysis
	@if why=$$(tests/slurm/lab impossible); then echo "$$why" >$(test_results)/slurm.left_out; else \
	  $(MAKE) --no-print-directory deps DEPS='$(DEPS) slurm' && $(MAKE) --no-print-directory test-slurm; fi
	@if why=$$(mk/deps.sh --check simulate 2>&1); then $(MAKE) --no-print-directory test-simulate; else \
	  echo "$$why" | head -n 1 >$(test_results)/simulate.left_out; fi
	@$(MAKE) --no-print-directory test-summary

check: ## Between commits: layers, and the quick ones of all tests but Slurm's (3 minutes)
	@$(MAKE) --no-print-directory $(all_cores) all $(unit_tests) $(mpi_tests)
	@$(MAKE) --no-print-directory data
	@$(MAKE) --no-print-directory TESTS=quick check-layers test-unit test-mpi test-end-to-end test-analysis
test-long: ## Before a release: make test with nothing left out, whole products of settings too (20 minutes)
	@$(MAKE) --no-print-directory TESTS=all test

test-unit: $(unit_tests) ## Unit tests
	@echo '== unit tests'
	@$< --gtest_brief=1 --gtest_output=xml:$(test_results)/unit.xml
test-mpi: $(mpi_tests) ## Tests under mpiexec at MPI_TEST_RANKS ranks
	@set -e; for n in $(MPI_TEST_RANKS); do echo "== MPI tests on $$n ranks"; \
	  LOCKSTEP_TESTS=$(TESTS) timeout 600 jobs/local.sh $$n $< --gtest_brief=1 --gtest_filter=-'*AcrossNodes*' \
	  --gtest_output=xml:$(test_results)/mpi-$$n.xml; done
test-end-to-end: all | check-test-deps ## Tests of the programs, as a user runs them
	@echo '== end-to-end tests'
	@$(call pytest,end_to_end,$(end_to_end_files))
test-slurm: all $(mpi_tests) | check-test-deps ## Tests under a private Slurm of several nodes, started for them (as root)
	@echo '== Slurm tests'
	@tests/slurm/lab check
	@$(call pytest,slurm)
$(BUILD)/bin/messages: $(call object,tests/simulate/messages.cpp) $(library)
	$(link_program)
build-simulate-tests: $(BUILD)/bin/messages
test-simulate: all simulate | check-test-deps ## Tests of simulated clusters (needs SimGrid)
	@$(MAKE) --no-print-directory CONFIG=sim build-simulate-tests
	@echo '== tests of simulated clusters'
	@$(call pytest,simulate)
test-summary: ## What the last make test has left out, and why; COMPLETE=1: fails if there is anything
	@tests/summary.py $(if $(COMPLETE),--complete) $(test_results) unit mpi end_to_end analysis slurm simulate
test-bare: ## The README's commands on a bare Debian made for it (as root, an hour); SUITE=bookworm KEEP=1 MIRROR=http://...
	@mk/deps.sh --check bare
	@KEEP=$(call quoted,KEEP) MIRROR=$(call quoted,MIRROR) tests/bare/run.sh $(SUITE)
.PHONY: build-tests build-simulate-tests test-kernels test-vectors test-clang
.PHONY: check test test-long test-unit test-mpi test-end-to-end test-slurm test-simulate test-summary test-bare
