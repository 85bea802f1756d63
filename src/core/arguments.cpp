// SPDX-License-Identifier: BSD-3-Clause
// CLI11 behind the interface.
#include "core/arguments.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

#include <CLI/CLI.hpp>

#include "core/error.hpp"

namespace lockstep {
namespace {

// "--name=" as two words, "--name" and "": CLI11 would take the next word for its value.
std::vector<std::string> with_empty_values(const std::vector<std::string>& words, const CLI::App& program) {
  const CLI::App* command = nullptr;
  for (const CLI::App* one : program.get_subcommands([](const CLI::App*) { return true; }))
    if (!words.empty() && one->get_name() == words.front()) command = one;
  const auto is_option = [&](const std::string& name) {
    return program.get_option_no_throw(name) != nullptr ||
           (command != nullptr && command->get_option_no_throw(name) != nullptr);
  };
  std::vector<std::string> all;
  for (const std::string& word : words) {
    const bool is_empty = word.starts_with("--") && word.find('=') == word.size() - 1;
    if (const std::string name = word.substr(0, word.find('=')); is_empty && is_option(name))
      all.insert(all.end(), {name, ""});
    else
      all.push_back(word);
  }
  return all;
}

}  // namespace

Argument Argument::required() { return Argument(*option_->required()); }
Argument Argument::shows_default() { return Argument(*option_->capture_default_str()); }
Argument Argument::shows_default(const std::string& text) { return Argument(*option_->default_str(text)); }
Argument Argument::one_of(const std::vector<std::string>& names) {
  return Argument(*option_->check(CLI::IsMember(names)));
}
Argument Argument::not_negative() { return Argument(*option_->check(CLI::NonNegativeNumber)); }
Argument Argument::not_empty() {
  const auto check = [](const std::string& text) { return text.empty() ? "it is empty" : ""; };
  return Argument(*option_->check(CLI::Validator(check, "")));
}
Argument Argument::value_name(const std::string& name) { return Argument(*option_->type_name(name)); }
Argument Argument::last_counts() { return Argument(*option_->take_last()); }
Argument Argument::each_counts() { return Argument(*option_->take_all()->expected(1)); }
Argument Argument::takes_several() {
  return Argument(*option_->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args());
}
Argument Argument::optional_value() { return Argument(*option_->expected(0, 1)); }
Argument Argument::group(const std::string& heading) { return Argument(*option_->group(heading)); }

Arguments::Arguments(const std::string& program, const std::string& help)
    : app_(std::make_shared<CLI::App>(help, program)) {}
Arguments::Arguments(std::shared_ptr<CLI::App> command) : app_(std::move(command)) {}

Argument Arguments::flag(const std::string& names, bool& place, const std::string& help) {
  return Argument(*app_->add_flag(names, place, help));
}
Argument Arguments::option(const std::string& names, std::string& place, const std::string& help) {
  return Argument(*app_->add_option(names, place, help));
}
Argument Arguments::option(const std::string& names, std::size_t& place, const std::string& help) {
  return Argument(*app_->add_option(names, place, help));
}
Argument Arguments::option(const std::string& names, double& place, const std::string& help) {
  const auto is_finite = [](const std::string& text) {
    double number = 0.0;
    return CLI::detail::lexical_cast(text, number) && std::isfinite(number) ? "" : text + " is no number";
  };
  return Argument(*app_->add_option(names, place, help)->check(CLI::Validator(is_finite, "")));
}
Argument Arguments::option(const std::string& names, std::vector<std::string>& place,
                           const std::string& help) {
  return Argument(*app_->add_option(names, place, help)->expected(1)->allow_extra_args(false));
}

void Arguments::footer(const std::string& text) { app_->footer(text); }
void Arguments::version_option(const std::string& version) { app_->set_version_flag("--version", version); }
void Arguments::keep_unknown_words() { app_->allow_extras(); }
void Arguments::begins_another_program() { app_->prefix_command(); }
std::vector<std::string> Arguments::remaining() const { return app_->remaining(); }

Arguments Arguments::command(std::string_view name, std::string_view help) {
  app_->require_subcommand(1);
  return Arguments(app_->get_subcommand_ptr(app_->add_subcommand(std::string(name), std::string(help))));
}
bool Arguments::given() const { return app_->parsed(); }

std::size_t Arguments::count(const std::string& name) const {
  const CLI::Option* option = app_->get_option_no_throw(name);
  return option == nullptr ? 0 : option->count();
}
std::vector<std::string> Arguments::option_names() const {
  std::vector<std::string> names;
  for (const CLI::Option* option : std::as_const(*app_).get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::optional<std::string> Arguments::parse(std::vector<std::string> words) {
  words = with_empty_values(words, *app_);
  std::ranges::reverse(words);  // CLI11 takes them from the back
  try {
    app_->parse(std::move(words));
  } catch (const CLI::Success& text) {
    std::ostringstream shown;
    (void)app_->exit(text, shown, shown);
    return shown.str();
  } catch (const CLI::ParseError& failure) {
    const bool has_commands = !app_->get_subcommands({}).empty();
    throw ConfigError({.what = failure.what(),
                       .hint = has_commands ? app_->get_name() + " COMMAND --help lists what it takes"
                                            : "--help lists the options"});
  }
  return std::nullopt;
}

}  // namespace lockstep
