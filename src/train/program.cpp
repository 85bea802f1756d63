// SPDX-License-Identifier: BSD-3-Clause
// Reads the configuration on rank 0 on behalf of all, trains, and reports errors once.
#include "train/program.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "comm/communicator.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/host.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "core/platform.hpp"
#include "core/text.hpp"
#include "record/atomic_file.hpp"
#include "record/provenance.hpp"
#include "record/run_file.hpp"
#include "train/command_line.hpp"
#include "train/resume.hpp"
#include "train/run_config.hpp"
#include "train/stop_signal.hpp"
#include "train/training.hpp"

namespace lockstep::train {
namespace {

constexpr int failed = 1;
constexpr int bad_input = 2;
constexpr int taken_over = 4;

// Checks all that one rank can check on behalf of all before any rank works. Throws ConfigError or Error.
void check_training(const ResolvedConfig& config, const data::DatasetInfo& data,
                    const LaunchOptions& launch) {
  (void)check_parts(config, data);
  const auto folder = std::filesystem::path(launch.results) / config.run.experiment;
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure || access(folder.c_str(), W_OK) != 0)
    throw ConfigError({"cannot write to the results folder " + folder.string(),
                       "a folder that this user may write", failure ? failure.message() : "no permission",
                       "--results names another one"});
  for (const std::string& file : {launch.save_model, launch.trace}) {
    if (file.empty()) continue;
    record::create_folders_for(file);
    record::check_writable(file);
  }
}

// Throws ConfigError for what means nothing where nothing is computed.
void check_timing_only(const ResolvedConfig& config, const LaunchOptions& launch) {
  const auto refuse_if = [](bool is_asked_for, const std::string& what, const std::string& why) {
    if (is_asked_for)
      throw ConfigError(
          {what + " is not to be had where nothing is computed (--timing-only, emulate)", "", why});
  };
  refuse_if(!config.algorithm->capabilities().data_oblivious, "algorithm '" + config.run.algorithm + "'",
            "what it sends depends on the parameters");
  refuse_if(!launch.save_model.empty(), "--save-model", "nothing is learned");
  refuse_if(!config.run.init_from.empty(), "--init-from", "parameters have no values");
  refuse_if(config.run.eval_ranks, "--eval-ranks", "nothing is learned");
  refuse_if(config.run.training.batch_norm == "sync", "--batch-norm sync",
            "its sums are exchanged in the midst of the arithmetic that is left out");
}

// Ranks that share a process have nothing of their own.
double private_bytes_at_start() {
  return platform().is_simulated ? 0.0 : static_cast<double>(record::memory_use().private_bytes);
}

// The most samples that a batch has: of an epoch, or of a rank's share of it.
std::size_t largest_batch(const ResolvedConfig& config, const data::DatasetInfo& data, std::size_t ranks) {
  const bool shares_batches = config.algorithm->capabilities().divides_batches;
  const std::size_t share = shares_batches ? data.train_count : (data.train_count + ranks - 1) / ranks;
  return std::min(config.run.training.batch_size, share);
}

// Reads the command line into `given` and `settings`, or returns the exit status if nothing is to be trained.
std::optional<int> read_on_root(const std::string& algorithm, std::size_t ranks, Json& given,
                                RunSettings& settings) {
  if (is_refused(comm::find_strange_launcher(ranks))) return bad_input;
  try {
    CommandLine line =
        parse_command_line(algorithm, {settings.command_line.begin() + 1, settings.command_line.end()});
    if (line.text) {
      fmt::print("{}", *line.text);
      return 0;
    }
    const ResolvedConfig resolved = resolve_config(line.given);
    if (line.print_config) {
      fmt::print("{}\n", resolved.values.dump(2));
      return 0;
    }
    check_file_name("experiment", resolved.run.experiment);
    if (!line.launch.run_id.empty()) check_file_name("run", line.launch.run_id);
    check_algorithm(resolved, ranks);
    const auto dataset = data::open_dataset(resolved.run.data);
    const data::DatasetInfo data = dataset->info();
    check_training(resolved, data, line.launch);
    if (!platform().computes) check_timing_only(resolved, line.launch);
    settings.resume_point = find_resume_point(resolved, line.launch, ranks);
    for (const std::string& note : resolved.notes) fmt::print(stderr, "note: {}\n", visible(note));
    if (settings.resume_point.complete) {
      fmt::print("{} is complete already\n",
                 visible(run_file_path(line.launch, resolved.run, line.launch.run_id).string()));
      return 0;
    }
    settings.dataset_note = dataset->note();
    settings.largest_batch = largest_batch(resolved, data, ranks);
    if (const std::size_t asked = resolved.run.training.batch_size; settings.largest_batch < asked)
      fmt::print(stderr, "note: batch_size is {}, but a batch has at most the {} samples of an epoch{}\n",
                 asked, settings.largest_batch,
                 settings.largest_batch < data.train_count ? " on a rank" : "");
    if (!settings.dataset_note.empty())
      fmt::print(stderr, "warning: {}\n  hint:     `make data` fetches it; the run file and figures say so\n",
                 visible(settings.dataset_note));
    settings.launch = std::move(line.launch);
    given = std::move(line.given);
    return std::nullopt;
  } catch (const Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return bad_input;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", visible(error.what()));
    return failed;
  }
}

int run(const std::string& algorithm, const comm::Communicator& ranks, RunSettings settings) {
  Options launch;
  settings.launch.describe(launch);
  Json decision;  // of rank 0, for all
  if (ranks.is_root()) {
    Json given;
    if (const auto exit_status = read_on_root(algorithm, ranks.size(), given, settings))
      decision = {{"exit_status", *exit_status}};
    else
      decision = {{"given", given}, {"launch", launch.values()}, {"checkpoint", settings.resume_point.about}};
  }
  // CBOR: paths may hold any bytes, JSON text only UTF-8.
  std::string message;
  Json::to_cbor(decision, message);
  ranks.broadcast(message);
  decision = Json::from_cbor(message);
  if (decision.contains("exit_status")) return decision.at("exit_status").get<int>();
  launch.set(decision.at("launch"));
  settings.resume_point.about = decision.at("checkpoint");
  ResolvedConfig config = resolve_config(decision.at("given"));
  return Training(ranks, config, std::move(settings)).run();
}

}  // namespace

bool is_refused(const comm::StrangeLauncher& found) {
  if (found.variable.empty()) return false;
  const Error error(
      {fmt::format("the launcher started {} processes that do not know each other", found.processes),
       fmt::format("one MPI of {} ranks, as {} says", found.processes, found.variable),
       fmt::format("{}, and each process alone", comm::mpi_library()),
       "start them with this MPI's own mpiexec, or srun --mpi=pmix where it has PMIx; a run of one rank: "
       "env -u " +
           found.variable});
  if (found.is_first) fmt::print(stderr, "error: {}\n", error.what());
  return true;
}

int run_program(const std::string& algorithm, int argc, char** argv) {
  if (is_refused(comm::find_unconnected_step())) return bad_input;
  const comm::MpiSession session(argc, argv);
  catch_stop_signals();
  const RunSettings at_start{.launch = {},
                             .resume_point = {},
                             .command_line = {argv, argv + argc},
                             .start_private_bytes = private_bytes_at_start(),
                             .start_s = now_s()};
  const comm::Communicator ranks = comm::Communicator::world();
  if (ranks.size() > 1 && ranks.is_root() && !session.no_copies().empty())
    fmt::print(stderr,
               "note: ranks may not copy out of each other's memory here (process_vm_readv: {}), so long "
               "messages are copied twice\n",
               session.no_copies());
  try {
    return run(algorithm, ranks, at_start);
  } catch (const record::TakenOver& notice) {
    fmt::print(stderr, "error: {}\n", notice.what());
    std::fflush(nullptr);
    comm::abort_job(taken_over);
  } catch (...) {
    return end_after_error(ranks);
  }
}

int end_after_error(const comm::Communicator& ranks) {
  try {
    throw;
  } catch (const AgreedError& error) {
    if (ranks.is_root()) fmt::print(stderr, "error: {}\n", error.what());
    return bad_input;
  } catch (const std::exception& error) {
    // Perhaps this rank alone knows of it, so the others are ended too.
    fmt::print(stderr, "[rank {} of {}, {}] error: {}\n", ranks.rank(), ranks.size(), host_name(),
               visible(error.what()));
    std::fflush(nullptr);
    comm::abort_job(failed);
  }
}

int run_on_ranks(int argc, char** argv, const std::function<int(const comm::Communicator&)>& body) {
  if (is_refused(comm::find_unconnected_step())) return bad_input;
  const comm::MpiSession session(argc, argv);
  const comm::Communicator ranks = comm::Communicator::world();
  if (is_refused(comm::find_strange_launcher(ranks.size()))) return bad_input;
  try {
    return body(ranks);
  } catch (...) {
    return end_after_error(ranks);
  }
}

}  // namespace lockstep::train
