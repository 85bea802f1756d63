// SPDX-License-Identifier: BSD-3-Clause
// The words are collected first; then the described options check and convert them.
#include "train/command_line.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "core/arguments.hpp"
#include "core/build_info.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "core/options.hpp"
#include "record/run_file.hpp"
#include "train/run_config.hpp"

namespace lockstep::train {
namespace {

constexpr const char* footer =
    "The old interface still works:\n"
    "  mpiexec -n 4 ./runmpi -batch_size 64 -eval_acc 1 -n_epochs 20 -avg_freq 1 -lambda 100\n"
    "Examples:\n"
    "  mpiexec -n 4 build/bin/train --algorithm param_avg --dataset mnist\n"
    "  mpiexec -n 2 build/bin/train --algorithm parallel_sgd --batch-size 512 --allreduce ring\n"
    "  build/bin/train --config results/runs/RUN.h5 --seed 2      # the same run with another seed";

using TypedValues = std::map<std::string, std::vector<std::string>>;  // by the option's key

std::string with_hyphens(std::string text) {
  std::ranges::replace(text, '_', '-');
  return text;
}

std::string option_name(const std::string& key) { return "--" + with_hyphens(key); }

// The configuration in a JSON file or a run file, checked by itself so that an error names the file.
Json read_config(const std::string& path, const std::string& algorithm) {
  const bool is_run = std::filesystem::path(path).extension() == ".h5";
  const Json config = is_run ? record::read_run_file(path).config : read_json_file(path);
  if (!config.is_object())
    throw ConfigError(
        {path + " holds no configuration", "a JSON object: {\"key\": value, ...}", to_text(config)});
  Json alone = config;
  if (!algorithm.empty()) alone["algorithm"] = algorithm;
  (void)in_context(path, [&] { return resolve_config(alone); });
  return config;
}

// Adds one option; its value is kept as typed until the whole line is known.
void add_option(Arguments& arguments, const Option& option, const std::string& help, const std::string& group,
                TypedValues& typed) {
  const std::string names = option_name(option.key()) + (option.key() == "epochs" ? ",--n-epochs" : "");
  Argument argument = arguments.option(names, typed[option.key()], help);
  argument.value_name(option.names().empty() ? option.value_name() : join(option.names(), "|")).last_counts();
  if (!group.empty()) argument.group(group);
  const Json value = option.value();
  const std::string shown = lockstep::typed(value);
  if (option.is_switch())
    argument.optional_value();  // without a value: on
  else if (!shown.empty())
    argument.shows_default(shown);
}

// Puts the option's value into `given`, if the line has one.
void take_value(const Arguments& arguments, const Option& option, const TypedValues& typed, Json& given) {
  if (arguments.count(option_name(option.key())) == 0) return;
  const auto& values = typed.at(option.key());
  // A switch may be given without a value.
  const std::string text = values.empty() ? "" : values.back();
  given[option.key()] = option.parse(text.empty() && option.is_switch() ? "true" : text);
}

// What --lambda takes for the old -lambda, which counts in hundredths.
std::string from_hundredths(const std::string& text) {
  int hundredths = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, hundredths);
  if (failure != std::errc{} || rest != end || hundredths < 0)
    throw ConfigError({"bad value for -lambda",
                       "a whole number of hundredths, at least 0 (100 is a lambda of 1)",
                       text.empty() ? "nothing" : text, "--lambda takes the real number itself"});
  return fmt::format("{}", hundredths / 100.0);
}

// The old interface's words in today's spelling; the others as they are.
std::vector<std::string> modern_spelling(const std::vector<std::string>& words) {
  std::vector<std::string> modern;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool is_old = word.size() > 2 && word[0] == '-' && word[1] != '-' && std::isalpha(word[1]) != 0;
    if (!is_old && !word.starts_with("--")) {
      modern.push_back(word);
      continue;
    }
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string name = (is_old ? "-" : "") + with_hyphens(word.substr(0, equals));
    if (is_old && name == "--lambda") {
      const std::string next = i + 1 < words.size() ? words[i + 1] : "";
      if (equals == word.size()) ++i;
      modern.push_back(name);
      modern.push_back(from_hundredths(equals < word.size() ? word.substr(equals + 1) : next));
    } else {
      modern.push_back(name + word.substr(equals));
    }
  }
  return modern;
}

// "lockstep 0.1.0 (0123456789ab, release, GCC 13.2.0)"
std::string version_text() {
  return fmt::format("lockstep {} ({}{}, {}, {})", build_info::version, build_info::git_sha.substr(0, 12),
                     build_info::git_dirty ? "+changes" : "", build_info::config, build_info::compiler);
}

}  // namespace

CommandLine parse_command_line(const std::string& algorithm, const std::vector<std::string>& words) {
  CommandLine line;
  Arguments arguments(
      algorithm.empty() ? "train" : algorithm,
      "Trains a neural network and writes a run file (HDF5) of times and accuracies for every epoch.\n"
      "Run under mpiexec or srun for more than one rank.");
  arguments.footer(footer);
  arguments.keep_unknown_words();
  arguments.version_option(version_text());
  std::vector<std::string> config_files;
  arguments.option("--config", config_files, "JSON file, or run file (.h5), to take the configuration from")
      .value_name("FILE")
      .each_counts();
  arguments.flag("--print-config", line.print_config, "print the resolved configuration as JSON and stop");

  TypedValues typed;
  Options launch;
  line.launch.describe(launch);
  for (const Option& option : launch.all()) add_option(arguments, option, option.help(), "", typed);
  RunConfig defaults;
  Options options;
  defaults.describe(options);
  for (const Option& option : options.all())
    if (option.key() != "algorithm" || algorithm.empty())
      add_option(arguments, option, option.help(), "Configuration", typed);
  const std::vector<AlgorithmOption> of_algorithms = algorithm_options();
  for (const auto& [option, algorithms, owner] : of_algorithms)
    add_option(arguments, option, option.help() + " [" + join(algorithms) + "]", "Options of algorithms",
               typed);

  line.text = arguments.parse(modern_spelling(words));
  if (line.text) return line;
  if (const auto extras = arguments.remaining(); !extras.empty()) {
    const std::string& word = extras.front();
    if (word.starts_with("-"))
      throw unknown_name("option", word.substr(0, word.find('=')), arguments.option_names());
    throw ConfigError({"unexpected word on the command line", "options that start with --", word});
  }

  for (const std::string& file : config_files) line.given.update(read_config(file, algorithm));
  Json launched = Json::object();
  for (const Option& option : launch.all()) take_value(arguments, option, typed, launched);
  launch.set(launched);
  for (const Option& option : options.all()) take_value(arguments, option, typed, line.given);
  for (const AlgorithmOption& one : of_algorithms) take_value(arguments, one.described, typed, line.given);
  if (!algorithm.empty()) line.given["algorithm"] = algorithm;
  return line;
}

}  // namespace lockstep::train
