#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What follows a sweep's jobs by itself: where its runs stand, and the table of those that are complete.
#   jobs/collect.sh results/SWEEP
set -euo pipefail
cd "${LOCKSTEP_HOME:-$(dirname "$0")/..}"

folder=${1:?usage: jobs/collect.sh FOLDER}
{
  build/bin/sweep status "$folder"
  echo
  analysis/lockstep-analysis table "$folder"
} | tee "$folder/sweep/summary.txt"
