// SPDX-License-Identifier: BSD-3-Clause
// How a run is launched: where results go, where it resumes, what is shown. Not part of what is trained.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/options.hpp"

namespace lockstep::record {
class CheckpointReader;
struct RunRecord;
}  // namespace lockstep::record

namespace lockstep::train {

struct LaunchOptions {
  std::string results = "results";
  std::string run_id;  ///< "" = made up
  bool resume = false;
  std::size_t checkpoint_epochs = 0;
  double checkpoint_minutes = 10.0;
  double stall_seconds = 600.0;
  std::string progress = "auto";
  std::string save_model;  ///< "" = nowhere
  std::string trace;       ///< "" = nowhere
  std::size_t trace_steps = 200;

  void describe(Options& options);
};

/// Where a run begins. All of it is known on rank 0; the other ranks know `about` alone.
struct ResumePoint {
  bool complete = false;  ///< the run has ended already: there is nothing to do
  bool reopens = false;   ///< there is a run file, which is continued
  double lost_s = 0.0;    ///< training time that the run file has and the checkpoint has not
  Json about = {};        ///< the checkpoint's description; null: the run begins at its first step
  /// The checkpoint, open since it was chosen, because another process may replace the file.
  std::shared_ptr<const record::CheckpointReader> reader = nullptr;
  std::string checkpoint = {};  ///< its path
  /// The run's record as the checkpoint has it, if the run file is damaged or older; else nullptr.
  std::shared_ptr<const record::RunRecord> record = nullptr;

  [[nodiscard]] bool has_checkpoint() const { return !about.is_null(); }
  [[nodiscard]] std::size_t epochs_done() const { return number("epochs_done"); }
  /// Steps of the epoch after those.
  [[nodiscard]] std::size_t epoch_steps() const { return number("epoch_steps"); }

 private:
  [[nodiscard]] std::size_t number(const char* key) const {
    return has_checkpoint() ? about.at(key).get<std::size_t>() : 0;
  }
};

/// A run's launch, where it begins, and what is known of its process.
struct RunSettings {
  LaunchOptions launch;
  ResumePoint resume_point;
  std::vector<std::string> command_line;
  std::size_t largest_batch = 0;     ///< the most samples of a batch, on rank 0
  std::string dataset_note = {};     ///< data::DatasetSource::note(), on rank 0
  double start_private_bytes = 0.0;  ///< this rank's memory after MPI_Init
  double start_s = 0.0;              ///< now_s() then
};

}  // namespace lockstep::train
