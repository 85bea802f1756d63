// SPDX-License-Identifier: BSD-3-Clause
// JSON values. Headers that only name the type take core/json_fwd.hpp, which compiles in no time.
#pragma once

#include <nlohmann/json.hpp>  // IWYU pragma: export

#include "core/json_fwd.hpp"  // IWYU pragma: export
