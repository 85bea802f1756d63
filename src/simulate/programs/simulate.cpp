// SPDX-License-Identifier: BSD-3-Clause
// Runs one of the training programs on a simulated cluster.
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/arguments.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "simulate/cluster.hpp"
#include "simulate/ranks_program.hpp"
#include "simulate/simulator.hpp"

namespace lockstep::simulate {
namespace {

constexpr int failed = 1;
constexpr int bad_input = 2;

int run_words(const std::vector<std::string>& words) {
  std::string cluster_name = "ethernet_10g";
  std::string ranks_word;
  Arguments arguments("simulate", "Runs a training program on the ranks of a simulated cluster.");
  arguments.option("--cluster", cluster_name, "a name in jobs/clusters, or a file")
      .shows_default()
      .value_name("NAME|FILE.json");
  std::string kernels_name;
  arguments
      .option(
          "--kernels", kernels_name,
          "how long kernels take: a name in jobs/kernels, or a file; without it computing is measured here")
      .value_name("NAME|FILE.json");
  bool timing_only = false;
  arguments.flag("--timing-only", timing_only,
                 "leave the arithmetic out: times by --kernels, but no losses and no accuracies");
  arguments.option("ranks", ranks_word, "how many").required();
  arguments.begins_another_program();
  if (const auto text = arguments.parse(words)) {
    fmt::print("{}", *text);
    return 0;
  }
  const RanksProgram program(arguments.remaining());
  Options options;
  std::size_t ranks = 0;
  options.add("ranks", &ranks, "").at_least(1);
  options.find("ranks")->set(options.find("ranks")->parse(ranks_word));
  const Cluster cluster = read_cluster(cluster_name);
  if (cluster.most_ranks != 0 && ranks > cluster.most_ranks)
    throw ConfigError({"too many ranks for " + cluster.name, fmt::format("at most {}", cluster.most_ranks),
                       std::to_string(ranks)});
  std::optional<KernelTable> kernels;
  if (!kernels_name.empty()) kernels.emplace(kernels_name);
  if (timing_only && !kernels)
    throw ConfigError(
        {.what = "--timing-only needs a table of kernels: nothing is computed that could be timed",
         .hint = "--kernels NAME|FILE.json"});
  const int status = run(cluster, {.kernels = kernels ? &*kernels : nullptr, .arithmetic = !timing_only},
                         ranks, [&] { return program.run(); });
  if (kernels) fmt::print(stderr, "{}", kernels->note());
  return status;
}

}  // namespace
}  // namespace lockstep::simulate

int main(int argc, char** argv) {
  using namespace lockstep;
  try {
    return simulate::run_words({argv + 1, argv + argc});
  } catch (const Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return simulate::bad_input;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", visible(error.what()));
    return simulate::failed;
  }
}
