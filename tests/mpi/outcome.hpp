// SPDX-License-Identifier: BSD-3-Clause
// Trains an algorithm on a rig, and tells what came out.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "algorithms/algorithm.hpp"
#include "algorithms/averaging/drift.hpp"
#include "algorithms/exchange/exchange.hpp"
#include "comm/codec.hpp"
#include "core/json.hpp"
#include "rig.hpp"

namespace lockstep::algorithms {

struct Outcome {
  std::vector<float> initial, parameters;
  std::vector<float> exchanged;  // what this rank put into the last allreduce
  std::vector<EpochStats> epochs;
  std::vector<Observation> observations;  // of the last epoch
  std::string exchange;                   // chosen
  double loss_sum = 0.0;                  // of the last epoch, over all ranks
};

inline std::unique_ptr<Algorithm> start(Rig& rig, const Settings& settings) {
  auto algorithm = find_algorithm(settings.algorithm).make();
  Options options;
  algorithm->describe(options);
  for (const auto& [key, value] : settings.options.items()) options.find(key)->set(value);
  algorithm->start(rig.context());
  return algorithm;
}

inline Outcome train(const comm::Communicator& ranks, const Settings& settings) {
  Rig rig(ranks, settings);
  Outcome outcome;
  outcome.initial = rig.parameters();
  outcome.parameters.resize(rig.exported_size());
  const auto algorithm = start(rig, settings);
  for (std::uint32_t epoch = 0; epoch < settings.epochs; ++epoch) {
    rig.phases().restart();
    outcome.epochs.push_back(algorithm->run_epoch(epoch));
    if (settings.export_every_epoch) algorithm->export_model(outcome.parameters);
  }
  outcome.exchanged = rig.last_exchanged();
  algorithm->export_model(outcome.parameters);
  outcome.observations = algorithm->observations();
  for (const Choice& choice : algorithm->choices())
    if (choice.name == "exchange") outcome.exchange = choice.decision;
  std::vector<double> loss = {outcome.epochs.back().loss_sum};
  ranks.sum(loss);
  outcome.loss_sum = loss[0];
  return outcome;
}

inline double value_of(const std::vector<Observation>& observations, const std::string& name) {
  for (const Observation& seen : observations)
    if (seen.name == name) return seen.value;
  ADD_FAILURE() << "no observation " << name;
  return 0;
}
inline double observed(const Outcome& outcome, const std::string& name) {
  return value_of(outcome.observations, name);
}

/// Every algorithm, and parallel_sgd with each of its exchanges and ways to write gradients.
inline std::vector<Settings> variants() {
  std::vector<Settings> all;
  for (const AlgorithmRow& row : algorithm_table()) all.push_back({.algorithm = std::string(row.name)});
  for (const ExchangeRow& row : exchange_table())
    for (const comm::CodecRow& codec : comm::codec_table()) {
      if (codec.codec != nullptr && !row.compresses) continue;
      Settings settings{.algorithm = "parallel_sgd"};
      settings.options["exchange"] = row.name;
      settings.options["compress"] = codec.name;
      all.push_back(settings);
    }
  for (const char* overlap : {"on", "auto"}) {
    Settings settings{.algorithm = "parallel_sgd"};
    settings.options["overlap"] = overlap;
    settings.options["bucket_floats"] = 700;
    all.push_back(settings);
  }
  return all;
}

/// Those on which an algorithm runs.
inline const comm::Communicator& ranks_for(const Settings& settings) {
  return find_algorithm(settings.algorithm).many_ranks ? world() : alone();
}

inline Capabilities capabilities_of(const Settings& settings) {
  Rig rig(alone(), settings);
  return start(rig, settings)->capabilities();
}

// Of two parameter sets that went the same way but for rounding.
inline constexpr double rounding = 2e-5;

inline double distance(const Outcome& a, const Outcome& b) {
  return relative_distance(a.parameters, b.parameters);
}

// Those that average do so at the end of the training alone: being looked at comes between averages.
inline Settings averaging_at_the_end(std::string_view algorithm) {
  Settings settings{.algorithm = std::string(algorithm)};
  Options options;
  const auto made = find_algorithm(algorithm).make();
  made->describe(options);
  const Json seldom = {{"avg_freq", 0}, {"drift_threshold", 1.0}, {"check_steps", 2}};
  for (const auto& [key, value] : seldom.items())
    if (options.find(key) != nullptr) settings.options[key] = value;
  return settings;
}

}  // namespace lockstep::algorithms
