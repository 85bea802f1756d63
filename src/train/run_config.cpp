// SPDX-License-Identifier: BSD-3-Clause
// Defaults < the model's recipe < what was given.
#include "train/run_config.hpp"

#include <algorithm>

#include "comm/allreduce.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "math/gemm.hpp"
#include "nn/model.hpp"

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
    resolved.run.model = resolved.model_description;  // so that the run file stands by itself

  resolved.notes = check_keys(given, options, resolved.run.algorithm);
  const Json recipe = resolved.model_description.value("recipe", Json::object());
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
