// SPDX-License-Identifier: BSD-3-Clause
// Named tables: rows are found by name; the error for an unknown one has the nearest name and all names.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace lockstep {

/// The known name nearest to `name` by edit distance, or "" when none is near enough to be a misspelling.
[[nodiscard]] std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

/// The error for a name that is in no table: names `kind`, the nearest known name and all known names.
[[nodiscard]] ConfigError unknown_name(std::string_view kind, std::string_view name,
                                       const std::vector<std::string>& known);

/// Names of a table's rows, in the table's order. Rows have a member `name`.
template <class Row>
[[nodiscard]] std::vector<std::string> names_of(std::span<const Row> table) {
  std::vector<std::string> names;
  for (const Row& row : table) names.emplace_back(row.name);
  return names;
}

/// The row called `name`; throws ConfigError when there is none.
template <class Row>
[[nodiscard]] const Row& find_row(std::span<const Row> table, std::string_view kind, std::string_view name) {
  for (const Row& row : table)
    if (row.name == name) return row;
  throw unknown_name(kind, name, names_of(table));
}

/// Throws ConfigError unless `name`, which names `what` ("run"), can be the name of a file or folder: not
/// empty, no path, no leading dot or dash, UTF-8 without control characters, and not too long for an ending.
void check_file_name(std::string_view what, std::string_view name);

/// "a, b, c"
[[nodiscard]] std::string join(const std::vector<std::string>& parts, std::string_view separator = ", ");

}  // namespace lockstep
