// SPDX-License-Identifier: BSD-3-Clause
// One comparison, one message.
#include "nn/memory_check.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/memory.hpp"

namespace lockstep::nn {

void check_memory(double floats) {
  constexpr double gigabyte = 1e9;
  const double bytes = floats * sizeof(float);
  const auto most = static_cast<double>(memory_bytes());
  if (bytes > most)
    throw ConfigError({"the model is too large",
                       fmt::format("at most {:.3g} GB, the memory of this machine", most / gigabyte),
                       fmt::format("{:.3g} GB or more", bytes / gigabyte)});
}

}  // namespace lockstep::nn
