// SPDX-License-Identifier: BSD-3-Clause
// A site: what differs between machines and clusters, from one JSON file in jobs/sites/; or a simulated
// cluster.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/options.hpp"
#include "sweep/spec/simulation.hpp"

namespace lockstep::sweep {

/// How runs are started at a site, and what jobs ask Slurm for. The keys of the file are the members' names;
/// docs/slurm.md explains them. On a simulated cluster a run is one process of this machine.
struct Site {
  std::string name;                        ///< stem of the file
  std::string file;                        ///< its absolute path
  std::string title;                       ///< one sentence
  std::string scheduler = "none";          ///< none or slurm
  std::string launcher = "mpirun";         ///< mpirun or srun
  std::vector<std::string> launcher_args;  ///< after our own
  std::vector<std::string> setup;     ///< lines of shell at the head of every batch script: modules, paths
  Json environment = Json::object();  ///< variables of every run
  std::string partition, account, qos, constraint;
  std::vector<std::string> sbatch_args;  ///< further options of sbatch
  std::string binding = "core";          ///< core or none: what each rank is bound to
  std::size_t cores_per_node = 0;        ///< 0: what Slurm says, or what this machine has
  std::size_t nodes = 0;                 ///< 0: what Slurm says
  bool oversubscribe = false;            ///< ranks may share cores if there are more of them
  std::string time_limit = "24:00:00";   ///< the longest that a job may ask for, H:MM:SS
  double gflops_per_core = 30.0;         ///< for estimates: the rate of training in single precision
  // Not in the file.
  std::size_t largest_array = 1001;      ///< Slurm's MaxArraySize
  std::size_t runs_at_once = 1;          ///< without a scheduler
  std::optional<Simulation> simulation;  ///< none: the site is real

  void describe(Options& options);
};

/// Reads jobs/sites/NAME.json, or a path that ends in .json. "sim:NAME", a cluster of jobs/clusters/ or a
/// path, is that cluster simulated on this machine, a run on each core; options of the simulation may follow
/// after a blank: "sim:NAME --option value". Throws ConfigError for unknown keys and wrong types.
[[nodiscard]] Site read_site(const std::string& name_or_path);

/// The site that the JSON text in the file `path` describes.
[[nodiscard]] Site site_of(const Json& given, const std::filesystem::path& path);

/// How many nodes of the site a run takes: `nodes`, or if that is 0 the fewest that hold its ranks. The
/// site's `nodes` (0: as many as ranks) and `cores_per_node` are known. Throws ConfigError with `problem` if
/// they are too few; `way_out` is the hint where nodes are missing.
[[nodiscard]] std::size_t nodes_for(const Site& site, std::size_t ranks, std::size_t nodes,
                                    const std::string& problem, const std::string& way_out);

/// The physical cores that this process may use; the hardware threads of a core count once.
[[nodiscard]] std::size_t usable_cores();

}  // namespace lockstep::sweep
