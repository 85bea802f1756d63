// SPDX-License-Identifier: BSD-3-Clause
// Errors that only one rank finds, and that all must know.
#pragma once

#include <string>

#include "comm/communicator.hpp"
#include "core/error.hpp"

namespace lockstep::train {

/// Does `action`; returns the text of the Error that it throws, or "".
template <class Action>
[[nodiscard]] std::string failure_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// Each rank does `action`. If it throws an Error on any rank, all ranks throw AgreedError. Collective.
template <class Action>
void do_or_fail_together(const comm::Communicator& ranks, const Action& action) {
  ranks.agree_on_failure(failure_of(action));
}

}  // namespace lockstep::train
