#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The login host's first process: wires up the bridge, starts munge and the controller, and stays.   login.sh FOLDER NAME ADDRESS
set -euo pipefail
folder=$1 name=$2 address=$3

hostname "$name"
mount --bind "$folder/hosts" /etc/hosts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ip link set lo up
ip link add bridge0 type bridge
ip address add "$address/24" dev bridge0
ip link set bridge0 up

# The nodes reach this munged too: its socket is a file.
munged --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
  --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"
slurmctld -c
touch "$folder/run/$name.ready"
# The first process has to collect the children that others leave behind: bash does while it waits.
while :; do
  sleep 3600 &
  wait
done
