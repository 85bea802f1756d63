// SPDX-License-Identifier: BSD-3-Clause
// The run file while a run goes on: whole whenever its writer is killed, and never of two processes.
#include <array>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "../support/child.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "record/run_file.hpp"
#include "run_file_rig.hpp"

namespace lockstep::record {
namespace {

using ::testing::HasSubstr;

TEST_F(RunFile, LeavesNoOtherFilesBehind) {
  RunRecord record = record_of(1, 1);
  RunFileWriter writer(path_);
  EXPECT_EQ(files(), std::vector<std::string>{});
  writer.snapshot(record);
  writer.finish(record, "complete");
  EXPECT_EQ(files(), std::vector<std::string>{"run.h5"});
}

TEST_F(RunFile, IsCompleteWheneverItsWriterIsKilled) {
  std::minstd_rand random(1);
  std::uniform_int_distribution<useconds_t> microseconds(0, 15000);
  for (int round = 0; round < 50; ++round) {
    Child writing([&] {
      RunFileWriter writer(path_);
      for (std::size_t epochs = 1;; epochs = epochs % 40 + 1) writer.snapshot(record_of(epochs, 200));
    });
    const double give_up_s = now_s() + 30.0;
    while (!fs::exists(path_) && now_s() < give_up_s) ::usleep(200);
    ::usleep(microseconds(random));
    ASSERT_TRUE(writing.kill()) << "the writer ended by itself";
    const RunRecord record = read_run_file(path_);
    expect_same(record, record_of(record.config["epochs"], 200));
  }
}

TEST_F(RunFile, IsWholeForWhoeverReadsWhileItIsReplaced) {
  const std::array<fs::path, 2> versions = {folder_ / "short.h5", folder_ / "long.h5"};
  write_run_file(record_of(1, 1), versions[0], Durability::survives_kill);
  write_run_file(record_of(40, 200), versions[1], Durability::survives_kill);
  fs::copy_file(versions[0], path_);
  Child writing([&] {
    for (std::size_t i = 0;; ++i) {
      fs::create_hard_link(versions[i % 2], folder_ / "next");
      fs::rename(folder_ / "next", path_);
    }
  });
  for (const double end_s = now_s() + 1.0; now_s() < end_s;) ASSERT_NO_THROW((void)read_run_file(path_));
  ASSERT_TRUE(writing.kill()) << "the writer ended by itself";
}

TEST_F(RunFile, WriterSetsStatusAndEnd) {
  RunRecord record = record_of(1, 1);
  RunFileWriter writer(folder_ / "new" / "folders" / "run.h5");
  EXPECT_TRUE(writer.snapshot(record));
  EXPECT_EQ(read_run_file(writer.path()).status, "running");
  EXPECT_EQ(read_run_file(writer.path()).finished, "");
  writer.finish(record, "interrupted");
  EXPECT_EQ(read_run_file(writer.path()).status, "interrupted");
  EXPECT_THAT(read_run_file(writer.path()).finished, ::testing::MatchesRegex("....-..-..T..:..:..Z"));
  EXPECT_EQ(read_run_file(writer.path()).segments.back().status, "interrupted");
  EXPECT_EQ(read_run_file(writer.path()).segments.back().finished, read_run_file(writer.path()).finished);
  EXPECT_THROW(writer.finish(record, "finished"), Error);
}

TEST_F(RunFile, TryingAPathLeavesWhatAnotherProcessWritesThere) {
  PartialFile other(path_);
  other.write_at(0, std::as_bytes(std::span("whole", 5)));
  const RunFileWriter writer(path_);
  other.finish(Durability::survives_kill);
  EXPECT_EQ(std::filesystem::file_size(path_), 5U);
}

TEST_F(RunFile, WriterEndsWhereAnotherGoesOnWithTheRun) {
  RunRecord first = record_of(1, 1);
  RunFileWriter thought_dead(path_);
  thought_dead.snapshot(first);
  thought_dead.snapshot(first);  // what it wrote itself is in nobody's way
  RunRecord second = record_of(2, 1);
  RunFileWriter other(path_);
  other.save(second);
  EXPECT_THROW(thought_dead.save(first), TakenOver);
  EXPECT_THROW(thought_dead.finish(first, "complete"), TakenOver);
  expect_same(read_run_file(path_), second);
  // The older one may have looked just before, and write after that.
  second.segments.push_back(second.segments.back());
  other.save(second);
  write_run_file(first, path_, Durability::survives_kill);
  EXPECT_NO_THROW(other.save(second));
  expect_same(read_run_file(path_), second);
  other.finish(second, "complete");
  // A file that is gone was removed by hand.
  std::filesystem::remove(path_);
  EXPECT_NO_THROW(thought_dead.save(first));
}

TEST_F(RunFile, WriterKeepsAFileThatWasTouchedOrChangedByAnotherProgram) {
  RunRecord record = record_of(1, 1);
  RunFileWriter writer(path_);
  writer.snapshot(record);
  std::filesystem::last_write_time(path_, std::filesystem::file_time_type::clock::now());
  EXPECT_NO_THROW(writer.save(record));
  std::string changed = bytes();
  fill(changed + "x");
  EXPECT_NO_THROW(writer.save(record));
  std::filesystem::copy_file(path_, folder_ / "copy");
  std::filesystem::rename(folder_ / "copy", path_);  // another inode
  EXPECT_NO_THROW(writer.save(record));
  fill("no run file at all");
  EXPECT_NO_THROW(writer.finish(record, "complete"));
  expect_same(read_run_file(path_), record);
}

TEST(RunFileWriter, ThrottlesFilesThatAreLargeOrSlowlyWritten) {
  constexpr std::uintmax_t small = 4 << 20, large = small + 1;
  EXPECT_TRUE(snapshot_due(0, 0.0, 0.0));
  EXPECT_TRUE(snapshot_due(small, 0.001, 0.05));
  EXPECT_FALSE(snapshot_due(small, 0.001, 10.0));
  EXPECT_FALSE(snapshot_due(large, 1.99, 0.1));
  EXPECT_TRUE(snapshot_due(large, 2.01, 0.1));
}

TEST_F(RunFile, WriterSkipsSnapshotsOfALargeRunButNeverTheLastState) {
  RunRecord record = record_of(600, 1000);  // 9.6 MB
  RunFileWriter writer(path_);
  EXPECT_TRUE(writer.snapshot(record));
  record.run_id = "changed";
  EXPECT_FALSE(writer.snapshot(record));
  writer.finish(record, "complete");
  EXPECT_EQ(read_run_file(path_).run_id, "changed");
}

TEST_F(RunFile, ThatCannotBeWrittenIsKnownAtOnce) {
  fill("in the way");
  EXPECT_THAT(message_of([&] { RunFileWriter writer(path_ / "run.h5"); }),
              HasSubstr("cannot create the folder"));
  EXPECT_THAT(message_of([&] { RunFileWriter writer(folder_); }), HasSubstr("Is a directory"));
  EXPECT_THAT(message_of([&] { RunFileWriter writer("/proc/lockstep/run.h5"); }),
              HasSubstr("/proc/lockstep"));
  EXPECT_THAT(message_of([&] { RunFileWriter writer("/proc/run.h5"); }),
              HasSubstr("cannot create /proc/run.h5"));
}

}  // namespace
}  // namespace lockstep::record
