// SPDX-License-Identifier: BSD-3-Clause
// Runs one of the training programs with the real MPI and network, its computing replaced by waiting.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "comm/launcher.hpp"
#include "core/aligned.hpp"
#include "core/arguments.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/platform.hpp"
#include "core/text.hpp"
#include "simulate/emulated_computing.hpp"
#include "simulate/kernel_table.hpp"
#include "simulate/ranks_program.hpp"

namespace lockstep::simulate {
namespace {

constexpr int failed = 1;
constexpr int bad_input = 2;

int run_words(const std::vector<std::string>& words) {
  std::string kernels_name;
  Arguments arguments("emulate",
                      "Runs a training program with its computing replaced by waiting: messages are real, "
                      "losses and accuracies are not there.");
  arguments.option("--kernels", kernels_name, "how long kernels take: a name in jobs/kernels, or a file")
      .value_name("NAME|FILE.json")
      .required();
  arguments.begins_another_program();
  arguments.footer(
      "Examples:\n"
      "  jobs/local.sh 4 build/bin/emulate --kernels core_of_100_gflops train --algorithm param_avg\n");
  if (const auto text = arguments.parse(words)) {
    fmt::print("{}", *text);
    return 0;
  }
  const RanksProgram program(arguments.remaining());
  const KernelTable kernels(kernels_name);
  EmulatedComputing computing(kernels);
  const std::string description = to_text(Json{{"cluster", "this network, computing emulated"},
                                               {"computing", "emulated"},
                                               {"kernels", kernels.about()},
                                               {"arithmetic", "left out"}});
  work_meter = &computing;
  arrays_stay_zero = true;
  Platform emulated = platform();
  emulated.computes = false;
  emulated.simulation = description.c_str();
  set_platform(emulated);
  const int status = program.run();
  work_meter = nullptr;
  if (comm::is_first_process()) fmt::print(stderr, "{}", kernels.note());
  return status;
}

}  // namespace
}  // namespace lockstep::simulate

int main(int argc, char** argv) {
  using namespace lockstep;
  try {
    return simulate::run_words({argv + 1, argv + argc});
  } catch (const Error& error) {
    if (comm::is_first_process()) fmt::print(stderr, "error: {}\n", error.what());
    return simulate::bad_input;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", visible(error.what()));
    return simulate::failed;
  }
}
