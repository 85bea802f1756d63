// SPDX-License-Identifier: BSD-3-Clause
// Builds the parts of a run and leads it through its epochs.
#include "train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <optional>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "comm/allreduce.hpp"
#include "core/aligned.hpp"
#include "core/names.hpp"
#include "data/batches.hpp"
#include "math/gemm_choice.hpp"
#include "record/progress.hpp"
#include "record/provenance.hpp"
#include "record/run_file.hpp"
#include "train/check.hpp"
#include "train/evaluator.hpp"
#include "train/run_log.hpp"
#include "train/run_provenance.hpp"
#include "train/shared_dataset.hpp"

namespace lockstep::train {
namespace {

constexpr int diverged = 3;
constexpr std::size_t evaluation_batch = 256;

std::string make_run_id(const RunConfig& config, std::size_t ranks) {
  const std::time_t now = std::time(nullptr);
  return fmt::format("{}-{}-n{}-b{}-s{}-{:%Y%m%dT%H%M%SZ}-{:04x}", config.algorithm, config.data.dataset,
                     ranks, config.training.batch_size, config.training.seed, fmt::gmtime(now),
                     getpid() & 0xffff);
}

/// A training in progress: the parts, owned in the order in which they need each other.
class Training {
 public:
  Training(const comm::Communicator& ranks, ResolvedConfig& config, const RunSettings& settings)
      : ranks_(ranks),
        node_(ranks.node()),
        config_(config),
        shared_data_(node_, config.run.data),
        data_(shared_data_.dataset()),
        gemm_(math::make_gemm(config.run.gemm)),
        model_(config.model_description, {.input = data_.info.shape,
                                          .classes = data_.info.classes,
                                          .seed = config.run.training.seed,
                                          .max_batch = max_batch(),
                                          .gemm = gemm_.get()}),
        parameters_(model_.parameter_count()),
        gradients_(model_.parameter_count()),
        exported_(model_.parameter_count()),
        optimizer_(nn::make_optimizer(config.run.optimizer, model_.parameter_count())),
        allreduce_(comm::make_allreduce(config.run.allreduce, ranks, model_.parameter_count() + 1)),
        evaluator_(data_.test, std::min(evaluation_batch, max_batch())),
        log_(ranks, record_),
        start_s_(settings.start_s) {
    model_.bind(parameters_);
    model_.initialize();
    config_.algorithm->start({.ranks = ranks_,
                              .allreduce = *allreduce_,
                              .allreduce_name = config.run.allreduce,
                              .model = model_,
                              .parameters = parameters_,
                              .gradients = gradients_,
                              .optimizer = *optimizer_,
                              .schedule = config_.run.schedule,
                              .samples = data_.train,
                              .options = config_.run.training,
                              .phases = phases_,
                              .on_step = [this](const algorithms::StepReport& step) { show(epoch_, step); }});
    choose_gemms();
    open_record(settings);
  }

  int run();

 private:
  // Batches of training and of evaluation share the model's buffers.
  [[nodiscard]] std::size_t max_batch() const {
    const std::size_t training = std::min(config_.run.training.batch_size, data_.info.train_count);
    return std::max(training, std::min(evaluation_batch, data_.info.test_count));
  }

  void choose_gemms();
  void open_record(const RunSettings& settings);
  void show(std::uint32_t epoch, const algorithms::StepReport& step);
  TestResult evaluate();
  EpochOfRun run_epoch(std::uint32_t epoch);
  void close_record(const char* status, const EpochOfRun& last);

  const comm::Communicator& ranks_;
  comm::Communicator node_;
  ResolvedConfig& config_;
  SharedDataset shared_data_;
  const data::Dataset& data_;
  std::unique_ptr<math::Gemm> gemm_;
  nn::Model model_;
  AlignedVector<float> parameters_, gradients_, exported_;
  std::unique_ptr<nn::Optimizer> optimizer_;
  std::unique_ptr<comm::Allreduce> allreduce_;
  Evaluator evaluator_;
  PhaseTimer phases_;
  record::RunRecord record_;
  RunLog log_;
  std::optional<record::RunFileWriter> file_;  // on rank 0
  std::optional<record::Progress> progress_;   // on rank 0
  record::ProgressStyle style_ = record::ProgressStyle::off;
  std::uint32_t epoch_ = 0;
  double start_s_;  // when MPI had started
  double first_step_s_ = 0.0;
  double checkpoint_s_ = 0.0;  // of the snapshot after the epoch before
};

// A backend that measures does so on one rank of each node, before the training: its ranks then agree, and
// what is measured once is known to all.
void Training::choose_gemms() {
  if (node_.is_root()) {
    std::vector<math::GemmShape> shapes;
    for (const std::size_t batch : config_.algorithm->batch_sizes())
      std::ranges::copy(model_.gemms(batch), std::back_inserter(shapes));
    const std::size_t tested = data::share(data_.info.test_count, ranks_.rank(), ranks_.size()).size();
    const std::size_t evaluated = std::min({evaluation_batch, max_batch(), tested});
    if (config_.run.eval_acc)
      std::ranges::copy_if(model_.gemms(evaluated), std::back_inserter(shapes), [](const math::GemmShape& s) {
        return s.op_a == math::Op::none && s.op_b == math::Op::none;
      });
    gemm_->prepare(shapes);
  }
  std::string choices = math::to_text(gemm_->choices());
  node_.broadcast(choices);
  gemm_->adopt(math::parse_choices(choices));
}

void Training::open_record(const RunSettings& settings) {
  Json provenance = run_provenance(ranks_, node_, settings);
  provenance.update(memory_provenance(ranks_));  // so far; taken again at the end
  if (!ranks_.is_root()) return;
  provenance["dataset_sha256"] = shared_data_.sha256();
  provenance["parameter_count"] = model_.parameter_count();
  if (const auto choices = gemm_->choices(); !choices.empty())
    provenance["gemm_choices"] = math::to_text(choices);
  provenance["seed"] = config_.run.training.seed;
  if (const auto choices = allreduce_->choices(); !choices.empty())
    provenance["allreduce_choice"] = comm::to_text(choices);
  const Json decided = config_.algorithm->choices();
  for (const auto& [name, choice] : decided.items()) provenance[name + "_choice"] = choice;
  record_.run_id = settings.run_id.empty() ? make_run_id(config_.run, ranks_.size()) : settings.run_id;
  record_.started = record::utc_now();
  record_.config = config_.values;
  record_.model = config_.model_description;
  record_.provenance = std::move(provenance);
  const auto path =
      std::filesystem::path(settings.results) / config_.run.experiment / (record_.run_id + ".h5");
  file_.emplace(path);
  file_->snapshot(record_);
  style_ = record::progress_style(settings.progress);
  if (style_ != record::ProgressStyle::off) {
    fmt::print("{} on {}: {} rank{}, batch size {}, {} parameters -> {}\n", config_.run.algorithm,
               config_.run.data.dataset, ranks_.size(), ranks_.size() == 1 ? "" : "s",
               config_.run.training.batch_size, model_.parameter_count(), path.string());
    std::fflush(stdout);
  }
}

void Training::show(std::uint32_t epoch, const algorithms::StepReport& step) {
  if (!ranks_.is_root()) return;
  if (!progress_) progress_.emplace(stdout, style_, config_.run.training.epochs, step.steps);
  progress_->step({.epoch = epoch + 1,
                   .step = step.step,
                   .samples = static_cast<double>(step.samples * ranks_.size()),
                   .loss = step.loss_sum / static_cast<double>(std::max<std::size_t>(step.samples, 1))});
}

TestResult Training::evaluate() {
  config_.algorithm->export_parameters(exported_);
  const std::span<float> trained = model_.parameters();
  model_.bind(exported_);
  const TestResult result = evaluator_.evaluate(ranks_, model_);
  model_.bind(trained);
  return result;
}

EpochOfRun Training::run_epoch(std::uint32_t epoch) {
  ranks_.barrier();
  epoch_ = epoch;
  phases_.restart();
  EpochOfRank mine{.stats = config_.algorithm->run_epoch(epoch),
                   .phases = {},
                   .wall_clock_s = 0.0,
                   .tested = {},
                   .observations = config_.algorithm->observations()};
  phases_.enter(Phase::evaluate);
  if (config_.run.eval_acc) mine.tested = evaluate();
  mine.phases = phases_.stop();
  mine.phases[static_cast<std::size_t>(Phase::checkpoint)] = checkpoint_s_;
  mine.wall_clock_s = now_s() - first_step_s_;
  const EpochOfRun run = log_.append(mine);
  if (progress_)
    progress_->epoch_done({.epoch = epoch + 1,
                           .train_loss = run.train_loss,
                           .test_accuracy = mine.tested ? mine.tested->accuracy : std::nan(""),
                           .epoch_s = run.epoch_s,
                           .samples = run.samples});
  return run;
}

void Training::close_record(const char* status, const EpochOfRun& last) {
  Json memory = memory_provenance(ranks_);
  if (!ranks_.is_root()) return;
  record_.provenance.update(memory);
  if (progress_) progress_->finished();
  file_->finish(record_, status);
  if (!std::isfinite(last.train_loss))
    fmt::print(
        stderr,
        "error: the training diverged\n  expected: a finite loss\n  got:      {}\n"
        "  hint:     a smaller --learning-rate, or --gradient mean; the epochs so far are in the run file\n",
        last.train_loss);
}

int Training::run() {
  ranks_.barrier();
  first_step_s_ = now_s();
  record_.provenance["startup_s"] = first_step_s_ - start_s_;
  EpochOfRun last;
  for (std::uint32_t epoch = 0; epoch < config_.run.training.epochs; ++epoch) {
    last = run_epoch(epoch);
    if (!std::isfinite(last.train_loss)) {
      close_record("failed", last);
      return diverged;
    }
    const double before_s = now_s();
    if (file_) file_->snapshot(record_);
    checkpoint_s_ = now_s() - before_s;
  }
  close_record("complete", last);
  return 0;
}

}  // namespace

void check_training(const ResolvedConfig& config, const RunSettings& settings) {
  (void)check_parts(config, data::open_dataset(config.run.data)->info());
  (void)record::progress_style(settings.progress);
  const auto folder = std::filesystem::path(settings.results) / config.run.experiment;
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure || access(folder.c_str(), W_OK) != 0)
    throw ConfigError({"cannot write to the results folder " + folder.string(),
                       "a folder that this user may write", failure ? failure.message() : "no permission",
                       "--results names another one"});
}

int run_training(const comm::Communicator& ranks, ResolvedConfig& config, const RunSettings& settings) {
  return Training(ranks, config, settings).run();
}

}  // namespace lockstep::train
