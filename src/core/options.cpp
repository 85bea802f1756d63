// SPDX-License-Identifier: BSD-3-Clause
// Reading, checking and printing of described options.
#include "core/options.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "core/text.hpp"

namespace lockstep {
namespace {

// 1e3 as the whole number that it is; other values as they are.
Json whole_number(const Json& value) {
  if (!value.is_number_float()) return value;
  constexpr double beyond = 1e15;  // below it doubles hold all whole numbers
  const auto real = value.get<double>();
  return real >= 0 && real < beyond && real == std::floor(real) ? Json(static_cast<std::uint64_t>(real))
                                                                : value;
}

}  // namespace

Option::Option(std::string key, Place place, std::string help)
    : key_(std::move(key)), help_(std::move(help)), place_(place) {}

Option& Option::at_least(double low) {
  low_ = {low, /*open=*/false};
  return *this;
}

Option& Option::above(double low) {
  low_ = {low, /*open=*/true};
  return *this;
}

Option& Option::at_most(double high) {
  high_ = {high, /*open=*/false};
  return *this;
}

Option& Option::below(double high) {
  high_ = {high, /*open=*/true};
  return *this;
}

Option& Option::one_of(std::vector<std::string> names) {
  names_ = std::move(names);
  return *this;
}

Option& Option::any_bytes() {
  any_bytes_ = true;
  return *this;
}

Option& Option::not_empty() {
  not_empty_ = true;
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
  if (std::holds_alternative<std::string*>(place_))
    return fmt::format("a text{}{}", not_empty_ ? " that is not empty" : "",
                       any_bytes_ ? "" : " in UTF-8, without control characters");
  if (std::holds_alternative<std::vector<std::string>*>(place_)) return "a list of texts: [\"...\", ...]";
  if (std::holds_alternative<Json*>(place_)) return "a name or a JSON object";
  std::string text = std::holds_alternative<double*>(place_) ? "a number" : "a whole number";
  if (low_) text += fmt::format(", {} {}", low_->open ? "above" : "at least", low_->value);
  if (high_) text += fmt::format(", {} {}", high_->open ? "below" : "at most", high_->value);
  return text;
}

Json Option::value() const {
  return std::visit([](const auto* place) { return Json(*place); }, place_);
}

bool Option::within_limits(double value) const {
  if (!std::isfinite(value)) return false;
  if (low_ && (low_->open ? value <= low_->value : value < low_->value)) return false;
  return !high_ || (high_->open ? value < high_->value : value <= high_->value);
}

bool Option::has_right_type(const Json& value) const {
  if (std::holds_alternative<bool*>(place_)) return value.is_boolean();
  if (std::holds_alternative<std::string*>(place_)) return value.is_string();
  if (std::holds_alternative<Json*>(place_)) return value.is_string() || value.is_object();
  if (std::holds_alternative<std::vector<std::string>*>(place_))
    return value.is_array() && std::ranges::all_of(value, [](const Json& item) { return item.is_string(); });
  if (std::holds_alternative<double*>(place_)) return value.is_number();
  if (!value.is_number_unsigned() && !(value.is_number_integer() && value.get<std::int64_t>() >= 0))
    return false;
  return std::holds_alternative<std::size_t*>(place_) ||
         value.get<std::uint64_t>() <= std::numeric_limits<std::uint32_t>::max();
}

bool Option::is_good_text(const std::string& text) const {
  return (!not_empty_ || !text.empty()) && (any_bytes_ ? text.find('\0') == text.npos : is_plain_text(text));
}

bool Option::is_name(const std::string& text) const {
  return std::ranges::find(names_, text) != names_.end() ||
         (!prefix_.empty() && text.size() > prefix_.size() && text.starts_with(prefix_));
}

void Option::set(const Json& given) {
  const Json value = std::holds_alternative<double*>(place_) ? given : whole_number(given);
  if (!has_right_type(value) || (value.is_number() && !within_limits(value.get<double>())) ||
      (value.is_string() && !is_good_text(value.get_ref<const std::string&>())))
    throw ConfigError({"bad value for " + key_, expected(), to_text(given)});
  if (!names_.empty() && !is_name(value.get_ref<const std::string&>()))
    throw unknown_name(key_, value.get<std::string>(), names_);
  std::visit([&](auto* place) { value.get_to(*place); }, place_);
}

Json Option::parse(std::string_view text) const {
  if (std::holds_alternative<std::string*>(place_) || std::holds_alternative<Json*>(place_))
    return Json(std::string(text));
  if (is_switch()) {
    if (text == "1" || text == "true" || text == "on" || text == "yes") return true;
    if (text == "0" || text == "false" || text == "off" || text == "no") return false;
    throw ConfigError({"bad value for " + key_, expected() + " (also 1 or 0)", std::string(text)});
  }
  // JSON's number grammar, plus what people type: "1e4" for a count, ".5" for a half.
  std::string typed(text);
  if (typed.starts_with('.')) typed.insert(0, 1, '0');
  Json number = Json::parse(typed, nullptr, /*allow_exceptions=*/false);
  if (!number.is_number())
    throw ConfigError({"bad value for " + key_, expected(), text.empty() ? "''" : std::string(text)});
  return std::holds_alternative<double*>(place_) ? number : whole_number(number);
}

Option& Options::add(std::string key, Option::Place place, std::string help) {
  return options_.emplace_back(std::move(key), place, std::move(help));
}

Option* Options::find(std::string_view key) {
  const auto at = std::ranges::find(options_, key, &Option::key);
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

void Options::set(const Json& values) {
  for (const auto& [key, value] : values.items())
    if (Option* option = find(key)) option->set(value);
}

std::string typed(const Json& value) { return value.is_string() ? value.get<std::string>() : to_text(value); }

}  // namespace lockstep
