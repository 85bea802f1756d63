// SPDX-License-Identifier: BSD-3-Clause
// Records to write, and what comes back compared with them: for the tests of the run file and of its writer.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/message_of.hpp"
#include "core/error.hpp"
#include "record/run_file.hpp"

namespace lockstep::record {

namespace fs = std::filesystem;

/// A folder of its own for each test, with the path of a run file in it.
class RunFile : public ::testing::Test {
 protected:
  RunFile() {
    std::string name = (fs::temp_directory_path() / "lockstep-run-file-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ / "run.h5";
  }
  ~RunFile() override { fs::remove_all(folder_); }

  void fill(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }
  [[nodiscard]] std::string bytes() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename());
    return names;
  }

  fs::path folder_, path_;
};

// Every value tells its epoch, so that a file that mixes two snapshots is found out.
inline RunRecord record_of(std::size_t epochs, std::size_t ranks) {
  RunRecord record;
  record.run_id = "param_avg-0001";
  record.started = "2025-01-31T12:34:56Z";
  record.config = {
      {"algorithm", "param_avg"}, {"lambda", 0.5}, {"epochs", epochs}, {"nested", {{"b", 1}, {"a", true}}}};
  record.model = {{"layers", Json::array({{{"kind", "dense"}, {"units", 100}}})}};
  record.provenance = {{"zebra first", "the order is kept"}, {"epochs_so_far", epochs}};
  record.series = {
      {.group = "epochs", .name = "train_loss", .unit = "1", .description = "Mean loss."},
      {.group = "epochs", .name = "train_s", .unit = "s", .description = "Time.", .ranks = ranks},
      {.group = "exchange", .name = "drift", .unit = "1", .description = "Distance.", .ranks = ranks}};
  record.segments = {
      {.started = "2025-01-31T12:34:56Z",
       .finished = "2025-01-31T12:44:56Z",
       .status = "interrupted",
       .lost_s = 0.25,
       .job = "17",
       .restart_count = 1,
       .hosts = "a,b"},
      {.started = "2025-01-31T13:34:56Z", .finished = {}, .first_epoch = epochs, .first_step = 7}};
  for (std::size_t epoch = 0; epoch < epochs; ++epoch)
    for (Series& series : record.series)
      series.append(std::vector<double>(std::max<std::size_t>(series.ranks, 1), static_cast<double>(epoch)));
  return record;
}

inline void expect_same_series(const Series& got, const Series& expected) {
  EXPECT_EQ(got.group, expected.group);
  EXPECT_EQ(got.name, expected.name);
  EXPECT_EQ(got.unit, expected.unit);
  EXPECT_EQ(got.description, expected.description);
  EXPECT_EQ(got.ranks, expected.ranks);
  EXPECT_THAT(got.values, ::testing::Pointwise(::testing::NanSensitiveDoubleEq(), expected.values));
}

inline void expect_same_segment(const Segment& got, const Segment& expected) {
  EXPECT_EQ(got.started, expected.started);
  EXPECT_EQ(got.finished, expected.finished);
  EXPECT_EQ(got.status, expected.status);
  EXPECT_EQ(got.first_epoch, expected.first_epoch);
  EXPECT_EQ(got.first_step, expected.first_step);
  EXPECT_EQ(got.lost_s, expected.lost_s);
  EXPECT_EQ(got.job, expected.job);
  EXPECT_EQ(got.restart_count, expected.restart_count);
  EXPECT_EQ(got.hosts, expected.hosts);
}

inline void expect_same(const RunRecord& got, const RunRecord& expected) {
  EXPECT_EQ(got.run_id, expected.run_id);
  EXPECT_EQ(got.status, expected.status);
  EXPECT_EQ(got.started, expected.started);
  EXPECT_EQ(got.finished, expected.finished);
  EXPECT_EQ(got.config.dump(), expected.config.dump());  // the order of keys included
  EXPECT_EQ(got.model.dump(), expected.model.dump());
  EXPECT_EQ(got.provenance.dump(), expected.provenance.dump());
  ASSERT_EQ(got.segments.size(), expected.segments.size());
  for (std::size_t i = 0; i < got.segments.size(); ++i)
    expect_same_segment(got.segments[i], expected.segments[i]);
  ASSERT_EQ(got.series.size(), expected.series.size());
  for (std::size_t i = 0; i < got.series.size(); ++i) expect_same_series(got.series[i], expected.series[i]);
}

}  // namespace lockstep::record
