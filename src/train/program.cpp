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
struct StartupDecision {
  int exit_status = -1;
  Json given = Json::object();
  RunSettings settings = {};
};

Json to_json(const ResumePoint& from) {
  return {{"reopens", from.reopens},         {"checkpoint", from.checkpoint},
          {"epochs_done", from.epochs_done}, {"epoch_steps", from.epoch_steps},
          {"lost_s", from.lost_s},           {"about", from.about}};
}

void from_json(const Json& told, ResumePoint& to) {
  told.at("reopens").get_to(to.reopens);
  told.at("checkpoint").get_to(to.checkpoint);
  told.at("epochs_done").get_to(to.epochs_done);
  told.at("epoch_steps").get_to(to.epoch_steps);
  told.at("lost_s").get_to(to.lost_s);
  to.about = told.at("about");
}

StartupDecision read_on_root(const Program& program, const std::vector<std::string>& arguments,
                             std::size_t ranks) {
  StartupDecision decision;
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
    decision.given = std::move(line.given);
    RunSettings& settings = decision.settings;
    settings.launch = std::move(line.launch);
    check_algorithm(resolved, ranks);
    check_training(resolved, settings);
    settings.resume_point = find_resume_point(resolved, settings, ranks);
    for (const std::string& note : resolved.notes) fmt::print(stderr, "note: {}\n", note);
    if (settings.resume_point.complete) {
      fmt::print("{} is complete already\n",
                 run_file_path(settings, resolved.run, settings.launch.run_id).string());
      return {.exit_status = 0};
    }
  } catch (const Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return {.exit_status = bad_input};
  }
  return decision;
}

// What rank 0 decided, on all ranks.
StartupDecision read_for_all(const Program& program, const std::vector<std::string>& arguments,
                             const comm::Communicator& ranks) {
  StartupDecision decision;
  if (ranks.is_root()) decision = read_on_root(program, arguments, ranks.size());
  Options launch;
  decision.settings.launch.describe(launch);
  std::string message;
  if (ranks.is_root())
    message = Json{{"exit_status", decision.exit_status},
                   {"given", decision.given},
                   {"launch", launch.values()},
                   {"resume_point", to_json(decision.settings.resume_point)}}
                  .dump();
  ranks.broadcast(message);
  const Json told = Json::parse(message);
  told.at("exit_status").get_to(decision.exit_status);
  decision.given = told.at("given");
  for (const auto& [key, value] : told.at("launch").items()) launch.find(key)->set(value);
  from_json(told.at("resume_point"), decision.settings.resume_point);
  return decision;
}

int run(const Program& program, const std::vector<std::string>& words, const comm::Communicator& ranks,
        const RunSettings& at_start) {
  const std::vector<std::string> arguments(words.begin() + 1, words.end());
  StartupDecision decision = read_for_all(program, arguments, ranks);
  if (decision.exit_status >= 0) return decision.exit_status;
  ResolvedConfig config = resolve_config(decision.given);
  decision.settings.command_line = words;
  decision.settings.start_private_bytes = at_start.start_private_bytes;
  decision.settings.start_s = at_start.start_s;
  return run_training(ranks, config, std::move(decision.settings));
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
