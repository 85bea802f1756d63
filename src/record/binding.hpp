// SPDX-License-Identifier: BSD-3-Clause
// Whether ranks are bound to cores as the launcher was asked to bind them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::record {

/// The numbers in a list such as "0-3,8"; none for any other text.
[[nodiscard]] std::vector<std::size_t> parse_cpu_list(std::string_view text);

/// How many cores the CPUs of such a list belong to on this machine; each CPU counts as a core where the
/// system does not tell.
[[nodiscard]] std::size_t cores_of(std::string_view cpus);

/// What one rank may use.
struct RankBinding {
  std::string host;
  std::string cpus;       ///< "0-3,8"
  std::size_t cores = 0;  ///< that these belong to
};

/// Why the ranks are not bound to cores: "" when each keeps to `cores_each` cores that no other rank of its
/// host may use.
[[nodiscard]] std::string not_bound_to_cores(const std::vector<RankBinding>& ranks, std::size_t cores_each);

}  // namespace lockstep::record
