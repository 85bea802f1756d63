// SPDX-License-Identifier: BSD-3-Clause
// Names that become folders.
#include "sweep/spec/sweep_name.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lockstep::sweep {
namespace {

// Not std::isalnum: that depends on the locale.
bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_good(char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; }

}  // namespace

void check_folder_name(std::string_view what, const std::string& name) {
  constexpr std::size_t longest = 100;
  if (!name.empty() && name.size() <= longest && is_letter_or_digit(name[0]) &&
      std::ranges::all_of(name, is_good))
    return;
  throw ConfigError({"bad " + std::string(what) + " name",
                     "a letter or digit, then letters, digits and . _ - ; at most 100 in all",
                     "'" + name + "'", "it names a folder of results"});
}

}  // namespace lockstep::sweep
