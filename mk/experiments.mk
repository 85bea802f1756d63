# SPDX-License-Identifier: BSD-3-Clause
# The experiments: every jobs/experiments/NAME.json is a target `make NAME`.

LAUNCH ?= local
SCALE ?= full
SITE ?=
experiment_files := $(wildcard jobs/experiments/*.json)
experiments := $(basename $(notdir $(experiment_files)))
sweep_command.local := run
sweep_command.slurm := submit

.PHONY: $(experiments) scaling experiments
$(experiments): %: all
	@$(if $(sweep_command.$(LAUNCH)),,echo "LAUNCH=$(LAUNCH) is unknown; there are: local slurm" >&2; exit 2)
	@$(BUILD)/bin/sweep $(sweep_command.$(LAUNCH)) jobs/experiments/$@.json --scale '$(SCALE)' $(if $(SITE),--site '$(SITE)')
scaling: scaling_strong scaling_weak

experiments: ## List the experiments; make NAME runs one
	@echo 'make EXPERIMENT [LAUNCH=local|slurm] [SCALE=full|smoke] [SITE=a site of jobs/sites or a file]'
	@for name in $(experiments); do sed -n "s/^ *\"title\": \"\(.*\)\",$$/  $$(printf '%-16s' $$name)  \1/p" jobs/experiments/$$name.json; \
	  done | sort -V
	@echo '  scaling           scaling_strong, then scaling_weak'
