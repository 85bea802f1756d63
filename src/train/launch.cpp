// SPDX-License-Identifier: BSD-3-Clause
// The options of a launch.
#include "train/launch.hpp"

namespace lockstep::train {

void LaunchOptions::describe(Options& options) {
  options.add("results", &results, "folder for run files").value_name("DIR").not_empty().any_bytes();
  options.add("run_id", &run_id, "name of the run file; made up when absent").value_name("NAME");
  options.add("resume", &resume,
              "continue the run of this --run-id from its checkpoint, or from its first step if it has no "
              "usable one; a complete run is left as it is");
  options
      .add("checkpoint_epochs", &checkpoint_epochs,
           "write a checkpoint after every N epochs; 0: none at the end of epochs")
      .value_name("N");
  options
      .add("checkpoint_minutes", &checkpoint_minutes,
           "write a checkpoint about every X minutes, also within epochs; 0: none by time")
      .at_least(0)
      .value_name("X");
  options
      .add("save_model", &save_model,
           "write the trained model to this HDF5 file when the run is complete (docs/models.md)")
      .value_name("FILE.h5")
      .any_bytes();
  options
      .add("trace", &trace,
           "write a timeline of all ranks (Chrome's trace format) to this file at the end; compressed, if it "
           "ends in .gz (docs/analysis.md)")
      .value_name("FILE.json")
      .any_bytes();
  options.add("trace_steps", &trace_steps, "the timeline ends after N steps")
      .at_least(1)
      .at_most(1e5)
      .value_name("N");
  options
      .add("stall_seconds", &stall_seconds,
           "end the job, naming the ranks that the others wait for, when no rank makes progress for so long; "
           "0: never")
      .at_least(0)
      .value_name("X");
  options.add("progress", &progress, "live line, plain lines, or none")
      .one_of({"auto", "live", "plain", "off"});
}

}  // namespace lockstep::train
