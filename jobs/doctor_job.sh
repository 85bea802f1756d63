#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The program of the job that `sweep doctor --site NAME` submits: jobs/doctor.sh on each of its nodes, and then a
# short training on all of them, started as the site starts its runs.
#   jobs/doctor_job.sh SWEEP SITE FOLDER      exit status 1 if anything is bad
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

sweep=$1 site=$2 folder=$3
bin=$(dirname "$sweep")
problems=0

good() { printf '  good  %s\n' "$1"; }
bad() {
  printf '  BAD   %s\n        %s\n' "$1" "$2"
  problems=$((problems + 1))
}

check_each_node() {
  local node report
  LOCKSTEP_BIN=$bin timeout 180 srun --mpi=none -N "$SLURM_JOB_NUM_NODES" -n "$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 \
    -c "$((SLURM_NTASKS / SLURM_JOB_NUM_NODES))" --output="$folder/$SLURM_JOB_ID-%N.txt" jobs/doctor.sh --results "$folder"
  for node in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do
    report=$folder/$SLURM_JOB_ID-$node.txt
    if [ ! -s "$report" ]; then
      echo "$node"
      bad "no report from this node in $folder" "is the folder on a file system that all nodes share? --results names another one"
      continue
    fi
    cat "$report"
    grep -q '^nothing bad' "$report" || problems=$((problems + 1))
    rm -f "$report"
  done
}

check_launch() {
  local out status=0 hosts
  echo "$SLURM_JOB_NUM_NODES nodes together, as the site starts runs"
  out=$(timeout 120 "$sweep" launch --site "$site" -- "$bin/train" --algorithm parallel_sgd --dataset synthetic --synthetic-train 256 \
    --synthetic-test 16 --model mlp:784-16-10 --epochs 1 --results "$folder" --experiment launch --run-id "$SLURM_JOB_ID" \
    --stall-seconds 30 2>&1) || status=$?
  if [ "$status" != 0 ]; then
    bad "a training on $SLURM_NTASKS ranks ends with status $status" "its output follows; docs/slurm.md, \"When something goes wrong\""
    sed 's/^/        /' <<<"$out"
  elif ! grep -q " $SLURM_NTASKS ranks" <<<"$out"; then
    bad "$SLURM_NTASKS ranks were started, but not as one program" \
      "the launcher and the MPI of $bin/train do not know each other: srun --mpi=list must have pmix, or \"launcher\": \"mpirun\" in $site"
  elif hosts=$(grep -o 'one rank a core was asked for.*' <<<"$out"); then
    bad "ranks are not bound to cores: $hosts" "times would not compare; \"binding\" in $site, and docs/slurm.md"
  else
    good "$SLURM_NTASKS ranks on $SLURM_JOB_NUM_NODES nodes train together"
  fi
  rm -rf "$folder/launch/$SLURM_JOB_ID".*
  rmdir "$folder/launch" 2>/dev/null
}

check_each_node
check_launch
[ "$problems" = 0 ]
