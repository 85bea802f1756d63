// SPDX-License-Identifier: BSD-3-Clause
// What holds of an algorithm: declared by it, tested, recorded in run files, and read by the analysis.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::algorithms {

/// Of an algorithm with its options, on any number of ranks.
struct Capabilities {
  bool one_model = false;        ///< after every step all ranks have the same parameters, to the last bit
  bool equals_serial = false;    ///< trains as serial SGD at the same batch size does, up to rounding
  bool divides_batches = false;  ///< the ranks share each batch of batch_size; else each makes its own
  bool deterministic = true;     ///< the same configuration gives the same parameters, to the last bit
  bool data_oblivious = true;    ///< what is sent, and when, does not depend on the parameters' values
  bool resumes_bitwise = true;   ///< resumes from a checkpoint as if it had never stopped
};

/// The same for a model with layers that use statistics of the rank's own samples instead of the batch's.
[[nodiscard]] inline Capabilities with_statistics_of_ranks(Capabilities capabilities) {
  capabilities.equals_serial = false;
  return capabilities;
}

struct CapabilityRow {
  std::string_view name;
  bool Capabilities::*holds;
};

inline constexpr std::array capability_table = {
    CapabilityRow{"one_model", &Capabilities::one_model},
    CapabilityRow{"equals_serial", &Capabilities::equals_serial},
    CapabilityRow{"divides_batches", &Capabilities::divides_batches},
    CapabilityRow{"deterministic", &Capabilities::deterministic},
    CapabilityRow{"data_oblivious", &Capabilities::data_oblivious},
    CapabilityRow{"resumes_bitwise", &Capabilities::resumes_bitwise},
};

/// The names of those that hold.
[[nodiscard]] inline std::vector<std::string> names_of(const Capabilities& capabilities) {
  std::vector<std::string> names;
  for (const CapabilityRow& row : capability_table)
    if (capabilities.*row.holds) names.emplace_back(row.name);
  return names;
}

}  // namespace lockstep::algorithms
