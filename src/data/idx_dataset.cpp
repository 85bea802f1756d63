// SPDX-License-Identifier: BSD-3-Clause
// Data sets of four IDX files: MNIST, Fashion-MNIST, and any other by its folder.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>

#include <fmt/format.h>

#include "core/error.hpp"
#include "data/dataset.hpp"
#include "data/idx.hpp"
#include "data/idx_folder.hpp"
#include "data/known_sets.hpp"

namespace lockstep::data {
namespace {

// What `dataset` says.
struct Place {
  std::filesystem::path files;          // a folder, or a folder and a prefix
  std::int32_t first_label = 0;         // of the files: class 0
  std::optional<std::int64_t> classes;  // where it is known; else as many as there are labels
};

// "idx:PATH" or "idx:PATH,first_label=1"; other names are folders in data_dir.
Place place_of(const DataOptions& options) {
  const std::string& name = options.dataset;
  if (!name.starts_with(idx_prefix))
    return {.files = std::filesystem::path(options.data_dir) / name, .first_label = 0, .classes = 10};
  constexpr std::string_view option = ",first_label=";
  std::string path = name.substr(idx_prefix.size());
  std::int32_t first_label = 0;
  if (const std::size_t at = path.rfind(option); at != std::string::npos) {
    const std::string number = path.substr(at + option.size());
    const char* const end = number.data() + number.size();
    const auto [stop, failure] = std::from_chars(number.data(), end, first_label);
    if (failure != std::errc{} || stop != end || number.empty())
      throw ConfigError({"bad first_label of dataset " + name, "a whole number", number});
    path.resize(at);
  }
  return {.files = path, .first_label = first_label, .classes = std::nullopt};
}

struct Part {
  std::filesystem::path images, labels_file;
  ValueType type = ValueType::uint8;  // of the images
  std::size_t count = 0;              // in the files
  SampleShape shape;
  std::vector<std::int32_t> labels;  // as in the file
};

// [count, features], [count, rows, columns] or [count, channels, rows, columns].
SampleShape shape_of(const std::vector<std::size_t>& images) {
  switch (images.size()) {
    case 2:
      return {images[1], 1, 1};
    case 3:
      return {1, images[1], images[2]};
    case 4:
      return {images[1], images[2], images[3]};
    default:
      return {0, 0, 0};
  }
}

Part read_part(const std::filesystem::path& images_file, const std::filesystem::path& labels_file) {
  const IdxHeader images = read_idx_header(images_file);
  const std::size_t count = images.dimensions[0];
  Part part{.images = images_file,
            .labels_file = labels_file,
            .type = images.type,
            .count = count,
            .shape = shape_of(images.dimensions),
            .labels = read_idx_labels(labels_file)};
  if (images.dimensions.size() == 1 || count != part.labels.size())
    throw Error({images_file.string() + " and " + labels_file.filename().string() + " do not belong together",
                 "images [count, rows, columns] and as many labels",
                 fmt::format("images with {} dimensions, count {}; {} labels", images.dimensions.size(),
                             count, part.labels.size())});
  if (images.values() == 0)
    throw Error({images_file.string() + " holds no pixels", "images of one pixel or more",
                 fmt::format("{} images of {}", count, to_string(part.shape))});
  return part;
}

// The number of classes; labels become 0 .. classes-1.
std::size_t count_classes(Part& train, Part& test, const Place& place) {
  constexpr std::int64_t most_classes = 1 << 24;  // more than any set has: the file is damaged
  const auto [train_low, train_high] = std::ranges::minmax(train.labels);
  const auto [test_low, test_high] = std::ranges::minmax(test.labels);
  const std::int64_t low = std::min(train_low, test_low);
  const std::int64_t high = std::max(train_high, test_high);
  const std::string range = fmt::format("{} to {}", low, high);
  if (low < place.first_label || (!place.classes && low > place.first_label))
    throw Error({"the labels of " + train.labels_file.string() + " and " +
                     test.labels_file.filename().string() + " do not begin at " +
                     std::to_string(place.first_label),
                 std::to_string(place.first_label) + " and up", range,
                 fmt::format("--dataset {}{},first_label={} counts them from there", idx_prefix,
                             place.files.string(), low)});
  const std::int64_t classes = place.classes.value_or(high - place.first_label + 1);
  if (high - place.first_label >= classes || classes > most_classes)
    throw Error({train.labels_file.string() + " holds a label that is no class",
                 fmt::format("0 to {}", std::min(classes, most_classes) - 1), range,
                 "--dataset idx:FOLDER takes sets of other classes"});
  for (Part* part : {&train, &test})
    for (std::int32_t& label : part->labels)
      label = static_cast<std::int32_t>(std::int64_t{label} - place.first_label);
  return static_cast<std::size_t>(classes);
}

class IdxDataset final : public DatasetSource {
 public:
  explicit IdxDataset(const DataOptions& options) {
    const Place place = place_of(options);
    name_ = place.files.lexically_normal().filename();
    const IdxFiles files = find_idx_files(place.files);
    train_ = read_part(files.train_images, files.train_labels);
    test_ = read_part(files.test_images, files.test_labels);
    if (train_.shape != test_.shape)
      throw Error(
          {"training and test images differ in shape", to_string(train_.shape), to_string(test_.shape)});
    if (train_.type != test_.type)
      throw Error({.what = "the values of " + train_.images.string() + " and " +
                           test_.images.filename().string() + " are of different types"});
    const std::size_t classes = count_classes(train_, test_, place);
    constexpr std::size_t most_in_a_byte = std::numeric_limits<std::uint8_t>::max() + std::size_t{1};
    info_ = {.shape = train_.shape,
             .input_type = train_.type,
             .target_type = classes <= most_in_a_byte ? ValueType::uint8 : ValueType::int32,
             .classes = classes,
             .train_count = limit("train_samples", options.train_samples, train_.count),
             .test_count = limit("test_samples", options.test_samples, test_.count),
             .scale = unit_scale(train_.type)};
  }

  [[nodiscard]] DatasetInfo info() const override { return info_; }

  [[nodiscard]] std::string note() const override {
    return known_set_note(name_, {.train_images = train_.images,
                                  .train_labels = train_.labels_file,
                                  .test_images = test_.images,
                                  .test_labels = test_.labels_file});
  }

 private:
  static std::size_t limit(const std::string& key, std::size_t wanted, std::size_t available) {
    if (wanted > available)
      throw ConfigError({"bad value for " + key, fmt::format("at most {}, as the data set has", available),
                         fmt::format("{}", wanted)});
    return wanted == 0 ? available : wanted;
  }

  void fill(const SampleBlock& train, const SampleBlock& test) const override {
    fill_part(train_, train);
    fill_part(test_, test);
  }

  // With the first samples of the files.
  void fill_part(const Part& part, const SampleBlock& block) const {
    const std::size_t bytes = part.count * part.shape.size() * bytes_of(part.type);
    read_front(part.images, bytes, block.inputs);
    require_finite(part, block.inputs);
    with_type(info_.target_type, [&](auto zero) {
      using T = decltype(zero);
      const auto targets = values_of<T>(block.targets);
      std::transform(part.labels.begin(), part.labels.begin() + std::ssize(targets), targets.begin(),
                     [](std::int32_t label) { return static_cast<T>(label); });
    });
  }

  // The first out.size() bytes of a file that holds `total`.
  static void read_front(const std::filesystem::path& path, std::size_t total, std::span<std::byte> out) {
    if (out.size() == total) return read_idx_values(path, out);
    std::vector<std::byte> all(total);
    read_idx_values(path, all);
    std::copy_n(all.begin(), out.size(), out.begin());
  }

  // A model sees floats: a double beyond them is as bad as none.
  static void require_finite(const Part& part, std::span<const std::byte> inputs) {
    with_type(part.type, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_floating_point_v<T>) {
        const auto values = values_of<T>(inputs);
        const auto bad =
            std::ranges::find_if(values, [](T value) { return !std::isfinite(static_cast<float>(value)); });
        if (bad != values.end())
          throw Error({part.images.string() + " holds a value that no model can take", "finite floats",
                       fmt::format("{} in image {}", *bad,
                                   static_cast<std::size_t>(bad - values.begin()) / part.shape.size())});
      }
    });
  }

  std::string name_;
  Part train_, test_;
  DatasetInfo info_;
};

}  // namespace

std::unique_ptr<DatasetSource> open_idx_dataset(const DataOptions& options) {
  return std::make_unique<IdxDataset>(options);
}

}  // namespace lockstep::data
