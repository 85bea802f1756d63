#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs a command in a folder that holds a root file system, as on a machine of its own: processes, mounts, /dev and environment
# are its own, kernel and network are this machine's. As root.      tests/bare/enter.sh ROOT COMMAND [ARGUMENT ...]
#
# chroot would not do: Slurm's tests make mount namespaces, and newer versions of Slurm change the root in them. Nothing has to
# be unmounted here, however this ends: mounts and processes go with the namespaces of the first process.
set -euo pipefail

if [ "${1:-}" != --inside ]; then
  if [ $# -lt 2 ] || [ "$(id -u)" != 0 ]; then
    echo "usage, as root: $0 ROOT COMMAND [ARGUMENT ...]" >&2
    exit 2
  fi
  [ -x "$1/usr/bin/env" ] || { echo "$0: $1 is no root file system: it has no /usr/bin/env" >&2; exit 2; }
  exec unshare --mount --pid --ipc --fork --kill-child -- "$0" --inside "$@"
fi

root=$2
shift 2
mount --bind "$root" "$root"  # a root has to be a mount
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for name in stdin:0 stdout:1 stderr:2; do ln -s "/proc/self/fd/${name#*:}" "dev/${name%:*}"; done

pivot_root . mnt
cd /
umount -l mnt

# Of the environment, only what leads out of a site.
kept=()
for name in http_proxy https_proxy ftp_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY; do
  [ -z "${!name:-}" ] || kept+=("$name=${!name}")
done
# Not exec: the first process has to collect the children that others leave behind, as bash does.
status=0
env -i HOME=/root TERM="${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  ${kept[@]+"${kept[@]}"} "$@" || status=$?
exit $status
