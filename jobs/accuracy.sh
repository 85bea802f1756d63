#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The accuracies that the correct algorithms reach with the old report's recipe (model A, batch size 64, 20 epochs),
# over several seeds; then the table.      jobs/accuracy.sh BIN_FOLDER
# Ranks may share cores here: accuracies hold at any rank count, the times in this table do not.
set -euo pipefail

bin=$1
seeds=${SEEDS:-3}
results=results/accuracy
rm -rf "$results"

train() {  # RANKS ARGUMENT...
  local ranks=$1
  shift
  for seed in $(seq "$seeds"); do
    jobs/local.sh "$ranks" "$bin/train" --experiment accuracy --progress off --seed "$seed" "$@"
  done
}

for dataset in mnist fashion_mnist; do
  [ -e "data/$dataset/train-images-idx3-ubyte" ] || continue
  echo "$dataset: serial"
  train 1 --algorithm serial --dataset "$dataset"
done
echo "fashion_mnist: serial, with the rate falling to 0 (cosine)"
train 1 --algorithm serial --dataset fashion_mnist --schedule cosine
if [ -e data/mnist/train-images-idx3-ubyte ]; then
  for ranks in 2 4 8; do
    echo "mnist: parallel_sgd on $ranks ranks"
    train "$ranks" --algorithm parallel_sgd
  done
  echo "mnist: param_avg and w_param_avg (lambda 1 and 10) on 8 ranks"
  train 8 --algorithm param_avg
  train 8 --algorithm w_param_avg --lambda 1
  train 8 --algorithm w_param_avg --lambda 10
  echo "mnist: drift_avg on 8 ranks"
  train 8 --algorithm drift_avg
  echo "mnist: lenet5, 3 epochs"
  train 1 --algorithm serial --model lenet5 --epochs 3
fi
echo
analysis/lockstep-analysis table "$results"
