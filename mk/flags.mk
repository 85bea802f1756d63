# SPDX-License-Identifier: BSD-3-Clause
# Compiler and linker flags: one block a configuration, one line a library.

# Compilation goes through MPI's wrapper; a plain compiler named by CXX (conda and Spack export one) becomes the one behind it.
plain_cxx := $(if $(filter default,$(origin CXX)),,$(if $(findstring mpi,$(CXX)),,$(CXX)))
ifneq ($(plain_cxx),)
  export OMPI_CXX := $(plain_cxx)
endif
# On simulated clusters SimGrid is the MPI library, and no wrapper is needed.
is_sim := $(filter sim,$(CONFIG))
override CXX := $(if $(is_sim),$(or $(plain_cxx),g++),$(if $(or $(plain_cxx),$(filter default,$(origin CXX))),mpicxx,$(CXX)))
# For $(shell), which does not see what make exports.
ask_cxx := $(if $(plain_cxx),OMPI_CXX='$(plain_cxx)') $(CXX)

# Each configuration, processor and compiler has a tree of its own.
BUILD := build/$(CONFIG)$(if $(filter-out native,$(ARCH)),-$(ARCH))$(if $(plain_cxx),-$(notdir $(lastword $(plain_cxx))))

# GCC 12 takes the deliberately undefined operands of AVX-512 intrinsics, and joined strings, for mistakes (GCC bugs
# 105593 and 105651); Clang does not know these warnings.
is_clang := $(findstring clang,$(shell $(ask_cxx) --version 2>/dev/null | head -n 1))
warnings := -Wall -Wextra -Wconversion -Wshadow $(if $(is_clang),,-Wno-maybe-uninitialized -Wno-restrict) $(if $(WERROR),-Werror)
flags.release := -O3 -DNDEBUG -fno-math-errno -fno-trapping-math
flags.debug := -O1 -g -D_GLIBCXX_ASSERTIONS
# Sanitizers: `make sanitize` (mk/sanitize.mk). -g1, which all have, is enough for their stacks.
sanitized := -O1 -D_GLIBCXX_ASSERTIONS -fno-omit-frame-pointer
flags.asan := $(sanitized) -fsanitize=address,undefined -fno-sanitize-recover=all
flags.sim := $(flags.release)
flags.tsan := $(sanitized) -fsanitize=thread
ifeq ($(flags.$(CONFIG)),)
  $(error CONFIG=$(CONFIG) is unknown; there are: release debug asan tsan sim)
endif

# The first of several pkg-config names that exists, or nothing (distributions disagree about some of them).
pkg = $(firstword $(foreach name,$(1),$(shell pkg-config --exists $(name) 2>/dev/null && echo $(name))))
blas.openblas := openblas
blas.blis := blis blis-openmp blis-pthread
blas.mkl := mkl-dynamic-lp64-seq mkl-static-lp64-seq
ifeq ($(blas.$(BLAS)),)
  $(error BLAS=$(BLAS) is unknown; there are: openblas blis mkl)
endif
hdf5 := $(call pkg,hdf5-serial hdf5)
blas := $(call pkg,$(blas.$(BLAS)))
cli11 := $(call pkg,CLI11)
# Optional: its interface is another one from version 2 on. It calls BLAS, so it stands before it.
xsmm := $(shell pkg-config --exists 'libxsmm >= 1.16 libxsmm < 2' 2>/dev/null && echo libxsmm)
libraries := $(hdf5) $(xsmm) $(blas) $(cli11) eigen3 nlohmann_json fmt zlib openssl
# Some come without a pkg-config file: HDF5 from conda-forge, BLIS from Debian 12 (its cblas.h lies beside the true blis.h).
blis_h := $(realpath $(firstword $(wildcard /usr/include/*/blis.h)))
simgrid_cflags := $(if $(is_sim),-isystem $(shell pkg-config --variable=includedir simgrid 2>/dev/null)/smpi)
unlisted_cflags := $(if $(blas),,$(if $(filter blis,$(BLAS)),$(if $(blis_h),-isystem $(dir $(blis_h)))))
unlisted_ldlibs := $(if $(hdf5),,-lhdf5) $(if $(blas),,-l$(BLAS))
test_libraries := gtest gmock

comma := ,
is_x86 := $(filter x86_64,$(shell uname -m))
std_flags := -std=c++20 -march=$(ARCH) -g1 $(flags.$(CONFIG)) $(warnings)
lib_cflags := $(unlisted_cflags) $(patsubst -I%,-isystem%,$(shell pkg-config --cflags $(libraries) 2>/dev/null))
lib_ldlibs := $(if $(is_x86),-Wl$(comma)-u$(comma)lockstep_check_processor) $(unlisted_ldlibs) $(shell pkg-config --libs $(libraries) $(if $(is_sim),simgrid) 2>/dev/null) -lm
test_ldlibs := $(shell pkg-config --libs $(test_libraries) 2>/dev/null) -lpthread
bench_ldlibs := $(shell pkg-config --libs benchmark 2>/dev/null || echo -lbenchmark) -lpthread
# Open MPI's long-removed C++ bindings are neither wanted nor free of warnings.
base_cxxflags := $(std_flags) -DOMPI_SKIP_MPICXX -Isrc $(simgrid_cflags) $(lib_cflags) $(CXXFLAGS)

# Optional GEMM backends: compiled where they can be; src/math/gemm.cpp answers for those that are not.
instruction_sets := $(shell $(ask_cxx) $(base_cxxflags) -dM -E -x c++ /dev/null 2>/dev/null | \
  sed -nE 's/^.define __((S?SSE|AVX|FMA|BMI|XOP|POPCNT)[A-Z0-9_]*)__ 1$$/\1/p')
avx512 := $(filter AVX512F,$(instruction_sets))
absent_sources := $(if $(is_sim),,$(addprefix src/simulate/,computing.cpp delays.cpp profiles.cpp simulator.cpp zones.cpp)) $(if $(xsmm),,src/math/gemm_xsmm.cpp) $(if $(avx512),,src/math/gemm_eigen_avx2.cpp)
gemm_defines := -DLOCKSTEP_HAS_XSMM=$(if $(xsmm),1,0) -DLOCKSTEP_HAS_EIGEN_AVX2=$(if $(avx512),1,0)
ALL_CXXFLAGS := $(base_cxxflags) $(gemm_defines)
