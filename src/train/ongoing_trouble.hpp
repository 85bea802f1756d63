// SPDX-License-Identifier: BSD-3-Clause
// Says once that something fails, and once that it works again: a disk may be full for thousands of tries.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace lockstep::train {

class OngoingTrouble {
 public:
  /// After each try: `failure` is what failed, or "".
  void tried(const std::string& failure, std::string_view fails, std::string_view works_again) {
    if (!failure.empty() && !lasts_)
      fmt::print(stderr, "warning: {} (this is said once): {}\n", fails, failure);
    if (failure.empty() && lasts_) fmt::print(stderr, "note: {}\n", works_again);
    lasts_ = !failure.empty();
  }

 private:
  bool lasts_ = false;
};

}  // namespace lockstep::train
