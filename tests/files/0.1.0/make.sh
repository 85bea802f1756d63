#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Makes the run files, checkpoints and sweep of this folder, with a built checkout of version 0.1.0
# (commit c830b74) whose data/ holds Fashion-MNIST.
#     tests/files/0.1.0/make.sh CHECKOUT       then commit what changed
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "${1:?a built checkout of 0.1.0}"
build/bin/train --version | grep -q '0\.1\.0' || { echo "$1 is not version 0.1.0" >&2; exit 2; }
made=samples  # a relative path, as it stands in the run files' command lines
rm -rf "$made"

# Fashion-MNIST, since the synthetic data of a seed have changed after 0.1.0. Small models and batches: the files are
# small, and an epoch has many steps to be interrupted at. What decides about the last bit is named: the GEMM backend
# and the allreduce.
common=(--dataset fashion_mnist --train-samples 20003 --test-samples 503 --model mlp:784-4-10 --gemm tiled
  --batch-size 32 --epochs 50 --checkpoint-minutes 0 --progress off --results "$made")
serial=(--algorithm serial --optimizer adam)
parallel_sgd_ring=(--algorithm parallel_sgd --exchange allreduce --allreduce ring --optimizer sgd --learning-rate 0.01)
param_avg=(--algorithm param_avg --avg-steps 7 --allreduce ring --optimizer sgd --momentum 0.9 --learning-rate 0.001)

run() {  # RANKS NAME EXPERIMENT ARGUMENT ...: without this shell's variables, which would stand in the file
  local ranks=$1 name=$2 experiment=$3
  shift 3
  ${replace_shell:-} env -i PATH="$PATH" HOME="$HOME" jobs/local.sh "$ranks" build/bin/train "${common[@]}" \
    --run-id "$name" --experiment "$experiment" "$@"
}

interrupt() {  # RANKS NAME ARGUMENT ...: stops the run in its second epoch or later
  local name=$2 file=$made/interrupted/$2.h5 status=0 launcher
  replace_shell="exec" run "$1" "$2" interrupted "${@:3}" &  # so that the process to signal is the launcher
  launcher=$!
  until h5ls "$file/epochs" 2>/dev/null | grep -q train_loss; do sleep 0.02; done  # an epoch is recorded
  kill -USR1 "$launcher"
  wait "$launcher" || status=$?
  [ "$status" = 75 ] || { echo "$name ended with status $status instead of 75" >&2; exit 1; }
}

run 1 serial complete "${serial[@]}"
run 2 parallel_sgd_ring complete "${parallel_sgd_ring[@]}"
run 2 parallel_sgd_shared complete --algorithm parallel_sgd --exchange shared --train-samples 2003 --epochs 3
run 2 param_avg complete "${param_avg[@]}"
run 2 w_param_avg complete --algorithm w_param_avg --lambda 10 --eval-ranks --train-samples 2003 --epochs 3

interrupt 1 serial "${serial[@]}"
interrupt 2 parallel_sgd_ring "${parallel_sgd_ring[@]}"
interrupt 2 param_avg "${param_avg[@]}"

status=0
run 2 diverged failed --algorithm parallel_sgd --gradient sum --optimizer sgd --learning-rate 1e30 || status=$?
[ "$status" = 3 ] || { echo "a run that should diverge ended with status $status" >&2; exit 1; }

# A sweep of two runs, of which the second to be started is interrupted.
cat >"$made/averaging.json" <<'END'
{
  "name": "averaging",
  "title": "two ways of averaging",
  "fixed": {"dataset": "fashion_mnist", "train_samples": 20003, "test_samples": 503, "model": "mlp:784-4-10",
            "ranks": 2, "batch_size": 32, "epochs": 50, "gemm": "tiled", "allreduce": "ring"},
  "matrix": {"algorithm": ["drift_avg", "param_avg"]}
}
END
env -i PATH="$PATH" HOME="$HOME" build/bin/sweep run "$made/averaging.json" --results "$made" &
sweep=$!
until ls "$made"/averaging/param_avg-*.h5 >/dev/null 2>&1; do sleep 0.02; done
kill -TERM "$sweep"
if wait "$sweep"; then
  echo "$0: the sweep was complete before it could be stopped" >&2
  exit 1
fi
rm -r "$made"/averaging/sweep/{lock,log}

for folder in complete interrupted failed averaging; do
  rm -rf "${here:?}/$folder"
  cp -r "$made/$folder" "$here"
done
rm -rf "$made"
