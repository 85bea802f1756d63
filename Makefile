# SPDX-License-Identifier: BSD-3-Clause
# Lockstep: builds, data, demo, tests, benchmarks. `make help` lists what there is to type.
MAKEFLAGS += --no-builtin-rules
SHELL := bash
.DEFAULT_GOAL := all

CONFIG ?= release
ARCH ?= native
BLAS ?= openblas

# A variable's value as one word for the shell, whatever it holds: $(call quoted,NAME).
quoted = '$(subst ','\'',$(value $(1)))'
# Variables that are names of something of ours hold nothing that the shell or make would take apart.
$(foreach name,CONFIG ARCH BLAS LAUNCH SCALE TESTS SUITE MPI_TEST_RANKS TEST_WORKERS,$(foreach bad,; & | < > ( ) ` " ' \ $$,$(if \
  $(findstring $(bad),$(value $(name))),$(error $(name) cannot hold $(bad)))))

include mk/flags.mk
include mk/build.mk
include mk/data.mk
include mk/test.mk
include mk/fuzz.mk
include mk/bench.mk
include mk/analysis.mk
include mk/experiments.mk
include mk/tools.mk
include mk/sanitize.mk
