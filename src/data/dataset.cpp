// SPDX-License-Identifier: BSD-3-Clause
// The table of data sets, and the layout of one in memory.
#include "data/dataset.hpp"

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

Dataset view_dataset(const DatasetInfo& info, std::span<const std::uint8_t> block) {
  assert(block.size() >= info.total_bytes());
  const std::size_t features = info.shape.size();
  const auto take = [&block](std::size_t bytes) {
    const auto part = block.first(bytes);
    block = block.subspan(bytes);
    return part;
  };
  Dataset dataset{.info = info, .train = {}, .test = {}};
  for (auto [samples, count] :
       {std::pair{&dataset.train, info.train_count}, {&dataset.test, info.test_count}}) {
    samples->pixels = take(count * features);
    samples->labels = take(count);
    samples->features = features;
    samples->scale = info.scale;
  }
  return dataset;
}

}  // namespace lockstep::data
