// SPDX-License-Identifier: BSD-3-Clause
// The run file: what is written is read, and bad files are named as what they are.
#include "record/run_file.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/sha256.hpp"
#include "record/file_checksum.hpp"
#include "record/hdf5.hpp"
#include "run_file_rig.hpp"

namespace lockstep::record {
namespace {

using ::testing::HasSubstr;

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

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

TEST(RunRecord, KnowsItsTrainingClock) {
  RunRecord record = record_of(2, 3);
  EXPECT_EQ(record.train_clock_s(), 0.0);
  record.series.push_back({.group = "epochs", .name = "train_clock_s"});
  EXPECT_EQ(record.train_clock_s(), 0.0);
  record.series.back().values = {1.5, 3.5};
  EXPECT_EQ(record.train_clock_s(), 3.5);
}

TEST(RunRecord, IsTruncatedToWholeEpochs) {
  RunRecord record = record_of(5, 2);
  record.truncate(3);
  EXPECT_EQ(record.epochs(), 3U);
  EXPECT_EQ(record.series[1].values, (std::vector<double>{0, 0, 1, 1, 2, 2}));
}

TEST_F(RunFile, FromBeforeThereWereSegmentsIsStillRead) {
  RunRecord record = record_of(2, 3);
  record.segments.clear();
  write_run_file(record, path_, Durability::survives_kill);
  expect_same(read_run_file(path_), record);
}

TEST_F(RunFile, ReadsWhatWasWrittenForAnyNumberOfEpochsAndRanks) {
  for (const std::size_t epochs : {0U, 1U, 3U, 64U, 65U, 300U})
    for (const std::size_t ranks : {1U, 2U, 7U, 1000U}) {
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
  record.series[1].values = {nan_value, HUGE_VAL, -HUGE_VAL, 5e-324};
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

// A file of another program, or of a damaged disk whose checksum was made again.
TEST(RunRecord, OfTextsThatAreNoTextHasChecksumsAndAFile) {
  RunRecord record = record_of(2, 3);
  const std::vector<std::string> before = record.epoch_checksums();
  record.provenance["ranks"] =
      "a\xb2"
      "c";
  EXPECT_NE(record.epoch_checksums(), before);
  EXPECT_FALSE(run_file_bytes(record).empty());
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
              ::testing::AllOf(HasSubstr("newer Lockstep"),
                               HasSubstr("got:      schema_version " + std::to_string(schema_version + 1))));
  fill_with_hdf5(
      [](const hdf5::Handle& file) { hdf5::write_attribute(file, "schema_version", schema_version); });
  EXPECT_THAT(message(), ::testing::AllOf(HasSubstr("damaged"), HasSubstr("run_id")));
}

TEST_F(RunFile, IsReportedAsDamagedWhateverBitIsChanged) {
  write_run_file(record_of(3, 2), path_, Durability::survives_kill);
  const std::string whole = bytes();
  for (std::size_t at = 8; at < whole.size(); at += 23) {
    SCOPED_TRACE(at);
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
    fill(changed);
    ASSERT_THROW((void)read_run_file(path_), DamagedFile);
  }
}

TEST_F(RunFile, EndsWithTheChecksumOfAllBeforeIt) {
  write_run_file(record_of(3, 2), path_, Durability::survives_kill);
  const std::string whole = bytes(), contents = whole.substr(0, whole.size() - checksum_length);
  EXPECT_EQ(whole.substr(contents.size()), sha256(std::as_bytes(std::span(contents))));
  fill(contents);
  EXPECT_THAT(message_of([&] { (void)read_run_file(path_); }), HasSubstr("is damaged"))
      << "only older versions wrote none";
}

TEST_F(RunFile, IsReadWithoutAChecksumWhereAnOlderVersionWroteIt) {
  write_run_file(record_of(3, 2), path_, Durability::survives_kill);
  std::string older = bytes();
  older.resize(older.size() - checksum_length);
  older.replace(older.find(checksum_note), checksum_note.size(), checksum_note.size(), 'x');
  fill(older);
  expect_same(read_run_file(path_), record_of(3, 2));
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
