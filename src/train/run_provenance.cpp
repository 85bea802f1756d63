// SPDX-License-Identifier: BSD-3-Clause
// Provenance of a run.
#include "train/run_provenance.hpp"

#include <algorithm>
#include <array>

#include "core/names.hpp"
#include "math/gemm.hpp"
#include "record/provenance.hpp"

namespace lockstep::train {
namespace {

// One number of each rank, as an array; on rank 0, elsewhere empty.
Json gathered(const comm::Communicator& ranks, double mine) {
  return Json(ranks.gather(std::span<const double>(&mine, 1)));
}

}  // namespace

Json run_provenance(const comm::Communicator& ranks, const comm::Communicator& node,
                    const RunSettings& settings) {
  Json provenance = record::build_provenance();
  provenance.update(record::host_provenance());
  provenance["environment"] = record::environment_provenance();
  provenance["mpi_library"] = comm::mpi_library();
  provenance["blas_library"] = std::string(math::blas_description());
  provenance["command_line"] = join(settings.command_line, " ");
  provenance["ranks"] = ranks.size();
  std::array<double, 1> nodes{node.is_root() ? 1.0 : 0.0};
  ranks.sum(nodes);
  provenance["nodes"] = static_cast<std::size_t>(nodes[0]);
  provenance["hosts"] = ranks.gather(provenance.at("hostname").get<std::string>());
  provenance["bindings"] = ranks.gather(record::binding());
  provenance["start_private_bytes"] = gathered(ranks, settings.start_private_bytes);
  return provenance;
}

Json memory_provenance(const comm::Communicator& ranks) {
  const record::MemoryUse use = record::memory_use();
  return {{"private_bytes", gathered(ranks, static_cast<double>(use.private_bytes))},
          {"peak_rss_bytes", gathered(ranks, static_cast<double>(use.peak_rss_bytes))}};
}

}  // namespace lockstep::train
