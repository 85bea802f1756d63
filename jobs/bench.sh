#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs a benchmark on N ranks. Its JSON goes to results/bench/NAME.json, only when it is whole; what it says goes to NAME.log
# beside it, and to the terminal with V=1.      jobs/bench.sh N PROGRAM [ARGUMENT ...]
set -euo pipefail

if [ $# -lt 2 ]; then
  echo "usage: $0 RANKS PROGRAM [ARGUMENT ...]" >&2
  exit 2
fi
ranks=$1 program=$2
shift 2
folder=results/bench
json=$folder/$(basename "$program").json
log=${json%.json}.log
mkdir -p "$folder"

run() {
  jobs/local.sh "$ranks" "$program" --benchmark_out_format=json "--benchmark_out=$json.partial" "$@" 2>&1
}
if [ -n "${V:-}" ]; then
  run "$@" | tee "$log"
elif ! run "$@" >"$log"; then
  { echo "$(basename "$program") failed; the end of $log:"; tail -n 20 "$log"; } >&2
  exit 1
fi
mv "$json.partial" "$json"
