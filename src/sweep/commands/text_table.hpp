// SPDX-License-Identifier: BSD-3-Clause
// Text for a terminal of 100 columns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lockstep::sweep {

/// Columns two spaces apart, as wide as they need to be; those of numbers are aligned to the right. The first
/// line is the head.
class TextTable {
 public:
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// "label      a, b, c" with the items broken into lines between them and their beginnings aligned; ""
/// without items.
[[nodiscard]] std::string wrapped(std::string_view label, const std::vector<std::string>& items);

}  // namespace lockstep::sweep
