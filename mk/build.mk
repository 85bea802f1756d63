# SPDX-License-Identifier: BSD-3-Clause
# Objects, the library and the programs. Objects depend on their headers and on the flags that made them.

quiet = $(if $(V),,@echo "  $(1)"; )
# For targets that build on the way to something else, unless the user has said -j.
all_cores = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
folders := core math comm data nn nn/layers algorithms algorithms/averaging algorithms/exchange record watch train \
  simulate sweep $(addprefix sweep/,spec local slurm commands)
sources := $(filter-out $(absent_sources),$(foreach folder,$(folders),$(wildcard src/$(folder)/*.cpp)))
object = $(patsubst %.cpp,$(BUILD)/obj/%.o,$(1))
library := $(BUILD)/liblockstep.a
# With SimGrid for an MPI library one program runs all others.
programs := $(if $(is_sim),simulate,$(filter-out simulate,$(notdir $(basename $(wildcard src/*/programs/*.cpp)))))
binaries := $(programs:%=$(BUILD)/bin/%)

all: $(binaries) ## Build every program
	$(if $(is_sim),,@ln -sfn $(notdir $(BUILD))/bin build/bin)

# Every rule that compiles waits for this: missing parts are named before a compiler error is seen.
.PHONY: check-deps
check-deps:
	@BLAS=$(BLAS) mk/deps.sh --check build $(if $(is_sim),simulate)

# Two files that are rewritten only when their text changes, so that a change of flags compiles everything anew,
# a source file that came or went makes the library anew, and nothing else does.
flags_file := $(BUILD)/flags.txt
sources_file := $(BUILD)/sources.txt
$(flags_file): text = $(CXX) $(ALL_CXXFLAGS) | $(lib_ldlibs) $(LDFLAGS)
$(sources_file): text = $(sources)
$(flags_file) $(sources_file): FORCE | check-deps
	@mkdir -p $(@D)
	@printf '%s\n' '$(text)' | cmp -s - $@ || printf '%s\n' '$(text)' >$@
.PHONY: FORCE

# What the run file says about the build. Compiled anew when the commit or the flags change.
build_info := $(BUILD)/gen/build_info.cpp
$(build_info): FORCE mk/build_info.sh $(flags_file)
	@mkdir -p $(@D)
	@CXX='$(CXX)' FLAGS='$(ALL_CXXFLAGS)' CONFIG=$(CONFIG) BLAS=$(BLAS) mk/build_info.sh >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(BUILD)/obj/build_info.o: $(build_info) src/core/build_info.hpp
	@mkdir -p $(@D)
	$(call quiet,CXX  build_info)$(CXX) $(ALL_CXXFLAGS) -c $< -o $@

$(BUILD)/obj/%.o: %.cpp $(flags_file)
	@mkdir -p $(@D)
	$(call quiet,CXX  $<)$(CXX) $(ALL_CXXFLAGS) -MMD -MP -c $< -o $@

# Eigen's product without AVX-512: the file says why.
own_flags.src/math/gemm_eigen_avx2.cpp := -mno-avx512f
# It asks what the processor has, so it must run on all of them.
own_flags.src/core/instruction_sets.cpp := $(if $(is_x86),-march=x86-64) '-DLOCKSTEP_INSTRUCTION_SETS=" $(instruction_sets) "'
with_own_flags := $(patsubst own_flags.%,%,$(filter own_flags.%,$(.VARIABLES)))
# Private, so that the flags' file does not see them.
$(foreach file,$(with_own_flags),$(eval $(call object,$(file)): private ALL_CXXFLAGS += $(own_flags.$(file))))

# Nothing here is in a hurry at run time, and it is more than half of what there is to compile. What most of these
# files include is compiled once for all of them, by GCC alone: Clang compiles them as they stand, and so finds the
# file that forgets an include.
unhurried_programs := src/core/arguments.cpp src/core/options.cpp src/math/gemm_cache.cpp src/nn/named_models.cpp \
  src/nn/graph_builder.cpp src/algorithms/algorithm.cpp $(wildcard src/data/idx*.cpp) \
  $(foreach folder,$(addprefix src/,record watch train simulate $(filter sweep%,$(folders)) */programs),$(wildcard $(folder)/*.cpp)) \
  $(wildcard tests/fuzz/*.cpp tests/fuzz/support/*.cpp)
unhurried_tests := $(wildcard tests/unit/*.cpp tests/mpi/*.cpp)
$(call object,$(unhurried_programs) $(unhurried_tests)): private ALL_CXXFLAGS += -Og

precompiled := $(BUILD)/precompiled
$(precompiled)/%.hpp.gch: private ALL_CXXFLAGS += -Og
$(precompiled)/%.hpp.gch: mk/precompiled/%.hpp $(flags_file)
	@mkdir -p $(@D)
	$(call quiet,CXX  $<)$(CXX) $(ALL_CXXFLAGS) -MMD -MP -MF $(@:.gch=.d) -MT $@ -x c++-header -c $< -o $@
define starts_with
$(call object,$(2)): $(precompiled)/$(1).hpp.gch
$(call object,$(2)): private ALL_CXXFLAGS += -Winvalid-pch -include $(precompiled)/$(1).hpp
endef
ifeq ($(is_clang),)
  $(eval $(call starts_with,program,$(unhurried_programs)))
  $(eval $(call starts_with,test,$(unhurried_tests)))
endif

objects := $(call object,$(sources)) $(BUILD)/obj/build_info.o
$(library): $(objects) $(sources_file)
	$(call quiet,AR   $@)rm -f $@ && $(AR) rcs $@ $(objects)

define link_program =
	@mkdir -p $(@D)
	$(call quiet,LINK $@)$(CXX) $(ALL_CXXFLAGS) $^ $(LDFLAGS) $(lib_ldlibs) -o $@
endef
$(BUILD)/bin/%: $(BUILD)/obj/src/train/programs/%.o $(library)
	$(link_program)
$(BUILD)/bin/%: $(BUILD)/obj/src/record/programs/%.o $(library)
	$(link_program)
$(BUILD)/bin/%: $(BUILD)/obj/src/sweep/programs/%.o $(library)
	$(link_program)
$(BUILD)/bin/%: $(BUILD)/obj/src/simulate/programs/%.o $(library)
	$(link_program)

simulate: ## Build what jobs/simulate.sh runs on simulated clusters (needs SimGrid: make deps DEPS=simulate)
	@$(MAKE) --no-print-directory $(all_cores) CONFIG=sim all
simulate-demo: all simulate ## Three algorithms on up to 64 ranks of two simulated clusters: tables and a page (a few minutes)
	@$(MAKE) --no-print-directory data
	@jobs/simulate_demo.sh
.PHONY: simulate simulate-demo

-include $(shell find $(BUILD)/obj $(precompiled) -name '*.d' 2>/dev/null)
.SECONDARY:

# The old interface: `make param_avg` builds and leaves ./runmpi; `make serial` leaves ./runserial.
.PHONY: all serial parallel_sgd param_avg w_param_avg
serial: $(BUILD)/bin/serial ## Build ./runserial (serial SGD)
	@ln -sfn $< runserial
parallel_sgd param_avg w_param_avg: %: $(BUILD)/bin/% ## Build ./runmpi with this algorithm
	@ln -sfn $< runmpi

installed = $(call quoted,DESTDIR)$(call quoted,PREFIX)
install: all ## Install under PREFIX (programs as lockstep-NAME)
	@test -n $(call quoted,PREFIX) || { echo 'make install: say where, e.g. make install PREFIX=$$HOME/.local' >&2; exit 1; }
	install -d $(installed)/bin $(installed)/share/doc/lockstep
	for p in $(programs); do install -m 755 $(BUILD)/bin/$$p $(installed)/bin/lockstep-$$p; done
	install -m 644 README.md LICENSE docs/*.md $(installed)/share/doc/lockstep

clean: ## Remove what was built (results/ and data/ stay)
	rm -rf build runserial runmpi
.PHONY: install clean
