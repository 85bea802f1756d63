// SPDX-License-Identifier: BSD-3-Clause
// Reads the configuration on rank 0 on behalf of all, trains, and reports errors once.
#include "train/program.hpp"

#include <array>
#include <cstdio>
#include <exception>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "comm/communicator.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "record/provenance.hpp"
#include "record/run_file.hpp"
#include "train/check.hpp"
#include "train/resume.hpp"
#include "train/run_config.hpp"
#include "train/stop_signal.hpp"
#include "train/trainer.hpp"

namespace lockstep::train {
namespace {

constexpr int failed = 1;
constexpr int taken_over = 4;
constexpr int bad_input = 2;

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

// What rank 0 made of the command line, for all ranks: an exit status (-1: go on), what is to be trained, and
// the settings.
struct Verdict {
  int exit_status = -1;
  Json given = Json::object();
  RunSettings settings = {};
};

Json to_json(const RunSettings& settings) {
  const Beginning& beginning = settings.beginning;
  return {{"results", settings.results},
          {"run_id", settings.run_id},
          {"progress", settings.progress},
          {"checkpoint_epochs", settings.checkpoint_epochs},
          {"checkpoint_minutes", settings.checkpoint_minutes},
          {"reopens", beginning.reopens},
          {"checkpoint", beginning.checkpoint},
          {"epochs_done", beginning.epochs_done},
          {"epoch_steps", beginning.epoch_steps},
          {"lost_s", beginning.lost_s},
          {"about", beginning.about}};
}

void from_json(const Json& told, RunSettings& settings) {
  Beginning& beginning = settings.beginning;
  told.at("results").get_to(settings.results);
  told.at("run_id").get_to(settings.run_id);
  told.at("progress").get_to(settings.progress);
  told.at("checkpoint_epochs").get_to(settings.checkpoint_epochs);
  told.at("checkpoint_minutes").get_to(settings.checkpoint_minutes);
  told.at("reopens").get_to(beginning.reopens);
  told.at("checkpoint").get_to(beginning.checkpoint);
  told.at("epochs_done").get_to(beginning.epochs_done);
  told.at("epoch_steps").get_to(beginning.epoch_steps);
  told.at("lost_s").get_to(beginning.lost_s);
  beginning.about = told.at("about");
}

Verdict read_on_root(const Program& program, const std::vector<std::string>& arguments, std::size_t ranks) {
  Verdict verdict;
  try {
    CommandLine line = parse_command_line(program, arguments);
    if (line.text) {
      fmt::print("{}\n", *line.text);
      return {.exit_status = 0};
    }
    const ResolvedConfig resolved = resolve_config(line.given);
    if (line.print_config) {
      fmt::print("{}\n", resolved.values.dump(2));
      return {.exit_status = 0};
    }
    verdict.given = std::move(line.given);
    RunSettings& settings = verdict.settings;
    settings.results = line.results;
    settings.run_id = line.run_id;
    settings.progress = line.progress;
    settings.resume = line.resume;
    settings.checkpoint_epochs = line.checkpoint_epochs;
    settings.checkpoint_minutes = line.checkpoint_minutes;
    check_algorithm(resolved, ranks);
    check_training(resolved, settings);
    settings.beginning = find_beginning(resolved, settings, ranks);
    for (const std::string& note : resolved.notes) fmt::print(stderr, "note: {}\n", note);
    if (settings.beginning.complete) {
      fmt::print("{} is complete already\n", run_file_path(settings, resolved.run, settings.run_id).string());
      return {.exit_status = 0};
    }
  } catch (const Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return {.exit_status = bad_input};
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
                   {"given", verdict.given},
                   {"settings", to_json(verdict.settings)}}
                  .dump();
  }
  ranks.broadcast(message);
  const Json told = Json::parse(message);
  told.at("exit_status").get_to(verdict.exit_status);
  verdict.given = told.at("given");
  from_json(told.at("settings"), verdict.settings);
  return verdict;
}

int run(const Program& program, const std::vector<std::string>& words, const comm::Communicator& ranks,
        const RunSettings& at_start) {
  const std::vector<std::string> arguments(words.begin() + 1, words.end());
  Verdict verdict = read_for_all(program, arguments, ranks);
  if (verdict.exit_status >= 0) return verdict.exit_status;
  ResolvedConfig config = resolve_config(verdict.given);
  verdict.settings.command_line = words;
  verdict.settings.start_private_bytes = at_start.start_private_bytes;
  verdict.settings.start_s = at_start.start_s;
  return run_training(ranks, config, std::move(verdict.settings));
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
  const comm::MpiSession session(argc, argv);
  catch_stop_signals();
  RunSettings at_start;
  at_start.start_private_bytes = static_cast<double>(record::memory_use().private_bytes);
  at_start.start_s = now_s();
  const comm::Communicator ranks = comm::Communicator::world();
  try {
    return run(program, {argv, argv + argc}, ranks, at_start);
  } catch (const record::TakenOver& notice) {
    fmt::print(stderr, "error: {}\n", notice.what());
    std::fflush(nullptr);
    comm::abort_job(taken_over);
  } catch (const AgreedError& error) {
    if (ranks.is_root()) fmt::print(stderr, "error: {}\n", error.what());
    return bad_input;
  } catch (const std::exception& error) {
    // Whatever reaches this place may be known to this rank alone: end the others too.
    fmt::print(stderr, "[rank {} of {}, {}] error: {}\n", ranks.rank(), ranks.size(), host_name(),
               error.what());
    std::fflush(nullptr);
    comm::abort_job(failed);
  }
}

}  // namespace lockstep::train
