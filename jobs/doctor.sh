#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Says in a minute what would go wrong on this machine, and what to do about it, before hours are spent.
#   jobs/doctor.sh [--results DIR] [--simulate RANKS [OPTION OF jobs/simulate.sh ...]]      exit status 1 if anything is bad
# On a cluster `sweep doctor --site NAME` runs it on the nodes of a job; with --simulate it is about runs on a simulated one.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

results=results
simulate=()
while [ $# -gt 0 ]; do
  case $1 in
    --results) results=${2:?--results needs a folder}; shift 2 ;;
    --simulate) shift; simulate=("${@:?--simulate needs a number of ranks}"); break ;;
    *) echo "usage: $0 [--results DIR] [--simulate RANKS [OPTION ...]]" >&2; exit 2 ;;
  esac
done
bin=${LOCKSTEP_BIN:-build/bin}
problems=0
forbidden_copies=
# This machine alone, even as one task of a job step on several.
for variable in "${!SLURM_@}" "${!PMIX_@}" "${!PMI_@}"; do
  case $variable in SLURM_CONF* | SLURM_JWT | SLURM_SACK_*) ;; *) unset "$variable" ;; esac
done

good() { printf '  good  %s\n' "$1"; }
note() { printf '  note  %s\n        %s\n' "$1" "$2"; }
bad() {
  printf '  BAD   %s\n        %s\n' "$1" "$2"
  problems=$((problems + 1))
}
# Paths can be changed, so that a test can break one thing at a time.
shm=${DOCTOR_SHM:-/dev/shm}
cgroup=${DOCTOR_CGROUP:-/sys/fs/cgroup}
own_groups=${DOCTOR_OWN_GROUPS:-/proc/self/cgroup}
ptrace_scope=${DOCTOR_PTRACE_SCOPE:-/proc/sys/kernel/yama/ptrace_scope}

check_programs() {
  local status=0 version
  version=$("$bin/train" --version 2>&1) || status=$?
  if [ ! -x "$bin/train" ]; then
    bad "there is no $bin/train" "make -j8 builds it"
  elif [ "$status" = 132 ]; then
    bad "$bin/train does not run on this processor (illegal instruction)" \
      "build it for the oldest processor that runs it: make ARCH=x86-64-v3, or ARCH=x86-64 for all"
  elif grep -q 'needs a newer processor' <<<"$version"; then
    bad "$bin/train does not run on this processor ($(grep -o 'without .*' <<<"$version"))" \
      "build it for the oldest processor that runs it: make ARCH=x86-64-v3, or ARCH=x86-64 for all"
  elif [ "$status" != 0 ]; then
    bad "$bin/train does not start: $(tail -n 1 <<<"$version")" "ldd $bin/train names a library that is missing; load the modules it was built with"
  else
    good "$version"
    return 0
  fi
  return 1
}

# A training that does next to nothing: the folder of its results, then what starts it.
tiny_training() {
  timeout 60 "${@:2}" --algorithm parallel_sgd --dataset synthetic --synthetic-train 256 --synthetic-test 16 \
    --model mlp:784-16-10 --epochs 1 --results "$1" --run-id doctor --stall-seconds 20 2>&1
}

check_simulation() {
  local out status=0 folder
  if [ ! -x build/sim/bin/simulate ]; then
    bad "there is no build/sim/bin/simulate" "make deps DEPS=simulate && make simulate"
    return
  fi
  folder=$(mktemp -d)
  out=$(tiny_training "$folder" jobs/simulate.sh "${simulate[@]}" train) || status=$?
  if [ "$status" = 124 ]; then
    bad "a training on ${simulate[0]} simulated ranks does not end in a minute" "is this machine busy? top says with what"
  elif [ "$status" != 0 ]; then
    bad "a training on ${simulate[0]} simulated ranks fails: $(grep -m 1 -iE 'error|not' <<<"$out" || tail -n 1 <<<"$out")" \
      "jobs/simulate.sh ${simulate[*]} train --algorithm parallel_sgd --dataset synthetic shows all of it"
  else
    good "${simulate[0]} simulated ranks train together (${simulate[*]:1})"
  fi
  rm -rf "$folder"
}

check_mpi() {
  local out status=0 folder
  if ! command -v mpiexec >/dev/null; then
    bad "there is no mpiexec" "install Open MPI (make deps), or load its module"
    return
  fi
  folder=$(mktemp -d)
  out=$(tiny_training "$folder" jobs/local.sh 2 "$bin/train") || status=$?
  if [ "$status" = 124 ] || [ "$status" = 5 ]; then
    bad "two ranks under mpiexec make no progress" "is this machine's own name resolved, and its loopback up? $(tail -n 1 <<<"$out")"
  elif [ "$status" != 0 ]; then
    bad "two ranks under mpiexec fail: $(grep -m 1 -iE 'error|not' <<<"$out" || tail -n 1 <<<"$out")" \
      "jobs/local.sh 2 $bin/train --algorithm parallel_sgd --dataset synthetic shows all of it"
  elif ! grep -q '2 ranks' <<<"$out"; then
    bad "mpiexec starts two programs that do not know each other" "$(command -v mpiexec) is of another MPI than the one in $(ldd "$bin/train" | grep -m 1 -o '/[^ ]*libmpi[^ ]*'): put the right one first on PATH"
  elif grep -q 'one rank a core was asked for' <<<"$out"; then
    note "ranks are not bound to cores: $(grep -o 'but .*:' <<<"$out")" "times may not compare; LOCKSTEP_BINDING and docs/slurm.md"
  else
    good "two ranks train together ($(mpiexec --version | head -n 1))"
  fi
  forbidden_copies=$(grep -m 1 -o 'process_vm_readv: [^)]*' <<<"$out")
  rm -rf "$folder"
}

# What files of this process's control groups say, a line each: the groups of version 2, and of one controller of version 1.
in_groups() { # controller of version 1, file...
  local controller=$1 line group root file
  shift
  while IFS= read -r line; do
    case ${line#*:} in
      :*) root=$cgroup; [ ! -d "$cgroup/unified" ] || root=$cgroup/unified ;;
      "$controller":* | "$controller",*:* | *,"$controller":* | *,"$controller",*:*) root=$cgroup/$controller ;;
      *) continue ;;
    esac
    group=${line#*:*:}
    while :; do  # a limit of any group above counts, too
      for file in "$@"; do
        [ -r "$root$group/$file" ] && tr '\n' ' ' <"$root$group/$file"
      done
      echo
      [ -n "${group%/}" ] || break
      group=${group%/*}
    done
  done <"$own_groups"
}

check_cores() {
  local cores limit
  cores=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)
  limit=$(in_groups cpu cpu.max cpu.cfs_quota_us cpu.cfs_period_us |
    awk '$1 + 0 > 0 && $2 > 0 && (least == "" || $1 / $2 < least) { least = $1 / $2 } END { if (least != "") printf "%.3g", least }')
  if [ -n "$limit" ] && awk -v limit="$limit" -v cores="$cores" 'BEGIN { exit !(limit + 0 < cores) }'; then
    note "this process may use $cores cores, but a limit gives it the time of $limit" \
      "start no more ranks than that: they would be stopped in turns, and waiting ranks would take others' time"
  elif [ "$(cat /sys/devices/system/cpu/smt/active 2>/dev/null)" = 1 ]; then
    note "$cores processors, of which two or more are one core (hyper-threads)" "one rank a core: half as many ranks as processors"
  else
    good "$cores cores"
  fi
}

check_memory() {
  local limit available
  available=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
  limit=$(in_groups memory memory.max memory.limit_in_bytes |
    awk '$1 + 0 > 0 && (least == "" || $1 + 0 < least) { least = $1 + 0 } END { if (least != "") printf "%.0f", least / 1048576 }')
  if [ -n "$limit" ] && [ "$limit" -lt "$available" ]; then available=$limit; fi
  if [ "$available" -lt 512 ]; then
    bad "$available MB of memory" "each node holds its data set once, and each rank a model: ask for more (sbatch --mem)"
  else
    good "$available MB of memory"
  fi
}

check_shared_memory() {
  local free
  if [ ! -d "$shm" ] || [ ! -w "$shm" ]; then
    bad "$shm is not there, or cannot be written" "mount -t tmpfs tmpfs /dev/shm; in a container: --ipc=host, or --shm-size=1g"
    return
  fi
  free=$(df -Pm "$shm" | awk 'NR == 2 { print $4 }')
  if [ "$free" -lt 256 ]; then
    bad "$shm has $free MB free" "ranks share data and parameters there: 256 MB is little; remove left-overs (ls -l $shm), or in a container --shm-size=1g"
  else
    good "$shm: $free MB free"
  fi
  local left
  left=$(find "$shm" -maxdepth 1 -user "$(id -un)" \( -name 'vader_segment*' -o -name 'osc_*' -o -name 'psm*' \) -mmin +60 2>/dev/null | wc -l)
  [ "$left" = 0 ] || note "$shm holds $left segments of jobs that were killed" "when no job of yours runs here: rm $shm/vader_segment.*"
}

check_copies() {
  if [ -n "$forbidden_copies" ]; then
    note "processes may not read each other's memory ($forbidden_copies)" \
      "MPI then copies messages twice; in a container: --cap-add=SYS_PTRACE allows it"
  elif [ -r "$ptrace_scope" ] && [ "$(cat "$ptrace_scope")" -gt 1 ]; then
    note "processes may not read each other's memory (yama/ptrace_scope is $(cat "$ptrace_scope"))" \
      "MPI then copies messages twice: sysctl kernel.yama.ptrace_scope=1, or ask for it"
  else
    good "processes may read each other's memory (CMA)"
  fi
}

check_folder() { # what it is for, folder, what to do
  local where=$2 probe
  while [ ! -e "$where" ] && [ "$where" != . ] && [ "$where" != / ]; do where=$(dirname "$where"); done
  if ! probe=$(mktemp "$where/.doctor.XXXXXX" 2>/dev/null); then
    bad "$1: $2 cannot be written" "$3"
    return
  fi
  if ! "${DOCTOR_FLOCK:-flock}" -n "$probe" true 2>/dev/null; then
    note "$1: $2 has no file locks" "two processes that write one run are then not kept apart; NFS: mount it with locks (nolock is off), or --results elsewhere"
  elif [ "$(df -Pm "$where" | awk 'NR == 2 { print $4 }')" -lt 100 ]; then
    bad "$1: $2 has $(df -Pm "$where" | awk 'NR == 2 { print $4 }') MB free" "$3"
  else
    good "$1: $2 can be written and locked"
  fi
  rm -f "$probe"
}

check_data() {
  local data=${DOCTOR_DATA:-data} found=0 set wrong
  for set in mnist fashion_mnist; do
    [ -d "$data/$set" ] || continue
    found=1
    if wrong=$(grep " $set/" data/SHA256SUMS | (cd "$data" && sha256sum --check --quiet 2>/dev/null)); then
      good "$data/$set has its known checksums"
    else
      bad "$data/$set is not what it says: $(tr '\n' ' ' <<<"$wrong")" "make data fetches it anew; rm -r $data/$set first"
    fi
  done
  [ "$found" = 1 ] || note "no data sets in $data" "make data fetches MNIST and Fashion-MNIST; --dataset synthetic needs none"
}

check_slurm() {
  command -v srun >/dev/null || return 0
  local types
  if ! types=$(timeout 20 srun --mpi=list 2>&1); then
    note "Slurm's commands are here, but do not answer: $(tail -n 1 <<<"$types")" "on a cluster: scontrol ping says if its controller is up; elsewhere sweep run needs no Slurm"
    return
  fi
  if grep -q pmix <<<"$types"; then
    good "srun starts ranks through PMIx"
  else
    note "srun has no PMIx here ($(tr '\n' ' ' <<<"$types"))" "sites use mpirun inside the allocation: \"launcher\": \"mpirun\" in the site's file (docs/slurm.md)"
  fi
  local array
  array=$(timeout 20 scontrol show config 2>/dev/null | awk -F' *= *' '/^MaxArraySize/ { print $2 }')
  if [ -z "$array" ]; then
    bad "Slurm's controller does not answer" "scontrol ping"
  elif [ "$array" -lt 1001 ]; then
    note "job arrays have at most $((array - 1)) tasks here (MaxArraySize)" "larger sweeps are divided by sweep submit; --packed needs none"
  else
    good "Slurm's controller answers; job arrays of up to $((array - 1)) tasks"
  fi
}

echo "$(hostname), $(date '+%F %T')"
if [ ${#simulate[@]} -gt 0 ]; then
  check_simulation
elif check_programs; then
  check_mpi
fi
check_cores
check_memory
if [ ${#simulate[@]} = 0 ]; then  # all ranks of a simulation are in one process
  check_shared_memory
  check_copies
fi
check_folder "results" "$results" "--results names another folder; df -h and quota say what is full"
check_folder "cache" "${LOCKSTEP_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/}/.cache}/lockstep}" "LOCKSTEP_CACHE_DIR names another folder"
check_data
[ ${#simulate[@]} -gt 0 ] || check_slurm
if [ "$problems" = 0 ]; then
  echo "nothing bad was found"
else
  echo "$problems thing$([ "$problems" = 1 ] || echo s) to mend"
  exit 1
fi
