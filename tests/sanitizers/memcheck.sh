#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A short run and `runfile check` under Valgrind's memcheck.      tests/sanitizers/memcheck.sh FOLDER-OF-PROGRAMS
# Fails on any error or lost block, in a child process too: there the exit status would not show it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ $# = 1 ] || { echo "usage: $0 FOLDER-OF-PROGRAMS" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Root may not start MPI programs unless told so.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 LOCKSTEP_CACHE_DIR=$folder/cache

# Open MPI's own suppressions, where they are installed, and ours.
suppressions=(--suppressions=tests/sanitizers/memcheck.supp)
open_mpi=/usr/share/openmpi/openmpi-valgrind.supp
[ ! -e "$open_mpi" ] || suppressions+=(--suppressions="$open_mpi")
# Without freeing libc's memory at the end: that would also flush the copies of stdout that children hold.
memcheck() {
  valgrind --quiet --log-file="$folder/%p.log" --num-callers=40 --leak-check=full --show-leak-kinds=definite \
    --errors-for-leak-kinds=definite --run-libc-freeres=no --error-exitcode=99 "${suppressions[@]}" "$@"
}

memcheck "$1/train" --algorithm serial --dataset synthetic --synthetic-train 67 --synthetic-test 40 --epochs 2 \
  --model lenet5 --progress off --results "$folder" --run-id short
memcheck "$1/runfile" check "$folder/runs/short.h5" tests/files/0.1.0/complete/*.h5
if cat "$folder"/*.log | grep .; then
  echo "memcheck: the errors above" >&2
  exit 1
fi
