// SPDX-License-Identifier: BSD-3-Clause
// What an action that should fail says.
#pragma once

#include <string>

#include "core/error.hpp"

namespace lockstep {

/// The message of the `Expected` that the action throws; other exceptions pass. "" if it throws nothing.
template <class Expected = Error, class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Expected& error) {
    return error.what();
  }
  return "";
}

}  // namespace lockstep
