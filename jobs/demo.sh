#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The demo: the four algorithms on each data set that is here, then the comparison.   jobs/demo.sh BIN_FOLDER
set -euo pipefail

bin=$1
ranks=${RANKS:-2}
epochs=${EPOCHS:-6}  # the fewest that give a 95% interval of the median
results=results/demo
rm -rf "$results"

without=()
for dataset in fashion_mnist mnist; do
  if ! [ -e "data/$dataset/train-images-idx3-ubyte" ]; then
    without+=("$dataset")
    continue
  fi
  for run in "1 serial" "$ranks parallel_sgd" "$ranks param_avg" "$ranks w_param_avg"; do
    read -r n algorithm <<<"$run"
    jobs/local.sh "$n" "$bin/train" --algorithm "$algorithm" --dataset "$dataset" --epochs "$epochs" \
      --experiment demo
    echo
  done
done
ls "$results"/*.h5 >/dev/null 2>&1 || { echo "no data set is here; see data/README.md" >&2; exit 1; }

analysis/lockstep-analysis table "$results"
if [ ${#without[@]} -gt 0 ]; then
  echo
  echo "== LEFT OUT: ${without[*]}, whose files are not in data/; \`make data\` says why"
fi
cat <<NEXT

Each run left one HDF5 file in $results/ (h5ls -r FILE shows what is in it; docs/run_file.md explains it).
What to type next:
  jobs/local.sh $ranks build/bin/train --algorithm param_avg --avg-freq 2 --epochs 10
  build/bin/train --model lenet5 --epochs 3             # another model; --help lists everything
  analysis/lockstep-analysis table results/runs         # the table for runs of your own
  make test                                             # every test
NEXT
