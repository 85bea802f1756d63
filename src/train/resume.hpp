// SPDX-License-Identifier: BSD-3-Clause
// Where a run begins. All functions are for one rank on behalf of all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "record/run_record.hpp"
#include "train/launch.hpp"
#include "train/run_config.hpp"

namespace lockstep::train {

/// The run file of a run.
[[nodiscard]] std::filesystem::path run_file_path(const LaunchOptions& launch, const RunConfig& config,
                                                  const std::string& run_id);

/// SHA-256 of a configuration, whatever the order of its keys.
[[nodiscard]] std::string config_sha256(const Json& values);

/// Decides from --resume and the files under the run's name where the run begins. Throws ConfigError if
/// - there is a run file, and --resume was not given;
/// - that run had another configuration or number of ranks;
/// - there is a checkpoint without its run file, or a damaged run file without a usable checkpoint.
/// A damaged run file beside a usable checkpoint is replaced by the copy in that. Names on stderr each file
/// that cannot be used. Removes the checkpoints of a complete run, which a kill may have left.
[[nodiscard]] ResumePoint find_resume_point(const ResolvedConfig& config, const LaunchOptions& launch,
                                            std::size_t ranks);

/// Throws ConfigError unless the run was begun with these data: files may have been replaced, and another
/// version may make other synthetic data.
void check_same_data(const std::filesystem::path& run_file, const ResumePoint& resume_point,
                     const std::string& dataset_sha256);

/// The record of the run that is resumed: without the epochs after the resume point, and with the last
/// segment closed, which counts their training time as lost.
[[nodiscard]] record::RunRecord reopen_record(const std::filesystem::path& run_file,
                                              const ResumePoint& resume_point);

}  // namespace lockstep::train
