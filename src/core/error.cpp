// SPDX-License-Identifier: BSD-3-Clause
// Lays an error's parts out as one readable message.
#include "core/error.hpp"

#include "core/text.hpp"

namespace lockstep {
namespace {

std::string layout(const ErrorParts& parts) {
  std::string text = parts.what;
  if (!parts.expected.empty()) text += "\n  expected: " + parts.expected;
  if (!parts.got.empty()) text += "\n  got:      " + parts.got;
  if (!parts.hint.empty()) text += "\n  hint:     " + parts.hint;
  return visible(text);  // names from files and command lines may hold anything
}

}  // namespace

Error::Error(const ErrorParts& parts) : std::runtime_error(layout(parts)) {}

}  // namespace lockstep
