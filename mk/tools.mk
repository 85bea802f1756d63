# SPDX-License-Identifier: BSD-3-Clause
# Looking after the code, and help.

cxx_files := $(shell git ls-files '*.cpp' '*.hpp' 2>/dev/null || find src tests bench -name '*.[ch]pp')
scripts := $(wildcard mk/*.sh jobs/*.sh jobs/*.sbatch data/*.sh tests/slurm/hosts/*.sh tests/bare/*.sh tests/fuzz/*.sh tests/sanitizers/*.sh tests/files/*/make.sh .ci/run)

format: ## Format the C++ sources in place
	clang-format -i $(cxx_files)
check-format: ## Fail if a source is not formatted, or a script does not pass shellcheck
	@mk/deps.sh --check lint
	@clang-format --dry-run --Werror $(cxx_files)
	@shellcheck --severity=warning $(scripts)

# A file is looked at again when it has been compiled again, or the checks have changed.
tidied := $(patsubst %.cpp,$(BUILD)/tidy/%.ok,$(sources) $(wildcard src/*/programs/*.cpp))
$(BUILD)/tidy/%.ok: $(BUILD)/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	$(call quiet,TIDY $*.cpp)clang-tidy --quiet $*.cpp -- -std=c++20 -march=$(ARCH) -DOMPI_SKIP_MPICXX -Isrc $(gemm_defines) $(own_flags.$*.cpp) \
	  $(lib_cflags) $(shell $(CXX) --showme:compile 2>/dev/null) 2>$@.log || { cat $@.log; false; }
	@touch $@
tidy: ## Static analysis with clang-tidy (.clang-tidy)
	@mk/deps.sh --check tidy
	@$(MAKE) --no-print-directory $(all_cores) --keep-going $(tidied)
cppcheck: ## Static analysis with cppcheck (mk/cppcheck.supp)
	@mk/deps.sh --check tidy
	@cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
	  --suppressions-list=mk/cppcheck.supp --std=c++20 --language=c++ -j$(shell nproc) -Isrc $(gemm_defines) src
check-layers: ## Fail on a layer that uses one above it, and on a rule that nobody needs
	@/usr/bin/python3 mk/check_layers.py --self-test

# What the programs are linked to, what was compiled in, what tests and analysis load; for audits.
sbom: all ## The list of parts (SPDX 2.3) of this build, with versions, licences and suppliers
	@$(python) mk/sbom.py --out $(BUILD)/lockstep.spdx.json --modules '$(libraries)' $(binaries)
doctor: all $(if $(simulated_site),simulate) ## What would go wrong on this machine, or with SITE=sim:CLUSTER, and what to do about it
	@$(if $(value SITE),$(BUILD)/bin/sweep doctor --site $(call quoted,SITE),jobs/doctor.sh)
help: ## This list
	@echo 'make TARGET [CONFIG=release|debug|asan|tsan] [ARCH=native|x86-64-v3|...] [BLAS=openblas|blis|mkl] [V=1]'
	@awk -F ':.*## ' '/^[a-z][a-z_ -]*:.*## / { printf "  %-38s %s\n", $$1, $$2 }' Makefile mk/*.mk
	@echo; $(MAKE) --no-print-directory experiments
.PHONY: sbom format check-format tidy cppcheck check-layers doctor help
