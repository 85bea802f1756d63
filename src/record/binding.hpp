// SPDX-License-Identifier: BSD-3-Clause
// The CPUs that a rank may use, and whether ranks are bound to cores as the launcher was asked to bind them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::record {

/// The CPUs that this process may run on, e.g. "0-3,8".
[[nodiscard]] std::string binding();

/// CPU numbers in ascending order as such a list.
[[nodiscard]] std::string cpu_list(std::span<const std::size_t> cpus);

/// The numbers in such a list; none for any other text.
[[nodiscard]] std::vector<std::size_t> parse_cpu_list(std::string_view text);

/// The number of this machine's cores that such a list has CPUs of; if it is unknown, the number of CPUs.
[[nodiscard]] std::size_t cores_of(std::string_view cpus);

/// What one rank may use.
struct RankBinding {
  std::string host;
  std::string cpus;       ///< "0-3,8"
  std::size_t cores = 0;  ///< number of cores that these belong to
};

/// Why not each rank has at most `cores_each` cores, which no other rank of its host may use; or "".
[[nodiscard]] std::string not_bound_to_cores(const std::vector<RankBinding>& ranks, std::size_t cores_each);

}  // namespace lockstep::record
