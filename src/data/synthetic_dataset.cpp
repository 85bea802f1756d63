// SPDX-License-Identifier: BSD-3-Clause
// A generated set of 28x28 images: a random prototype for each of 10 classes, plus noise.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/random.hpp"
#include "data/dataset.hpp"

namespace lockstep::data {
namespace {

constexpr SampleShape image{1, 28, 28};
constexpr std::size_t class_count = 10;
constexpr float noise_std = 96.0F;  // of 255: hard enough that accuracy still tells methods apart

// Rows of random numbers: prototypes, training samples and test samples never share one.
enum RowKind : std::uint32_t { prototype_row, train_row, test_row };

class SyntheticDataset final : public DatasetSource {
 public:
  explicit SyntheticDataset(const DataOptions& options)
      : random_(options.seed, Purpose::synthetic_data),
        info_{.shape = image,
              .classes = class_count,
              .train_count = options.train_samples == 0
                                 ? options.synthetic_train
                                 : std::min(options.train_samples, options.synthetic_train),
              .test_count = options.test_samples == 0
                                ? options.synthetic_test
                                : std::min(options.test_samples, options.synthetic_test)} {}

  [[nodiscard]] DatasetInfo info() const override { return info_; }

  void load(std::span<std::uint8_t> block) const override {
    const std::size_t features = image.size();
    std::vector<float> prototypes(class_count * features);
    for (std::uint32_t c = 0; c < class_count; ++c)
      random_.uniform(prototype_row, c, 0, std::span(prototypes).subspan(c * features, features));
    for (auto [kind, count] : {std::pair{train_row, info_.train_count}, {test_row, info_.test_count}}) {
      generate(kind, prototypes, block.first(count * features), block.subspan(count * features, count));
      block = block.subspan(count * (features + 1));
    }
  }

 private:
  void generate(RowKind kind, const std::vector<float>& prototypes, std::span<std::uint8_t> pixels,
                std::span<std::uint8_t> labels) const {
    const std::size_t features = image.size();
    std::vector<float> noise(features);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      labels[i] = static_cast<std::uint8_t>(i % class_count);
      random_.normal(kind, static_cast<std::uint32_t>(i), 0, noise);
      for (std::size_t j = 0; j < features; ++j) {
        const float value = 255.0F * prototypes[labels[i] * features + j] + noise_std * noise[j];
        pixels[i * features + j] = static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0F, 255.0F)));
      }
    }
  }

  RandomRows random_;
  DatasetInfo info_;
};

}  // namespace

std::unique_ptr<DatasetSource> open_synthetic_dataset(const DataOptions& options) {
  return std::make_unique<SyntheticDataset>(options);
}

}  // namespace lockstep::data
