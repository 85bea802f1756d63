# SPDX-License-Identifier: BSD-3-Clause
# The experiments: every jobs/experiments/NAME.json is a target `make NAME`, and the study that is made of them.

LAUNCH ?= local
SCALE ?= full
SITE ?=
experiment_files := $(wildcard jobs/experiments/*.json)
experiments := $(basename $(notdir $(experiment_files)))
sweep_command.local := run
sweep_command.slurm := submit
results_suffix := $(if $(filter full,$(SCALE)),,-$(SCALE))

# Under Slurm the job that collects comes after the others by itself.
.PHONY: $(experiments) scaling experiments study
$(experiments): %: all
	@$(if $(sweep_command.$(LAUNCH)),,echo "LAUNCH=$(LAUNCH) is unknown; there are: local slurm" >&2; exit 2)
	@$(if $(filter local,$(LAUNCH)),PYTHON=$(python) mk/deps.sh --check run analysis)
	@$(BUILD)/bin/sweep $(sweep_command.$(LAUNCH)) jobs/experiments/$@.json --scale '$(SCALE)' $(if $(SITE),--site '$(SITE)')
	@$(if $(filter local,$(LAUNCH)),PYTHON=$(python) jobs/collect.sh results/$@$(results_suffix))
scaling: scaling_strong scaling_weak

experiments: ## List the experiments; make NAME runs one
	@echo 'make EXPERIMENT [LAUNCH=local|slurm] [SCALE=full|smoke] [SITE=a site of jobs/sites or a file]'
	@for name in $(experiments); do sed -n "s/^ *\"title\": \"\(.*\)\",$$/  $$(printf '%-18s' $$name)  \1/p" jobs/experiments/$$name.json; \
	  done | sort -V
	@echo '  scaling             scaling_strong, then scaling_weak'

# Under Slurm there is no waiting for it: submit its experiments one by one; when they are complete this makes the document alone.
study: all ## All experiments of docs/study.md and, from their runs, its tables and figures (hours; SCALE=smoke: minutes)
	@$(if $(filter local,$(LAUNCH)),,echo "make study runs here, not under LAUNCH=$(LAUNCH): make EXPERIMENT LAUNCH=slurm submits one; when \
	all are complete, make study makes the document" >&2; exit 2)
	@PYTHON=$(python) mk/deps.sh --check run analysis bench
	@PYTHON=$(python) jobs/study.sh '$(SCALE)'
