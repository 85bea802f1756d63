// SPDX-License-Identifier: BSD-3-Clause
// Where a run begins: at its first step, or where an earlier process left it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "record/run_record.hpp"
#include "train/run_config.hpp"
#include "train/trainer.hpp"

namespace lockstep::train {

/// The run file of a run.
[[nodiscard]] std::filesystem::path run_file_path(const RunSettings& settings, const RunConfig& config,
                                                  const std::string& run_id);

/// SHA-256 of a configuration, whatever the order of its keys.
[[nodiscard]] std::string config_sha256(const Json& values);

/// Decides by what lies under the run's name, and by --resume, where it begins. Throws ConfigError when a run
/// file is there and --resume was not given, when that run had another configuration or number of ranks, and
/// when there is a checkpoint without its run file. A checkpoint that cannot be used is named on stderr. For
/// one rank on behalf of all.
[[nodiscard]] ResumePoint find_resume_point(const ResolvedConfig& config, const RunSettings& settings,
                                            std::size_t ranks);

/// What is wrong when the data are not those that the run was begun with, or "": files that were replaced, or
/// synthetic data of another version. For one rank on behalf of all.
[[nodiscard]] std::string other_data(const std::filesystem::path& run_file,
                                     const std::string& dataset_sha256);

/// Opens the record of the run that goes on: takes off what is after the resume_point, and closes the segment
/// that left it, with what that had trained in vain.
[[nodiscard]] record::RunRecord reopen_record(const std::filesystem::path& run_file,
                                              const ResumePoint& resume_point);

}  // namespace lockstep::train
