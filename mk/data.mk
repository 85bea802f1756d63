# SPDX-License-Identifier: BSD-3-Clause
# Parts and data, and the demo that shows it all.

deps: ## Install what is missing (apt as root or with sudo; else says what to install); more with DEPS='compare browser peers'
	@BLAS=$(BLAS) mk/deps.sh $(DEPS)

data: ## Fetch MNIST and Fashion-MNIST into data/, checked by SHA-256
	@data/fetch.sh

demo: ## From nothing to a measured comparison of the four algorithms
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(all_cores) all
	@$(MAKE) --no-print-directory data
	@jobs/demo.sh $(BUILD)/bin
.PHONY: deps data demo
