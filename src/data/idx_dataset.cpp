// SPDX-License-Identifier: BSD-3-Clause
// Data sets of four IDX files: MNIST, Fashion-MNIST, and any other by its folder.
#include <algorithm>
#include <charconv>
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
  std::filesystem::path files;         // a folder, or a folder and a prefix
  std::uint32_t first_label = 0;       // of the files: class 0
  std::optional<std::size_t> classes;  // where it is known; else as many as there are labels
};

// "idx:PATH" or "idx:PATH,first_label=1"; other names are folders in data_dir.
Place place_of(const DataOptions& options) {
  const std::string& name = options.dataset;
  if (!name.starts_with(idx_prefix))
    return {.files = std::filesystem::path(options.data_dir) / name, .first_label = 0, .classes = 10};
  constexpr std::string_view option = ",first_label=";
  std::string path = name.substr(idx_prefix.size());
  std::uint32_t first_label = 0;
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
  std::size_t count = 0;  // in the files
  SampleShape shape;
  std::vector<std::uint32_t> labels;  // as in the file
};

Part read_part(const std::filesystem::path& images_file, const std::filesystem::path& labels_file) {
  const auto images = read_idx_dimensions(images_file);
  Part part{.images = images_file,
            .labels_file = labels_file,
            .count = images[0],
            .shape = {},
            .labels = read_idx_labels(labels_file)};
  if (images.size() != 3 || images[0] != part.labels.size())
    throw Error({images_file.string() + " and " + labels_file.filename().string() + " do not belong together",
                 "images [count, rows, columns] and as many labels",
                 fmt::format("images with {} dimensions, count {}; {} labels", images.size(), images[0],
                             part.labels.size())});
  if (images[0] == 0 || images[1] == 0 || images[2] == 0)
    throw Error({images_file.string() + " holds no pixels", "images of one pixel or more",
                 fmt::format("{} images of {} x {}", images[0], images[1], images[2])});
  part.shape = {1, images[1], images[2]};
  return part;
}

// The number of classes; labels become 0 .. classes-1.
std::size_t count_classes(Part& train, Part& test, const Place& place) {
  constexpr std::size_t most_classes = std::numeric_limits<std::uint8_t>::max() + std::size_t{1};
  const auto [train_low, train_high] = std::ranges::minmax(train.labels);
  const auto [test_low, test_high] = std::ranges::minmax(test.labels);
  const std::uint32_t low = std::min(train_low, test_low);
  const std::uint32_t high = std::max(train_high, test_high);
  const std::string range = fmt::format("{} to {}", low, high);
  if (low < place.first_label || (!place.classes && low > place.first_label))
    throw Error({"the labels of " + train.labels_file.string() + " and " +
                     test.labels_file.filename().string() + " do not begin at " +
                     std::to_string(place.first_label),
                 std::to_string(place.first_label) + " and up", range,
                 fmt::format("--dataset {}{},first_label={} counts them from there", idx_prefix,
                             place.files.string(), low)});
  const std::size_t classes = place.classes.value_or(std::size_t{high} - place.first_label + 1);
  if (high - place.first_label >= classes || classes > most_classes)
    throw Error({train.labels_file.string() + " holds a label that is no class",
                 fmt::format("0 to {}", std::min(classes, most_classes) - 1), range,
                 "--dataset idx:FOLDER takes sets of other classes"});
  for (Part* part : {&train, &test})
    for (std::uint32_t& label : part->labels) label -= place.first_label;
  return classes;
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
    info_ = {.shape = train_.shape,
             .classes = count_classes(train_, test_, place),
             .train_count = limit("train_samples", options.train_samples, train_.count),
             .test_count = limit("test_samples", options.test_samples, test_.count)};
  }

  [[nodiscard]] DatasetInfo info() const override { return info_; }

  [[nodiscard]] std::string note() const override {
    return known_set_note(name_, {.train_images = train_.images,
                                  .train_labels = train_.labels_file,
                                  .test_images = test_.images,
                                  .test_labels = test_.labels_file});
  }

  void load(std::span<std::uint8_t> block) const override {
    block = load_part(train_, info_.train_count, block);
    load_part(test_, info_.test_count, block);
  }

 private:
  static std::size_t limit(const std::string& key, std::size_t wanted, std::size_t available) {
    if (wanted > available)
      throw ConfigError({"bad value for " + key, fmt::format("at most {}, as the data set has", available),
                         fmt::format("{}", wanted)});
    return wanted == 0 ? available : wanted;
  }

  // Fills the block's front with pixels and labels, and returns what is left of it.
  static std::span<std::uint8_t> load_part(const Part& part, std::size_t count,
                                           std::span<std::uint8_t> block) {
    const std::size_t features = part.shape.size();
    read_front(part.images, part.count * features, block.first(count * features));
    std::ranges::transform(part.labels.begin(), part.labels.begin() + static_cast<std::ptrdiff_t>(count),
                           block.begin() + static_cast<std::ptrdiff_t>(count * features),
                           [](std::uint32_t label) { return static_cast<std::uint8_t>(label); });
    return block.subspan(count * (features + 1));
  }

  // The first out.size() values of a file that holds `total`.
  static void read_front(const std::filesystem::path& path, std::size_t total, std::span<std::uint8_t> out) {
    if (out.size() == total) return read_idx_values(path, out);
    std::vector<std::uint8_t> all(total);
    read_idx_values(path, all);
    std::copy_n(all.begin(), out.size(), out.begin());
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
