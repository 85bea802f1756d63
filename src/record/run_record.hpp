// SPDX-License-Identifier: BSD-3-Clause
// What a run file holds, in memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/json.hpp"

namespace lockstep::record {

inline constexpr int schema_version = 1;

/// One named series of numbers: a value for each epoch, or for each epoch and rank.
struct Series {
  std::string group;             ///< "epochs" or "exchange": the HDF5 group it is written to
  std::string name;              ///< data set name
  std::string unit = {};         ///< "s", "bytes", "1" (a plain number), ...
  std::string description = {};  ///< one sentence
  std::size_t ranks = 0;         ///< 0: shape [epoch]; P: shape [epoch, rank]
  std::vector<double> values = {};

  /// Appends one epoch: one value, or one for each rank.
  void append(std::span<const double> epoch_values);
};

/// What one process did of a run. An uninterrupted run has one segment.
struct Segment {
  std::string started, finished;   ///< UTC, ISO 8601; finished is empty while it runs, and if it was killed
  std::string status = "running";  ///< running, complete, interrupted, failed or killed
  std::size_t first_epoch = 0, first_step = 0;  ///< done before: epochs, and steps of the next one
  double lost_s = 0.0;                          ///< training time of this segment that was not kept
  std::string job = {};                         ///< Slurm's job id; empty without one
  std::size_t restart_count = 0;                ///< how often Slurm had restarted that job
  std::string hosts = {};                       ///< the ranks' hosts, each once, in the order of ranks
};

/// A run: its state, what was configured, where and how it ran, and its numbers so far.
struct RunRecord {
  std::string run_id;
  std::string status = "running";  ///< running, complete, interrupted or failed
  std::string started, finished;   ///< UTC, ISO 8601; finished is empty while it runs
  Json config = Json::object();    ///< the whole resolved configuration
  Json model = Json::object();     ///< the resolved description of the model
  Json provenance =
      Json::object();  ///< values: texts, numbers, booleans, arrays of texts or numbers, objects
  std::vector<Series> series;
  std::vector<Segment> segments;

  /// A checksum for each epoch, of the run, its configuration and ranks, and all numbers of the epoch.
  [[nodiscard]] std::vector<std::string> epoch_checksums() const;
  /// How many epochs it holds.
  [[nodiscard]] std::size_t epochs() const;
  /// Training seconds of these epochs: the last value of epochs/train_clock_s, or 0.
  [[nodiscard]] double train_clock_s() const;
  /// Leaves the first `epochs` epochs.
  void truncate(std::size_t epochs);
};

}  // namespace lockstep::record
