#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs fuzz targets one after another, a line for each; the last line says how many passed.
#   tests/fuzz/run.sh short|long RUNS BUILD TARGET...      RUNS: executions of each target, "" = by the kind of target
# short: the corpus, then new inputs that are the same in every run. long: other inputs in every run, which go on from
# what earlier ones found (BUILD/found). FUZZ_SECONDS in the environment ends each target's run sooner. Inputs that break
# a reader are kept in BUILD/crashes.
set -euo pipefail
mode=$1 asked=$2 build=$(realpath "$3")
shift 3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "$build/crashes" "$build/logs"
if [ -d /dev/shm ]; then scratch=$(mktemp -d -p /dev/shm); else scratch=$(mktemp -d); fi  # relative paths in inputs lead here
export TMPDIR=$scratch ASAN_OPTIONS=quarantine_size_mb=16:allocator_release_to_os_interval_ms=-1${ASAN_OPTIONS:+:$ASAN_OPTIONS}
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

runs_of() {  # TARGET: milliseconds each for what goes through HDF5 or CLI11, less for the others
  case $mode-$1 in
    short-*_file | short-checkpoint | short-*_arguments) echo 2000 ;;
    short-*) echo 20000 ;;
    long-*_file | long-checkpoint | long-*_arguments) echo 1000000 ;;
    long-*) echo 5000000 ;;
  esac
}
options_of() {  # TARGET
  case $1 in
    *_file | checkpoint) echo "-dict=$here/hdf5.dict -max_len=1024" ;;
    idx) echo "-max_len=2048" ;;
    *) echo "-dict=$here/settings.dict -max_len=4096" ;;
  esac
}
seeds_of() {  # TARGET: folders
  echo "$here/corpus/$1"
  case $1 in
    sweep) echo "$root/jobs/experiments" ;;
    site) echo "$root/jobs/sites" ;;
    cluster) echo "$root/jobs/clusters" ;;
    kernel_table) echo "$root/jobs/kernels" ;;
  esac
}
last() { grep -oE "$2" "$1" | tail -n 1 | grep -oE '[0-9]+' | head -n 1; }  # LOG PATTERN: the number in the last match

passed=0 failed=0
for target in "$@"; do
  log=$build/logs/$target.log
  found=$build/found/$target
  seed=0
  if [ "$mode" = short ]; then found=$scratch/found/$target seed=1; fi
  mkdir -p "$found"
  read -r -a options <<<"$(options_of "$target")"
  mapfile -t seeds < <(seeds_of "$target")
  # What asks for more than 256 MB at once has not been refused in time.
  "$build/bin/$target" -runs="${asked:-$(runs_of "$target")}" -seed=$seed -timeout=20 -malloc_limit_mb=256 -rss_limit_mb=2048 \
    -max_total_time="${FUZZ_SECONDS:-0}" -print_final_stats=1 -artifact_prefix="$build/crashes/$target-" "${options[@]}" "$found" "${seeds[@]}" >"$log" 2>&1 &
  while kill -0 $! 2>/dev/null; do
    sleep 0.2
    if [ -t 1 ]; then printf '\r%-16s %.60s\033[K' "$target" "$(grep '^#' "$log" | tail -n 1)"; fi
  done
  [ ! -t 1 ] || printf '\r\033[K'
  verdict=passed
  if wait $!; then passed=$((passed + 1)); else failed=$((failed + 1)) verdict="FAILED: $log"; fi
  printf '%-16s %9s executions  %6s of %6s edges  %s\n' "$target" "$(last "$log" 'executed_units: [0-9]+' || echo '?')" \
    "$(last "$log" 'cov: [0-9]+' || echo '?')" "$(last "$log" '[0-9]+ inline 8-bit counters')" "$verdict"
  if [ "$verdict" != passed ]; then grep -E 'ERROR|SUMMARY|broken|what\(\)|Test unit written' "$log" || true; fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
