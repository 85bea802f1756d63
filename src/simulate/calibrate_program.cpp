// SPDX-License-Identifier: BSD-3-Clause
// Command line, order of work and errors of the program that calibrates.
#include "simulate/calibrate_program.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "comm/communicator.hpp"
#include "core/arguments.hpp"
#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "core/processor.hpp"
#include "core/text.hpp"
#include "record/atomic_file.hpp"
#include "record/provenance.hpp"
#include "simulate/calibration.hpp"
#include "train/program.hpp"

namespace lockstep::simulate {
namespace {

struct Settings {
  std::string output;
  std::string name;
  std::size_t cores_per_node = 0;
  double seconds = 0.2;
  std::string help;  ///< to be printed instead of any work
};

// Throws Error.
Settings read(const std::vector<std::string>& words) {
  Settings settings;
  Arguments arguments("calibrate",
                      "Measures messages, memory and noise of the nodes that it runs on, and writes the file "
                      "of a cluster of such nodes, for jobs/simulate.sh --cluster FILE.json and for the "
                      "analysis. Best on two whole nodes, with a rank on each core.");
  arguments.option("output", settings.output, "the cluster's file, *.json")
      .required()
      .value_name("FILE.json");
  arguments.option("--name", settings.name, "what cluster this is; made of nodes and processor when absent")
      .value_name("TEXT");
  arguments
      .option("--cores-per-node", settings.cores_per_node,
              "ranks that a simulated node holds; default: the cores of the smallest node here")
      .value_name("N");
  arguments.option("--seconds", settings.seconds, "about how long each size of messages is measured")
      .shows_default();
  if (auto text = arguments.parse(words)) {
    settings.help = *text;
    return settings;
  }
  if (!settings.output.ends_with(".json"))
    throw ConfigError({"bad name of a cluster's file", "a name that ends in .json", settings.output});
  constexpr double longest_s = 3600.0;
  if (!(settings.seconds > 0.0 && settings.seconds <= longest_s))
    throw ConfigError({"bad value for --seconds", fmt::format("above 0, at most {}", longest_s),
                       fmt::format("{}", settings.seconds)});
  if (!is_plain_text(settings.name))
    throw ConfigError({"bad value for --name", "UTF-8 without control characters", settings.name});
  return settings;
}

void check(const Settings& settings, std::size_t ranks) {
  if (ranks < 2)
    throw ConfigError({"calibrate measures messages between ranks", "at least 2 ranks", plural(ranks, "rank"),
                       "jobs/local.sh 2 build/bin/calibrate FILE.json; on two nodes of a cluster: "
                       "srun -N 2 --ntasks-per-node=CORES build/bin/calibrate FILE.json"});
  if (settings.cores_per_node == 0 && cores_here() == 0)
    throw ConfigError(
        {.what = "the system does not tell how many cores a node has", .hint = "--cores-per-node N"});
}

// "n1, n2, n3 and 5 more"
std::string hosts_of(const Layout& layout) {
  constexpr std::size_t shown = 4;
  std::vector<std::string> names;
  for (const auto& node : layout.nodes)
    if (names.size() < shown) names.push_back(layout.hosts[node.front()]);
  const std::size_t more = layout.nodes.size() - names.size();
  return join(names) + (more == 0 ? "" : fmt::format(" and {} more", more));
}

void write(const Settings& settings, const Calibration& found, std::size_t ranks) {
  const Layout& layout = found.layout;
  const std::string name = !settings.name.empty()
                               ? settings.name
                               : fmt::format("like {} of {}, {}", plural(layout.nodes.size(), "node"),
                                             plural(layout.cores, "core"), processor());
  const std::string source =
      fmt::format("measured with calibrate of Lockstep {} on {}: {}, {} on {}{}", build_info::version,
                  record::utc_now().substr(0, 10), comm::mpi_library(), plural(ranks, "rank"),
                  visible(hosts_of(layout)), found.between_nodes ? "" : "; no network was measured");
  const std::string text = file_text(cluster_of(found, name, source, settings.cores_per_node));
  record::replace_file(settings.output, std::as_bytes(std::span(text)), record::Durability::survives_kill);
}

void print_end(const Settings& settings, const Calibration& found) {
  fmt::print("{}\n", report(found));
  for (const std::string& note : notes_on(found)) fmt::print("note: {}\n", visible(note));
  fmt::print(
      "\nwritten: {0}\nnext:\n"
      "  jobs/simulate.sh 64 --cluster {0} train --algorithm param_avg --epochs 1\n"
      "  jobs/local.sh {1} build/bin/kernel_table kernels.json     # on such a node: how long computing "
      "takes\n",
      visible(settings.output), found.layout.cores);
}

int run(const comm::Communicator& ranks, const std::vector<std::string>& words) {
  Settings settings;
  std::string failure;
  try {
    settings = read(words);
    if (settings.help.empty()) {
      check(settings, ranks.size());
      if (ranks.is_root()) {
        record::create_folders_for(settings.output);
        record::check_writable(settings.output);
      }
    }
  } catch (const Error& error) {
    failure = error.what();
  }
  ranks.agree_on_failure(failure);
  if (!settings.help.empty()) {
    if (ranks.is_root()) fmt::print("{}", settings.help);
    return 0;
  }
  const Calibration found = calibrate(ranks, settings.seconds);
  if (!ranks.is_root()) return 0;
  write(settings, found, ranks.size());
  print_end(settings, found);
  return 0;
}

}  // namespace

int run_calibrate(int argc, char** argv) {
  return train::run_on_ranks(argc, argv, [&](const comm::Communicator& ranks) {
    return run(ranks, {argv + 1, argv + argc});
  });
}

}  // namespace lockstep::simulate
