#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Three algorithms on 1, 4, 16 and 64 ranks of two simulated clusters, then the tables and the page.   jobs/simulate_demo.sh
# One run on each core of this machine at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

results=results/simulate-demo
clusters=(ethernet_1g infiniband_hdr100)
if ! [ -e data/mnist/train-images-idx3-ubyte ]; then
  echo "error: MNIST is not in data/; \`make data\` fetches it" >&2
  exit 1
fi
rm -rf "$results"

simulate() {  # CLUSTER RANKS ALGORITHM
  local name=$1-$3-$2
  jobs/simulate.sh "$2" --cluster "$1" train --algorithm "$3" --dataset mnist --batch-size 256 --learning-rate 0.4 \
    --allreduce hierarchical --gemm tiled --epochs 3 \
    --checkpoint-minutes 0 --results "$results" --run-id "$name" >"$results/$name.log" 2>&1 ||
    { echo "failed: $name" && cat "$results/$name.log"; } >&2
  echo "$1, $2 x $3: $(grep '^epoch' "$results/$name.log" | tail -n 1)"
}

mkdir -p "$results"
for cluster in "${clusters[@]}"; do
  for run in "1 serial" "4 parallel_sgd" "4 param_avg" "16 parallel_sgd" "16 param_avg" "64 parallel_sgd" "64 param_avg"; do
    read -r ranks algorithm <<<"$run"
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
    simulate "$cluster" "$ranks" "$algorithm" &
  done
done
wait

for cluster in "${clusters[@]}"; do
  echo
  analysis/lockstep-analysis table "$results" --where "simulated=$cluster" 2>/dev/null  # it would name the runs of the other cluster
done
analysis/lockstep-analysis report "$results" --out "$results/report"
