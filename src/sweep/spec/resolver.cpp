// SPDX-License-Identifier: BSD-3-Clause
// Resolves configurations by train's own functions.
#include "sweep/spec/resolver.hpp"

#include <fmt/format.h>

#include "algorithms/algorithm.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "math/gemm.hpp"

namespace lockstep::sweep {
namespace {

// All values of a configuration that nobody has said anything about, the algorithm's options included.
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
  std::unique_ptr<Entry>& entry = entries_[settings.dump()];
  if (entry) return *entry;
  auto made = std::make_unique<Entry>();
  made->config = train::resolve_config(settings);
  Resolved& resolved = made->resolved;
  resolved.values = made->config.values;
  const std::string& algorithm = made->config.run.algorithm;
  for (const auto& [key, value] : settings.items())
    if (resolved.values.contains(key)) resolved.settings[key] = resolved.values[key];
  Json& defaults = defaults_[algorithm];
  if (defaults.is_null()) defaults = default_values(algorithm);
  for (const auto& [key, value] : resolved.values.items())
    if (key != "seed" && key != "experiment" && value != defaults[key]) resolved.identity[key] = value;
  resolved.many_ranks = algorithms::find_algorithm(algorithm).many_ranks;
  resolved.divides_batches = made->config.algorithm->capabilities().divides_batches;
  entry = std::move(made);
  return *entry;
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
  } catch (const Error&) {  // the files are not here: a sweep may be looked at where it does not run
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

void Resolver::check_parts(Entry& entry) {
  if (entry.parts_checked) return;
  const data::DatasetInfo data = dataset_info(entry.config.run.data);
  entry.resolved.work = work_of(entry.config.run, train::check_parts(entry.config, data), data);
  entry.parts_checked = true;
}

const Resolved& Resolver::resolve(const Json& settings) { return entry(settings).resolved; }

const Resolved& Resolver::check(const Json& settings, std::size_t ranks) {
  Entry& found = entry(settings);
  bool& checked = ranks > 1 ? found.checked_on_many : found.checked_on_one;
  if (checked) return found.resolved;
  if (ranks > 1 && !found.resolved.many_ranks) {
    const std::string& name = found.config.run.algorithm;
    throw ConfigError({.what = "algorithm " + name + " runs on one rank",
                       .expected = "1 rank",
                       .got = fmt::format("{} ranks", ranks),
                       .hint = fmt::format(
                           "take {0} out of the matrix and add \"include\": [{{\"algorithm\": \"{0}\", "
                           "\"ranks\": 1}}], or \"exclude\": [{{\"algorithm\": \"{0}\", \"ranks\": [{1}]}}]",
                           name, ranks)});
  }
  train::check_algorithm(found.config, ranks);
  check_parts(found);
  checked = true;
  return found.resolved;
}

}  // namespace lockstep::sweep
