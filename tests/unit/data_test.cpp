// SPDX-License-Identifier: BSD-3-Clause
// IDX files, and data sets of them.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <type_traits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include "../support/message_of.hpp"
#include "core/error.hpp"
#include "core/host.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/sha256.hpp"
#include "data/batches.hpp"
#include "data/dataset.hpp"
#include "data/idx.hpp"
#include "data/idx_folder.hpp"

namespace lockstep::data {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::span<const std::uint8_t> bytes_in(std::span<const std::byte> values) {
  return values_of<std::uint8_t>(values);
}

class Folder : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("lockstep-data-test-" + std::to_string(getpid()));
    std::filesystem::create_directories(path_ / "mnist");
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::filesystem::path file(const std::string& name) const { return path_ / "mnist" / name; }
  static std::string idx(std::vector<std::uint8_t> sizes, const std::string& values) {
    std::string text{'\0', '\0', '\x08', static_cast<char>(sizes.size())};
    for (const std::uint8_t size : sizes) text += std::string(3, '\0') + static_cast<char>(size);
    return text + values;
  }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
  }
  void write_set() const {
    write("train-images-idx3-ubyte", idx({3, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, '\xff'}));
    write("train-labels-idx1-ubyte", idx({3}, {7, 8, 9}));
    write("t10k-images-idx3-ubyte", idx({1, 2, 2}, {9, 9, 9, 9}));
    write("t10k-labels-idx1-ubyte", idx({1}, {1}));
  }
  [[nodiscard]] DataOptions options() const { return {.dataset = "mnist", .data_dir = path_.string()}; }

  std::filesystem::path path_;
};

TEST_F(Folder, PlainAndGzippedIdxFilesReadTheSame) {
  const std::string bytes = idx({2, 2}, "abcd");
  write("plain", bytes);
  gzFile zipped = gzopen(file("zipped.gz").c_str(), "wb");
  gzwrite(zipped, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(zipped);
  for (const char* name : {"plain", "zipped.gz"}) {
    const auto path = file(name);
    EXPECT_THAT(read_idx_header(path).dimensions, ElementsAre(2, 2));
    std::vector<std::byte> values(4);
    read_idx_values(path, values);
    EXPECT_THAT(bytes_in(values), ElementsAre('a', 'b', 'c', 'd'));
  }
}

TEST_F(Folder, DamagedIdxFilesAreRefusedByName) {
  std::vector<std::byte> values(4);
  EXPECT_THAT(message_of([&] { (void)open_dataset(options()); }), HasSubstr("make data"));
  EXPECT_THAT(message_of([&] { (void)read_idx_header(file("missing")); }), HasSubstr("make data"));
  write("foreign", "<html>");
  EXPECT_THAT(message_of([&] { (void)read_idx_header(file("foreign")); }), HasSubstr("not an IDX file"));
  write("empty", "");
  EXPECT_THAT(message_of([&] { (void)read_idx_header(file("empty")); }), HasSubstr("not an IDX file"));
  write("short", idx({2, 2}, "abc"));
  EXPECT_THAT(message_of([&] { read_idx_values(file("short"), values); }), HasSubstr("does not hold"));
  write("long", idx({2, 2}, "abcde"));
  EXPECT_THAT(message_of([&] { read_idx_values(file("long"), values); }), HasSubstr("does not hold"));
}

TEST_F(Folder, AnIdxDataSetIsLaidOutInOneBlock) {
  write_set();
  const auto source = open_dataset(options());
  const DatasetInfo info = source->info();
  EXPECT_EQ(info.train_count, 3U);
  EXPECT_EQ(info.test_count, 1U);
  EXPECT_EQ(info.shape, (SampleShape{1, 2, 2}));
  std::vector<std::byte> block(info.total_bytes());
  source->load(block);
  const Dataset dataset = view_dataset(info, block);
  EXPECT_THAT(bytes_in(dataset.train.targets.bytes), ElementsAre(7, 8, 9));
  EXPECT_EQ(bytes_in(dataset.train.inputs.bytes)[11], 255);
  EXPECT_THAT(bytes_in(dataset.test.inputs.bytes), ElementsAre(9, 9, 9, 9));
  std::vector<float> pixels(8);
  std::vector<std::int32_t> labels(2);
  const std::vector<std::uint32_t> ids = {2, 0};
  gather(dataset.train, ids, {pixels.data(), 2, 4}, labels);
  EXPECT_FLOAT_EQ(pixels[3], 1.0F);
  EXPECT_FLOAT_EQ(pixels[7], 3.0F / 255.0F);
  EXPECT_THAT(labels, ElementsAre(9, 7));
  DatasetInfo as_they_are = info;  // scaling is the set's
  as_they_are.scale = 1.0F;
  gather(view_dataset(as_they_are, block).train, ids, {pixels.data(), 2, 4}, labels);
  EXPECT_EQ(pixels[7], 3.0F);
}

TEST_F(Folder, FilesThatAreNotWhatTheirNameSaysAreNoted) {
  ::setenv("LOCKSTEP_CACHE_DIR", (path_ / "cache").c_str(), 1);
  write_set();
  EXPECT_THAT(open_dataset(options())->note(),
              AllOf(HasSubstr("not mnist as it was published"), HasSubstr("t10k-labels")));
  // The cache says that they are those of Fashion-MNIST, until one is written again.
  const IdxFiles files = find_idx_files(path_ / "mnist");
  const auto cache = path_ / "cache" / ("data-" + host_name() + ".json");
  Json content = read_json_file(cache);
  const std::map<std::filesystem::path, std::string> others = {
      {files.train_images, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
      {files.train_labels, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
      {files.test_images, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
      {files.test_labels, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}};
  for (const auto& [file, sha256] : others) content["files"][std::filesystem::canonical(file)][2] = sha256;
  std::ofstream(cache) << content.dump();
  EXPECT_EQ(open_dataset(options())->note(), "the files called mnist are those of fashion_mnist");
  std::filesystem::rename(path_ / "mnist", path_ / "fashion_mnist");
  for (const auto& [file, sha256] : others) {
    const auto moved = path_ / "fashion_mnist" / file.filename();
    content["files"][std::filesystem::canonical(moved)] = content["files"][file.string()];
  }
  std::ofstream(cache) << content.dump();
  DataOptions moved = options();
  moved.dataset = "fashion_mnist";
  EXPECT_EQ(open_dataset(moved)->note(), "");
  std::filesystem::last_write_time(path_ / "fashion_mnist" / "train-images-idx3-ubyte",
                                   std::filesystem::file_time_type::clock::now());
  EXPECT_THAT(open_dataset(moved)->note(), HasSubstr("train-images-idx3-ubyte has another content"));
  std::filesystem::rename(path_ / "fashion_mnist", path_ / "mine");
  moved.dataset = "idx:" + (path_ / "mine").string() + ",first_label=1";
  EXPECT_EQ(open_dataset(moved)->note(), "");
  ::unsetenv("LOCKSTEP_CACHE_DIR");
}

TEST_F(Folder, FewerSamplesCanBeAskedForButNotMore) {
  write_set();
  DataOptions some = options();
  some.train_samples = 2;
  const auto source = open_dataset(some);
  std::vector<std::byte> block(source->info().total_bytes());
  source->load(block);
  EXPECT_THAT(bytes_in(view_dataset(source->info(), block).train.targets.bytes), ElementsAre(7, 8));
  some.train_samples = 4;
  EXPECT_THAT(message_of([&] { (void)open_dataset(some); }), HasSubstr("train_samples"));
}

TEST_F(Folder, LabelsThatAreNoClassAreRefused) {
  write_set();
  write("train-labels-idx1-ubyte", idx({3}, {7, 10, 9}));
  EXPECT_THAT(message_of([&] { (void)open_dataset(options()); }), HasSubstr("no class"));
}

// What a header promises is held against the file before memory is taken for it.
TEST_F(Folder, AHeaderThatPromisesMoreThanThereIsIsRefused) {
  write_set();
  std::string hostile = idx({0, 28, 28}, "");
  hostile.replace(4, 4, "\xff\xff\xff\xff");
  write("train-images-idx3-ubyte", hostile);
  EXPECT_THAT(
      message_of([&] { (void)open_dataset(options()); }),
      testing::AllOf(HasSubstr("does not hold"), HasSubstr("4294967295 x 28 x 28"), HasSubstr("16 bytes")));
  std::filesystem::remove(file("train-images-idx3-ubyte"));
  gzFile zipped = gzopen(file("train-images-idx3-ubyte.gz").c_str(), "wb");
  gzwrite(zipped, hostile.data(), static_cast<unsigned>(hostile.size()));
  gzclose(zipped);
  EXPECT_THAT(message_of([&] { (void)open_dataset(options()); }), HasSubstr("does not hold"));
}

TEST_F(Folder, ImagesWithoutPixelsAreRefused) {
  write_set();
  write("train-images-idx3-ubyte", idx({3, 0, 0}, ""));
  EXPECT_THAT(message_of([&] { (void)open_dataset(options()); }), HasSubstr("holds no pixels"));
}

TEST_F(Folder, AZippedFileThatEndsTooEarlyIsRefusedWhenItIsRead) {
  const std::string values(4000, 'v');
  gzFile zipped = gzopen(file("whole.gz").c_str(), "wb");
  const std::string bytes = idx({40, 100}, values);
  gzwrite(zipped, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(zipped);
  std::filesystem::resize_file(file("whole.gz"), std::filesystem::file_size(file("whole.gz")) / 2);
  std::vector<std::byte> out(4000);
  EXPECT_NE(message_of([&] { read_idx_values(file("whole.gz"), out); }), "");
}

class AnyFolder : public Folder {
 protected:
  // A set whose images have one row of three pixels, in the spelling given.
  void write_any(const std::string& train, const std::string& test, const std::string& images,
                 const std::string& labels, std::uint8_t first_label) const {
    const auto label = [&](int i) { return static_cast<char>(first_label + i); };
    write(train + images, idx({3, 1, 3}, "abcdefghi"));
    write(train + labels, idx({3}, {label(0), label(1), label(2)}));
    write(test + images, idx({1, 1, 3}, "xyz"));
    write(test + labels, idx({1}, {label(1)}));
  }
  [[nodiscard]] std::string name(const std::string& rest = "") const {
    return "idx:" + (path_ / "mnist").string() + rest;
  }
  [[nodiscard]] static Dataset read(const std::string& name, std::vector<std::byte>& block) {
    const auto source = open_dataset({.dataset = name});
    block.resize(source->info().total_bytes());
    source->load(block);
    return view_dataset(source->info(), block);
  }
};

TEST_F(AnyFolder, IsADataSetInWhateverSpellingItsFilesAre) {
  for (const auto& [train, test, images, labels] :
       {std::array<std::string, 4>{"train-", "t10k-", "images-idx3-ubyte", "labels-idx1-ubyte"},
        {"train-", "t10k-", "images.idx3-ubyte", "labels.idx1-ubyte"},
        {"emnist-letters-train-", "emnist-letters-test-", "images-idx3-ubyte", "labels-idx1-ubyte"},
        {"train_", "test_", "images_idx3_ubyte", "labels_idx1_ubyte"}}) {
    std::filesystem::remove_all(path_ / "mnist");
    std::filesystem::create_directories(path_ / "mnist");
    write_any(train, test, images, labels, 0);
    std::vector<std::byte> block;
    const Dataset set = read(name(), block);
    EXPECT_EQ(set.info.classes, 3U) << train;
    EXPECT_EQ(set.info.shape, (SampleShape{1, 1, 3}));
    EXPECT_THAT(bytes_in(set.train.targets.bytes), ElementsAre(0, 1, 2));
    EXPECT_THAT(bytes_in(set.test.inputs.bytes), ElementsAre('x', 'y', 'z'));
  }
}

TEST_F(AnyFolder, LabelsThatBeginElsewhereAreRefusedWithWhatToTypeAndMappedThen) {
  write_any("train-", "t10k-", "images-idx3-ubyte", "labels-idx1-ubyte", 1);
  EXPECT_THAT(
      message_of([&] { (void)open_dataset({.dataset = name()}); }),
      testing::AllOf(HasSubstr("do not begin at 0"), HasSubstr("1 to 3"), HasSubstr(name(",first_label=1"))));
  std::vector<std::byte> block;
  const Dataset set = read(name(",first_label=1"), block);
  EXPECT_EQ(set.info.classes, 3U);
  EXPECT_THAT(bytes_in(set.train.targets.bytes), ElementsAre(0, 1, 2));
  EXPECT_THAT(message_of([&] { (void)open_dataset({.dataset = name(",first_label=2")}); }),
              HasSubstr("1 to 3"));
  EXPECT_THAT(message_of([&] { (void)open_dataset({.dataset = name(",first_label=one")}); }),
              HasSubstr("one"));
}

TEST_F(AnyFolder, OfSeveralSetsOneIsNamedByTheBeginningOfItsFiles) {
  write_any("letters-train-", "letters-test-", "images-idx3-ubyte", "labels-idx1-ubyte", 0);
  write_any("digits-train-", "digits-test-", "images-idx3-ubyte", "labels-idx1-ubyte", 0);
  EXPECT_THAT(message_of([&] { (void)open_dataset({.dataset = name()}); }),
              testing::AllOf(HasSubstr("several data sets"), HasSubstr("digits-"), HasSubstr("letters-")));
  EXPECT_EQ(open_dataset({.dataset = name("/letters")})->info().train_count, 3U);
}

TEST_F(AnyFolder, LabelsMayBeTheFirstColumnOfRowsOfNumbers) {
  write_any("qmnist-train-", "qmnist-test-", "images-idx3-ubyte", "labels-idx1-ubyte", 0);
  std::filesystem::remove(file("qmnist-train-labels-idx1-ubyte"));
  const auto number = [](char value) { return std::string(3, '\0') + value; };
  std::string rows{'\0', '\0', '\x0c', '\x02'};
  rows += number(3) + number(2) + number(2) + number(9) + number(0) + number(9) + number(1) + number(9);
  write("qmnist-train-labels-idx2-int", rows);
  std::vector<std::byte> block;
  EXPECT_THAT(bytes_in(read(name(), block).train.targets.bytes), ElementsAre(2, 0, 1));
}

// The same numbers in every type that a file may have, big-endian.
template <class T>
std::string file_values(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) {
    auto number = std::bit_cast<std::array<char, sizeof(T)>>(static_cast<T>(value));
    std::ranges::reverse(number);
    bytes.append(number.begin(), number.end());
  }
  return bytes;
}

template <class T>
class AnyType : public AnyFolder {
 protected:
  static constexpr std::uint8_t code = std::is_same_v<T, std::uint8_t>   ? 0x08
                                       : std::is_same_v<T, std::int8_t>  ? 0x09
                                       : std::is_same_v<T, std::int16_t> ? 0x0b
                                       : std::is_same_v<T, std::int32_t> ? 0x0c
                                       : std::is_same_v<T, float>        ? 0x0d
                                                                         : 0x0e;
  static std::string typed(std::vector<std::uint8_t> sizes, std::initializer_list<int> values) {
    std::string text = idx(std::move(sizes), file_values<T>(values));
    text[2] = static_cast<char>(code);
    return text;
  }
};
using FileTypes = testing::Types<std::uint8_t, std::int8_t, std::int16_t, std::int32_t, float, double>;
TYPED_TEST_SUITE(AnyType, FileTypes);

// Odd counts of single bytes stand between values that must be aligned.
TYPED_TEST(AnyType, IsReadAndGatheredAsFloats) {
  this->write("train-images-idx2-double", this->typed({3, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 127}));
  this->write("train-labels-idx1-ubyte", this->idx({3}, {0, 1, 2}));
  this->write("t10k-images-idx2-double", this->typed({1, 3}, {20, 21, 22}));
  this->write("t10k-labels-idx1-ubyte", this->idx({1}, {1}));
  std::vector<std::byte> block;
  const Dataset set = this->read(this->name(), block);
  EXPECT_EQ(set.info.shape, (SampleShape{3, 1, 1}));
  const float scale =
      std::is_integral_v<TypeParam> ? 1.0F / static_cast<float>(std::numeric_limits<TypeParam>::max()) : 1.0F;
  std::vector<float> inputs(6);
  std::vector<std::int32_t> targets(2);
  gather(set.train, std::vector<std::uint32_t>{2, 0}, {inputs.data(), 2, 3}, targets);
  EXPECT_THAT(inputs, ElementsAre(6 * scale, 7 * scale, 127 * scale, 0, 1 * scale, 2 * scale));
  EXPECT_THAT(targets, ElementsAre(2, 0));
  gather(set.test, std::vector<std::uint32_t>{0}, {inputs.data(), 1, 3}, targets);
  EXPECT_EQ(inputs[1], 21 * scale);
  EXPECT_EQ(targets[0], 1);
}

TYPED_TEST(AnyType, OfIntegersMayBeThatOfLabelsToo) {
  this->write_any("train-", "t10k-", "images-idx3-ubyte", "labels-idx1-ubyte", 0);
  this->write("train-labels-idx1-ubyte", this->typed({3}, {-1, 1, 0}));
  std::vector<std::byte> block;
  if (std::is_floating_point_v<TypeParam>)
    EXPECT_THAT(message_of([&] { (void)this->read(this->name(), block); }), HasSubstr("integers"));
  else if (std::is_signed_v<TypeParam>)
    EXPECT_THAT(bytes_in(this->read(this->name(",first_label=-1"), block).train.targets.bytes),
                ElementsAre(0, 2, 1));
  else
    EXPECT_THAT(message_of([&] { (void)this->read(this->name(",first_label=1"), block); }),
                HasSubstr("0 to 255"));
}

TEST_F(AnyFolder, MayHaveMoreClassesThanAByteCounts) {
  write_any("train-", "t10k-", "images-idx3-ubyte", "labels-idx1-ubyte", 0);
  std::string labels = idx({3}, file_values<std::int32_t>({70000, 0, 256}));
  labels[2] = '\x0c';
  write("train-labels-idx1-ubyte", labels);
  std::vector<std::byte> block;
  const Dataset set = read(name(), block);
  EXPECT_EQ(set.info.classes, 70001U);
  std::vector<std::int32_t> targets(3);
  gather_targets(set.train, std::vector<std::uint32_t>{2, 1, 0}, targets);
  EXPECT_THAT(targets, ElementsAre(256, 0, 70000));
  labels = idx({3}, file_values<std::int32_t>({1 << 30, 0, 256}));
  labels[2] = '\x0c';
  write("train-labels-idx1-ubyte", labels);
  EXPECT_THAT(message_of([&] { (void)read(name(), block); }), HasSubstr("no class"));
}

TEST_F(AnyFolder, MayHaveColours) {
  write_any("train-", "t10k-", "images-idx3-ubyte", "labels-idx1-ubyte", 0);
  write("train-images-idx3-ubyte", idx({3, 3, 1, 1}, "abcdefghi"));
  write("t10k-images-idx3-ubyte", idx({1, 3, 1, 1}, "xyz"));
  EXPECT_EQ(open_dataset({.dataset = name()})->info().shape, (SampleShape{3, 1, 1}));
}

TEST_F(AnyFolder, ValuesThatNoModelCanTakeAreRefusedWithTheirImage) {
  write_any("train-", "t10k-", "images-idx3-ubyte", "labels-idx1-ubyte", 0);
  const auto images = [&](double bad) {
    std::string values = idx({3, 1, 3}, file_values<double>({1, 2, 3, 4, 5, 6, 7, 8, 9}));
    auto number = std::bit_cast<std::array<char, 8>>(bad);
    std::ranges::reverse(number);
    values.replace(values.size() - 24, 8, number.data(), 8);  // the last image's first
    values[2] = '\x0e';
    return values;
  };
  write("t10k-images-idx3-ubyte",
        images(0.0).substr(0, 4) + idx({1, 1, 3}, "").substr(4) + file_values<double>({1, 2, 3}));
  std::vector<std::byte> block;
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), 1e39}) {
    write("train-images-idx3-ubyte", images(bad));
    EXPECT_THAT(message_of([&] { (void)read(name(), block); }),
                AllOf(HasSubstr("no model can take"), HasSubstr("image 2"), HasSubstr("train-images")));
  }
  write("train-images-idx3-ubyte", images(1e38));
  EXPECT_EQ(message_of([&] { (void)read(name(), block); }), "");
  write("train-images-idx3-ubyte", idx({3, 1, 3}, "abcdefghi"));
  EXPECT_THAT(message_of([&] { (void)read(name(), block); }), HasSubstr("different types"));
}

TEST(ShortName, IsAPartOfAFileName) {
  EXPECT_EQ(short_name("mnist"), "mnist");
  EXPECT_EQ(short_name("idx:/data/k mnist/"), "k_mnist");
  EXPECT_EQ(short_name("idx:data/emnist/emnist-letters,first_label=1"), "emnist-letters");
  EXPECT_EQ(short_name("idx:.."), "__");
}

}  // namespace
}  // namespace lockstep::data
