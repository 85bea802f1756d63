// SPDX-License-Identifier: BSD-3-Clause
// MNIST and Fashion-MNIST from their four IDX files.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "core/error.hpp"
#include "data/dataset.hpp"
#include "data/idx.hpp"

namespace lockstep::data {
namespace {

constexpr std::size_t label_classes = 10;

struct SetFiles {
  std::filesystem::path images, labels;
  std::size_t count = 0;  // in the files
  SampleShape shape;
};

SetFiles find_set(const std::filesystem::path& folder, const std::string& prefix) {
  SetFiles files{.images = find_idx_file(folder / (prefix + "-images-idx3-ubyte")),
                 .labels = find_idx_file(folder / (prefix + "-labels-idx1-ubyte")),
                 .count = 0,
                 .shape = {}};
  const auto images = read_idx_dimensions(files.images);
  const auto labels = read_idx_dimensions(files.labels);
  if (images.size() != 3 || labels.size() != 1 || images[0] != labels[0] || images[0] == 0)
    throw Error({files.images.string() + " and its labels do not belong together",
                 "images [count, rows, columns] and as many labels",
                 fmt::format("images with {} dimensions, count {}; labels with {}, count {}", images.size(),
                             images[0], labels.size(), labels[0])});
  files.count = images[0];
  files.shape = {1, images[1], images[2]};
  return files;
}

class IdxDataset final : public DatasetSource {
 public:
  explicit IdxDataset(const DataOptions& options) {
    const auto folder = std::filesystem::path(options.data_dir) / options.dataset;
    train_ = find_set(folder, "train");
    test_ = find_set(folder, "t10k");
    if (train_.shape != test_.shape)
      throw Error(
          {"training and test images differ in shape", to_string(train_.shape), to_string(test_.shape)});
    info_ = {.shape = train_.shape,
             .classes = label_classes,
             .train_count = limit("train_samples", options.train_samples, train_.count),
             .test_count = limit("test_samples", options.test_samples, test_.count)};
  }

  [[nodiscard]] DatasetInfo info() const override { return info_; }

  void load(std::span<std::uint8_t> block) const override {
    block = load_set(train_, info_.train_count, block);
    load_set(test_, info_.test_count, block);
  }

 private:
  static std::size_t limit(const std::string& key, std::size_t wanted, std::size_t available) {
    if (wanted > available)
      throw ConfigError({"bad value for " + key, fmt::format("at most {}, as the data set has", available),
                         fmt::format("{}", wanted)});
    return wanted == 0 ? available : wanted;
  }

  // Fills the block's front with pixels and labels, and returns what is left of it.
  static std::span<std::uint8_t> load_set(const SetFiles& files, std::size_t count,
                                          std::span<std::uint8_t> block) {
    const std::size_t features = files.shape.size();
    read_front(files.images, files.count * features, block.first(count * features));
    const auto labels = block.subspan(count * features, count);
    read_front(files.labels, files.count, labels);
    const auto wrong =
        std::find_if(labels.begin(), labels.end(), [](std::uint8_t l) { return l >= label_classes; });
    if (wrong != labels.end())
      throw Error(
          {files.labels.string() + " holds a label that is no class", "0 to 9", std::to_string(*wrong)});
    return block.subspan(count * (features + 1));
  }

  // The first out.size() values of a file that holds `total`.
  static void read_front(const std::filesystem::path& path, std::size_t total, std::span<std::uint8_t> out) {
    if (out.size() == total) return read_idx_values(path, out);
    std::vector<std::uint8_t> all(total);
    read_idx_values(path, all);
    std::copy_n(all.begin(), out.size(), out.begin());
  }

  SetFiles train_, test_;
  DatasetInfo info_;
};

}  // namespace

std::unique_ptr<DatasetSource> open_idx_dataset(const DataOptions& options) {
  return std::make_unique<IdxDataset>(options);
}

}  // namespace lockstep::data
