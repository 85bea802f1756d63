#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The experiments, a line each: name, title, and in brackets the older names, which links in jobs/experiments keep.
set -euo pipefail
cd "$(dirname "$0")/experiments"

declare -A older
for file in *.json; do
  [ -L "$file" ] || continue
  target=$(readlink "$file")
  older[$target]+=" ${file%.json}"
done
for file in *.json; do
  [ -L "$file" ] && continue
  title=$(sed -n 's/^ *"title": *"\(.*\)",$/\1/p' "$file" | head -n 1)
  printf '  %-30s  %s%s\n' "${file%.json}" "$title" "${older[$file]:+ [${older[$file]# }]}"
done
