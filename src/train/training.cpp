// SPDX-License-Identifier: BSD-3-Clause
// Builds the parts of a run and opens its record.
#include "train/training.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "core/json.hpp"
#include "core/sha256.hpp"
#include "data/batches.hpp"
#include "math/gemm_choice.hpp"
#include "train/failure.hpp"
#include "train/model_io.hpp"
#include "train/resume.hpp"
#include "train/run_provenance.hpp"

namespace lockstep::train {
namespace {

constexpr std::size_t evaluation_batch = 256;

}  // namespace

Training::Training(const comm::Communicator& ranks, ResolvedConfig& config, RunSettings settings)
    : ranks_(ranks),
      node_(ranks.node()),
      config_(config),
      settings_(std::move(settings)),
      watchdog_(ranks_, node_, settings_.launch.stall_seconds),
      data_(ranks_, node_, config.run.data),
      parts_(ranks_, data_.dataset(),
             {.model_description = config.model_description,
              .training = config.run.training,
              .optimizer = config.run.optimizer,
              .schedule = config.run.schedule,
              .gemm = config.run.gemm,
              .allreduce = config.run.allreduce,
              .max_batch = max_batch()},
             [this](std::size_t length) { return make_allreduce(length); }),
      evaluator_(ranks_, data_.dataset().test, std::min(evaluation_batch, max_batch()), parts_.model(),
                 parts_.phases()),
      clock_(parts_.phases()),
      step_times_(ranks_, parts_.phases()),
      tracer_(ranks_, node_, settings_.launch, parts_.phases()),
      position_{.epoch = static_cast<std::uint32_t>(settings_.resume_point.epochs_done()),
                .step = settings_.resume_point.epoch_steps()},
      recorder_(ranks_, config_, settings_),
      checkpointer_({ranks_, *config_.algorithm, parts_, clock_, step_times_, position_, recorder_, machine_},
                    settings_) {
  parts_.phases().publish_to(watchdog_.progress());
  start_algorithm();
  choose_gemms();
  ResumePoint& resume_point = settings_.resume_point;
  if (resumes()) {
    checkpointer_.restore(resume_point.reader.get());
    step_times_.resume(resume_point.about);
    resume_point.reader.reset();  // a replaced file takes disk space while it is open
    // Steps on other data must not be recorded as the same training.
    do_or_fail_together(ranks_, [&] {
      if (ranks_.is_root())
        check_same_data(run_file_path(settings_.launch, config_.run, settings_.launch.run_id), resume_point,
                        data_.sha256());
    });
  }
  recorder_.open(provenance());
  recorder_.greet(parts_.model().parameter_count(), machine_);
}

void Training::start_algorithm() {
  algorithms::TrainingContext context = parts_.context();
  context.on_step = [this](const algorithms::StepReport& step) { return step_done(step); };
  context.on_last_step = [this] { evaluator_.evaluate_own(); };
  if (const std::string& from = config_.run.init_from; !from.empty() && !resumes())
    load_model(ranks_, parts_.model(), from);
  config_.algorithm->start(context);
  if (config_.run.eval_ranks && !config_.algorithm->capabilities().one_model) evaluator_.prepare_own();
}

// Batches of training and of evaluation share the model's buffers.
std::size_t Training::max_batch() const {
  const data::DatasetInfo& info = data_.dataset().info;
  const std::size_t training = std::min(config_.run.training.batch_size, info.train_count);
  return std::max(training, std::min(evaluation_batch, info.test_count));
}

// `auto` keeps what it chose before the checkpoint: another choice would sum in another order.
std::unique_ptr<comm::Allreduce> Training::make_allreduce(std::size_t length) const {
  if (config_.run.allreduce == "auto" && resumes()) {
    std::vector<comm::AllreduceChoice> choices;
    for (const Json& kept : settings_.resume_point.about.at("allreduce_choices"))
      choices.push_back({kept.at(0).get<std::size_t>(), kept.at(1).get_ref<const std::string&>()});
    if (auto chosen = comm::make_chosen_allreduce(choices, ranks_, length)) return chosen;
  }
  return comm::make_allreduce(config_.run.allreduce, ranks_, length);
}

// A backend that measures does so before the training, on one rank of each node, so that the node's ranks use
// the same choices. Choices made before a checkpoint are kept.
void Training::choose_gemms() {
  math::Gemm& gemm = parts_.gemm();
  const nn::Model& model = parts_.model();
  if (node_.is_root()) {
    if (resumes())
      gemm.adopt(math::parse_choices(
          settings_.resume_point.about.at("gemm_choices").at(ranks_.rank()).get_ref<const std::string&>()));
    std::vector<math::GemmShape> shapes;
    for (const std::size_t batch : config_.algorithm->batch_sizes())
      std::ranges::copy(model.gemms(batch), std::back_inserter(shapes));
    const std::size_t test_count = data_.dataset().info.test_count;
    const std::size_t tested = data::share(test_count, ranks_.rank(), ranks_.size()).size();
    const std::size_t evaluated = std::min({evaluation_batch, max_batch(), tested});
    if (config_.run.eval_acc)
      std::ranges::copy_if(model.gemms(evaluated), std::back_inserter(shapes), [](const math::GemmShape& s) {
        return s.op_a == math::Op::none && s.op_b == math::Op::none;
      });
    gemm.prepare(shapes);
  }
  std::string choices = math::to_text(gemm.choices());
  node_.broadcast(choices);
  gemm.adopt(math::parse_choices(choices));
}

// Complete on rank 0. Collective.
Json Training::provenance() {
  Json provenance = run_provenance(ranks_, node_, settings_);
  provenance.update(memory_provenance(ranks_));  // measured again at the end
  machine_ = machine_of(ranks_, node_, provenance);
  if (!ranks_.is_root()) return provenance;
  provenance["dataset_sha256"] = data_.sha256();
  if (settings_.largest_batch < config_.run.training.batch_size)
    provenance["largest_batch"] = settings_.largest_batch;
  if (!settings_.dataset_note.empty()) provenance["dataset_note"] = settings_.dataset_note;
  provenance["parameter_count"] = parts_.model().parameter_count();
  if (const auto choices = parts_.gemm().choices(); !choices.empty())
    provenance["gemm_choices"] = math::to_text(choices);
  if (!config_.run.init_from.empty() && !resumes())
    provenance["init_from_sha256"] = sha256(std::as_bytes(parts_.model().parameters()));
  provenance["seed"] = config_.run.training.seed;
  if (const auto choices = parts_.allreduce().choices(); !choices.empty())
    provenance["allreduce_choice"] = comm::to_text(choices);
  algorithms::Capabilities capabilities = config_.algorithm->capabilities();
  if (parts_.model().depends_on_batch() && config_.run.training.batch_norm == "own" && ranks_.size() > 1)
    capabilities = with_statistics_of_ranks(capabilities);
  provenance["capabilities"] = names_of(capabilities);
  for (const auto& [name, decision] : config_.algorithm->choices()) provenance[name + "_choice"] = decision;
  return provenance;
}

}  // namespace lockstep::train
