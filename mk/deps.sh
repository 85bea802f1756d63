#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The parts that Lockstep is made of: checks that they are here, installs them, or says what to install.
#   mk/deps.sh [GROUP...]          check all; install what is missing (apt), or say what to install; exit 1 if parts stay missing
#   mk/deps.sh --check [GROUP...]  only check: quick, silent when all is there
#   mk/deps.sh --list              the table of parts
# Groups: build run test bench analysis, which are always meant; data and optional, installed if they can be; and those that
# are only for who asks: compare, browser (the test of the report's page; 110 MB), slurm (a private Slurm for the tests), peers,
# lint and tidy (checks of the sources), memcheck (Valgrind), clang (`make test-clang`), fuzz (`make test-fuzz`), bare
# (`make test-bare`), simulate (SimGrid, for simulated clusters)
# BLAS (openblas, blis, mkl), CXX and PYTHON in the environment mean what they mean to make.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

blas=${BLAS:-openblas}
case $blas in
  openblas) blas_row="pc:openblas|libopenblas-dev|openblas|openblas" ;;
  blis) blas_row="pc:blis pc:blis-openmp pc:blis-pthread hdr:blis.h|libblis-dev|blis|blis" ;;
  mkl) blas_row="pc:mkl-dynamic-lp64-seq pc:mkl-static-lp64-seq|intel-mkl|intel-oneapi-mkl|mkl-devel" ;;
  *) echo "BLAS=$blas is unknown; there are: openblas blis mkl" >&2; exit 2 ;;
esac

# group | part | how to find it | Debian package | Spack spec | conda-forge package
# How: one of these is enough: pc:MODULE of pkg-config, cmd:COMMAND, hdr:HEADER, py:MODULE of Python, path:FILE; cxx:, mpi: and
# rt:LIBRARY (of Clang) are functions below. The build (mk/flags.mk) asks for the same modules, in the same order: what is found here is found there.
# The groups data and optional are installed if they can be, and never missed: `make data` has other sources, and a GEMM
# backend whose library is absent is left out of the build.
parts="\
build|C++20 compiler|cxx:|g++|gcc|cxx-compiler
build|make|cmd:make|make|gmake|make
build|pkg-config|cmd:pkg-config|pkg-config|pkgconf|pkg-config
build|MPI|mpi:|libopenmpi-dev|openmpi|openmpi
build|HDF5|pc:hdf5-serial pc:hdf5 hdr:hdf5.h|libhdf5-dev|hdf5~mpi|hdf5
build|Eigen|pc:eigen3|libeigen3-dev|eigen|eigen
build|BLAS ($blas)|$blas_row
build|nlohmann_json|pc:nlohmann_json|nlohmann-json3-dev|nlohmann-json|nlohmann_json
build|CLI11|pc:CLI11 hdr:CLI/CLI.hpp|libcli11-dev|cli11|cli11
build|fmt|pc:fmt|libfmt-dev|fmt|fmt
build|zlib|pc:zlib|zlib1g-dev|zlib|zlib
build|OpenSSL|pc:openssl|libssl-dev|openssl|openssl
run|mpiexec|cmd:mpiexec|openmpi-bin|openmpi|openmpi
run|git|cmd:git|git|git|git
test|GoogleTest|pc:gtest|libgtest-dev|googletest|gtest
test|GoogleMock|pc:gmock|libgmock-dev|googletest|gmock
test|Python|py:sys|python3|python|python
test|pytest|py:pytest|python3-pytest|py-pytest|pytest
test|pytest-xdist|py:xdist|python3-pytest-xdist|py-pytest-xdist|pytest-xdist
test|HDF5 tools|cmd:h5dump|hdf5-tools|hdf5~mpi|hdf5
test|locales|path:/usr/share/i18n/locales/de_DE|locales||
test|pgrep|cmd:pgrep|procps|procps|procps-ng
test|ShellCheck|cmd:shellcheck|shellcheck|shellcheck|shellcheck
optional|libxsmm|pc:libxsmm|libxsmm-dev|libxsmm|libxsmm
bench|Google Benchmark|pc:benchmark|libbenchmark-dev|benchmark|benchmark
analysis|h5py|py:h5py|python3-h5py|py-h5py~mpi|h5py
analysis|numpy|py:numpy|python3-numpy|py-numpy|numpy
analysis|pandas|py:pandas|python3-pandas|py-pandas|pandas
analysis|scipy|py:scipy|python3-scipy|py-scipy|scipy
analysis|matplotlib|py:matplotlib|python3-matplotlib|py-matplotlib|matplotlib-base
compare|Google Benchmark's compare.py|path:${GBENCH_COMPARE:-/usr/share/benchmark/compare.py} cmd:compare.py|libbenchmark-tools||
compare|scipy|py:scipy|python3-scipy|py-scipy|scipy
slurm|Slurm's controller|cmd:slurmctld path:/usr/sbin/slurmctld|slurm-wlm||
slurm|Slurm's slurmd|cmd:slurmd path:/usr/sbin/slurmd|slurm-wlm||
slurm|Slurm's commands|cmd:sbatch|slurm-wlm||
slurm|munge|cmd:munged path:/usr/sbin/munged|munge||
slurm|ip|cmd:ip|iproute2||
slurm|nsenter|cmd:nsenter|util-linux||
slurm|mount|cmd:mount|mount||
slurm|hostname|cmd:hostname|hostname||
slurm|kill|cmd:kill|procps||
browser|Chromium|cmd:chromium|chromium||
peers|PyTorch|py:torch|python3-torch|py-torch~cuda|pytorch
lint|clang-format|cmd:clang-format|clang-format|llvm|clang-format
lint|ShellCheck|cmd:shellcheck|shellcheck|shellcheck|shellcheck
clang|Clang|cmd:clang++|clang|llvm|clangxx
fuzz|Clang|cmd:clang++|clang|llvm|clangxx
fuzz|libFuzzer|rt:fuzzer|libclang-rt-dev|llvm|compiler-rt
tidy|clang-tidy|cmd:clang-tidy|clang-tidy|llvm|clang-tools
tidy|cppcheck|cmd:cppcheck|cppcheck|cppcheck|cppcheck
memcheck|Valgrind|cmd:valgrind|valgrind|valgrind|valgrind
simulate|SimGrid|pc:simgrid|libsimgrid-dev|simgrid|
bare|debootstrap|cmd:debootstrap path:/usr/sbin/debootstrap|debootstrap||
bare|Debian's keys|path:/usr/share/keyrings/debian-archive-keyring.gpg|debian-archive-keyring||
data|curl|cmd:curl path:data/mnist/train-images-idx3-ubyte|curl|curl|curl
data|Fashion-MNIST|path:/usr/share/datasets/fashion-mnist path:data/fashion_mnist/train-images-idx3-ubyte|dataset-fashion-mnist||"
if [ "${1:-}" = --list ]; then echo "$parts"; exit; fi
needed=(build run test bench analysis)
on_request=(compare browser peers slurm lint clang fuzz tidy memcheck simulate bare)

# A python3 that stands first on PATH may be another one than the system's, for which the Debian packages are.
python=${PYTHON:-/usr/bin/python3}

# What make compiles with; without MPI, at least the compiler behind it can be judged.
choose_compiler() {
  cxx=${CXX:-mpicxx}
  command -v "${cxx%% *}" >/dev/null || cxx=g++
}
choose_compiler

new_enough() {  # GCC 10 takes -std=c++20 and lacks half of it.
  # shellcheck disable=SC2086  # CXX may carry flags, or a ccache before it
  $cxx -std=c++20 -E -x c++ - >/dev/null 2>&1 <<'SOURCE'
#if defined __clang__ ? __clang_major__ < 14 : __GNUC__ < 11
#error too old
#endif
SOURCE
}

header() {  # NAME [FOLDER...]
  local name=$1 folder more
  shift
  IFS=: read -r -a more <<<"${CPATH:-}:${CPLUS_INCLUDE_PATH:-}:${CONDA_PREFIX:+$CONDA_PREFIX/include}"
  for folder in "$@" "${more[@]}" /usr/local/include /usr/include /usr/include/*-linux-gnu; do
    if [ -n "$folder" ] && [ -e "$folder/$name" ]; then return; fi
  done
  return 1
}

# The wrapper compiler alone is not enough: Debian ships it apart from mpi.h.
mpi() {
  local folders
  command -v mpicxx >/dev/null || return 1
  read -r -a folders <<<"$(mpicxx --showme:incdirs 2>/dev/null)"
  header mpi.h ${folders[@]+"${folders[@]}"}
}

# Debian ships Clang apart from the libraries behind -fsanitize.
clang_runtime() {  # NAME
  local folder
  folder=$(clang++ -print-runtime-dir 2>/dev/null) || return 1
  compgen -G "$folder/libclang_rt.$1*.a" >/dev/null || compgen -G "${folder%/*}/linux/libclang_rt.$1*.a" >/dev/null
}

found() {  # HOW
  local ways way name
  read -r -a ways <<<"$1"
  for way in "${ways[@]}"; do
    name=${way#*:}
    case $way in
      cxx:) new_enough ;;
      mpi:) mpi ;;
      rt:*) clang_runtime "$name" ;;
      cmd:*) type -P "$name" >/dev/null ;;  # a builtin of this shell is no part: kill
      pc:*) pkg-config --exists "$name" 2>/dev/null ;;
      hdr:*) header "$name" ;;
      py:*) "$python" -c "import $name" 2>/dev/null ;;
      path:*) [ -e "$name" ] ;;
    esac && return
  done
  return 1
}

# Lines "part|package|spec|conda" of what is missing in the groups named.
missing_in() {  # GROUP...
  local group part how package spec conda
  while IFS='|' read -r group part how package spec conda; do
    case " $* " in *" $group "*) found "$how" || echo "$part|$package|$spec|$conda" ;; esac
  done <<<"$parts"
}
column() { cut -d '|' -f "$1" | awk 'NF && !seen[$0]++' | paste -s -d ' '; }

explain() {  # MISSING
  {
    echo "missing: $(cut -d '|' -f 1 <<<"$1" | paste -s -d ',' | sed 's/,/, /g')"
    if grep -q '^C++20 compiler|' <<<"$1" && command -v "${cxx%% *}" >/dev/null; then
      # shellcheck disable=SC2086
      echo "  the compiler here is too old, GCC 11 or Clang 14 is needed: $($cxx --version 2>&1 | head -n 1)"
    fi
    if grep -q '^pkg-config|' <<<"$1"; then echo "  (without pkg-config most libraries cannot be seen, even if they are here)"; fi
    echo "  Debian, Ubuntu:  sudo apt-get install $(column 2 <<<"$1")"
    [ -z "$(column 3 <<<"$1")" ] || echo "  Spack:           spack install $(column 3 <<<"$1")"
    [ -n "$asked" ] || echo "                   or all at once, as spack.yaml says: spack -e . install && spack env activate ."
    [ -z "$(column 4 <<<"$1")" ] || echo "  conda:           conda install -c conda-forge $(column 4 <<<"$1")"
    [ -n "$asked" ] || echo "                   or all at once: conda env create -f environment.yml && conda activate lockstep"
    if grep -q "^Google Benchmark's compare.py|" <<<"$1"; then
      echo "  elsewhere:       it is tools/compare.py of Google Benchmark's sources: GBENCH_COMPARE=/path/to/compare.py"
    fi
    echo "  a cluster:       often has modules: module avail; then e.g. module load gcc openmpi hdf5 openblas eigen"
  } >&2
}

apt() {  # UPDATE-OR-INSTALL ARGUMENT...: quiet, all goes to the log
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  # --no-upgrade: what is here already stays as it is.
  ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends --no-upgrade \
    -o DPkg::Lock::Timeout=120 "$@" </dev/null >>"$log" 2>&1
}
on_request_of() {  # GROUP...: those of them that the environments of Spack and conda do not hold
  local group
  for group in "$@"; do
    case " ${on_request[*]} " in *" $group "*) echo "$group" ;; esac
  done | paste -s -d ' '
}
known_group() {
  grep -q "^$1|" <<<"$parts" || { echo "mk/deps.sh: unknown group '$1'; there are: ${needed[*]} data ${on_request[*]}" >&2; exit 2; }
}
can_install() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; }

if [ "${1:-}" = --check ]; then
  shift
  for group in "$@"; do
    known_group "$group"
  done
  [ $# -gt 0 ] || set -- "${needed[@]}"
  missing=$(missing_in "$@")
  [ -n "$missing" ] || exit 0
  asked=$(on_request_of "$@")
  explain "$missing"
  ! can_install || echo "  or let it be done:  make deps${asked:+ DEPS='$asked'}" >&2
  exit 1
fi
case ${1:-} in -*) echo "usage: mk/deps.sh [--check] [GROUP...]" >&2; exit 2 ;; esac
for group in "$@"; do
  known_group "$group"
  needed+=("$group")
done
asked=$(on_request_of "$@")

missing=$(missing_in "${needed[@]}")
optional=$(missing_in data optional)
if [ -n "$missing$optional" ] && can_install; then
  read -r -a packages <<<"$(column 2 <<<"$missing")"
  read -r -a extras <<<"$(column 2 <<<"$optional")"
  echo "installing" ${packages[@]+"${packages[@]}"} ${extras[@]+"${extras[@]}"}
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  # An update that fails need not matter: the lists may be there from before. If it does, the log shows it.
  apt update || true
  if [ -n "$missing" ] && ! apt install "${packages[@]}"; then
    { echo "apt-get failed; the end of what it said:"; tail -n 20 "$log"; } >&2
    explain "$missing"
    exit 1
  fi
  # One by one, so that a distribution without one of them still gets the rest.
  for extra in ${extras[@]+"${extras[@]}"}; do apt install "$extra" || true; done
  hash -r
  choose_compiler
  missing=$(missing_in "${needed[@]}")
  optional=$(missing_in data optional)
fi
[ -z "$missing" ] || { explain "$missing"; exit 1; }
if [ -n "$optional" ]; then
  echo "all parts present but optional packages: $(column 2 <<<"$optional")"
else
  echo "all parts present"
fi
