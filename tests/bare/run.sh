#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# `make test-bare`: the README's commands on a bare Debian, made for it in a temporary folder. Fails if one of them fails, or if
# a test was left out.      tests/bare/run.sh [SUITE]
# SUITE is bookworm unless told. In the environment: KEEP=1 keeps the folder, MIRROR is where Debian is fetched from,
# TMPDIR where the folder goes (5 GB; /var/tmp unless told).
# shellcheck disable=SC2317  # stage and run call the functions that shellcheck takes for unreachable
set -euo pipefail
export TERM=dumb  # no colours in the log
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

suite=${1:-bookworm}
checkout=/root/lockstep  # in the bare root
[ "$(id -u)" = 0 ] || { echo "make test-bare: only root can make a root file system; try: sudo make test-bare" >&2; exit 2; }
if [ ! -e "/usr/share/debootstrap/scripts/$suite" ]; then
  echo "make test-bare: debootstrap here knows no SUITE '$suite'; Debian 12 is bookworm, Debian 13 is trixie" >&2
  exit 2
fi
work=$(mktemp -d "${TMPDIR:-/var/tmp}/lockstep-bare.XXXXXX")
root=$work/root
mkfifo "$work/output"
log=build/bare/$suite.log
mkdir -p "${log%/*}"
: >"$log"
chown --reference=. build "${log%/*}" "$log"  # under sudo, so that `make clean` without it can remove them

say() { printf '[%2d:%02d:%02d] %s\n' $((SECONDS / 3600)) $((SECONDS / 60 % 60)) $((SECONDS % 60)) "$*" | tee -a "$log"; }

# Everything goes to the log; headings are shown, and once a minute where it stands.
show() {
  local line="" last="" part next=$((SECONDS + 60)) status
  while :; do
    status=0
    IFS= read -r -t 10 part || status=$?
    line+=$part
    if [ $status = 0 ]; then
      printf '%s\n' "$line" >>"$log"
      case $line in
        '== '*) say "  $line"; next=$((SECONDS + 60)) ;;
      esac
    elif [ $status -le 128 ]; then  # neither a line nor a pause: all who write are gone
      [ -z "$line" ] || printf '%s\n' "$line" >>"$log"
      return
    fi
    [ -z "$line" ] || last=$line
    if [ $SECONDS -ge $next ]; then
      say "    ${last:0:110}"
      next=$((SECONDS + 60))
    fi
    if [ $status = 0 ]; then line=""; fi
  done
}

# When the first process dies, by kill -9 or because we have died, all that it has started dies; `show` ends with the last
# of them.
first="" shower="" handed="" mirror=""
stop() {
  say "interrupted"
  if [ -n "$first" ]; then kill -9 "$first" || true; fi
  if [ -n "$shower" ]; then wait "$shower" || true; fi
} 2>/dev/null
finish() {
  if [ -n "${KEEP:-}" ]; then
    say "the root is kept; to look around in it:  tests/bare/enter.sh $root bash"
    say "to remove it:  rm -rf --one-file-system $work"
  else
    rm -rf --one-file-system "$work"
  fi
}
trap finish EXIT
trap 'stop; exit 130' INT
trap 'stop; exit 143' TERM HUP

fail() {
  say "FAILED: $*"
  say "the full log: $log"
  exit 1
}

run() {  # COMMAND...: false if it fails
  local status=0
  show <"$work/output" &
  shower=$!
  # With job control: without it what runs in the background ignores Ctrl-C, and so would the programs that are tested.
  set -m
  setpriv --pdeathsig KILL -- "$@" >"$work/output" 2>&1 </dev/null &
  first=$!
  set +m
  wait "$first" || status=$?
  wait "$shower"
  first="" shower=""
  return $status
}
inside() { run tests/bare/enter.sh "$root" env -C "$checkout" "$@"; }
stage() {  # TITLE COMMAND...
  local title=$1
  say "$title"
  shift
  "$@" || {
    tail -n 40 "$log" | sed 's/^/    /'
    fail "$title"
  }
}

# The root, and of this machine what apt needs to get out: its mirror and sources, what it says of fetching (proxies, for
# instance; hooks stay out), keys and certificates.
mirror_here() {
  command -v apt-get >/dev/null || return 0
  apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1
}
make_root() {
  local proxy=""
  if command -v apt-config >/dev/null; then eval "$(apt-config shell proxy Acquire::http::Proxy)"; fi
  [ -z "$proxy" ] || export http_proxy=${http_proxy:-$proxy}
  # In namespaces, so that what debootstrap mounts goes with it.
  run unshare --mount --pid --fork --kill-child --mount-proc \
    debootstrap --variant=minbase --include=git,make,ca-certificates "$suite" "$root" "$mirror"
}
configure() {
  local folder codename
  cp -L /etc/hosts /etc/resolv.conf "$root/etc/" && mkdir -p "$root/usr/local/share/ca-certificates" || return
  cp -rL /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
  if command -v apt-config >/dev/null; then
    apt-config dump | grep '^Acquire' >"$root/etc/apt/apt.conf.d/90here" || true
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    if [ "$codename" = "$suite" ] && [ -z "${MIRROR:-}" ]; then
      rm -f "$root/etc/apt/sources.list"
      for folder in sources.list sources.list.d preferences preferences.d auth.conf auth.conf.d keyrings \
        trusted.gpg trusted.gpg.d; do
        [ ! -e "/etc/apt/$folder" ] || cp -rL "/etc/apt/$folder" "$root/etc/apt/"
      done
      cp -nrL /usr/share/keyrings/. "$root/usr/share/keyrings/"
    fi
  fi
  run tests/bare/enter.sh "$root" update-ca-certificates
}

# What is committed, as `git clone` would bring it.
take_checkout() {
  git -c safe.directory="$PWD" bundle create --quiet "$root/lockstep.bundle" HEAD
  run tests/bare/enter.sh "$root" git clone --quiet /lockstep.bundle "$checkout"
}

# Data that nothing out there gives are taken from this checkout; data/fetch.sh in the root checks their sums.
hand_over() {  # SET
  local file why
  if inside data/fetch.sh "$1"; then return; fi
  why=$(tail -n 1 "$log" | sed 's/.*not available (//; s/); see.*//')
  say "  $1: it cannot be fetched in there ($why), so it is copied from this checkout's data/"
  handed=1
  mkdir -p "$root$checkout/data/$1"
  for file in "data/$1"/*-ubyte "data/$1"/*-ubyte.gz; do
    [ ! -e "$file" ] || cp -L "$file" "$root$checkout/data/$1/"
  done
  inside data/fetch.sh "$1" || fail "$1 is neither to be fetched in the root nor here; type make data, or see data/README.md"
}

main() {
  local changed set
  mirror=${MIRROR:-$(mirror_here)}
  mirror=${mirror:-http://deb.debian.org/debian}
  say "Debian $suite from $mirror, in $work; the full log: $log"
  changed=$(git -c safe.directory="$PWD" status --porcelain --untracked-files=no | wc -l)
  [ "$changed" = 0 ] || say "NOTE: changes to $changed files are not committed, and so are not tested"
  stage "make a bare root" make_root
  stage "give it this machine's way out" configure
  stage "git clone" take_checkout
  stage "make demo" inside make demo
  for set in mnist fashion_mnist; do hand_over "$set"; done
  [ -z "$handed" ] || stage "make demo, with all data" inside make demo
  stage "make test" inside make test
  # The one group that is left to who asks for it: a browser is large.
  stage "make deps test-analysis DEPS=browser" inside make deps test-analysis DEPS=browser
  stage "nothing was left out" inside make test-summary COMPLETE=1
  say "PASSED: Debian $suite; the full log: $log"
}
# One line, so that bash reads nothing of this file after an hour in which it may have changed.
main; exit
