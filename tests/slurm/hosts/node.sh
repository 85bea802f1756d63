#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A node's first process: plugs into the bridge, starts slurmd, and stays.   node.sh FOLDER NAME ADDRESS NETWORK
# NETWORK is the number of an open file: the network of the login host, where the bridge is.
set -euo pipefail
folder=$1 name=$2 address=$3 network=$4

hostname "$name"
mount --bind "$folder/hosts" /etc/hosts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm

ip link set lo up
in_login_network=(nsenter --net="/proc/self/fd/$network")
# After a crash the kernel takes its time to delete the old link. Mostly there is none; one that stays makes the next line fail.
"${in_login_network[@]}" ip link delete "$name" 2>/dev/null || true
ip link add eth0 type veth peer name "$name" netns "/proc/self/fd/$network"
"${in_login_network[@]}" ip link set "$name" master bridge0 up
ip address add "$address/24" dev eth0
ip link set eth0 up
exec {network}<&-

slurmd -c -N "$name"
touch "$folder/run/$name.ready"
while :; do
  sleep 3600 &
  wait
done
