#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Prints the C++ source behind core/build_info.hpp; called by the build with CXX, FLAGS, CONFIG and BLAS set.
set -euo pipefail

sha=$(git rev-parse HEAD 2>/dev/null || echo unknown)
dirty=false
if [ "$sha" != unknown ] && ! git diff --quiet HEAD 2>/dev/null; then dirty=true; fi
text() { printf 'R"text(%s)text"' "$1"; }

cat <<SOURCE
#include "core/build_info.hpp"

namespace lockstep::build_info {

const std::string_view version = $(text "$(cat VERSION)");
const std::string_view git_sha = $(text "$sha");
const bool git_dirty = $dirty;
const std::string_view compiler = $(text "$("$CXX" --version | head -n 1)");
const std::string_view flags = $(text "$FLAGS");
const std::string_view config = $(text "$CONFIG");
const std::string_view blas = $(text "$BLAS");

}  // namespace lockstep::build_info
SOURCE
