// SPDX-License-Identifier: BSD-3-Clause
// Provenance of a run.
#include "train/run_provenance.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "core/platform.hpp"
#include "math/gemm.hpp"
#include "record/binding.hpp"
#include "record/provenance.hpp"

namespace lockstep::train {
namespace {

// One number of each rank, as an array; on rank 0, elsewhere empty.
Json gathered(const comm::Communicator& ranks, double mine) {
  return Json(ranks.gather(std::span<const double>(&mine, 1)));
}

// The binding that the launcher says was requested, and whether the ranks have it. Collective.
void add_requested_binding(const comm::Communicator& ranks, Json& provenance) {
  const auto mine = static_cast<double>(record::cores_of(record::binding()));
  const std::vector<double> cores = ranks.gather(std::span(&mine, 1));
  const char* const requested = std::getenv("LOCKSTEP_BINDING");
  if (!ranks.is_root() || requested == nullptr) return;
  std::vector<record::RankBinding> bindings;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank)
    bindings.push_back({provenance.at("hosts").at(rank), provenance.at("bindings").at(rank),
                        static_cast<std::size_t>(cores[rank])});
  const char* const slurm_cpus = std::getenv("SLURM_CPUS_PER_TASK");
  const auto cores_each = record::parse_cpu_list(slurm_cpus == nullptr ? "1" : slurm_cpus);
  const std::string problem =
      std::string_view(requested) == "core"
          ? record::not_bound_to_cores(bindings, cores_each.empty() ? 1 : cores_each.front())
          : "";
  provenance["requested_binding"] = requested;
  provenance["binding_as_requested"] = problem.empty();
  if (problem.empty()) return;
  provenance["binding_note"] = problem;
  fmt::print(stderr,
             "note: one rank a core was asked for, but {}: timings may not be comparable with others\n",
             problem);
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
  provenance.update(record::slurm_provenance());
  if (*platform().simulation != '\0') provenance["simulation"] = parse_json(platform().simulation);
  add_requested_binding(ranks, provenance);
  return provenance;
}

Json machine_of(const comm::Communicator& ranks, const comm::Communicator& node, const Json& provenance) {
  Json machine;
  for (const char* key :
       {"git_sha", "git_dirty", "compiler", "compiler_flags", "mpi_library", "blas_library"})
    machine[key] = provenance.at(key);
  std::vector<std::string> processors = ranks.gather(provenance.at("cpu_model").get<std::string>());
  std::ranges::sort(processors);
  processors.erase(std::unique(processors.begin(), processors.end()), processors.end());
  machine["cpu_models"] = processors;
  const double first_of_node = -node.max(-static_cast<double>(ranks.rank()));
  machine["nodes_of_ranks"] = gathered(ranks, first_of_node);
  return machine;
}

Json memory_provenance(const comm::Communicator& ranks) {
  const bool share_a_process = platform().is_simulated;  // to look once is enough, and takes time
  const record::MemoryUse use =
      !share_a_process || ranks.is_root() ? record::memory_use() : record::MemoryUse();
  std::array<double, 2> bytes{static_cast<double>(use.private_bytes),
                              static_cast<double>(use.peak_rss_bytes)};
  if (share_a_process) ranks.broadcast(bytes);
  return {{"private_bytes", gathered(ranks, bytes[0])}, {"peak_rss_bytes", gathered(ranks, bytes[1])}};
}

}  // namespace lockstep::train
