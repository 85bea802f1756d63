// SPDX-License-Identifier: BSD-3-Clause
// A site: what differs between machines and clusters, from one JSON file in jobs/sites/.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/options.hpp"

namespace lockstep::sweep {

/// How runs are started at a site, and what Slurm is asked for. The keys of the file are the members' names;
/// docs/slurm.md explains them.
struct Site {
  std::string name;                        ///< stem of the file
  std::string file;                        ///< its absolute path
  std::string title;                       ///< one sentence
  std::string scheduler = "none";          ///< none or slurm
  std::string launcher = "mpirun";         ///< mpirun or srun
  std::vector<std::string> launcher_args;  ///< put behind our own
  std::vector<std::string> setup;     ///< lines of shell at the head of every batch script: modules, paths
  Json environment = Json::object();  ///< variables of every run
  std::string partition, account, qos, constraint;
  std::vector<std::string> sbatch_args;  ///< further options of sbatch
  std::string binding = "core";          ///< core or none: what each rank is bound to
  std::size_t cores_per_node = 0;        ///< 0: as many as the machine that is asked has
  std::size_t nodes = 0;                 ///< 0: as many as Slurm says
  bool oversubscribe = false;            ///< more ranks than cores may share them
  std::string time_limit = "24:00:00";   ///< the longest that a job may ask for, H:MM:SS
  double gflops_per_core = 30.0;         ///< for estimates: single precision, what training reaches

  void describe(Options& options);
};

/// Reads jobs/sites/NAME.json, or a path that ends in .json. Throws ConfigError for unknown keys and wrong
/// types.
[[nodiscard]] Site read_site(const std::string& name_or_path);

/// The names of the sites that come along.
[[nodiscard]] std::vector<std::string> site_names();

/// The folder that holds src, jobs and data: LOCKSTEP_HOME, or else the one that build/ with this program is
/// in.
[[nodiscard]] std::filesystem::path home();
/// Whether there is one: an installed program may stand alone.
[[nodiscard]] bool has_home();

/// The path of another program of the family, beside this one. Throws Error if it is not there.
[[nodiscard]] std::filesystem::path sibling_program(const std::string& name);

/// The physical cores that this process may use (hardware threads of a core count once).
[[nodiscard]] std::size_t usable_cores();

}  // namespace lockstep::sweep
