# SPDX-License-Identifier: BSD-3-Clause
# Lockstep: builds, data, demo, tests, benchmarks. `make help` lists what there is to type.
MAKEFLAGS += --no-builtin-rules
SHELL := bash
.DEFAULT_GOAL := all

CONFIG ?= release
ARCH ?= native
BLAS ?= openblas

include mk/flags.mk
include mk/build.mk
include mk/data.mk
include mk/test.mk
include mk/fuzz.mk
include mk/bench.mk
include mk/analysis.mk
include mk/experiments.mk
include mk/tools.mk
