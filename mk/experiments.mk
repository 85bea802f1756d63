# SPDX-License-Identifier: BSD-3-Clause
# The experiments: every jobs/experiments/NAME.json is a target `make NAME`, and the study that is made of them. A file is
# named by its question; a symbolic link to it is an older name, and means the same. The folder of results is the file's
# "name", whichever of them is typed: results made under an older name are found, and none has to move.

LAUNCH ?= local
SCALE ?= full
SITE ?=
experiment_files := $(wildcard jobs/experiments/*.json)
experiments := $(basename $(notdir $(experiment_files)))
sweep_command.local := run
sweep_command.slurm := submit
simulated_site := $(filter sim:%,$(value SITE))
sweep_words = jobs/experiments/$@.json --scale '$(SCALE)'$(if $(value SITE), --site $(call quoted,SITE))

# Under Slurm the job that collects comes after the others by itself.
.PHONY: $(experiments) scaling experiments study
$(experiments): %: all $(if $(simulated_site),simulate)
	@$(if $(sweep_command.$(LAUNCH)),,echo "LAUNCH=$(LAUNCH) is unknown; there are: local slurm" >&2; exit 2)
	@$(if $(filter local,$(LAUNCH)),PYTHON=$(python) mk/deps.sh --check run analysis)
	@$(BUILD)/bin/sweep $(sweep_command.$(LAUNCH)) $(sweep_words)
	@$(if $(filter local,$(LAUNCH)),PYTHON=$(python) jobs/collect.sh "$$($(BUILD)/bin/sweep expand $(sweep_words) --folder)")
scaling: strong-scaling weak-scaling

experiments: ## List the experiments; make NAME runs one
	@echo 'make EXPERIMENT [LAUNCH=local|slurm] [SCALE=full|smoke] [SITE=a site of jobs/sites, a file, or sim:CLUSTER]'
	@jobs/experiments.sh
	@echo '  scaling                         strong-scaling, then weak-scaling'

# Under Slurm there is no waiting for it: submit its experiments one by one; when they are complete this makes the document alone.
study: all ## All experiments of docs/study.md and, from their runs, its tables and figures (hours; SCALE=smoke: minutes)
	@$(if $(filter local,$(LAUNCH)),,echo "make study runs here, not under LAUNCH=$(LAUNCH): make EXPERIMENT LAUNCH=slurm submits one; when \
	all are complete, make study makes the document" >&2; exit 2)
	@PYTHON=$(python) mk/deps.sh --check run analysis bench
	@PYTHON=$(python) jobs/study.sh '$(SCALE)'
