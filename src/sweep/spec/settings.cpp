// SPDX-License-Identifier: BSD-3-Clause
// Checks and resolves settings by train's own functions, and names runs.
#include "sweep/spec/settings.hpp"

#include <span>
#include <utility>

#include <fmt/format.h>

#include "algorithms/algorithm.hpp"
#include "core/names.hpp"
#include "core/sha256.hpp"
#include "math/gemm.hpp"

namespace lockstep::sweep {
namespace {

// The configuration without any settings, the algorithm's options included.
Json default_values(const std::string& algorithm) {
  train::RunConfig config;
  Options options;
  config.describe(options);
  const auto made = algorithms::find_algorithm(algorithm).make();
  made->describe(options);
  return options.values();
}

// The operations of a run's matrix products, all ranks together: most of what it computes.
double flop_of(const train::RunConfig& run, const std::vector<math::GemmShape>& products,
               const data::DatasetInfo& data) {
  double train_flop = 0.0;  // of one sample
  double test_flop = 0.0;   // its forward pass alone
  for (const math::GemmShape& product : products) {
    train_flop += product.flop();
    if (product.op_a == math::Op::none && product.op_b == math::Op::none) test_flop += product.flop();
  }
  const double test_count = run.eval_acc ? static_cast<double>(data.test_count) : 0.0;
  return static_cast<double>(run.training.epochs) *
         (train_flop * static_cast<double>(data.train_count) + test_flop * test_count);
}

}  // namespace

SettingsTable::SettingsTable() : of_algorithms_(train::algorithm_options()) {
  options_.add("ranks", &ranks_, "MPI ranks").at_least(1).at_most(1e6);
  options_.add("nodes", &nodes_, "nodes that the ranks are on; 0: the fewest that hold them").at_most(1e6);
  config_.describe(options_);
  for (const train::AlgorithmOption& option : of_algorithms_) options_.all().push_back(option.described);
  // The sweep itself sets these for every run.
  std::erase_if(options_.all(),
                [](const Option& option) { return option.key() == "seed" || option.key() == "experiment"; });
}

Json SettingsTable::check(std::string_view where, const std::string& key, const Json& value) {
  if (key == "seed")
    throw ConfigError({.what = "seed is given in " + std::string(where),
                       .expected = R"("seeds": [1, 2, 3] or "repeats": 3 beside fixed and matrix)",
                       .hint = "runs that differ in the seed alone are repeats of each other"});
  if (key == "experiment")
    throw ConfigError({.what = "experiment is given in " + std::string(where),
                       .hint = "the sweep's name is used: \"name\": \"...\""});
  Option* option = options_.find(key);
  if (option == nullptr) throw unknown_name("setting in " + std::string(where), key, options_.keys());
  in_context(std::string(where), [&] { option->set(value); });
  return option->value();
}

Resolved& Resolver::resolve(const Json& settings) {
  const std::string text = settings.dump();
  if (const auto at = resolved_.find(text); at != resolved_.end()) return at->second;
  Resolved resolved{.config = train::resolve_config(settings)};
  const Json& values = resolved.config.values;
  for (const auto& [key, value] : settings.items())
    if (values.contains(key)) resolved.settings[key] = values[key];
  const std::string& algorithm = resolved.config.run.algorithm;
  Json& defaults = defaults_[algorithm];
  if (defaults.is_null()) defaults = default_values(algorithm);
  for (const auto& [key, value] : values.items())
    if (key != "seed" && key != "experiment" && value != defaults[key]) resolved.identity[key] = value;
  return resolved_.emplace(text, std::move(resolved)).first->second;
}

data::DatasetInfo Resolver::dataset_info(const data::DataOptions& options) {
  const std::string key =
      fmt::format("{} {} {} {} {} {}", options.dataset, options.data_dir, options.train_samples,
                  options.test_samples, options.synthetic_train, options.synthetic_test);
  if (const auto at = datasets_.find(key); at != datasets_.end()) return at->second;
  data::DatasetInfo info;
  try {
    info = data::open_dataset(options)->info();
  } catch (const ConfigError&) {
    throw;
  } catch (const Error&) {  // the files are not here: a sweep can be expanded where it does not run
    absent_.insert(options.dataset.starts_with(data::idx_prefix)
                       ? options.dataset
                       : (std::filesystem::path(options.data_dir) / options.dataset).string());
    info = {.shape = {1, 28, 28},
            .classes = 10,
            .train_count = options.train_samples == 0 ? 60000 : options.train_samples,
            .test_count = options.test_samples == 0 ? 10000 : options.test_samples};
  }
  return datasets_.emplace(key, info).first->second;
}

const Resolved& Resolver::check(const Json& settings, std::size_t ranks) {
  Resolved& resolved = resolve(settings);
  const train::ResolvedConfig& config = resolved.config;
  const std::string& name = config.run.algorithm;
  if (ranks > 1 && !algorithms::find_algorithm(name).many_ranks)
    throw ConfigError({.what = "algorithm " + name + " runs on one rank",
                       .expected = "1 rank",
                       .got = fmt::format("{} ranks", ranks),
                       .hint = fmt::format(
                           "take {0} out of the matrix and add \"include\": [{{\"algorithm\": \"{0}\", "
                           "\"ranks\": 1}}], or \"exclude\": [{{\"algorithm\": \"{0}\", \"ranks\": [{1}]}}]",
                           name, ranks)});
  train::check_algorithm(config, ranks);
  if (resolved.flop) return resolved;
  const data::DatasetInfo data = dataset_info(config.run.data);
  resolved.flop = flop_of(config.run, train::check_parts(config, data), data);
  return resolved;
}

std::string identity_text(const Resolved& resolved, std::size_t ranks, std::size_t nodes, std::uint32_t seed,
                          const nlohmann::json& simulation) {
  nlohmann::json identity = resolved.identity;
  identity["ranks"] = ranks;
  identity["seed"] = seed;
  if (nodes != 0) identity["nodes"] = nodes;
  if (!simulation.is_null()) identity["simulation"] = simulation;
  return identity.dump();
}

std::string make_run_id(const Resolved& resolved, std::size_t ranks, std::size_t nodes, std::uint32_t seed,
                        const nlohmann::json& simulation) {
  constexpr std::size_t hash_digits = 12;
  const std::string text = identity_text(resolved, ranks, nodes, seed, simulation);
  const std::string hash = sha256(std::as_bytes(std::span(text)));
  const train::RunConfig& run = resolved.config.run;
  return fmt::format("{}-{}-n{}-b{}-s{}-{}", run.algorithm, data::short_name(run.data.dataset), ranks,
                     run.training.batch_size, seed, hash.substr(0, hash_digits));
}

}  // namespace lockstep::sweep
