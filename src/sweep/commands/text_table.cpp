// SPDX-License-Identifier: BSD-3-Clause
// Text for a terminal of 100 columns.
#include "sweep/commands/text_table.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace lockstep::sweep {
namespace {

constexpr std::size_t terminal_width = 100;
constexpr std::size_t label_width = 11;

bool looks_like_a_number(const std::string& cell) {
  return cell == "-" || (!cell.empty() && std::isdigit(static_cast<unsigned char>(cell[0])) != 0);
}

}  // namespace

std::string text_table(const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::size_t> widths(lines[0].size(), 0);
  std::vector<bool> right(widths.size(), true);
  for (std::size_t i = 0; i < lines.size(); ++i)
    for (std::size_t column = 0; column < widths.size(); ++column) {
      widths[column] = std::max(widths[column], lines[i][column].size());
      if (i > 0 && !looks_like_a_number(lines[i][column])) right[column] = false;
    }
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string line;
    for (std::size_t column = 0; column < widths.size(); ++column)
      line += right[column] ? fmt::format("{:>{}}  ", lines[i][column], widths[column])
                            : fmt::format("{:<{}}  ", lines[i][column], widths[column]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
    if (i == 0) text += std::string(line.size(), '-') + "\n";
  }
  return text;
}

std::string wrapped(std::string_view label, const std::vector<std::string>& items) {
  if (items.empty()) return "";
  std::string text = fmt::format("{:<{}}", label, label_width);
  std::size_t column = label_width;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string item = items[i] + (i + 1 < items.size() ? ", " : "");
    if (i > 0 && column + item.size() > terminal_width) {
      text.erase(text.find_last_not_of(' ') + 1);
      text += "\n" + std::string(label_width, ' ');
      column = label_width;
    }
    text += item;
    column += item.size();
  }
  return text + "\n";
}

}  // namespace lockstep::sweep
