// SPDX-License-Identifier: BSD-3-Clause
// Measures how long kernels take on this machine, for simulations with modelled computing.
#include <algorithm>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "algorithms/averaging/drift.hpp"
#include "algorithms/exchange/exchanges.hpp"
#include "algorithms/training_parts.hpp"
#include "comm/codec.hpp"
#include "comm/node_reduce.hpp"
#include "comm/transfer.hpp"
#include "core/aligned.hpp"
#include "core/arguments.hpp"
#include "core/build_info.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "core/processor.hpp"
#include "core/text.hpp"
#include "math/finite.hpp"
#include "record/atomic_file.hpp"
#include "simulate/kernel_clock.hpp"
#include "train/program.hpp"
#include "train/shared_dataset.hpp"

namespace lockstep::simulate {
namespace {

struct Settings {
  std::string output;
  std::vector<std::string> models = {"model_a", "model_a_large", "lenet5"};
  std::size_t largest_batch = 512;
  std::string gemm = "tiled";
  double seconds = 0.1;  // at least, of each thing measured
  data::DataOptions data;
};

const nn::OptimizerOptions sgd, momentum{.momentum = 0.9}, adam{.optimizer = "adam"},
    adamw{.optimizer = "adamw"};

// 1, 2, 3, 4, 6, 8, 12, ... and `most`.
std::vector<std::size_t> counts_up_to(std::size_t most, std::size_t first = 1) {
  std::vector<std::size_t> counts;
  for (std::size_t count = first; count < most; count *= 2) {
    counts.push_back(count);
    if (const std::size_t between = count + count / 2; count > 1 && between < most) counts.push_back(between);
  }
  counts.push_back(most);
  return counts;
}

/// Measures on all ranks at once, each by itself, so that they share the node's memory as in a training.
class Measurement {
 public:
  Measurement(const comm::Communicator& ranks, const Settings& settings)
      : ranks_(ranks),
        alone_(ranks.split(ranks.rank())),
        node_(ranks.node()),
        settings_(settings),
        data_(ranks, node_, settings.data) {}

  void run() {
    for (const std::string& model : settings_.models) {
      say(model);
      for (const std::size_t rows : counts_up_to(settings_.largest_batch))
        for (const bool exchanges : {false, true}) time_steps(model, rows, sgd, exchanges);
      for (const nn::OptimizerOptions* const optimizer : {&momentum, &adam, &adamw})
        for (const bool exchanges : {false, true}) time_steps(model, 64, *optimizer, exchanges);
    }
    say("passes over arrays");
    time_arrays();
    time_node_memory();
    time_shuffle();
  }

  [[nodiscard]] Json kernels() const { return clock_.kernels(ranks_); }

 private:
  void say(const std::string& what) const {
    if (!ranks_.is_root()) return;
    fmt::print("{}\n", what);
    std::fflush(stdout);
  }

  // Until the time is over, on this rank.
  template <class Act>
  void repeat(Act act) {
    constexpr std::size_t least = 5;
    const double start_s = now_s();
    for (std::size_t i = 0; i < least || now_s() - start_s < settings_.seconds; ++i) act(i);
  }

  // Steps of a rank that has `rows` samples in each: with an update by the backward pass where the optimizer
  // can, or with gradients that would be exchanged.
  void time_steps(const std::string& model, std::size_t rows, const nn::OptimizerOptions& optimizer,
                  bool exchanges) {
    const algorithms::TrainingOptions options{.batch_size = rows, .epochs = 1000};
    const nn::ScheduleOptions schedule{.learning_rate = 1e-4};
    algorithms::TrainingParts parts(alone_, data_.dataset(),
                                    {.model_description = nn::describe_model(model),
                                     .training = options,
                                     .optimizer = optimizer,
                                     .schedule = schedule,
                                     .gemm = settings_.gemm,
                                     .allreduce = "mpi",
                                     .max_batch = rows});
    data::BatchPlan plan(data_.dataset().train.count, rows, data::Division::batches, 0, 1, options.seed);
    algorithms::TrainingContext context = parts.context();
    const algorithms::ExchangeOptions plain{.exchange = "allreduce"};
    const auto exchange = exchanges ? algorithms::make_allreduce_exchange({context, plan, plain})
                                    : algorithms::make_local_update(context, plan, {});
    context.optimizer.allocate(context.parameters.size());
    plan.start_epoch(0);
    parts.phases().restart();
    const std::size_t whole = std::max<std::size_t>(1, plan.steps() - 1);  // the last may have fewer rows
    work_meter = &clock_;
    repeat([&](std::size_t i) {
      (void)exchange->train({.epoch = 0,
                             .index = i % whole,
                             .batch = plan.batch(i % whole),
                             .learning_rate = static_cast<float>(schedule.learning_rate)});
    });
    work_meter = nullptr;
  }

  void time_arrays() {
    constexpr std::size_t most = std::size_t{1} << 21;
    AlignedVector<float> a(most, 0.5F), b(most, 0.25F);
    std::vector<std::byte> codes(sizeof(float) * most);
    const auto optimizer = nn::make_optimizer(sgd);
    for (const std::size_t count : counts_up_to(most, 256)) {
      const std::span<float> to = std::span(a).first(count), from = std::span(b).first(count);
      work_meter = &clock_;
      repeat([&](std::size_t) {
        comm::add(to, from);
        comm::scale(from, 0.5F, to);
        comm::divide(from, 2.0F, to);
        (void)algorithms::relative_distance(to, from);
        (void)math::all_finite(to);
        {
          const Working working([&] { return optimizer->work(count); });
          optimizer->update(0, to, from, 1e-4F);
        }
        for (const comm::CodecRow& row : comm::codec_table()) {
          if (row.codec == nullptr) continue;
          const std::span<std::byte> code = std::span(codes).first(row.codec->bytes(count));
          row.codec->encode(from, code);
          row.codec->decode(code, to);
          row.codec->decode_add(code, to);
        }
      });
      work_meter = nullptr;
    }
  }

  // What is read here was written by another core. All ranks of the node go in step.
  void time_node_memory() {
    if (node_.size() == 1) return;
    constexpr std::size_t most = std::size_t{1} << 20, rounds = 30;
    std::vector<float> values(most, 0.5F);
    for (const std::size_t count : counts_up_to(most, 256)) {
      comm::NodeReduce sums(node_, count);
      work_meter = &clock_;
      for (std::size_t i = 0; i < rounds; ++i) sums.sum(std::span(values).first(count));
      work_meter = nullptr;
    }
  }

  void time_shuffle() {
    for (const std::size_t count : {std::size_t{1000}, std::size_t{10000}, data_.dataset().train.count}) {
      data::BatchPlan plan(count, 1, data::Division::batches, 0, 1, 1);
      work_meter = &clock_;
      repeat([&](std::size_t i) { plan.start_epoch(static_cast<std::uint32_t>(i)); });
      work_meter = nullptr;
    }
  }

  const comm::Communicator& ranks_;
  comm::Communicator alone_, node_;
  const Settings& settings_;
  train::SharedDataset data_;
  KernelClock clock_;
};

// One line a kernel.
std::string text_of(const Json& table) {
  std::string text = "{\n";
  for (const auto& [key, value] : table.items())
    if (key != "kernels") text += fmt::format("  {}: {},\n", Json(key).dump(), value.dump());
  text += "  \"kernels\": {";
  const char* before = "\n";
  for (const auto& [kernel, points] : table["kernels"].items()) {
    text += fmt::format("{}    {}: {}", before, Json(kernel).dump(), points.dump());
    before = ",\n";
  }
  return text + "\n  }\n}\n";
}

// Returns the text of --help, if that is asked for.
std::optional<std::string> read(const std::vector<std::string>& words, Settings& settings) {
  std::vector<std::string> models;
  Arguments arguments(
      "kernel_table",
      "Measures how long kernels take, on as many ranks as a node has cores, and writes the table "
      "that simulations with --kernels read.");
  arguments.option("output", settings.output, "the table's file, *.json").required().value_name("FILE.json");
  arguments.option("--models", models, "names or files; default: " + join(settings.models))
      .takes_several()
      .value_name("MODEL ...");
  arguments.option("--largest-batch", settings.largest_batch, "rows that a rank has at most in a step")
      .shows_default();
  arguments.option("--dataset", settings.data.dataset, "as for training").shows_default();
  arguments.option("--gemm", settings.gemm, "matrix product backend")
      .one_of(math::gemm_names())
      .shows_default();
  arguments.option("--seconds", settings.seconds, "time for each thing measured")
      .not_negative()
      .shows_default();
  if (auto text = arguments.parse(words)) return text;
  if (!models.empty()) settings.models = models;
  if (!settings.output.ends_with(".json"))
    throw ConfigError({"bad name of a kernel table", "a name that ends in .json", settings.output});
  if (settings.largest_batch == 0) throw ConfigError({"bad --largest-batch", "at least 1", "0"});
  for (const std::string& model : settings.models) (void)nn::describe_model(model);
  return std::nullopt;
}

int run(const comm::Communicator& ranks, const std::vector<std::string>& words) {
  Settings settings;
  std::string failure, help;
  try {
    if (const auto text = read(words, settings)) help = *text;
    if (ranks.is_root() && help.empty()) {
      record::create_folders_for(settings.output);
      record::check_writable(settings.output);
    }
  } catch (const Error& error) {
    failure = error.what();
  }
  ranks.agree_on_failure(failure);
  if (!help.empty()) {
    if (ranks.is_root()) fmt::print("{}", help);
    return 0;
  }
  Measurement measurement(ranks, settings);
  measurement.run();
  const Json table = {{"processor", processor()},
                      {"build", fmt::format("{}, {}", build_info::compiler, build_info::git_sha)},
                      {"ranks", ranks.size()},
                      {"kernels", measurement.kernels()}};
  if (!ranks.is_root()) return 0;
  const std::string text = text_of(table);
  record::replace_file(settings.output, std::as_bytes(std::span(text)), record::Durability::survives_kill);
  fmt::print("{} kernels -> {}\n", table["kernels"].size(), visible(settings.output));
  return 0;
}

}  // namespace
}  // namespace lockstep::simulate

int main(int argc, char** argv) {
  using namespace lockstep;
  return train::run_on_ranks(argc, argv, [&](const comm::Communicator& ranks) {
    return simulate::run(ranks, {argv + 1, argv + argc});
  });
}
