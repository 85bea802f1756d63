#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs a program on N ranks of a simulated cluster: real training, in simulated time.
#   jobs/simulate.sh N [--cluster NAME|FILE.json] PROGRAM [ARGUMENT ...]      NAME: a file of jobs/clusters
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$home/build/sim/bin/simulate
if ! [ -x "$program" ]; then
  echo "error: $program is not there; \`make simulate\` builds it, and \`make deps DEPS=simulate\` installs SimGrid" >&2
  exit 2
fi
exec "$program" "$@"
