# SPDX-License-Identifier: BSD-3-Clause
# Fuzzing of all that reads input, with Clang's libFuzzer: docs/reliability.md. Everything is built by Clang, the readers
# once more with its sanitizers; what stands behind them is the library that `make test-clang` builds.

fuzz_build := build/fuzz
fuzz_readers := $(addprefix src/,$(addsuffix .cpp,core/json_text core/options core/arguments core/names core/text data/idx \
  $(addprefix record/,hdf5 hdf5_values file_checksum checkpoint model_file run_file run_file_repair) \
  $(addprefix nn/,graph_builder named_models memory_check layers/linear layers/conv2d layers/pooling) \
  train/run_config train/command_line sweep/site $(addprefix sweep/spec/,spec spec_sections settings expand duration) \
  $(addprefix simulate/,cluster network trouble kernel_table)))
fuzz_flags := -O1 -g1 -D_GLIBCXX_ASSERTIONS -fno-omit-frame-pointer -fno-sanitize-recover=all \
  -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow -fno-sanitize=vptr,null,alignment,object-size
FUZZ_TARGETS ?= $(basename $(notdir $(wildcard tests/fuzz/*.cpp)))
# Executions of each target; by default as many as tests/fuzz/run.sh says.
FUZZ_RUNS ?=

fuzz_object = $(patsubst %.cpp,$(fuzz_build)/obj/%.o,$(1))
fuzz_cxx = $(CXX) -std=c++20 -march=$(ARCH) $(fuzz_flags) -DOMPI_SKIP_MPICXX -Isrc $(lib_cflags) $(gemm_defines)
$(fuzz_build)/obj/%.o: %.cpp $(flags_file) | check-fuzz-deps
	@mkdir -p $(@D)
	$(call quiet,FUZZ $<)$(fuzz_cxx) -MMD -MP -c $< -o $@
# The linker takes the first object that has a function: those with sanitizers stand before the library.
$(fuzz_build)/bin/%: $(BUILD)/obj/tests/fuzz/%.o $(call object,$(wildcard tests/fuzz/support/*.cpp)) \
    $(call fuzz_object,$(fuzz_readers)) $(library)
	@mkdir -p $(@D)
	$(call quiet,LINK $@)$(fuzz_cxx) -fsanitize=fuzzer $^ $(LDFLAGS) $(lib_ldlibs) -o $@
.PHONY: check-fuzz-deps fuzz-binaries build-fuzz fuzz test-fuzz
check-fuzz-deps:
	@mk/deps.sh --check fuzz
fuzz-binaries: $(FUZZ_TARGETS:%=$(fuzz_build)/bin/%)
build-fuzz: | check-fuzz-deps
	@$(MAKE) --no-print-directory $(all_cores) CXX=clang++ WERROR=1 fuzz-binaries
-include $(shell find $(fuzz_build)/obj -name '*.d' 2>/dev/null)

fuzz: build-fuzz ## Look for input that breaks a reader (hours; FUZZ_TARGETS='idx site' FUZZ_RUNS=1000000)
	@tests/fuzz/run.sh long '$(FUZZ_RUNS)' $(fuzz_build) $(FUZZ_TARGETS)
test-fuzz: build-fuzz ## Every input that once broke a reader, and a minute of new ones
	@tests/fuzz/run.sh short '$(FUZZ_RUNS)' $(fuzz_build) $(FUZZ_TARGETS)
