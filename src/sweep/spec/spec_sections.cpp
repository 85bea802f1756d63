// SPDX-License-Identifier: BSD-3-Clause
// Top level of a sweep's file, and the merging of variants.
#include "sweep/spec/spec_sections.hpp"

#include <algorithm>
#include <array>
#include <regex>
#include <span>
#include <string_view>

#include "core/json.hpp"
#include "core/names.hpp"
#include "sweep/spec/settings.hpp"

namespace lockstep::sweep {
namespace {

struct Section {
  std::string_view name;
  std::string_view expected;
  bool (Json::*accepts)() const noexcept;
};

constexpr std::array table = {
    Section{"name", "a text", &Json::is_string},
    Section{"title", "a text", &Json::is_string},
    Section{"fixed", "an object {setting: value, ...}", &Json::is_object},
    Section{"matrix", "an object {setting: [value, ...], ...}", &Json::is_object},
    Section{"zip", "a list of objects [{setting: [value, ...], ...}, ...]", &Json::is_array},
    Section{"include", "a list of objects [{setting: value or list, ...}, ...]", &Json::is_array},
    Section{"exclude", "a list of objects [{setting: value or list, ...}, ...]", &Json::is_array},
    Section{"seeds", "a list of whole numbers", &Json::is_array},
    Section{"repeats", "a whole number", &Json::is_number_integer},
    Section{"scaling", "\"strong\" or \"weak\"", &Json::is_string},
    Section{"learning_rate_scaling", "\"none\" or \"linear\"", &Json::is_string},
    Section{"until", R"(an object {"metric": name, "ci": number, "at_most": number})", &Json::is_object},
    Section{"time", "a text H:MM:SS", &Json::is_string},
    Section{"variants", "an object {name: {section: ...}, ...}", &Json::is_object},
};

constexpr std::span<const Section> sections = table;

// By value: keep it while looping over its items().
Json variants_of(const Json& file) { return file.value("variants", Json::object()); }

// A setting at the top level is a frequent mistake.
ConfigError unknown_section(const std::string& key, const std::string& where) {
  if (SettingsTable().knows(key))
    return ConfigError({.what = "the setting '" + key + "' is given at the top level" + where,
                        .hint = "put it in fixed, or its list in matrix"});
  return unknown_name("key" + where, key, names_of(sections));
}

void check_level(const Json& level, const std::string& where, bool is_variant) {
  for (const auto& [key, value] : level.items()) {
    const auto row = std::ranges::find(sections, std::string_view(key), &Section::name);
    if (row == sections.end()) throw unknown_section(key, where);
    if (is_variant && (key == "name" || key == "variants"))
      throw ConfigError({"a variant cannot change " + key + where, "sections other than name and variants",
                         key, "its runs go to the folder NAME-VARIANT"});
    if (is_variant && value.is_null()) continue;
    if (!(value.*row->accepts)())
      throw ConfigError({"bad value for " + key + where, std::string(row->expected), value.dump()});
  }
}

void erase_key(Json& groups, const std::string& key) {
  for (Json& group : groups)
    if (group.is_object()) group.erase(key);
}

// Takes the key out of fixed, matrix and zip, and drops groups of zip that are empty then.
void remove_setting(Json& file, const std::string& key) {
  for (const char* section : {"fixed", "matrix"})
    if (file.contains(section)) file[section].erase(key);
  if (!file.contains("zip")) return;
  erase_key(file["zip"], key);
  Json groups = Json::array();
  for (const Json& group : file["zip"])
    if (!group.is_object() || !group.empty()) groups.push_back(group);
  file["zip"] = groups;
}

}  // namespace

void check_sections(const Json& file) {
  if (!file.is_object())
    throw ConfigError({"not a sweep", R"(an object {"name": ..., "matrix": {...}, ...})", file.dump()});
  check_level(file, "", false);
  const Json variants = variants_of(file);
  for (const auto& [name, variant] : variants.items()) {
    const std::string where = " in variant " + name;
    check_folder_name("variant", name);
    if (name == "full")
      throw ConfigError({.what = "a variant is called full", .hint = "full is the file as it is"});
    if (!variant.is_object())
      throw ConfigError({"bad value for variant " + name, "an object {section: ...}", variant.dump()});
    check_level(variant, where, true);
  }
}

std::vector<std::string> scales_of_file(const Json& file) {
  std::vector<std::string> scales = {"full"};
  const Json variants = variants_of(file);
  for (const auto& [name, variant] : variants.items()) scales.push_back(name);
  return scales;
}

Json merge_variant(const Json& file, const std::string& scale) {
  Json merged = file;
  merged.erase("variants");
  const std::vector<std::string> scales = scales_of_file(file);
  if (std::ranges::find(scales, scale) == scales.end()) throw unknown_name("scale", scale, scales);
  if (scale == "full") return merged;
  const Json& variant = file.at("variants").at(scale);

  // First every key and section of the variant is taken out of the file, then the variant's values are put
  // in. So a key that the variant itself gives twice is still there twice, and is reported.
  const auto own = [&](const char* section) {
    const Json values = variant.value(section, Json());
    return values.is_object() ? values : Json::object();
  };
  const Json fixed = own("fixed"), matrix = own("matrix");
  for (const auto& [section, value] : variant.items()) {
    const bool by_key = section == "fixed" || section == "matrix";
    if (!by_key || value.is_null()) merged.erase(section);
    if (section == "seeds" || section == "repeats") {
      merged.erase("seeds");
      merged.erase("repeats");
    }
  }
  for (const auto& [key, value] : fixed.items()) {
    remove_setting(merged, key);
    if (!value.is_null() && merged.contains("include")) erase_key(merged["include"], key);
  }
  // A key of the file's matrix keeps its place there, so that the runs keep their order.
  for (const auto& [key, value] : matrix.items())
    if (value.is_null() || !merged.value("matrix", Json()).contains(key)) remove_setting(merged, key);
  if (variant.contains("zip") && variant.at("zip").is_array())
    for (const Json& group : variant.at("zip"))
      for (const auto& [key, value] : group.items()) remove_setting(merged, key);
  for (const auto& [section, value] : variant.items())
    if (section != "fixed" && section != "matrix" && !value.is_null()) merged[section] = value;
  for (const char* section : {"fixed", "matrix"}) {
    const Json values = own(section);
    for (const auto& [key, value] : values.items())
      if (!value.is_null()) merged[section][key] = value;
  }
  return merged;
}

void check_folder_name(std::string_view what, const std::string& name) {
  static const std::regex good("[A-Za-z0-9][A-Za-z0-9._-]{0,99}");
  if (std::regex_match(name, good)) return;
  throw ConfigError({"bad " + std::string(what) + " name",
                     "a letter or digit, then letters, digits and . _ - ; at most 100 in all",
                     "'" + name + "'", "it names a folder of results"});
}

}  // namespace lockstep::sweep
