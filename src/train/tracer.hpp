// SPDX-License-Identifier: BSD-3-Clause
// The timeline of a run's first steps, and its file.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "comm/communicator.hpp"
#include "core/json_fwd.hpp"
#include "core/timeline.hpp"
#include "train/launch.hpp"

namespace lockstep::train {

/// Records what each rank does, if the launch names a file, and writes that at the end. All ranks call its
/// functions.
class Tracer {
 public:
  /// All outlive it.
  Tracer(const comm::Communicator& ranks, const comm::Communicator& node, const LaunchOptions& launch,
         PhaseTimer& phases);

  /// Right before the first step: the trace's clock shows 0. Collective.
  void start();
  /// Gathers the timelines and writes the file; a failure is a warning. `about` is of the run; complete on
  /// rank 0. Collective.
  void write(Json about, bool is_quiet);

 private:
  [[nodiscard]] double common_origin() const;
  [[nodiscard]] std::string events() const;
  [[nodiscard]] std::string write_file(const Json& about) const;

  const comm::Communicator& ranks_;
  const comm::Communicator& node_;
  const LaunchOptions& launch_;
  PhaseTimer& phases_;
  std::optional<Timeline> timeline_;
  double origin_s_ = 0.0;
  std::size_t first_of_host_ = 0;  // rank
};

}  // namespace lockstep::train
