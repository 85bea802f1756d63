#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The study: the experiments that docs/study.md shows, in its order, and benchmarks; then its tables and figures. What is complete
# in results/ is not made again. At another scale than full the document is a copy, in results/.
#   jobs/study.sh full|smoke
set -euo pipefail
cd "$(dirname "$0")/.."

scale=$1
document=docs/study.md
mapfile -t names < <(grep '^<!-- lockstep:' "$document" | grep -o 'results/[a-z0-9_]*' | cut -d/ -f2 | awk '!seen[$0]++')

for name in "${names[@]}"; do
  build/bin/sweep run "jobs/experiments/$name.json" --scale "$scale"
done
for name in gemm allreduce epoch; do  # what the performance model is made of
  [ -e "results/bench/${name}_bench.json" ] || make --no-print-directory bench BENCHES="${name}_bench"
done
if [ "$scale" != full ]; then
  mkdir -p results/study
  # Small runs reach no accuracy that is worth a race: the goal is left to the analysis.
  sed -E "/^<!-- lockstep:/{s|results/[a-z0-9_]+|&-$scale|g; s| --target [0-9.]+%||}" "$document" >"results/study/$scale.md"
  document=results/study/$scale.md
fi
analysis/lockstep-analysis fill "$document"
