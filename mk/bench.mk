# SPDX-License-Identifier: BSD-3-Clause
# Benchmarks (Google Benchmark). Their JSON goes to results/bench/.

benches := $(patsubst bench/%.cpp,$(BUILD)/bin/%,$(wildcard bench/*_bench.cpp))
BENCH_ARGS ?=
# Benchmarks run on one rank, unless named here.
bench_ranks.allreduce_bench := $(shell nproc)

.PHONY: check-bench-deps
check-bench-deps:
	@mk/deps.sh --check bench
$(call object,$(wildcard bench/*.cpp)): | check-bench-deps
$(benches): $(BUILD)/bin/%: $(BUILD)/obj/bench/%.o $(library)
	@mkdir -p $(@D)
	$(call quiet,LINK $@)$(CXX) $(ALL_CXXFLAGS) $^ $(LDFLAGS) $(bench_ldlibs) $(lib_ldlibs) -o $@

benches: $(benches)

bench: $(benches) ## Measure this machine: GEMM backends, a serial epoch over its GEMM floor, allreduces
	@mkdir -p results/bench
	@$(foreach b,$(benches),b=$(b); echo "== $$(basename $$b)"; \
	  jobs/local.sh $(or $(bench_ranks.$(notdir $(b))),1) $$b --benchmark_out_format=json \
	  --benchmark_out=results/bench/$$(basename $$b).json $(BENCH_ARGS) || exit 1;)

accuracy: all ## Train with the old report's recipe over several seeds (SEEDS=3) and print the accuracies
	@jobs/accuracy.sh $(BUILD)/bin
.PHONY: bench benches accuracy
