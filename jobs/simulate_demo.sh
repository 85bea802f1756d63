#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Three algorithms on 1, 4, 16 and 64 ranks of two simulated clusters, then the tables and the page. Runs that are complete are
# not made again.   jobs/simulate_demo.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folders=()
for cluster in ethernet_1g infiniband_hdr100; do
  build/bin/sweep run jobs/simulate_demo.json --site "sim:$cluster"
  folders+=("results/simulate-demo-sim-$cluster")
done
for folder in "${folders[@]}"; do
  echo
  analysis/lockstep-analysis table "$folder"
done
analysis/lockstep-analysis report "${folders[@]}" --out results/simulate-demo
