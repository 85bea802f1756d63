// SPDX-License-Identifier: BSD-3-Clause
// Options described once: key, place, help and limits serve JSON, the command line, --help and the run file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/json_fwd.hpp"

namespace lockstep {

/// One option: a key, the variable that holds its value (and, before it is set, its default), and its limits.
class Option {
 public:
  using Place = std::variant<bool*, std::size_t*, std::uint32_t*, double*, std::string*,
                             std::vector<std::string>*, Json*>;

  Option(std::string key, Place place, std::string help);

  /// Limits; a value outside is a ConfigError that names the key.
  Option& at_least(double low);
  Option& above(double low);
  Option& at_most(double high);
  Option& below(double high);
  /// The value must be one of these names.
  Option& one_of(std::vector<std::string> names);
  /// A text may hold any bytes, as a path does; otherwise it must be UTF-8 without control characters.
  Option& any_bytes();
  /// A text must not be empty.
  Option& not_empty();
  /// What --help calls the value of an option without names, e.g. "FILE".
  Option& value_name(std::string name);
  /// Also allows `prefix` with more text behind it; the list of names shows it as `shown`, e.g. "idx:FOLDER".
  Option& or_begins_with(std::string prefix, std::string shown);

  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] const std::string& help() const { return help_; }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] const std::string& value_name() const { return value_name_; }
  /// What a value must be: "a whole number, at least 1".
  [[nodiscard]] std::string expected() const;

  [[nodiscard]] Json value() const;
  /// True for options that are on or off.
  [[nodiscard]] bool is_switch() const { return std::holds_alternative<bool*>(place_); }
  /// Takes a JSON value of the option's own type; throws ConfigError.
  void set(const Json& value);
  /// Takes a value as typed on a command line; throws ConfigError.
  [[nodiscard]] Json parse(std::string_view text) const;

 private:
  struct Limit {
    double value;
    bool open;  // the value itself is outside
  };
  [[nodiscard]] bool is_good_text(const std::string& text) const;
  [[nodiscard]] bool within_limits(double value) const;
  [[nodiscard]] bool has_right_type(const Json& value) const;
  [[nodiscard]] bool is_name(const std::string& text) const;

  std::string key_, help_, value_name_;
  Place place_;
  std::optional<Limit> low_, high_;
  std::vector<std::string> names_;
  bool any_bytes_ = false, not_empty_ = false;
  std::string prefix_;  // of or_begins_with(), or ""
};

/// The options of one part of the program, in the order in which they are shown.
class Options {
 public:
  Option& add(std::string key, Option::Place place, std::string help);

  [[nodiscard]] Option* find(std::string_view key);
  /// Sets the options that a JSON object names; throws ConfigError for an unknown `kind` of key.
  void set(const Json& object, std::string_view kind);
  [[nodiscard]] std::vector<Option>& all() { return options_; }
  [[nodiscard]] std::vector<std::string> keys() const;
  [[nodiscard]] Json values() const;
  /// Sets the options that `values` names; other keys are ignored. Throws ConfigError.
  void set(const Json& values);

 private:
  std::vector<Option> options_;
};

/// A value as people type it: texts without quotes.
[[nodiscard]] std::string typed(const Json& value);

}  // namespace lockstep
