// SPDX-License-Identifier: BSD-3-Clause
// The table of data sets, and the layout of one in memory.
#include "data/dataset.hpp"

#include <array>
#include <cassert>

#include "core/names.hpp"

namespace lockstep::data {
namespace {

constexpr std::array table = {
    DatasetRow{"mnist", "handwritten digits, 60,000 + 10,000 images of 28x28, 10 classes", open_idx_dataset},
    DatasetRow{"fashion_mnist", "articles of clothing, the same shape as mnist", open_idx_dataset},
    DatasetRow{"synthetic", "generated noisy class prototypes, any size, no files", open_synthetic_dataset},
};

}  // namespace

void DataOptions::describe(Fields& fields) {
  fields.add("dataset", &dataset, "data set to train on").one_of(names_of(dataset_table()));
  fields.add("data_dir", &data_dir, "folder that holds one folder for each data set");
  fields.add("train_samples", &train_samples, "use only the first N training samples; 0 = all");
  fields.add("test_samples", &test_samples, "use only the first N test samples; 0 = all");
  fields.add("synthetic_train", &synthetic_train, "training samples that `synthetic` generates")
      .at_least(1)
      .at_most(4e9);
  fields.add("synthetic_test", &synthetic_test, "test samples that `synthetic` generates")
      .at_least(1)
      .at_most(4e9);
}

std::span<const DatasetRow> dataset_table() { return table; }

std::unique_ptr<DatasetSource> open_dataset(const DataOptions& options) {
  return find_row(dataset_table(), "dataset", options.dataset).open(options);
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
  }
  return dataset;
}

}  // namespace lockstep::data
