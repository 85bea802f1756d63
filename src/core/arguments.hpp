// SPDX-License-Identifier: BSD-3-Clause
// The options and words of a command line. Only arguments.cpp sees CLI11, which takes seconds to compile.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace lockstep {

/// A handle of one option ("--results", "-n,--ranks") or word ("spec"); setters return it again.
class Argument {
 public:
  explicit Argument(CLI::Option& option) : option_(&option) {}

  Argument required();
  /// --help shows the variable's present value, or `text`, as the default.
  Argument shows_default();
  Argument shows_default(const std::string& text);
  Argument one_of(const std::vector<std::string>& names);
  Argument not_negative();
  Argument not_empty();
  /// What --help calls the value, e.g. "FILE"; "": nothing.
  Argument value_name(const std::string& name);
  /// Given several times, the last one counts; otherwise that is an error.
  Argument last_counts();
  /// Given several times, each value is kept: for places of several texts.
  Argument each_counts();
  /// One value or more, one after another.
  Argument takes_several();
  /// The value may be left out.
  Argument optional_value();
  /// The heading that --help shows it under.
  Argument group(const std::string& heading);

 private:
  CLI::Option* option_;
};

/// What a program, or one command of it, takes.
class Arguments {
 public:
  Arguments(const std::string& program, const std::string& help);

  Argument flag(const std::string& names, bool& place, const std::string& help);
  Argument option(const std::string& names, std::string& place, const std::string& help);
  Argument option(const std::string& names, std::size_t& place, const std::string& help);
  Argument option(const std::string& names, double& place, const std::string& help);
  Argument option(const std::string& names, std::vector<std::string>& place, const std::string& help);

  /// Text behind the options in --help.
  void footer(const std::string& text);
  void version_option(const std::string& version);
  /// Words that nothing takes are kept in remaining() rather than refused.
  void keep_unknown_words();
  /// The first word that nothing takes begins the words of another program: all from there on are kept.
  void begins_another_program();
  [[nodiscard]] std::vector<std::string> remaining() const;

  /// A command ("status") with arguments of its own. One of the commands must then be given.
  [[nodiscard]] Arguments command(std::string_view name, std::string_view help);
  /// The parsed words named this command.
  [[nodiscard]] bool given() const;
  /// How often the option "--name" was given; 0 also where there is none.
  [[nodiscard]] std::size_t count(const std::string& name) const;
  /// "--results", "--seed", ...
  [[nodiscard]] std::vector<std::string> option_names() const;

  /// Fills the places; throws ConfigError. Returns the text of --help or --version, to be printed instead of
  /// anything else, if one was given.
  [[nodiscard]] std::optional<std::string> parse(std::vector<std::string> words);

 private:
  explicit Arguments(std::shared_ptr<CLI::App> command);

  std::shared_ptr<CLI::App> app_;
};

}  // namespace lockstep
