// SPDX-License-Identifier: BSD-3-Clause
// Reads the configuration on rank 0 on behalf of all, trains, and reports errors once.
#include "train/program.hpp"

#include <array>
#include <cstdio>
#include <exception>

#include <fmt/format.h>
#include <unistd.h>

#include "comm/communicator.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "record/provenance.hpp"
#include "train/check.hpp"
#include "train/run_config.hpp"
#include "train/trainer.hpp"

namespace lockstep::train {
namespace {

constexpr int failed = 1;
constexpr int bad_input = 2;

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

// What rank 0 made of the command line, for all ranks: an exit status (-1: go on), and the line itself.
struct Verdict {
  int exit_status = -1;
  CommandLine line;
};

Verdict read_on_root(const Program& program, const std::vector<std::string>& arguments, std::size_t ranks) {
  Verdict verdict;
  try {
    verdict.line = parse_command_line(program, arguments);
    if (verdict.line.text) {
      fmt::print("{}\n", *verdict.line.text);
      return {.exit_status = 0, .line = {}};
    }
    const ResolvedConfig resolved = resolve_config(verdict.line.given);
    if (verdict.line.print_config) {
      fmt::print("{}\n", resolved.values.dump(2));
      return {.exit_status = 0, .line = {}};
    }
    check_algorithm(resolved, ranks);
    check_training(resolved, {.results = verdict.line.results,
                              .run_id = verdict.line.run_id,
                              .progress = verdict.line.progress,
                              .command_line = {},
                              .start_private_bytes = 0.0,
                              .start_s = 0.0});
    for (const std::string& note : resolved.notes) fmt::print(stderr, "note: {}\n", note);
  } catch (const Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return {.exit_status = bad_input, .line = {}};
  }
  return verdict;
}

Verdict read_for_all(const Program& program, const std::vector<std::string>& arguments,
                     const comm::Communicator& ranks) {
  Verdict verdict;
  std::string message;
  if (ranks.is_root()) {
    verdict = read_on_root(program, arguments, ranks.size());
    message = Json{{"exit_status", verdict.exit_status},
                   {"given", verdict.line.given},
                   {"results", verdict.line.results},
                   {"run_id", verdict.line.run_id},
                   {"progress", verdict.line.progress}}
                  .dump();
  }
  ranks.broadcast(message);
  const Json told = Json::parse(message);
  told.at("exit_status").get_to(verdict.exit_status);
  verdict.line.given = told.at("given");
  told.at("results").get_to(verdict.line.results);
  told.at("run_id").get_to(verdict.line.run_id);
  told.at("progress").get_to(verdict.line.progress);
  return verdict;
}

int run(const Program& program, const std::vector<std::string>& words, const comm::Communicator& ranks,
        const RunSettings& at_start) {
  const std::vector<std::string> arguments(words.begin() + 1, words.end());
  const Verdict verdict = read_for_all(program, arguments, ranks);
  if (verdict.exit_status >= 0) return verdict.exit_status;
  ResolvedConfig config = resolve_config(verdict.line.given);
  return run_training(ranks, config,
                      {.results = verdict.line.results,
                       .run_id = verdict.line.run_id,
                       .progress = verdict.line.progress,
                       .command_line = words,
                       .start_private_bytes = at_start.start_private_bytes,
                       .start_s = at_start.start_s});
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
  const comm::MpiSession session(argc, argv);
  RunSettings at_start;
  at_start.start_private_bytes = static_cast<double>(record::memory_use().private_bytes);
  at_start.start_s = now_s();
  const comm::Communicator ranks = comm::Communicator::world();
  try {
    return run(program, {argv, argv + argc}, ranks, at_start);
  } catch (const std::exception& error) {
    // Whatever reaches this place may be known to this rank alone: end the others too.
    fmt::print(stderr, "[rank {} of {}, {}] error: {}\n", ranks.rank(), ranks.size(), host_name(),
               error.what());
    std::fflush(nullptr);
    comm::abort_job(failed);
  }
}

}  // namespace lockstep::train
