// SPDX-License-Identifier: BSD-3-Clause
// Resolves configurations by train's own functions, and names runs.
#include "sweep/spec/resolver.hpp"

#include <span>
#include <utility>

#include <fmt/format.h>

#include "algorithms/algorithm.hpp"
#include "core/error.hpp"
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

Work work_of(const train::RunConfig& run, const std::vector<math::GemmShape>& products,
             const data::DatasetInfo& data) {
  double sample_flop = 0.0;
  double forward_flop = 0.0;
  for (const math::GemmShape& product : products) {
    sample_flop += product.flop();
    if (product.op_a == math::Op::none && product.op_b == math::Op::none) forward_flop += product.flop();
  }
  const auto epochs = static_cast<double>(run.training.epochs);
  return {.train_flop = sample_flop * static_cast<double>(data.train_count) * epochs,
          .test_flop = run.eval_acc ? forward_flop * static_cast<double>(data.test_count) * epochs : 0.0};
}

}  // namespace

Resolver::Entry& Resolver::entry(const Json& settings) {
  const std::string text = settings.dump();
  if (const auto at = entries_.find(text); at != entries_.end()) return at->second;
  Entry made{.config = train::resolve_config(settings)};
  Resolved& resolved = made.resolved;
  resolved.values = made.config.values;
  for (const auto& [key, value] : settings.items())
    if (resolved.values.contains(key)) resolved.settings[key] = resolved.values[key];
  const std::string& algorithm = made.config.run.algorithm;
  Json& defaults = defaults_[algorithm];
  if (defaults.is_null()) defaults = default_values(algorithm);
  for (const auto& [key, value] : resolved.values.items())
    if (key != "seed" && key != "experiment" && value != defaults[key]) resolved.identity[key] = value;
  resolved.divides_batches = made.config.algorithm->capabilities().divides_batches;
  return entries_.emplace(text, std::move(made)).first->second;
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

const Resolved& Resolver::resolve(const Json& settings) { return entry(settings).resolved; }

const Resolved& Resolver::check(const Json& settings, std::size_t ranks) {
  Entry& found = entry(settings);
  const train::ResolvedConfig& config = found.config;
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
  if (found.parts_checked) return found.resolved;
  const data::DatasetInfo data = dataset_info(config.run.data);
  found.resolved.work = work_of(config.run, train::check_parts(config, data), data);
  found.parts_checked = true;
  return found.resolved;
}

std::string identity_text(const Resolved& resolved, std::size_t ranks, std::size_t nodes,
                          std::uint32_t seed) {
  nlohmann::json identity = resolved.identity;
  identity["ranks"] = ranks;
  identity["seed"] = seed;
  if (nodes != 0) identity["nodes"] = nodes;
  return identity.dump();
}

std::string make_run_id(const Resolved& resolved, std::size_t ranks, std::size_t nodes, std::uint32_t seed) {
  constexpr std::size_t hash_digits = 12;
  const std::string text = identity_text(resolved, ranks, nodes, seed);
  const std::string hash = sha256(std::as_bytes(std::span(text)));
  return fmt::format("{}-{}-n{}-b{}-s{}-{}", resolved.values["algorithm"].get<std::string>(),
                     data::short_name(resolved.values["dataset"].get<std::string>()), ranks,
                     resolved.values["batch_size"].get<std::size_t>(), seed, hash.substr(0, hash_digits));
}

}  // namespace lockstep::sweep
