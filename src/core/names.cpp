// SPDX-License-Identifier: BSD-3-Clause
// Edit distance and the message for unknown names.
#include "core/names.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/text.hpp"

namespace lockstep {
namespace {

// Levenshtein distance, two rows at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

ConfigError unknown_name(std::string_view kind, std::string_view name,
                         const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(name, known);
  return ConfigError({.what = fmt::format("unknown {} '{}'", kind, name),
                      .expected = "one of " + join(known),
                      .hint = nearest.empty() ? "" : "did you mean '" + nearest + "'?"});
}

void check_file_name(std::string_view what, std::string_view name) {
  constexpr std::size_t most_bytes = 200;  // file systems take 255; endings such as .ckpt.partial come behind
  const bool is_name = !name.empty() && name.size() <= most_bytes && name[0] != '.' && name[0] != '-' &&
                       name.find('/') == name.npos && is_plain_text(name);
  if (!is_name)
    throw ConfigError({fmt::format("bad {} name", what),
                       fmt::format("the name of a file or folder: 1 to {} bytes of UTF-8, without / and "
                                   "control characters, and with neither . nor - in front",
                                   most_bytes),
                       fmt::format("'{}'", name)});
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

}  // namespace lockstep
