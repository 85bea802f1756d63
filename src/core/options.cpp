// SPDX-License-Identifier: BSD-3-Clause
// Reading, checking and printing of described options.
#include "core/options.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "core/json.hpp"
#include "core/names.hpp"

namespace lockstep {

Option::Option(std::string key, Place place, std::string help)
    : key_(std::move(key)), help_(std::move(help)), place_(place) {}

Option& Option::at_least(double low) {
  low_ = low;
  low_open_ = false;
  return *this;
}

Option& Option::above(double low) {
  low_ = low;
  low_open_ = true;
  return *this;
}

Option& Option::at_most(double high) {
  high_ = high;
  high_open_ = false;
  return *this;
}

Option& Option::below(double high) {
  high_ = high;
  high_open_ = true;
  return *this;
}

Option& Option::one_of(std::vector<std::string> names) {
  names_ = std::move(names);
  return *this;
}

Option& Option::value_name(std::string name) {
  value_name_ = std::move(name);
  return *this;
}

Option& Option::or_begins_with(std::string prefix, std::string shown) {
  prefix_ = std::move(prefix);
  names_.push_back(std::move(shown));
  return *this;
}

std::string Option::expected() const {
  if (!names_.empty()) return "one of " + join(names_);
  if (std::holds_alternative<bool*>(place_)) return "true or false";
  if (std::holds_alternative<std::string*>(place_)) return "a text";
  if (std::holds_alternative<std::vector<std::string>*>(place_)) return "a list of texts: [\"...\", ...]";
  if (std::holds_alternative<Json*>(place_)) return "a name or a JSON object";
  std::string text = std::holds_alternative<double*>(place_) ? "a number" : "a whole number";
  if (low_) text += fmt::format(", {} {}", low_open_ ? "above" : "at least", *low_);
  if (high_) text += fmt::format(", {} {}", high_open_ ? "below" : "at most", *high_);
  return text;
}

Json Option::value() const {
  return std::visit([](const auto* place) { return Json(*place); }, place_);
}

bool Option::within_limits(double value) const {
  if (!std::isfinite(value)) return false;
  if (low_ && (low_open_ ? value <= *low_ : value < *low_)) return false;
  return !high_ || (high_open_ ? value < *high_ : value <= *high_);
}

void Option::set(const Json& value) {
  if (auto* const* place = std::get_if<bool*>(&place_)) {
    if (!value.is_boolean()) throw ConfigError({"bad value for " + key_, expected(), value.dump()});
    **place = value.get<bool>();
  } else if (auto* const* json = std::get_if<Json*>(&place_)) {
    if (!value.is_string() && !value.is_object())
      throw ConfigError({"bad value for " + key_, expected(), value.dump()});
    **json = value;
  } else if (std::holds_alternative<std::string*>(place_)) {
    set_text(value);
  } else if (std::holds_alternative<std::vector<std::string>*>(place_)) {
    set_texts(value);
  } else {
    set_number(value);
  }
}

void Option::set_text(const Json& value) {
  if (!value.is_string()) throw ConfigError({"bad value for " + key_, expected(), value.dump()});
  const auto text = value.get<std::string>();
  const bool begins_so = !prefix_.empty() && text.size() > prefix_.size() && text.starts_with(prefix_);
  if (!names_.empty() && !begins_so && std::find(names_.begin(), names_.end(), text) == names_.end())
    throw unknown_name(key_, text, names_);
  *std::get<std::string*>(place_) = text;
}

void Option::set_texts(const Json& value) {
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (!value.is_array() || !std::ranges::all_of(value, is_text))
    throw ConfigError({"bad value for " + key_, expected(), value.dump()});
  *std::get<std::vector<std::string>*>(place_) = value.get<std::vector<std::string>>();
}

void Option::set_number(const Json& value) {
  const ConfigError wrong({"bad value for " + key_, expected(), value.dump()});
  if (!value.is_number()) throw wrong;
  if (auto* const* place = std::get_if<double*>(&place_)) {
    if (!within_limits(value.get<double>())) throw wrong;
    **place = value.get<double>();
    return;
  }
  if (!value.is_number_integer()) throw wrong;
  if (!value.is_number_unsigned() && value.get<std::int64_t>() < 0) throw wrong;
  const auto number = value.get<std::uint64_t>();
  if (!within_limits(static_cast<double>(number))) throw wrong;
  if (auto* const* place = std::get_if<std::uint32_t*>(&place_)) {
    if (number > std::numeric_limits<std::uint32_t>::max()) throw wrong;
    **place = static_cast<std::uint32_t>(number);
  } else {
    *std::get<std::size_t*>(place_) = number;
  }
}

Json Option::parse(std::string_view text) const {
  if (std::holds_alternative<std::string*>(place_) || std::holds_alternative<Json*>(place_))
    return Json(std::string(text));
  if (std::holds_alternative<bool*>(place_)) {
    if (text == "1" || text == "true" || text == "on" || text == "yes") return true;
    if (text == "0" || text == "false" || text == "off" || text == "no") return false;
    throw ConfigError({"bad value for " + key_, expected() + " (also 1 or 0)", std::string(text)});
  }
  // JSON's number grammar, plus what people type: "1e4" for a count, ".5" for a half.
  std::string typed(text);
  if (typed.starts_with('.')) typed.insert(0, 1, '0');
  Json number = Json::parse(typed, nullptr, /*allow_exceptions=*/false);
  if (!number.is_number()) throw ConfigError({"bad value for " + key_, expected(), std::string(text)});
  const bool whole = !std::holds_alternative<double*>(place_);
  if (whole && number.is_number_float()) {
    const auto real = number.get<double>();
    if (real >= 0 && real < 1e15 && real == std::floor(real)) number = static_cast<std::uint64_t>(real);
  }
  return number;
}

Option& Options::add(std::string key, Option::Place place, std::string help) {
  return options_.emplace_back(std::move(key), place, std::move(help));
}

Option* Options::find(std::string_view key) {
  const auto at =
      std::find_if(options_.begin(), options_.end(), [&](const Option& f) { return f.key() == key; });
  return at == options_.end() ? nullptr : &*at;
}

void Options::set(const Json& object, std::string_view kind) {
  for (const auto& [key, value] : object.items()) {
    Option* option = find(key);
    if (option == nullptr) throw unknown_name(kind, key, keys());
    option->set(value);
  }
}

std::vector<std::string> Options::keys() const {
  std::vector<std::string> keys;
  for (const Option& option : options_) keys.push_back(option.key());
  return keys;
}

Json Options::values() const {
  Json values = Json::object();
  for (const Option& option : options_) values[option.key()] = option.value();
  return values;
}

std::string typed(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

}  // namespace lockstep
