#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What follows a sweep by itself: where its runs stand, the table of those that are complete, and the report's page.
#   jobs/collect.sh results/SWEEP
set -euo pipefail
cd "${LOCKSTEP_HOME:-$(dirname "$0")/..}"

folder=${1:?usage: jobs/collect.sh FOLDER}
new=$(mktemp "$folder/sweep/summary.XXXXXX")  # given its name at the end: a link of that name would be followed
trap 'rm -f "$new"' EXIT
{
  build/bin/sweep status "$folder"
  echo
  analysis/lockstep-analysis table "$folder"
  echo
  analysis/lockstep-analysis report "$folder"
} | tee "$new"
chmod 644 "$new"
mv -T "$new" "$folder/sweep/summary.txt"
