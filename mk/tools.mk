# SPDX-License-Identifier: BSD-3-Clause
# Looking after the code, and help.

cxx_files := $(shell git ls-files '*.cpp' '*.hpp' 2>/dev/null || find src tests bench -name '*.[ch]pp')
scripts := $(wildcard mk/*.sh jobs/*.sh jobs/*.sbatch data/*.sh tests/slurm/hosts/*.sh tests/bare/*.sh tests/fuzz/*.sh tests/files/*/make.sh .ci/run)

format: ## Format the C++ sources in place
	clang-format -i $(cxx_files)
check-format: ## Fail if a source is not formatted, or a script does not pass shellcheck
	@mk/deps.sh --check lint
	@clang-format --dry-run --Werror $(cxx_files)
	@shellcheck --severity=warning $(scripts)
tidy: check-deps ## Static analysis with clang-tidy
	@mk/deps.sh --check tidy
	clang-tidy --quiet $(sources) -- -std=c++20 -Isrc $(gemm_defines) $(lib_cflags) $(shell $(CXX) --showme:compile 2>/dev/null)
check-layers: ## Fail on a layer that uses one above it, and on a rule that nobody needs
	@/usr/bin/python3 mk/check_layers.py --self-test

doctor: all ## What would go wrong on this machine, and what to do about it (jobs/doctor.sh)
	@jobs/doctor.sh
help: ## This list
	@echo 'make TARGET [CONFIG=release|debug|asan|tsan] [ARCH=native|x86-64-v3|...] [BLAS=openblas|blis|mkl] [V=1]'
	@awk -F ':.*## ' '/^[a-z][a-z_ -]*:.*## / { printf "  %-38s %s\n", $$1, $$2 }' Makefile mk/*.mk
	@echo; $(MAKE) --no-print-directory experiments
.PHONY: format check-format tidy check-layers doctor help
