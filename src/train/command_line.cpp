// SPDX-License-Identifier: BSD-3-Clause
// The words are collected first; then the described options check and convert them.
#include "train/command_line.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "core/arguments.hpp"
#include "core/build_info.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "core/options.hpp"
#include "record/run_file.hpp"
#include "train/run_config.hpp"

namespace lockstep::train {
namespace {

constexpr const char* footer =
    "The old interface works as it did:\n"
    "  mpiexec -n 4 ./runmpi -batch_size 64 -eval_acc 1 -n_epochs 20 -avg_freq 1 -lambda 100\n"
    "Examples:\n"
    "  mpiexec -n 4 build/bin/train --algorithm param_avg --dataset mnist\n"
    "  mpiexec -n 2 build/bin/train --algorithm parallel_sgd --batch-size 512 --allreduce ring\n"
    "  build/bin/train --config results/runs/RUN.h5 --seed 2      # a run again, with another seed";

std::string option_name(const std::string& key) {
  std::string name = "--" + key;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

Json parse_config(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw ConfigError({.what = "cannot read the configuration file " + path});
  try {
    return Json::parse(file, nullptr, true, /*ignore_comments=*/true);
  } catch (const Json::parse_error& failure) {
    throw ConfigError({.what = path + " is not JSON", .got = failure.what()});
  }
}

// A configuration out of a JSON file or out of a run file.
Json read_config(const std::string& path) {
  const bool is_run = std::filesystem::path(path).extension() == ".h5";
  const Json config = is_run ? record::read_run_file(path).config : parse_config(path);
  if (!config.is_object())
    throw ConfigError(
        {path + " holds no configuration", "a JSON object: {\"key\": value, ...}", config.dump()});
  return config;
}

std::string default_text(const Option& option) {
  const Json value = option.value();
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Adds one option; its words are kept as typed until the whole line is known.
void add_option(Arguments& arguments, const Option& option, const std::string& help, const std::string& group,
                std::map<std::string, std::vector<std::string>>& typed) {
  const std::string names = option_name(option.key()) + (option.key() == "epochs" ? ",--n-epochs" : "");
  Argument argument = arguments.option(names, typed[option.key()], help);
  argument.value_name(option.names().empty() ? option.value_name() : join(option.names(), "|")).last_counts();
  if (!group.empty()) argument.group(group);
  if (option.is_switch())
    argument.optional_value();  // without a value: on
  else if (const std::string text = default_text(option); !text.empty())
    argument.shows_default(text);
}

}  // namespace

std::vector<std::string> modern_spelling(const std::vector<std::string>& arguments) {
  std::vector<std::string> modern;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const bool old_option = word.size() > 2 && word[0] == '-' && word[1] != '-' && std::isalpha(word[1]) != 0;
    const bool new_option = word.starts_with("--");
    if (!old_option && !new_option) {
      modern.push_back(word);
      continue;
    }
    std::string name = (old_option ? "-" : "") + word;
    std::replace(name.begin(),
                 name.begin() + static_cast<std::ptrdiff_t>(std::min(name.find('='), name.size())), '_', '-');
    if (!old_option || !name.starts_with("--lambda")) {
      modern.push_back(name);
      continue;
    }
    const bool attached = name.starts_with("--lambda=");
    const std::string value = attached ? name.substr(9) : i + 1 < arguments.size() ? arguments[++i] : "";
    int hundredths = 0;
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), hundredths);
    if (failure != std::errc{} || end != value.data() + value.size() || hundredths < 0)
      throw ConfigError({"bad value for -lambda",
                         "a whole number of hundredths, at least 0 (100 is a lambda of 1)",
                         value.empty() ? "nothing" : value, "--lambda takes the real number itself"});
    modern.push_back("--lambda");
    modern.push_back(fmt::format("{}", hundredths / 100.0));
  }
  return modern;
}

CommandLine parse_command_line(const Program& program, const std::vector<std::string>& words) {
  CommandLine line;
  Arguments arguments(
      program.algorithm.empty() ? "train" : program.algorithm,
      "Trains a neural network and writes a run file (HDF5) of times and accuracies for every epoch.\n"
      "Run under mpiexec or srun for more than one rank.");
  arguments.footer(footer);
  arguments.keep_unknown_words();
  arguments.no_help_option();
  bool help = false;
  bool version = false;
  std::vector<std::string> config_files;
  arguments.flag("-h,--help", help, "show this text");
  arguments.flag("--version", version, "show version and build");
  arguments.option("--config", config_files, "JSON file, or run file (.h5), to take the configuration from")
      .value_name("FILE")
      .each_counts();
  arguments.flag("--print-config", line.print_config, "print the resolved configuration as JSON and stop");
  std::map<std::string, std::vector<std::string>> typed;
  Options launch;
  line.launch.describe(launch);
  for (const Option& option : launch.all()) add_option(arguments, option, option.help(), "", typed);

  RunConfig defaults;
  Options options;
  defaults.describe(options);
  for (const Option& option : options.all())
    if (option.key() != "algorithm" || program.algorithm.empty())
      add_option(arguments, option, option.help(), "Configuration", typed);
  std::vector<AlgorithmOption> own = algorithm_options();
  for (const AlgorithmOption& option : own)
    add_option(arguments, option.described, option.described.help() + " [" + join(option.algorithms) + "]",
               "Options of algorithms", typed);

  (void)arguments.parse(modern_spelling(words));
  if (help) line.text = arguments.help();
  if (version)
    line.text =
        fmt::format("lockstep {} ({}{}, {}, {})", build_info::version, build_info::git_sha.substr(0, 12),
                    build_info::git_dirty ? "+changes" : "", build_info::config, build_info::compiler);
  if (line.text) return line;
  if (const auto extras = arguments.remaining(); !extras.empty()) {
    if (extras.front().starts_with("-"))
      throw unknown_name("option", extras.front().substr(0, extras.front().find('=')),
                         arguments.option_names());
    throw ConfigError({"unexpected word on the command line", "options that start with --", extras.front()});
  }

  for (const std::string& file : config_files) line.given.update(read_config(file));
  const auto take_into = [&](Json& given, const Option& option) {
    if (arguments.count(option_name(option.key())) == 0) return;
    const auto& values = typed.at(option.key());
    given[option.key()] = option.parse(values.empty() || values.back().empty() ? "true" : values.back());
  };
  Json launched = Json::object();
  for (const Option& option : launch.all()) take_into(launched, option);
  for (const auto& [key, value] : launched.items()) launch.find(key)->set(value);
  const auto take = [&](const Option& option) { take_into(line.given, option); };
  for (const Option& option : options.all()) take(option);
  for (const AlgorithmOption& option : own) take(option.described);
  if (!program.algorithm.empty()) line.given["algorithm"] = program.algorithm;
  return line;
}

}  // namespace lockstep::train
