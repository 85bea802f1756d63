// SPDX-License-Identifier: BSD-3-Clause
// The name of a JSON value: objects keep the order in which their keys were given.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace lockstep {

using Json = nlohmann::ordered_json;

}  // namespace lockstep
