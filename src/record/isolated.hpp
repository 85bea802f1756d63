// SPDX-License-Identifier: BSD-3-Clause
// Work in a child process with a time limit: HDF5 may crash or hang on a damaged file.
#pragma once

#include <functional>
#include <string>

namespace lockstep::record {

struct IsolatedResult {
  std::string output;   ///< what the work returned; of use only without trouble
  std::string trouble;  ///< "": it ended well; else the message of its exception, or how the child ended
};

/// Does `work` in a child of this process, which must have one thread. Throws Error if no child can be made.
[[nodiscard]] IsolatedResult run_isolated(double limit_s, const std::function<std::string()>& work);

}  // namespace lockstep::record
