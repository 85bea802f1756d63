# SPDX-License-Identifier: BSD-3-Clause
# Mistakes that tests alone do not see: analysers of the sources, and tests under sanitizers and Valgrind.

# Libraries are not ours to mend: tests/sanitizers and mk/cppcheck.supp list what is said of them, and why.
supp := $(abspath tests/sanitizers)

# The tests of CONFIG=asan and tsan run with these options. Leaks are told by their whole stack, which starts in a
# library without frame pointers. A size in a damaged file is no reason to end: real machines say that there is
# no memory. Some end-to-end tests preload a library, which then stands before the sanitizer's.
ifeq ($(CONFIG),asan)
  export ASAN_OPTIONS ?= fast_unwind_on_malloc=0:malloc_context_size=40:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:allocator_may_return_null=1:max_allocation_size_mb=4096:verify_asan_link_order=0
  export UBSAN_OPTIONS ?= print_stacktrace=1
  export LSAN_OPTIONS ?= suppressions=$(supp)/leak.supp:print_suppressions=0
  end_to_end_files := $(foreach name,programs resume bad_input damaged_files crashes model_file idx_folder \
    files_of_0_1_0 sweep,tests/end_to_end/test_$(name).py)
endif
ifeq ($(CONFIG),tsan)
  export TSAN_OPTIONS ?= ignore_noninstrumented_modules=1:halt_on_error=1:second_deadlock_stack=1:suppressions=$(supp)/thread.supp
  export STALL_LIMIT_S ?= 20
  end_to_end_files := tests/end_to_end/test_programs.py tests/end_to_end/test_stall.py
endif

# Unit tests that start threads, or are about the one that the programs start.
thread_tests := $(BUILD)/bin/thread_tests
thread_test_files := $(shell grep -l 'std::thread\|"watch/' tests/unit/*_test.cpp)
$(thread_tests): $(call object,$(thread_test_files) $(wildcard tests/support/*.cpp)) $(library)
	@mkdir -p $(@D)
	$(call quiet,LINK $@)$(CXX) $(ALL_CXXFLAGS) $^ $(LDFLAGS) -lgtest_main $(test_ldlibs) $(lib_ldlibs) -o $@
test-threads: $(thread_tests)
	@$< --gtest_brief=1

sanitizing = $(MAKE) --no-print-directory $(all_cores) TESTS=quick
asan-unit: ## Unit tests under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
	@$(sanitizing) CONFIG=asan test-unit
asan-mpi: ## The same of the tests under mpiexec, on 1, 2 and 3 ranks
	@$(sanitizing) CONFIG=asan MPI_TEST_RANKS='1 2 3' test-mpi
asan-end-to-end: ## The same of the programs: every algorithm, resuming, sweeps, damaged files, bad input
	@$(sanitizing) CONFIG=asan test-end-to-end
tsan-unit: ## Unit tests that have threads, under ThreadSanitizer
	@$(sanitizing) CONFIG=tsan test-threads
tsan-end-to-end: ## Runs of every algorithm, and stalls that the watchdog's thread ends, under ThreadSanitizer
	@$(sanitizing) CONFIG=tsan test-end-to-end
memcheck: ## A short run, and runfile check, under Valgrind, which knows no AVX-512
	@mk/deps.sh --check memcheck
	@$(MAKE) --no-print-directory $(all_cores) $(if $(avx512),ARCH=x86-64-v3) memcheck-runs
memcheck-runs: all
	@tests/sanitizers/memcheck.sh $(BUILD)/bin

sanitize_checks := cppcheck tidy asan-unit asan-mpi asan-end-to-end tsan-unit tsan-end-to-end memcheck
sanitize: data ## All of these and the analysers of the sources (an hour on 2 cores); which passed is said at the end
	@mk/deps.sh --check tidy memcheck
	@passed=(); failed=(); \
	for check in $(sanitize_checks); do echo "== $$check"; \
	  if $(MAKE) --no-print-directory $$check; then passed+=($$check); else failed+=($$check); fi; done; \
	[ $${#failed[@]} = 0 ] || echo "== failed: $${failed[*]}"; \
	echo "$${#passed[@]} passed, $${#failed[@]} failed"; [ $${#failed[@]} = 0 ]
.PHONY: sanitize test-threads memcheck-runs $(sanitize_checks)
