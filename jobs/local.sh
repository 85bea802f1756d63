#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs a program on N ranks of this machine under mpiexec: one rank a core where there are enough cores, else
# sharing them (then waiting ranks yield).      jobs/local.sh N PROGRAM [ARGUMENT ...]
set -euo pipefail

if [ $# -lt 2 ] || ! [[ $1 =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: $0 RANKS PROGRAM [ARGUMENT ...]" >&2
  exit 2
fi
ranks=$1
shift

if ! [ -d "${TMPDIR:-/tmp}" ] || ! [ -w "${TMPDIR:-/tmp}" ]; then  # Open MPI names an error in its sources then
  echo "error: the folder for temporary files, ${TMPDIR:-/tmp}, cannot be written; TMPDIR names another one" >&2
  exit 2
fi

# Removes what launchers of this user that were killed (kill -9) left on this machine: the session folder of a process
# that is gone, and shared memory that no process has mapped. Both only if they are older than ten minutes: the process
# may be starting, or be one of another container that shares /tmp and the host's name, whose processes are not seen here.
remove_left_overs() {
  local owner sessions left
  owner=$(uname -n | cut -d. -f1).$(id -u)
  sessions=${TMPDIR:-/tmp}/ompi.$owner
  [ -O "$sessions" ] && [ ! -L "$sessions" ] && for left in "$sessions"/pid.*; do
    [ -d "$left" ] && [ ! -e "/proc/${left##*.}" ] && [ -n "$(find "$left" -maxdepth 0 -mmin +10)" ] && rm -rf -- "$left"
  done
  [ -O "$sessions" ] && [ ! -L "$sessions" ] && find "$sessions" -mindepth 1 -maxdepth 1 -name 'jf.*' -empty -mmin +10 -delete
  find /dev/shm -maxdepth 1 -type f -user "$(id -u)" -name "vader_segment.$owner.*" -mmin +10 | while read -r left; do
    grep -qsF -- "$left" /proc/[0-9]*/maps || rm -f -- "$left"
  done
}
# Whatever cannot be removed, of another user or already gone, must not keep a run from starting.
remove_left_overs 2>/dev/null || true

# Cores that this process may use. nproc counts hardware threads, and would take OMP_NUM_THREADS for their number.
count_cores() {
  local allowed range cpu
  IFS=, read -r -a allowed < <(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
  for range in "${allowed[@]}"; do
    for ((cpu = ${range%-*}; cpu <= ${range#*-}; cpu++)); do
      cat "/sys/devices/system/cpu/cpu$cpu/topology/thread_siblings_list" 2>/dev/null || echo "$cpu"
    done
  done | sort -u | wc -l
}
cores=$(count_cores)
if [ "$ranks" -le "$cores" ]; then
  options=(--bind-to core)
else
  options=(--oversubscribe --bind-to none)
  export OMPI_MCA_mpi_yield_when_idle=1
fi
# In a Slurm job Open MPI counts tasks, not cores: one task of several cores would hold one rank.
if [ -n "${SLURM_JOB_ID:-}" ] && [ "$ranks" -gt "${SLURM_NTASKS:-1}" ]; then
  export OMPI_MCA_ras=^slurm
fi
if [ "$(id -u)" = 0 ]; then  # Open MPI wants to be told twice, as in a container
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
exec mpiexec -n "$ranks" "${options[@]}" "$@"
