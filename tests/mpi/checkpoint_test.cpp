// SPDX-License-Identifier: BSD-3-Clause
// A training that is interrupted and goes on in other objects, from a file, ends as one that was not: to the
// last bit. And: ranks agree on the step at which they are interrupted.
#include "record/checkpoint.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "comm/stop_agreement.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "outcome.hpp"
#include "train/checkpointing.hpp"

namespace lockstep::algorithms {
namespace {

namespace fs = std::filesystem;

/// A folder of the test's own, the same for all ranks of a communicator.
class Folder {
 public:
  explicit Folder(const comm::Communicator& ranks) : ranks_(ranks) {
    std::string name = (fs::temp_directory_path() / ("lockstep-" + std::to_string(getpid()))).string();
    ranks.broadcast(name);
    path_ = name;
    if (ranks.is_root()) fs::create_directories(path_);
    ranks.barrier();
  }
  ~Folder() {
    ranks_.barrier();
    if (ranks_.is_root()) fs::remove_all(path_);
  }
  [[nodiscard]] fs::path run_file() const { return path_ / "run.h5"; }

 private:
  const comm::Communicator& ranks_;
  fs::path path_;
};

/// A rig with its algorithm, trained step by step.
class Trainee {
 public:
  Trainee(const comm::Communicator& ranks, const Settings& settings)
      : settings_(settings), rig_(ranks, settings), algorithm_(find_algorithm(settings.algorithm).make()) {
    Options options;
    algorithm_->describe(options);
    for (const auto& [key, value] : settings.options.items()) options.find(key)->set(value);
    TrainingContext context = rig_.context();
    context.on_step = [this](const StepReport&) { return ++steps_ == pause_at_; };
    algorithm_->start(context);
    rig_.phases().restart();
  }

  /// Trains until `steps` steps were made here, or to the end.
  void train(std::size_t steps = 0) {
    steps_ = 0;
    pause_at_ = steps;
    while (epoch_ < settings_.epochs) {
      const EpochStats stats = algorithm_->run_epoch(epoch_);
      if (stats.paused) return;
      epochs_.push_back(stats);
      ++epoch_;
    }
  }
  State state() {
    State state;
    algorithm_->describe_state(state);
    return state;
  }
  void set_epoch(std::uint32_t epoch) { epoch_ = epoch; }
  [[nodiscard]] std::uint32_t epoch() const { return epoch_; }
  [[nodiscard]] std::vector<float> parameters() {
    std::vector<float> parameters(rig_.exported_size());
    algorithm_->export_model(parameters);
    return parameters;
  }
  [[nodiscard]] const EpochStats& last_epoch() const { return epochs_.back(); }
  [[nodiscard]] std::vector<Observation> observations() const { return algorithm_->observations(); }

 private:
  const Settings settings_;
  Rig rig_;
  std::unique_ptr<Algorithm> algorithm_;
  std::size_t steps_ = 0, pause_at_ = 0;
  std::uint32_t epoch_ = 0;
  std::vector<EpochStats> epochs_;
};

void expect_same(Trainee& resumed, Trainee& unbroken) {
  EXPECT_EQ(resumed.parameters(), unbroken.parameters());
  EXPECT_EQ(resumed.last_epoch().loss_sum, unbroken.last_epoch().loss_sum);
  EXPECT_EQ(resumed.last_epoch().samples, unbroken.last_epoch().samples);
  EXPECT_EQ(resumed.last_epoch().steps, unbroken.last_epoch().steps);
  const auto seen = resumed.observations();
  const auto expected = unbroken.observations();
  ASSERT_EQ(seen.size(), expected.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (seen[i].name == "hidden_share") continue;  // tells of times
    if (std::isnan(expected[i].value)) continue;
    EXPECT_EQ(seen[i].value, expected[i].value) << seen[i].name;
  }
}

// `steps` lie at the beginning, in the middle and at the end of an
// epoch.
void expect_resumes_bitwise(const comm::Communicator& ranks, const Settings& settings,
                            std::initializer_list<std::size_t> steps) {
  Trainee unbroken(ranks, settings);
  unbroken.train();
  for (const std::size_t step : steps) {
    SCOPED_TRACE(settings.algorithm + " " + settings.options.dump() + settings.optimizer +
                 settings.model.dump() + " after step " + std::to_string(step));
    const Folder folder(ranks);
    std::uint32_t epoch = 0;
    {
      Trainee interrupted(ranks, settings);
      interrupted.train(step);
      epoch = interrupted.epoch();
      ASSERT_LT(epoch, settings.epochs) << "it ended before the interruption";
      ASSERT_EQ(train::save_checkpoint(ranks, interrupted.state(), folder.run_file(), Json::object()), "");
    }
    Trainee resumed(ranks, settings);
    std::optional<record::CheckpointReader> reader;
    if (ranks.is_root()) reader.emplace(record::checkpoint_path(folder.run_file()));
    train::restore_checkpoint(ranks, resumed.state(), reader ? &*reader : nullptr);
    resumed.set_epoch(epoch);
    resumed.train();
    expect_same(resumed, unbroken);
  }
}

TEST(Checkpoint, EveryAlgorithmAndExchangeGoesOnToTheLastBit) {
  for (Settings settings : variants())
    for (const auto& [model, optimizer, momentum] : combinations()) {
      settings.model = model;
      settings.optimizer = optimizer;
      settings.batch_size = 8;
      settings.momentum = momentum;
      EXPECT_TRUE(capabilities_of(settings).resumes_bitwise);
      if (settings.options.value("overlap", "") == "auto") continue;  // goes by the clock
      expect_resumes_bitwise(ranks_for(settings), settings, {1, 3});
    }
}

TEST(Checkpoint, AveragesGoOnInTheMiddleOfTheirSchedule) {
  for (const Json& options : {Json{{"avg_steps", 3}}, Json{{"avg_freq", 2}}, Json{{"avg_freq", 0}}})
    for (const char* algorithm : {"param_avg", "w_param_avg"})
      expect_resumes_bitwise(
          world(), {.algorithm = algorithm, .batch_size = 8, .momentum = 0.9, .options = options}, {1, 2, 4});
  expect_resumes_bitwise(world(),
                         {.algorithm = "drift_avg",
                          .batch_size = 4,
                          .momentum = 0.9,
                          .options = {{"drift_threshold", 0.02}, {"check_steps", 3}}},
                         {2, 4, 5});
}

TEST(Checkpoint, EveryExchangeOfParallelSgdGoesOn) {
  // 13 steps an epoch: the first epoch's last step is the end of an epoch.
  for (const auto& [model, optimizer, momentum] : combinations())
    for (const Json& options :
         {Json{{"exchange", "shared"}}, Json{{"exchange", "allreduce"}},
          Json{{"exchange", "zero1"}, {"compress", "bf16"}}, Json{{"overlap", "on"}, {"bucket_floats", 700}}})
      expect_resumes_bitwise(world(),
                             {.algorithm = "parallel_sgd",
                              .model = model,
                              .optimizer = optimizer,
                              .momentum = momentum,
                              .options = options},
                             {5, 13, 17});
}

TEST(Checkpoint, EveryAllreduceGoesOn) {
  for (const comm::AllreduceRow& row : comm::allreduce_table())
    if (row.name != "auto")
      expect_resumes_bitwise(
          world(), {.algorithm = "parallel_sgd", .allreduce = std::string(row.name), .momentum = 0.9}, {7});
}

TEST(Checkpoint, HoldsCommonAndDividedArraysOnceAndOwnOnesForEachRank) {
  const Folder folder(world());
  const auto shape_of = [&](const Settings& settings, const std::string& array) {
    Trainee run(world(), settings);
    run.train(2);
    EXPECT_EQ(train::save_checkpoint(world(), run.state(), folder.run_file(), Json::object()), "");
    const record::CheckpointReader reader(record::checkpoint_path(folder.run_file()));
    const auto& arrays = reader.contents().arrays;
    const auto found = std::ranges::find(arrays, array, &record::CheckpointContents::Array::name);
    return found == arrays.end() ? std::vector<std::size_t>{} : found->shape;
  };
  const std::size_t ranks = world().size();
  const std::size_t count = Rig(world(), {.algorithm = "serial"}).parameters().size();
  const std::vector<std::size_t> layers = {785 * 12, 13 * 10};
  const auto once = std::vector{count};
  const auto each = std::vector{ranks, count};
  for (const char* exchange : {"shared", "allreduce"}) {
    const Settings settings{
        .algorithm = "parallel_sgd", .momentum = 0.9, .options = {{"exchange", exchange}}};
    // Ranks that share parameters have a part of each layer's.
    const bool by_layer = ranks > 1 && exchange == std::string("shared");
    for (const std::string array : {"parameters", "velocity"}) {
      if (!by_layer) {
        EXPECT_EQ(shape_of(settings, array), once);
        continue;
      }
      for (std::size_t i = 0; i < layers.size(); ++i)
        EXPECT_EQ(shape_of(settings, array + "." + std::to_string(i)), std::vector{layers[i]});
    }
  }
  EXPECT_EQ(shape_of({.algorithm = "w_param_avg", .momentum = 0.9}, "parameters"), each);
  EXPECT_EQ(shape_of({.algorithm = "w_param_avg", .momentum = 0.9}, "velocity"), each);
  EXPECT_EQ(shape_of({.algorithm = "w_param_avg", .momentum = 0.9}, "last_average"), once);
}

TEST(Checkpoint, ThatCannotBeWrittenIsToldToAllRanksAndHangsNone) {
  Trainee run(world(), {.algorithm = "param_avg"});
  run.train(2);
  EXPECT_NE(train::save_checkpoint(world(), run.state(), "/proc/nowhere/run.h5", Json::object()), "");
}

TEST(Checkpoint, AnAllreduceChosenBeforeIsMadeAgainWithoutMeasuring) {
  constexpr std::size_t length = 5000;
  const auto sums = [](comm::Allreduce& allreduce) {
    std::vector<float> values;
    for (const std::size_t count : {std::size_t{1}, std::size_t{100}, length}) {
      std::vector<float> array(count);
      for (std::size_t i = 0; i < count; ++i)
        array[i] = std::sin(static_cast<float>(i * (world().rank() + 1) + 1));
      allreduce.sum(array);
      values.insert(values.end(), array.begin(), array.end());
    }
    return values;
  };
  const auto measured = comm::make_allreduce("auto", world(), length);
  const auto again = comm::make_chosen_allreduce(measured->choices(), world(), length);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(comm::to_text(again->choices()), comm::to_text(measured->choices()));
  EXPECT_EQ(sums(*again), sums(*measured));

  const std::vector<comm::AllreduceChoice> mixed = {
      {64, "recursive_doubling"}, {4000, "ring"}, {length * sizeof(float), "recursive_doubling"}};
  const auto given = comm::make_chosen_allreduce(mixed, world(), length);
  ASSERT_NE(given, nullptr);
  EXPECT_EQ(comm::to_text(given->choices()), comm::to_text(mixed));
  EXPECT_EQ(comm::make_chosen_allreduce({{length * sizeof(float), "unheard_of"}}, world(), length), nullptr);
  EXPECT_EQ(comm::make_chosen_allreduce({{length * sizeof(float), "ring"}}, world(), length + 1), nullptr);
  EXPECT_EQ(comm::make_chosen_allreduce({}, world(), length), nullptr);
}

TEST(StopAgreement, AllRanksLearnOfARequestAtTheSameStepWhoeverMadeIt) {
  PhaseTimer phases;
  phases.restart();
  for (std::size_t asking = 0; asking < world().size(); ++asking)
    for (const bool stop : {true, false}) {
      comm::StopAgreement stop_agreement(world());
      std::size_t agreed_at = 0;
      comm::Request agreed;
      for (std::size_t step = 1; step <= 100000 && agreed_at == 0; ++step) {
        if (!stop_agreement.due()) continue;
        const bool mine = world().rank() == asking && step > 10;
        agreed = stop_agreement.exchange({.stop = mine && stop, .checkpoint = mine && !stop}, phases);
        if (agreed.any()) agreed_at = step;
      }
      EXPECT_EQ(agreed.stop, stop);
      EXPECT_EQ(agreed.checkpoint, !stop);
      EXPECT_GT(agreed_at, 10U);
      EXPECT_EQ(world().max(static_cast<double>(agreed_at)), static_cast<double>(agreed_at));
      EXPECT_EQ(-world().max(-static_cast<double>(agreed_at)), static_cast<double>(agreed_at));
    }
}

TEST(StopAgreement, ComesAboutTenTimesASecondAndNeverLessThanEveryStep) {
  PhaseTimer phases;
  phases.restart();
  comm::StopAgreement stop_agreement(world());
  for (int step = 0; step < 40; ++step) {  // of 5 ms: 20 steps between check-ins, of whom the first are apart
    ::usleep(5000);
    if (stop_agreement.due()) (void)stop_agreement.exchange({}, phases);
  }
  EXPECT_GE(stop_agreement.interval(), 1U);
  EXPECT_LE(stop_agreement.interval(), 20U);
  EXPECT_EQ(world().max(static_cast<double>(stop_agreement.interval())),
            static_cast<double>(stop_agreement.interval()));
}

}  // namespace
}  // namespace lockstep::algorithms
