// SPDX-License-Identifier: BSD-3-Clause
// A generated set of 28x28 images: a random prototype for each of 10 classes, plus noise. Integer arithmetic
// throughout, so that a seed means the same data on every processor.
#include <algorithm>
#include <vector>

#include "core/random.hpp"
#include "data/dataset.hpp"

namespace lockstep::data {
namespace {

constexpr SampleShape image{1, 28, 28};
constexpr std::size_t class_count = 10;

// The sum of a random word's four bytes is near normal, with standard deviation sqrt(4 (256^2 - 1) / 12) =
// 147.80.
constexpr std::int32_t byte_sum_mean = 4 * 255 / 2;
constexpr int noise_shift = 16;
// Scales it to 96 of 255 grey levels: hard enough that accuracy still tells methods apart.
constexpr std::int32_t noise_scale = 42568;  // 96 / 147.80 * 2^noise_shift

std::int32_t noise(std::uint32_t word) {
  const std::uint32_t pairs = (word & 0x00FF00FF) + ((word >> 8) & 0x00FF00FF);
  const auto byte_sum = static_cast<std::int32_t>((pairs & 0xFFFF) + (pairs >> 16));
  constexpr std::int32_t half = 1 << (noise_shift - 1);
  return ((byte_sum - byte_sum_mean) * noise_scale + half) >> noise_shift;
}

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

 private:
  void fill(const SampleBlock& train, const SampleBlock& test) const override {
    const std::size_t features = image.size();
    std::vector<std::uint32_t> prototypes(class_count * features);
    for (std::uint32_t c = 0; c < class_count; ++c)
      random_.bits(prototype_row, c, 0, std::span(prototypes).subspan(c * features, features));
    generate(train_row, prototypes, train);
    generate(test_row, prototypes, test);
  }

  void generate(RowKind kind, const std::vector<std::uint32_t>& prototypes, const SampleBlock& block) const {
    const auto pixels = values_of<std::uint8_t>(block.inputs);
    const auto labels = values_of<std::uint8_t>(block.targets);
    const std::size_t features = image.size();
    std::vector<std::uint32_t> words(features);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      labels[i] = static_cast<std::uint8_t>(i % class_count);
      random_.bits(kind, static_cast<std::uint32_t>(i), 0, words);
      const std::uint32_t* const prototype = prototypes.data() + labels[i] * features;
      for (std::size_t j = 0; j < features; ++j) {
        const std::int32_t value = static_cast<std::int32_t>(prototype[j] >> 24) + noise(words[j]);
        pixels[i * features + j] = static_cast<std::uint8_t>(std::clamp(value, 0, 255));
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
