# SPDX-License-Identifier: BSD-3-Clause
# Benchmarks (Google Benchmark), their comparison with each other, and Lockstep beside PyTorch: docs/benchmarks.md. All JSON
# goes to results/bench/.

benches := $(patsubst bench/%.cpp,$(BUILD)/bin/%,$(wildcard bench/*_bench.cpp))
python := $(or $(PYTHON),$(firstword $(wildcard /usr/bin/python3) python3))
BENCHES ?= $(notdir $(benches))
BENCH_ARGS ?=
# Nine repetitions are the fewest that compare.py's test of significance is content with.
BENCH_REPETITIONS ?= 9
# What a benchmark needs that is not like the others: bench_ranks.NAME (else 1), bench_args.NAME.
bench_ranks.allreduce_bench ?= $(shell env -u OMP_NUM_THREADS nproc)
bench_ranks.checks_bench ?= 2
bench_args.checks_bench ?= --benchmark_repetitions=1
bench_args.allreduce_bench ?= --benchmark_repetitions=1
bench_args.gemm_bench ?= --benchmark_min_time=0.02

.PHONY: check-bench-deps
check-bench-deps:
	@mk/deps.sh --check bench
$(call object,$(wildcard bench/*.cpp)): | check-bench-deps
$(benches): $(BUILD)/bin/%: $(BUILD)/obj/bench/%.o $(library)
	@mkdir -p $(@D)
	$(call quiet,LINK $@)$(CXX) $(ALL_CXXFLAGS) $^ $(LDFLAGS) $(bench_ldlibs) $(lib_ldlibs) -o $@

benches: $(benches)

run_bench = jobs/bench.sh $(or $(bench_ranks.$(1)),1) $(BUILD)/bin/$(1) --benchmark_repetitions=$(BENCH_REPETITIONS) \
  $(bench_args.$(1)) $(BENCH_ARGS)
bench: $(BENCHES:%=$(BUILD)/bin/%) ## Measure this machine (a few minutes; BENCHES=gemm_bench runs one), and sum it up
	@set -e; $(foreach name,$(BENCHES),echo '== $(name)'; $(call run_bench,$(name));)
	@$(python) bench/summary.py $(BENCHES:%=results/bench/%.json)

bench-compare: ## Two results of make bench: what changed, and is it significant? BASE=a.json NEW=b.json
	@PYTHON=$(python) mk/deps.sh --check compare
	@$(python) bench/compare.py $(call quoted,BASE) $(call quoted,NEW)

PAIRS ?= 20
bench-builds: all ## This build beside that of another checkout: the same parameters, as fast? OLD=DIR PAIRS=20 CASES='parameters/*'
	@PYTHON=$(python) mk/deps.sh --check run analysis
	@$(if $(OLD),,echo "error: OLD is the other checkout: make bench-builds OLD=../lockstep-0.1.0" >&2; exit 2;) \
	  $(python) bench/builds.py $(call quoted,OLD) --pairs $(call quoted,PAIRS) --cases $(call quoted,CASES)

# PyTorch may be absent: the table then says so.
ROUNDS ?= 6
RANKS ?= 2
bench-peers: all ## Lockstep beside PyTorch, the same training in turns; ROUNDS=6 CASES='model_a/*' LOCKSTEP_ARGS='--gemm eigen'
	@PYTHON=$(python) mk/deps.sh --check run analysis
	@PYTHONPATH=bench:analysis $(python) -m peers --bin $(BUILD)/bin --rounds $(call quoted,ROUNDS) \
	  --ranks $(call quoted,RANKS) --cases $(call quoted,CASES) --lockstep-args=$(call quoted,LOCKSTEP_ARGS) $(PEERS_ARGS)

accuracy: all ## Train with the old report's recipe over several seeds (SEEDS=3) and print the accuracies
	@jobs/accuracy.sh $(BUILD)/bin
.PHONY: bench benches bench-compare bench-builds bench-peers accuracy
