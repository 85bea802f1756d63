// SPDX-License-Identifier: BSD-3-Clause
// Named data sets: samples with their targets, in one block of memory that the caller provides.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/options.hpp"
#include "core/shape.hpp"
#include "data/values.hpp"

namespace lockstep::data {

/// What a data set holds.
struct DatasetInfo {
  SampleShape shape;
  ValueType input_type = ValueType::uint8;
  ValueType target_type = ValueType::uint8;  ///< an integer: targets are classes 0 .. classes-1
  std::size_t targets = 1;                   ///< of a sample
  std::size_t classes = 0;
  std::size_t train_count = 0;
  std::size_t test_count = 0;
  float scale = unit_scale(ValueType::uint8);  ///< what a model sees is a value times this

  /// Bytes of the whole set: training inputs, their targets, test inputs, their targets, each aligned for its
  /// type.
  [[nodiscard]] std::size_t total_bytes() const;
};

/// Samples in memory that the caller owns.
struct Samples {
  Values inputs, targets;
  float scale = 1.0F;  ///< of the inputs: see DatasetInfo
  std::size_t count = 0;
};

/// A data set in memory.
struct Dataset {
  DatasetInfo info;
  Samples train, test;
};

/// Lays `info` out over a block of info.total_bytes() bytes, aligned for any type.
[[nodiscard]] Dataset view_dataset(const DatasetInfo& info, std::span<const std::byte> block);

/// Which data set, from where, and how much of it.
struct DataOptions {
  std::string dataset = "mnist";
  std::string data_dir = "data";
  std::size_t train_samples = 0;
  std::size_t test_samples = 0;
  std::size_t synthetic_train = 60000;
  std::size_t synthetic_test = 10000;
  std::uint32_t seed = 1;  ///< of the synthetic set; not described: the run's seed serves

  void describe(Options& options);
};

/// The memory of some samples, to be filled.
struct SampleBlock {
  std::span<std::byte> inputs, targets;
};

/// Where a data set comes from: knows its size without reading it, then fills a block with it.
class DatasetSource {
 public:
  virtual ~DatasetSource() = default;
  [[nodiscard]] virtual DatasetInfo info() const = 0;
  /// How the files differ from the published ones of the set's name; "": they are those, or nobody knows.
  [[nodiscard]] virtual std::string note() const { return ""; }
  /// Fills `block`, info().total_bytes() bytes, aligned for any type, as DatasetInfo says.
  void load(std::span<std::byte> block) const;

 private:
  virtual void fill(const SampleBlock& train, const SampleBlock& test) const = 0;
};

struct DatasetRow {
  std::string_view name;
  std::string_view help;
  std::unique_ptr<DatasetSource> (*open)(const DataOptions& options);
};

[[nodiscard]] std::span<const DatasetRow> dataset_table();

/// Before the folder of any IDX files: "idx:data/kmnist".
inline constexpr std::string_view idx_prefix = "idx:";
/// A data set's name as a part of file names: "kmnist" for "idx:data/kmnist".
[[nodiscard]] std::string short_name(std::string_view dataset);

/// Opens the set that the options name; throws Error when its files are missing or foreign.
[[nodiscard]] std::unique_ptr<DatasetSource> open_dataset(const DataOptions& options);

// The sources, one file each.
[[nodiscard]] std::unique_ptr<DatasetSource> open_idx_dataset(const DataOptions& options);
[[nodiscard]] std::unique_ptr<DatasetSource> open_synthetic_dataset(const DataOptions& options);

}  // namespace lockstep::data
