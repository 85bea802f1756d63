// SPDX-License-Identifier: BSD-3-Clause
// The parts of file names.
#include "data/idx_folder.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/names.hpp"

namespace lockstep::data {
namespace {

enum class Role { train_images, train_labels, test_images, test_labels };
constexpr const char* usual_names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                       "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

constexpr std::string_view value_names[] = {"-ubyte", "-byte", "-short", "-int", "-float", "-double"};

struct NamedFile {
  std::string prefix;
  Role role = Role::train_images;
};

// "emnist-letters-train-images.idx3-ubyte.gz": the prefix "emnist-letters-", the training images.
std::optional<NamedFile> parse(const std::string& name) {
  std::string plain = name;
  if (plain.ends_with(".gz")) plain.resize(plain.size() - 3);
  std::ranges::replace_if(
      plain, [](char c) { return c == '.' || c == '_'; }, '-');
  for (const std::string_view split : {"train", "t10k", "test"})
    for (const std::string_view kind : {"images", "labels"}) {
      const std::string middle = std::string(split) + "-" + std::string(kind) + "-idx";
      const std::size_t at = plain.rfind(middle);
      if (at == std::string::npos) continue;
      const std::string_view rest = std::string_view(plain).substr(at + middle.size());
      const bool is_idx =
          !rest.empty() && std::ranges::find(value_names, rest.substr(1)) != std::end(value_names);
      if (!is_idx) continue;
      const Role images = split == "train" ? Role::train_images : Role::test_images;
      const Role labels = split == "train" ? Role::train_labels : Role::test_labels;
      return NamedFile{.prefix = name.substr(0, at), .role = kind == "images" ? images : labels};
    }
  return std::nullopt;
}

using Found = std::map<Role, std::filesystem::path>;

// By prefix.
std::map<std::string, Found> sets_in(const std::filesystem::path& folder) {
  std::map<std::string, Found> sets;
  std::error_code unreadable;  // a folder that is none, or may not be searched, holds nothing
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, unreadable))
    files.push_back(entry.path());
  std::ranges::sort(files);  // plain before .gz, which emplace() then leaves out
  for (const auto& file : files)
    if (const auto named = parse(file.filename().string())) sets[named->prefix].emplace(named->role, file);
  return sets;
}

}  // namespace

IdxFiles find_idx_files(const std::filesystem::path& place) {
  std::error_code unreadable;
  const bool is_folder = std::filesystem::is_directory(place, unreadable);
  const std::filesystem::path folder = is_folder ? place : place.parent_path();
  std::map<std::string, Found> sets = sets_in(folder);
  if (!is_folder) {
    const std::string wanted = place.filename().string();
    std::erase_if(sets, [&](const auto& set) { return !set.first.starts_with(wanted); });
  }
  if (sets.size() > 1) {
    std::vector<std::string> prefixes;
    for (const auto& [prefix, files] : sets) prefixes.push_back((folder / prefix).string());
    throw Error({folder.string() + " holds several data sets", "one, or the beginning of its files' names",
                 join(prefixes), "--dataset idx:" + prefixes.front()});
  }
  Found files = sets.empty() ? Found{} : sets.begin()->second;
  for (std::size_t i = 0; i < std::size(usual_names); ++i)
    if (!files.contains(static_cast<Role>(i)))
      throw Error({.what = "no data file " + place.string() + (is_folder || sets.empty() ? "/" : "") +
                           usual_names[i] + " (nor with .gz, nor in the other spellings)",
                   .hint = "`make data` fetches the data sets; --data-dir says where they are; --dataset "
                           "idx:FOLDER takes any; `--dataset synthetic` needs no files"});
  return {.train_images = files[Role::train_images],
          .train_labels = files[Role::train_labels],
          .test_images = files[Role::test_images],
          .test_labels = files[Role::test_labels]};
}

}  // namespace lockstep::data
