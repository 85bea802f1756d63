// SPDX-License-Identifier: BSD-3-Clause
// Defaults < the model's recipe < what was given; and checks across keys.
#include "train/run_config.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/allreduce.hpp"
#include "core/error.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "nn/model.hpp"
#include "train/model_io.hpp"

namespace lockstep::train {
namespace {

// Keys that no part of the program knows are errors; keys of another algorithm are worth a note.
std::vector<std::string> check_keys(const Json& given, Options& known, const std::string& algorithm) {
  std::vector<std::string> all = known.keys();
  std::vector<std::string> of_others;
  for (const AlgorithmOption& option : algorithm_options()) of_others.push_back(option.described.key());
  all.insert(all.end(), of_others.begin(), of_others.end());
  std::vector<std::string> notes;
  for (const auto& [key, value] : given.items()) {
    if (known.find(key) != nullptr) continue;
    if (std::ranges::find(of_others, key) == of_others.end())
      throw unknown_name("configuration key", key, all);
    notes.push_back(key + " has no effect with " + algorithm);
  }
  return notes;
}

// The settings that a model brings along. The model and the algorithm are chosen before they are known.
Json recipe_of(const Json& description) {
  const Json recipe = description.value("recipe", Json::object());
  const bool chooses = recipe.contains("model") || recipe.contains("algorithm");
  if (!recipe.is_object() || chooses)
    throw ConfigError({"bad recipe of a model",
                       "a JSON object of settings, without model and algorithm: {\"learning_rate\": 0.01}",
                       to_text(recipe)});
  return recipe;
}

}  // namespace

void RunConfig::describe(Options& options) {
  options.add("algorithm", &algorithm, "how the ranks share the work")
      .one_of(names_of(algorithms::algorithm_table()));
  options.add("model", &model, "what is trained: " + nn::model_names());
  options
      .add("init_from", &init_from,
           "start from the parameters of a file that --save-model wrote; else from the seed's")
      .value_name("FILE.h5");
  data.describe(options);
  training.describe(options);
  optimizer.describe(options);
  schedule.describe(options);
  options.add("allreduce", &allreduce, "how arrays are summed over the ranks")
      .one_of(names_of(comm::allreduce_table()));
  options.add("gemm", &gemm, "matrix product backend").one_of(math::gemm_names());
  options.add("eval_acc", &eval_acc, "evaluate the test set after every epoch, off the training clock");
  options.add("eval_ranks", &eval_ranks,
              "also evaluate each rank's own model after every epoch, before an average that ends it");
  options.add("experiment", &experiment, "name of the group of runs: a folder of the results");
}

ResolvedConfig resolve_config(const Json& given) {
  ResolvedConfig resolved;
  Options options;
  resolved.run.describe(options);

  // The model and the algorithm first: they bring defaults and options of their own.
  for (const char* key : {"algorithm", "model"})
    if (given.contains(key)) options.find(key)->set(given[key]);
  resolved.algorithm = algorithms::find_algorithm(resolved.run.algorithm).make();
  resolved.algorithm->describe(options);
  resolved.model_description = nn::describe_model(resolved.run.model);
  if (resolved.run.model.is_string() && resolved.run.model.get<std::string>().ends_with(".json"))
    resolved.run.model = resolved.model_description;  // so that the run file is complete

  resolved.notes = check_keys(given, options, resolved.run.algorithm);
  const Json recipe = recipe_of(resolved.model_description);
  check_keys(recipe, options, resolved.run.algorithm);
  options.set(recipe);
  const Json model = resolved.run.model;
  options.set(given);
  resolved.run.model = model;
  // What goes by the clock would differ from run to run.
  if (resolved.run.training.reproducible) {
    if (resolved.run.allreduce == "auto") resolved.run.allreduce = "rabenseifner";
    if (resolved.run.gemm == "auto") resolved.run.gemm = "tiled";
  }
  resolved.run.data.seed = resolved.run.training.seed;
  resolved.values = options.values();
  return resolved;
}

void check_algorithm(const ResolvedConfig& config, std::size_t ranks) {
  const std::string& name = config.run.algorithm;
  if (ranks > 1 && !algorithms::find_algorithm(name).many_ranks)
    throw ConfigError({"algorithm " + name + " runs on one rank", "1 rank", fmt::format("{} ranks", ranks),
                       "mpiexec -n 1, or --algorithm parallel_sgd"});
  const bool divides_batches = config.algorithm->capabilities().divides_batches;
  constexpr std::size_t shards = algorithms::reproducible_shards;
  if (config.run.training.reproducible && divides_batches && shards % ranks != 0)
    throw ConfigError({fmt::format("with --reproducible {} divides a batch into {} shards", name, shards),
                       "1, 2, 4 or 8 ranks", fmt::format("{} ranks", ranks)});
  if (ranks == 1) return;
  config.algorithm->check(config.run.training, config.run.allreduce);
  if (config.run.training.batch_norm == "sync" && !divides_batches)
    throw ConfigError(
        {"with " + name + " each rank makes its own batches, so there are no statistics over the ranks",
         "--batch-norm own", "--batch-norm sync", "--algorithm parallel_sgd"});
}

std::vector<math::GemmShape> check_parts(const ResolvedConfig& config, const data::DatasetInfo& data) {
  const auto gemm = math::make_gemm(config.run.gemm);
  (void)nn::make_optimizer(config.run.optimizer);
  const nn::Model model(config.model_description, {.input = data.shape,
                                                   .classes = data.classes,
                                                   .seed = config.run.training.seed,
                                                   .max_batch = 1,
                                                   .gemm = gemm.get()});
  if (config.run.training.reproducible && model.depends_on_batch() &&
      config.algorithm->capabilities().divides_batches)
    throw ConfigError({"the statistics of batch_norm layers depend on how a batch is divided",
                       "a model without them", "--reproducible",
                       "or param_avg, whose ranks make their own batches"});
  if (!config.run.init_from.empty()) (void)read_model_for(model, config.run.init_from);
  return model.gemms(1);
}

std::vector<AlgorithmOption> algorithm_options() {
  std::vector<AlgorithmOption> found;
  for (const algorithms::AlgorithmRow& row : algorithms::algorithm_table()) {
    Options options;
    const std::shared_ptr<algorithms::Algorithm> algorithm = row.make();
    algorithm->describe(options);
    for (const Option& option : options.all()) {
      const auto same =
          std::ranges::find(found, option.key(), [](const auto& o) { return o.described.key(); });
      if (same == found.end())
        found.push_back({option, {std::string(row.name)}, algorithm});
      else
        same->algorithms.emplace_back(row.name);
    }
  }
  return found;
}

}  // namespace lockstep::train
