// SPDX-License-Identifier: BSD-3-Clause
// The table of data sets, and the layout of one in memory.
#include "data/dataset.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cctype>

#include "core/names.hpp"

namespace lockstep::data {
namespace {

constexpr std::array table = {
    DatasetRow{"mnist", "handwritten digits, 60,000 + 10,000 images of 28x28, 10 classes", open_idx_dataset},
    DatasetRow{"fashion_mnist", "articles of clothing, the same shape as mnist", open_idx_dataset},
    DatasetRow{"synthetic", "generated noisy class prototypes, any size, no files", open_synthetic_dataset},
};

// Bytes [begin, end) of a block.
struct Extent {
  std::size_t begin = 0, end = 0;
};
using Extents = std::array<Extent, 4>;  // train inputs, train targets, test inputs, test targets

Extents extents(const DatasetInfo& info) {
  const std::size_t input = bytes_of(info.input_type), target = bytes_of(info.target_type);
  const std::size_t features = info.shape.size();
  std::size_t at = 0;
  const auto take = [&at](std::size_t values, std::size_t size) {
    const std::size_t begin = (at + size - 1) / size * size;
    at = begin + values * size;
    return Extent{begin, at};
  };
  const Extent train_inputs = take(info.train_count * features, input);
  const Extent train_targets = take(info.train_count * info.targets, target);
  const Extent test_inputs = take(info.test_count * features, input);
  return {train_inputs, train_targets, test_inputs, take(info.test_count * info.targets, target)};
}

template <class Byte>
std::array<std::span<Byte>, 4> parts_of(const DatasetInfo& info, std::span<Byte> block) {
  assert(block.size() >= info.total_bytes());
  std::array<std::span<Byte>, 4> parts;
  std::ranges::transform(extents(info), parts.begin(), [&](const Extent& part) {
    return block.subspan(part.begin, part.end - part.begin);
  });
  return parts;
}

}  // namespace

void DataOptions::describe(Options& options) {
  options.add("dataset", &dataset, "data set to train on")
      .one_of(names_of(dataset_table()))
      .or_begins_with(std::string(idx_prefix), "idx:FOLDER");
  options.add("data_dir", &data_dir, "folder that holds one folder for each data set");
  options.add("train_samples", &train_samples, "use only the first N training samples; 0 = all");
  options.add("test_samples", &test_samples, "use only the first N test samples; 0 = all");
  options.add("synthetic_train", &synthetic_train, "training samples that `synthetic` generates")
      .at_least(1)
      .at_most(4e9);
  options.add("synthetic_test", &synthetic_test, "test samples that `synthetic` generates")
      .at_least(1)
      .at_most(4e9);
}

std::span<const DatasetRow> dataset_table() { return table; }

std::unique_ptr<DatasetSource> open_dataset(const DataOptions& options) {
  if (options.dataset.starts_with(idx_prefix)) return open_idx_dataset(options);
  return find_row(dataset_table(), "dataset", options.dataset).open(options);
}

std::string short_name(std::string_view dataset) {
  if (!dataset.starts_with(idx_prefix)) return std::string(dataset);
  dataset.remove_prefix(idx_prefix.size());
  dataset = dataset.substr(0, dataset.find(','));
  while (dataset.ends_with('/')) dataset.remove_suffix(1);
  std::string name(dataset.substr(dataset.find_last_of('/') + 1));
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_') c = '_';
  return name.empty() ? "idx" : name;
}

std::size_t DatasetInfo::total_bytes() const { return extents(*this).back().end; }

Dataset view_dataset(const DatasetInfo& info, std::span<const std::byte> block) {
  const auto [train_inputs, train_targets, test_inputs, test_targets] = parts_of(info, block);
  const auto samples = [&](std::span<const std::byte> inputs, std::span<const std::byte> targets,
                           std::size_t count) {
    return Samples{.inputs = {info.input_type, info.shape.size(), inputs},
                   .targets = {info.target_type, info.targets, targets},
                   .scale = info.scale,
                   .count = count};
  };
  return {.info = info,
          .train = samples(train_inputs, train_targets, info.train_count),
          .test = samples(test_inputs, test_targets, info.test_count)};
}

void DatasetSource::load(std::span<std::byte> block) const {
  const DatasetInfo about = info();
  std::size_t at = 0;
  for (const Extent& part : extents(about)) {  // the block's checksum covers what lies between, too
    std::ranges::fill(block.subspan(at, part.begin - at), std::byte{0});
    at = part.end;
  }
  const auto [train_inputs, train_targets, test_inputs, test_targets] = parts_of(about, block);
  fill({train_inputs, train_targets}, {test_inputs, test_targets});
}

}  // namespace lockstep::data
