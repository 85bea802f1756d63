// SPDX-License-Identifier: BSD-3-Clause
// The checkpoint file: whole or refused, with the one before it kept; and the small things around it.
#include "record/checkpoint.hpp"

#include <cstdlib>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/sha256.hpp"
#include "record/binding.hpp"

namespace lockstep::record {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CheckpointFile : public ::testing::Test {
 protected:
  CheckpointFile() {
    std::string name = (fs::temp_directory_path() / "lockstep-checkpoint-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    run_file_ = folder_ / "run.h5";
  }
  ~CheckpointFile() override { fs::remove_all(folder_); }

  [[nodiscard]] fs::path path() const { return checkpoint_path(run_file_); }
  void write(int epoch) const {
    CheckpointWriter writer(path(), {{"epochs_done", epoch}, {"run_id", "a"}});
    writer.numbers("epoch_steps", std::vector{1.0, 2.0, 3.0});
    writer.begin_array("parameters", {7});
    writer.write(values(5, 0));
    writer.write(values(2, 5));
    writer.begin_array("velocity", {3, 4});
    for (int rank = 0; rank < 3; ++rank) writer.write(values(4, static_cast<float>(4 * rank)));
    writer.finish(previous_checkpoint_path(run_file_));
  }
  static std::vector<float> values(std::size_t count, float first) {
    std::vector<float> all(count);
    std::iota(all.begin(), all.end(), first);
    return all;
  }
  void expect_contents(int epoch, const fs::path& file) const {
    const CheckpointReader reader(file);
    EXPECT_EQ(reader.about(), (Json{{"epochs_done", epoch}, {"run_id", "a"}}));
    EXPECT_EQ(reader.numbers("epoch_steps"), (std::vector{1.0, 2.0, 3.0}));
    EXPECT_EQ(reader.shape("velocity"), (std::vector<std::size_t>{3, 4}));
    EXPECT_EQ(reader.names(), (std::vector<std::string>{"epoch_steps", "parameters", "velocity"}));
    std::vector<float> all(7);
    reader.read("parameters", 0, all);
    EXPECT_EQ(all, values(7, 0));
    std::vector<float> row(3);
    reader.read("velocity", 5, row);
    EXPECT_EQ(row, values(3, 5));
  }
  [[nodiscard]] std::string bytes() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void fill(const std::string& bytes) const { std::ofstream(path(), std::ios::binary) << bytes; }
  [[nodiscard]] std::string refusal() const {
    try {
      const CheckpointReader reader(path());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  fs::path folder_, run_file_;
};

TEST_F(CheckpointFile, IsReadAsItWasWrittenAndLeavesNothingElse) {
  write(1);
  expect_contents(1, path());
  EXPECT_FALSE(fs::exists(path().string() + ".partial"));
  EXPECT_FALSE(fs::exists(previous_checkpoint_path(run_file_)));
}

TEST_F(CheckpointFile, KeepsTheOneBeforeIt) {
  for (int epoch = 1; epoch < 4; ++epoch) write(epoch);
  expect_contents(3, path());
  expect_contents(2, previous_checkpoint_path(run_file_));
}

TEST_F(CheckpointFile, LeavesTheOlderOnesWhenItIsNotFinished) {
  write(1);
  {
    CheckpointWriter writer(path(), Json::object());
    writer.begin_array("parameters", {7});
    writer.write(values(5, 0));
    EXPECT_THROW(writer.finish(previous_checkpoint_path(run_file_)), Error) << "values are missing";
  }
  expect_contents(1, path());
  EXPECT_FALSE(fs::exists(path().string() + ".partial"));
}

TEST_F(CheckpointFile, IsRefusedWhereverItIsCut) {
  write(1);
  const std::string whole = bytes();
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    fill(whole.substr(0, length));
    EXPECT_THAT(refusal(), HasSubstr("no whole checkpoint")) << length;
  }
}

TEST_F(CheckpointFile, IsRefusedOrUnharmedWhateverByteIsChanged) {
  write(1);
  const std::string whole = bytes();
  std::size_t refused = 0;
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x20);
    fill(changed);
    try {
      expect_contents(1, path());  // HDF5 leaves room that nobody reads
    } catch (const Error&) {
      ++refused;
    }
    ASSERT_FALSE(HasFailure()) << "byte " << at << " changed what was read";
  }
  EXPECT_GT(refused, 0U);
}

TEST_F(CheckpointFile, IsRefusedWhenOneValueIsChanged) {
  write(1);
  std::string changed = bytes();
  const float value = 6.0F;  // of the parameters
  const auto at = changed.find(std::string(reinterpret_cast<const char*>(&value), sizeof value));
  ASSERT_NE(at, std::string::npos);
  changed[at] = 1;
  fill(changed);
  EXPECT_THAT(refusal(), HasSubstr("SHA-256"));
}

TEST_F(CheckpointFile, IsToldFromOtherFiles) {
  EXPECT_THAT(refusal(), HasSubstr("no such file"));
  fill("not HDF5");
  EXPECT_THAT(refusal(), HasSubstr("an HDF5 file"));
  { const auto other = hdf5::create_file(path().string()); }
  EXPECT_THAT(refusal(), HasSubstr("checkpoint_version"));
}

TEST(Sha256, HasTheKnownAnswerHoweverItIsCutIntoPieces) {
  Sha256 checksum;
  checksum.add("a");
  checksum.add("bc");
  EXPECT_EQ(checksum.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Binding, ReadsCpuLists) {
  EXPECT_EQ(parse_cpu_list("0-2,8"), (std::vector<std::size_t>{0, 1, 2, 8}));
  EXPECT_EQ(parse_cpu_list("5"), (std::vector<std::size_t>{5}));
  for (const char* bad : {"", "unknown", "3-", "3-1", "1,", "1;2"})
    EXPECT_TRUE(parse_cpu_list(bad).empty()) << bad;
}

TEST(Binding, IsAsRequestedWhenEachRankHasItsOwnCore) {
  EXPECT_EQ(not_bound_to_cores({{"a", "0", 1}, {"a", "1,9", 1}, {"b", "0", 1}}, 1), "");
  EXPECT_EQ(not_bound_to_cores({{"a", "0-1", 2}, {"a", "2-3", 2}}, 2), "");
  EXPECT_THAT(not_bound_to_cores({{"a", "0-1", 2}, {"a", "2", 1}}, 1), HasSubstr("rank 0 may use 2 cores"));
  EXPECT_THAT(not_bound_to_cores({{"a", "0", 1}, {"a", "0", 1}}, 1), HasSubstr("ranks 0 and 1 share CPU 0"));
  EXPECT_THAT(not_bound_to_cores({{"a", "unknown", 0}}, 1), HasSubstr("not known"));
}

}  // namespace
}  // namespace lockstep::record
