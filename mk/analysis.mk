# SPDX-License-Identifier: BSD-3-Clause
# From run files to results: docs/analysis.md.

RESULTS ?= results
REPORT_ARGS ?=

report: ## One page of tables and figures from run files: RESULTS=results/table2 REPORT_ARGS='--target 97%'
	@PYTHON=$(python) mk/deps.sh --check analysis
	@PYTHON=$(python) analysis/lockstep-analysis report $(call quoted,RESULTS) $(REPORT_ARGS)

# With `train` of this build, on runs of a second or less.
test-analysis: all | check-test-deps ## Tests of the analysis: statistics, the model, figures, the page in a browser
	@echo '== tests of the analysis'
	@$(call pytest,analysis)
.PHONY: report test-analysis
