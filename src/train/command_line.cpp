// SPDX-License-Identifier: BSD-3-Clause
// CLI11 collects the words; the described fields check and convert them.
#include "train/command_line.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/build_info.hpp"
#include "core/names.hpp"
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

std::string default_text(const Field& field) {
  const Json value = field.value();
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// An option for a field; its words are kept as typed until the whole line is known.
void add_option(CLI::App& app, const Field& field, const std::string& help, const std::string& group,
                std::map<std::string, std::vector<std::string>>& typed) {
  const std::string names = option_name(field.key()) + (field.key() == "epochs" ? ",--n-epochs" : "");
  auto* option = app.add_option(names, typed[field.key()], help)->group(group)->type_name("");
  option->take_last()->allow_extra_args(false);
  if (field.is_switch()) {
    option->expected(0, 1);  // without a value: on
  } else {
    option->expected(1)->default_str(default_text(field));
  }
  if (!field.names().empty()) option->type_name(join(field.names(), "|"));
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

CommandLine parse_command_line(const Program& program, const std::vector<std::string>& arguments) {
  CommandLine line;
  CLI::App app(
      "Trains a neural network and writes a run file (HDF5) of times and accuracies for every epoch.\n"
      "Run under mpiexec or srun for more than one rank.");
  app.name(program.algorithm.empty() ? "train" : program.algorithm);
  app.footer(footer);
  app.allow_extras();
  app.set_help_flag();
  bool help = false;
  bool version = false;
  std::vector<std::string> config_files;
  app.add_flag("-h,--help", help, "show this text");
  app.add_flag("--version", version, "show version and build");
  app.add_option("--config", config_files, "JSON file, or run file (.h5), to take the configuration from")
      ->type_name("FILE")
      ->take_all()
      ->expected(1);
  app.add_flag("--print-config", line.print_config, "print the resolved configuration as JSON and stop");
  app.add_option("--results", line.results, "folder for run files")
      ->take_last()
      ->capture_default_str()
      ->type_name("DIR");
  app.add_option("--run-id", line.run_id, "name of the run file; made up when absent")
      ->take_last()
      ->type_name("NAME");
  app.add_flag(
      "--resume", line.resume,
      "go on with the run of this --run-id: from its checkpoint, or anew if it has none that is good; "
      "a run that is complete is left as it is");
  app.add_option("--checkpoint-epochs", line.checkpoint_epochs,
                 "a checkpoint after every so many epochs; 0: none at epochs' ends")
      ->take_last()
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  app.add_option("--checkpoint-minutes", line.checkpoint_minutes,
                 "a checkpoint about every so many minutes, in the middle of epochs too; 0: none by time")
      ->take_last()
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->type_name("X");
  app.add_option("--progress", line.progress, "live line, plain lines, or none")
      ->take_last()
      ->capture_default_str()
      ->type_name("auto|live|plain|off");

  RunConfig defaults;
  Fields fields;
  defaults.describe(fields);
  std::map<std::string, std::vector<std::string>> typed;
  for (const Field& field : fields.all())
    if (field.key() != "algorithm" || program.algorithm.empty())
      add_option(app, field, field.help(), "Configuration", typed);
  std::vector<AlgorithmOption> own = algorithm_options();
  for (const AlgorithmOption& option : own)
    add_option(app, option.field, option.field.help() + " [" + join(option.algorithms) + "]",
               "Options of algorithms", typed);

  const std::vector<std::string> modern = modern_spelling(arguments);
  try {
    app.parse(std::vector<std::string>(modern.rbegin(), modern.rend()));
  } catch (const CLI::ParseError& failure) {
    throw ConfigError({.what = failure.what(), .hint = "--help lists the options"});
  }
  if (help) line.text = app.help();
  if (version)
    line.text =
        fmt::format("lockstep {} ({}{}, {}, {})", build_info::version, build_info::git_sha.substr(0, 12),
                    build_info::git_dirty ? "+changes" : "", build_info::config, build_info::compiler);
  if (line.text) return line;
  if (const auto extras = app.remaining(); !extras.empty()) {
    std::vector<std::string> known;
    for (const CLI::Option* option : app.get_options())
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    if (extras.front().starts_with("-"))
      throw unknown_name("option", extras.front().substr(0, extras.front().find('=')), known);
    throw ConfigError({"unexpected word on the command line", "options that start with --", extras.front()});
  }

  for (const std::string& file : config_files) line.given.update(read_config(file));
  const auto take = [&](const Field& field) {
    const CLI::Option* option = app.get_option_no_throw(option_name(field.key()));
    if (option == nullptr || option->count() == 0) return;
    const auto& words = typed.at(field.key());
    line.given[field.key()] = field.parse(words.empty() || words.back().empty() ? "true" : words.back());
  };
  for (const Field& field : fields.all()) take(field);
  for (const AlgorithmOption& option : own) take(option.field);
  if (!program.algorithm.empty()) line.given["algorithm"] = program.algorithm;
  return line;
}

}  // namespace lockstep::train
