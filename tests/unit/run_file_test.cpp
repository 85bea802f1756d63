// SPDX-License-Identifier: BSD-3-Clause
// The run file: what is written is read, readers and kills find whole files, and bad files are named as what
// they are.
#include "record/run_file.hpp"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "record/hdf5_values.hpp"

namespace lockstep::record {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

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
RunRecord record_of(std::size_t epochs, std::size_t ranks) {
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

void expect_same_series(const Series& got, const Series& expected) {
  EXPECT_EQ(got.group, expected.group);
  EXPECT_EQ(got.name, expected.name);
  EXPECT_EQ(got.unit, expected.unit);
  EXPECT_EQ(got.description, expected.description);
  EXPECT_EQ(got.ranks, expected.ranks);
  EXPECT_THAT(got.values, ::testing::Pointwise(::testing::NanSensitiveDoubleEq(), expected.values));
}

void expect_same_segment(const Segment& got, const Segment& expected) {
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

void expect_same(const RunRecord& got, const RunRecord& expected) {
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

template <class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

TEST(Series, TakesOneValueOrOneForEachRank) {
  Series epochs{.group = "epochs", .name = "train_loss"};
  epochs.append(std::vector{0.5});
  EXPECT_EQ(epochs.values, std::vector{0.5});
  EXPECT_THROW(epochs.append(std::vector{1.0, 2.0}), Error);

  Series ranks{.group = "epochs", .name = "train_s", .ranks = 3};
  ranks.append(std::vector{1.0, 2.0, 3.0});
  EXPECT_THAT(message_of([&] { ranks.append(std::vector{1.0}); }), HasSubstr("3 values"));
  EXPECT_EQ(ranks.values.size(), 3U);
}

TEST(RunRecord, FindsSeriesAndNamesTheKnownOnes) {
  RunRecord record = record_of(1, 2);
  record.find("epochs", "train_loss").append(std::vector{7.0});
  EXPECT_EQ(record.series[0].values.back(), 7.0);
  EXPECT_THAT(message_of([&] { (void)record.find("epochs", "drift"); }),
              ::testing::AllOf(HasSubstr("epochs/drift"), HasSubstr("train_loss, train_s")));
}

TEST(RunRecord, IsTruncatedToWholeEpochs) {
  RunRecord record = record_of(5, 2);
  record.truncate(3);
  EXPECT_EQ(record.epochs(), 3U);
  EXPECT_EQ(record.find("epochs", "train_s").values, (std::vector<double>{0, 0, 1, 1, 2, 2}));
}

TEST_F(RunFile, FromBeforeThereWereSegmentsIsStillRead) {
  RunRecord record = record_of(2, 3);
  record.segments.clear();
  write_run_file(record, path_, Durability::survives_kill);
  expect_same(read_run_file(path_), record);
}

TEST_F(RunFile, ReadsWhatWasWrittenForAnyNumberOfEpochsAndRanks) {
  for (const std::size_t epochs : {0, 1, 3, 64, 65, 300})
    for (const std::size_t ranks : {1, 2, 7, 1000}) {
      SCOPED_TRACE(std::to_string(epochs) + " epochs, " + std::to_string(ranks) + " ranks");
      RunRecord record = record_of(epochs, ranks);
      record.status = "complete";
      record.finished = "2025-01-31T12:40:00Z";
      write_run_file(record, path_, Durability::survives_power_loss);
      expect_same(read_run_file(path_), record);
    }
}

TEST_F(RunFile, KeepsNaNAndInfinityAndTheSmallestNumbers) {
  RunRecord record = record_of(0, 2);
  record.find("epochs", "train_s").values = {nan_value, HUGE_VAL, -HUGE_VAL, 5e-324};
  write_run_file(record, path_, Durability::survives_kill);
  expect_same(read_run_file(path_), record);
}

TEST_F(RunFile, KeepsEveryKindOfProvenance) {
  RunRecord record = record_of(1, 1);
  record.provenance = {{"text", "Grüße, 世界"},
                       {"empty", ""},
                       {"lines", "one\ntwo"},
                       {"yes", true},
                       {"no", false},
                       {"whole", -42},
                       {"large", std::uint64_t{18446744073709551615U}},
                       {"real", 0.1},
                       {"nothing", nullptr},
                       {"texts", {"node1", "", "nöde3"}},
                       {"wholes", {1, 2, 3}},
                       {"reals", {1.5, 2.5}},
                       {"booleans", {true, false}},
                       {"no_elements", Json::array()},
                       {"mixed", {1, "two", nullptr}},
                       {"object", {{"SLURM_NTASKS", "4"}, {"deeper", {{"x", 1}}}}}};
  write_run_file(record, path_, Durability::survives_kill);
  expect_same(read_run_file(path_), record);
}

TEST_F(RunFile, ReplacesBytesThatAreNoText) {
  RunRecord record = record_of(1, 1);
  record.provenance = {{"name", "a\xff z"}, {"environment", {{"OMP_X", "\xc3"}}}};
  write_run_file(record, path_, Durability::survives_kill);
  EXPECT_EQ(read_run_file(path_).provenance["name"], "a\uFFFD z");
  EXPECT_EQ(read_run_file(path_).provenance["environment"]["OMP_X"], "\uFFFD");
}

TEST_F(RunFile, HoldsSeriesThatCanGrow) {
  write_run_file(record_of(2, 3), path_, Durability::survives_kill);
  const auto file = hdf5::open_file(path_);
  const auto dataset = hdf5::open_dataset(hdf5::open_group(file, "exchange"), "drift");
  const hdf5::Handle space(H5Dget_space(dataset.id()), H5Sclose, "look at a shape");
  std::array<hsize_t, 2> now{}, most{};
  ASSERT_EQ(H5Sget_simple_extent_dims(space.id(), now.data(), most.data()), 2);
  EXPECT_EQ(now, (std::array<hsize_t, 2>{2, 3}));
  EXPECT_EQ(most, (std::array<hsize_t, 2>{H5S_UNLIMITED, 3}));
}

TEST_F(RunFile, IsTheSameBytesForTheSameRecord) {
  write_run_file(record_of(5, 3), path_, Durability::survives_kill);
  const std::string first = bytes();
  write_run_file(record_of(5, 3), path_, Durability::survives_power_loss);
  EXPECT_TRUE(bytes() == first);
}

TEST_F(RunFile, LeavesNoOtherFilesBehind) {
  RunRecord record = record_of(1, 1);
  RunFileWriter writer(path_);
  EXPECT_EQ(files(), std::vector<std::string>{});
  writer.snapshot(record);
  writer.finish(record, "complete");
  EXPECT_EQ(files(), std::vector<std::string>{"run.h5"});
}

TEST_F(RunFile, RefusesRecordsThatMakeNoSenseAndKeepsTheOldFile) {
  write_run_file(record_of(2, 3), path_, Durability::survives_kill);
  RunRecord ragged = record_of(2, 3);
  ragged.series[1].values.pop_back();
  RunRecord unknown_group = record_of(2, 3);
  unknown_group.series[1].group = "other";
  RunRecord twice = record_of(2, 3);
  twice.series.push_back(twice.series[0]);
  RunRecord bad_key = record_of(2, 3);
  bad_key.provenance = {{"a/b", 1}};
  for (const RunRecord& bad : {ragged, unknown_group, twice, bad_key})
    EXPECT_THROW(write_run_file(bad, path_, Durability::survives_kill), Error);
  expect_same(read_run_file(path_), record_of(2, 3));
  EXPECT_EQ(files(), std::vector<std::string>{"run.h5"});
}

TEST_F(RunFile, StaysAsItWasForAReaderThatHasItOpen) {
  write_run_file(record_of(2, 3), path_, Durability::survives_kill);
  const auto file = hdf5::open_file(path_);
  const auto dataset = hdf5::open_dataset(hdf5::open_group(file, "epochs"), "train_s");
  for (std::size_t epochs = 3; epochs < 20; ++epochs)
    write_run_file(record_of(epochs, 3), path_, Durability::survives_kill);
  EXPECT_EQ(hdf5::read_doubles(dataset), (std::vector<double>{0, 0, 0, 1, 1, 1}));
  expect_same(read_run_file(path_), record_of(19, 3));
}

// What the child of the next test does until it is killed.
[[noreturn]] void snapshot_for_ever(const fs::path& path) {
  try {
    RunFileWriter writer(path);
    for (std::size_t epochs = 1;; epochs = epochs % 40 + 1) writer.snapshot(record_of(epochs, 200));
  } catch (...) {
    ::_exit(1);
  }
}

TEST_F(RunFile, IsCompleteWheneverItsWriterIsKilled) {
  std::minstd_rand random(1);
  std::uniform_int_distribution<useconds_t> microseconds(0, 15000);
  for (int round = 0; round < 50; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) snapshot_for_ever(path_);
    const double give_up_s = now_s() + 30.0;
    while (!fs::exists(path_) && now_s() < give_up_s) ::usleep(200);
    ::usleep(microseconds(random));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int how = 0;
    ASSERT_EQ(::waitpid(child, &how, 0), child);
    ASSERT_TRUE(WIFSIGNALED(how)) << "the writer ended by itself with " << WEXITSTATUS(how);
    const RunRecord record = read_run_file(path_);
    expect_same(record, record_of(record.config["epochs"], 200));
  }
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
  EXPECT_THROW(thought_dead.snapshot(first), TakenOver);
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

TEST(RunFileWriter, ThrottlesOnlyLargeFilesAndCheapEpochs) {
  constexpr std::uintmax_t small = 4 << 20, large = small + 1;
  EXPECT_TRUE(snapshot_due(0, 0.0, 0.0));
  EXPECT_TRUE(snapshot_due(small, 0.001, 10.0));
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

TEST_F(RunFile, IsToldFromOtherFiles) {
  const auto message = [&] { return message_of([&] { (void)read_run_file(path_); }); };
  EXPECT_THAT(message(), HasSubstr("no such file"));
  fill("");
  EXPECT_THAT(message(), HasSubstr("an empty file"));
  fill("{\"algorithm\": \"serial\"}");
  EXPECT_THAT(message(), ::testing::AllOf(HasSubstr("is no run file"), HasSubstr("expected: an HDF5 file")));
  EXPECT_THAT(message_of([&] { (void)read_run_file(folder_); }), HasSubstr("a folder"));

  const auto fill_with_hdf5 = [&](auto write_to) {
    const auto file = hdf5::create_file_in_memory();
    write_to(file);
    const auto image = hdf5::file_image(file);
    fill({reinterpret_cast<const char*>(image.data()), image.size()});
  };
  fill_with_hdf5([](const hdf5::Handle& file) { hdf5::write_text(file, "config", "{}"); });
  EXPECT_THAT(message(), HasSubstr("is an HDF5 file, but no run file"));
  fill_with_hdf5(
      [](const hdf5::Handle& file) { hdf5::write_attribute(file, "schema_version", schema_version + 1); });
  EXPECT_THAT(message(),
              ::testing::AllOf(HasSubstr("newer Lockstep"), HasSubstr("got:      schema_version 2")));
  fill_with_hdf5(
      [](const hdf5::Handle& file) { hdf5::write_attribute(file, "schema_version", schema_version); });
  EXPECT_THAT(message(), ::testing::AllOf(HasSubstr("damaged"), HasSubstr("run_id")));
}

TEST_F(RunFile, IsReportedAsDamagedWhereverItIsCut) {
  write_run_file(record_of(3, 2), path_, Durability::survives_kill);
  const std::string whole = bytes();
  for (std::size_t length = 8; length < whole.size(); length += 501) {
    SCOPED_TRACE(length);
    fill(whole.substr(0, length));
    EXPECT_THAT(message_of([&] { (void)read_run_file(path_); }), HasSubstr("is damaged"));
  }
}

}  // namespace
}  // namespace lockstep::record
