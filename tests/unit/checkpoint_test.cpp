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

#include "../support/child.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/sha256.hpp"
#include "record/binding.hpp"

namespace lockstep::record {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

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
    CheckpointWriter writer(path(), {.about = {{"epochs_done", epoch}, {"run_id", "a"}},
                                     .numbers = {{"epoch_steps", {1, 2, 3}}},
                                     .arrays = {{"parameters", {7}}, {"velocity", {3, 4}}},
                                     .run_file = {std::byte{0}, std::byte{200}}});
    writer.write(values(5, 0));
    writer.write(values(2, 5));
    for (int rank = 0; rank < 3; ++rank) writer.write(values(4, static_cast<float>(4 * rank)));
    writer.finish(previous_checkpoint_path(run_file_));
  }
  static std::vector<float> values(std::size_t count, float first) {
    std::vector<float> all(count);
    std::iota(all.begin(), all.end(), first);
    return all;
  }
  static void expect_contents(int epoch, const fs::path& file) {
    expect_contents(epoch, CheckpointReader(file));
  }
  static void expect_contents(int epoch, const CheckpointReader& reader) {
    EXPECT_EQ(reader.contents().about, (Json{{"epochs_done", epoch}, {"run_id", "a"}}));
    ASSERT_EQ(reader.contents().numbers.size(), 1U);
    EXPECT_EQ(reader.contents().numbers[0].name, "epoch_steps");
    EXPECT_EQ(reader.contents().numbers[0].of_ranks, (std::vector{1.0, 2.0, 3.0}));
    ASSERT_EQ(reader.contents().arrays.size(), 2U);
    EXPECT_EQ(reader.contents().run_file, (std::vector{std::byte{0}, std::byte{200}}));
    EXPECT_EQ(reader.contents().arrays[0].name, "parameters");
    EXPECT_EQ(reader.contents().arrays[1].name, "velocity");
    EXPECT_EQ(reader.contents().arrays[1].shape, (std::vector<std::size_t>{3, 4}));
    std::vector<float> all(7);
    reader.read("parameters", 0, all);
    EXPECT_EQ(all, values(7, 0));
    std::vector<float> row(3);
    reader.read("velocity", 5, row);
    EXPECT_EQ(row, values(3, 5));
  }
  /// Of the files in the folder.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder_)) all.push_back(entry.path().filename());
    return all;
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
  EXPECT_THAT(names(), ElementsAre("run.ckpt"));
}

TEST_F(CheckpointFile, KeepsTheOneBeforeIt) {
  for (int epoch = 1; epoch < 4; ++epoch) write(epoch);
  expect_contents(3, path());
  expect_contents(2, previous_checkpoint_path(run_file_));
}

TEST_F(CheckpointFile, LeavesTheOlderOnesWhenItIsNotFinished) {
  write(1);
  {
    CheckpointWriter writer(path(), {.arrays = {{"parameters", {7}}}});
    writer.write(values(5, 0));
    EXPECT_THROW(writer.write(values(3, 0)), Error) << "too many";
    EXPECT_THROW(writer.finish(previous_checkpoint_path(run_file_)), Error) << "values are missing";
  }
  expect_contents(1, path());
  EXPECT_THAT(names(), ElementsAre("run.ckpt"));
}

TEST_F(CheckpointFile, IsWholeWhenTwoProcessesWriteItAtOnce) {
  write(1);
  CheckpointWriter older(path(), {.about = {{"epochs_done", 2}}, .arrays = {{"parameters", {7}}}});
  older.write(values(5, 0));
  write(3);
  expect_contents(3, path());
  expect_contents(1, previous_checkpoint_path(run_file_));
  older.write(values(2, 5));
  older.finish(previous_checkpoint_path(run_file_));
  EXPECT_EQ(CheckpointReader(path()).contents().about, (Json{{"epochs_done", 2}}));
  expect_contents(3, previous_checkpoint_path(run_file_));
}

TEST_F(CheckpointFile, IsReadToItsEndWhenItIsReplacedOrRemoved) {
  write(1);
  const CheckpointReader reader(path());
  for (int epoch = 2; epoch < 4; ++epoch) write(epoch);
  expect_contents(1, reader);
  remove_checkpoints(run_file_);
  EXPECT_THAT(names(), ElementsAre());
  expect_contents(1, reader);
}

TEST_F(CheckpointFile, IsThereAndWholeAtAnyTimeWhileAnotherProcessWrites) {
  write(0);
  int newest = 0;
  {
    Child writer([&] {
      for (int epoch = 1;; ++epoch) write(epoch);
    });
    for (int i = 0; i < 200; ++i) {
      const CheckpointReader reader(path());
      const int epoch = reader.contents().about.at("epochs_done").get<int>();
      EXPECT_GE(epoch, newest);
      newest = epoch;
      expect_contents(epoch, reader);
    }
    EXPECT_TRUE(writer.kill()) << "the other process ended by itself";
  }
  EXPECT_GT(newest, 0) << "the other process did not write";
  remove_partial_files(path());  // it was killed
  EXPECT_THAT(names(), UnorderedElementsAre("run.ckpt", "run.ckpt.previous"));
}

TEST_F(CheckpointFile, LeavesOfKilledWritersAreToldFromOtherFiles) {
  for (const char* name :
       {"run.ckpt.0123456789abcdef.partial", "run.ckpt.partial", "run.h5.1.partial", "run.ckpt2.1.partial"})
    std::ofstream(folder_ / name) << "x";
  write(1);
  remove_partial_files(path());
  EXPECT_THAT(names(), UnorderedElementsAre("run.ckpt", "run.h5.1.partial", "run.ckpt2.1.partial"));
}

TEST_F(CheckpointFile, IsRefusedWhereverItIsCut) {
  write(1);
  const std::string whole = bytes();
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    fill(whole.substr(0, length));
    EXPECT_THAT(refusal(), HasSubstr("no whole checkpoint")) << length;
  }
}

TEST_F(CheckpointFile, IsRefusedWhateverByteIsChanged) {
  write(1);
  const std::string whole = bytes();
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x20);
    fill(changed);
    ASSERT_THAT(refusal(), HasSubstr("SHA-256")) << at;
  }
}

TEST_F(CheckpointFile, IsToldFromOtherFiles) {
  EXPECT_THAT(refusal(), HasSubstr("no such file"));
  fill("short");
  EXPECT_THAT(refusal(), HasSubstr("a checksum at its end"));
  const std::string text = "not HDF5, with a checksum";
  fill(text + sha256(std::as_bytes(std::span(text))));
  EXPECT_THAT(refusal(), HasSubstr("an HDF5 file"));
  { const auto other = hdf5::create_file(path().string()); }
  const std::string other = bytes();
  fill(other + sha256(std::as_bytes(std::span(other))));
  EXPECT_THAT(refusal(), HasSubstr("checkpoint_version"));
}

TEST(Sha256, HasTheKnownAnswerHoweverItIsCutIntoPieces) {
  Sha256 checksum;
  for (const std::string piece : {"a", "bc"}) checksum.add(std::as_bytes(std::span(piece)));
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
