// SPDX-License-Identifier: BSD-3-Clause
// The name of a run.
#include "sweep/spec/run_id.hpp"

#include <span>

#include <fmt/format.h>

#include "core/sha256.hpp"

namespace lockstep::sweep {

std::string identity_text(const Resolved& resolved, std::size_t ranks, std::size_t nodes,
                          std::uint32_t seed) {
  nlohmann::json identity = resolved.identity;
  identity["ranks"] = ranks;
  identity["seed"] = seed;
  if (nodes != 0) identity["nodes"] = nodes;
  return identity.dump();
}

std::string make_run_id(const Resolved& resolved, std::size_t ranks, std::size_t nodes, std::uint32_t seed) {
  constexpr std::size_t hash_digits = 12;
  const std::string text = identity_text(resolved, ranks, nodes, seed);
  const std::string hash = sha256(std::as_bytes(std::span(text)));
  return fmt::format("{}-{}-n{}-b{}-s{}-{}", resolved.values["algorithm"].get<std::string>(),
                     data::short_name(resolved.values["dataset"].get<std::string>()), ranks,
                     resolved.values["batch_size"].get<std::size_t>(), seed, hash.substr(0, hash_digits));
}

}  // namespace lockstep::sweep
