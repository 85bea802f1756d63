// SPDX-License-Identifier: BSD-3-Clause
// Builds the parts of a run and opens its record.
#include "train/training.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iterator>
#include <utility>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/json.hpp"
#include "core/names.hpp"
#include "data/batches.hpp"
#include "math/gemm_choice.hpp"
#include "record/checkpoint.hpp"
#include "record/provenance.hpp"
#include "train/resume.hpp"
#include "train/run_provenance.hpp"

namespace lockstep::train {
namespace {

constexpr std::size_t evaluation_batch = 256;

std::string make_run_id(const RunConfig& config, std::size_t ranks) {
  const std::time_t now = std::time(nullptr);
  return fmt::format("{}-{}-n{}-b{}-s{}-{:%Y%m%dT%H%M%SZ}-{:04x}", config.algorithm,
                     data::short_name(config.data.dataset), ranks, config.training.batch_size,
                     config.training.seed, fmt::gmtime(now), getpid() & 0xffff);
}

}  // namespace

Training::Training(const comm::Communicator& ranks, ResolvedConfig& config, RunSettings settings)
    : ranks_(ranks),
      node_(ranks.node()),
      config_(config),
      settings_(std::move(settings)),
      shared_data_(ranks_, node_, config.run.data),
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
      layer_state_(model_.state_count()),
      optimizer_(nn::make_optimizer(config.run.optimizer, model_.parameter_count())),
      allreduce_(make_allreduce()),
      evaluator_(data_.test, std::min(evaluation_batch, max_batch())),
      log_(ranks, record_),
      check_in_(ranks),
      epoch_(static_cast<std::uint32_t>(settings_.beginning.epochs_done)),
      epoch_steps_(settings_.beginning.epoch_steps) {
  model_.bind(parameters_, layer_state_);
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
                            .on_step =
                                [this](const algorithms::StepReport& step) {
                                  show(step);
                                  return pauses_here();
                                },
                            .on_last_step = [this] { evaluate_own(); }});
  // Ranks that share each batch have one model.
  if (config_.run.eval_ranks && !config_.algorithm->divides_batches())
    alone_.emplace(ranks_.split(ranks_.rank()));
  choose_gemms();
  if (goes_on()) restore();
  open_record();
}

// Batches of training and of evaluation share the model's buffers.
std::size_t Training::max_batch() const {
  const std::size_t training = std::min(config_.run.training.batch_size, data_.info.train_count);
  return std::max(training, std::min(evaluation_batch, data_.info.test_count));
}

// `auto` keeps to what it chose before the checkpoint: another choice would sum in another order.
std::unique_ptr<comm::Allreduce> Training::make_allreduce() const {
  const std::size_t length = model_.parameter_count() + 1;
  if (config_.run.allreduce == "auto" && goes_on()) {
    std::vector<comm::AllreduceChoice> choices;
    for (const Json& kept : settings_.beginning.about.at("allreduce_choices"))
      choices.push_back({kept.at(0).get<std::size_t>(), kept.at(1).get_ref<const std::string&>()});
    if (auto chosen = comm::make_chosen_allreduce(choices, ranks_, length)) return chosen;
  }
  return comm::make_allreduce(config_.run.allreduce, ranks_, length);
}

// A backend that measures does so on one rank of each node, before the training: its ranks then agree, and
// what is measured once is known to all. What was chosen before a checkpoint is kept.
void Training::choose_gemms() {
  if (node_.is_root()) {
    if (goes_on())
      gemm_->adopt(math::parse_choices(
          settings_.beginning.about.at("gemm_choices").at(ranks_.rank()).get_ref<const std::string&>()));
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

Json Training::provenance() {
  Json provenance = run_provenance(ranks_, node_, settings_);
  provenance.update(memory_provenance(ranks_));  // so far; taken again at the end
  machine_ = machine_of(ranks_, node_, provenance);
  if (!ranks_.is_root()) return provenance;
  provenance["dataset_sha256"] = shared_data_.sha256();
  provenance["parameter_count"] = model_.parameter_count();
  if (const auto choices = gemm_->choices(); !choices.empty())
    provenance["gemm_choices"] = math::to_text(choices);
  provenance["seed"] = config_.run.training.seed;
  if (const auto choices = allreduce_->choices(); !choices.empty())
    provenance["allreduce_choice"] = comm::to_text(choices);
  for (const auto& [name, decision] : config_.algorithm->choices()) provenance[name + "_choice"] = decision;
  return provenance;
}

void Training::open_record() {
  const Json where = provenance();
  if (!ranks_.is_root()) return;
  record_.run_id = settings_.run_id.empty() ? make_run_id(config_.run, ranks_.size()) : settings_.run_id;
  const auto path = run_file_path(settings_, config_.run, record_.run_id);
  if (settings_.beginning.reopens) {
    record_ = reopen_record(path, settings_.beginning);
    if (record_.epochs() > 0) log_.go_on_from(record_.find("epochs", "train_clock_s").values.back());
  } else {
    record_.started = record::utc_now();
    record_.config = config_.values;
    record_.model = config_.model_description;
  }
  start_segment(where);
  file_.emplace(path);
  file_->snapshot(record_);
  // From here on an earlier attempt that lives still ends at its next write.
  for (const auto& written : {path, record::checkpoint_path(path)}) record::remove_partial_files(written);
  if (!goes_on()) record::remove_checkpoints(path);  // of a broken attempt, and of no use
  style_ = record::progress_style(settings_.progress);
  greet();
}

void Training::start_segment(const Json& provenance) {
  record_.provenance = provenance;
  const Json slurm = record::slurm_provenance();
  std::vector<std::string> hosts;
  for (const Json& host : provenance.at("hosts"))
    if (const auto name = host.get<std::string>(); std::ranges::find(hosts, name) == hosts.end())
      hosts.push_back(name);
  record_.segments.push_back({.started = record_.segments.empty() ? record_.started : record::utc_now(),
                              .finished = {},
                              .first_epoch = settings_.beginning.epochs_done,
                              .first_step = settings_.beginning.epoch_steps,
                              .job = slurm.value("slurm_job_id", std::string()),
                              .restart_count = slurm.value("slurm_restart_count", std::size_t{0}),
                              .hosts = join(hosts, ",")});
}

void Training::greet() const {
  if (style_ != record::ProgressStyle::off) {
    fmt::print("{} on {}: {} rank{}, batch size {}, {} parameters -> {}\n", config_.run.algorithm,
               config_.run.data.dataset, ranks_.size(), ranks_.size() == 1 ? "" : "s",
               config_.run.training.batch_size, model_.parameter_count(), file_->path().string());
    if (goes_on())
      fmt::print("going on after {} epochs and {} steps, from {}\n", epoch_, epoch_steps_,
                 settings_.beginning.checkpoint);
    else if (settings_.beginning.reopens)
      fmt::print("starting anew: the earlier attempt left no checkpoint that can be used\n");
    std::fflush(stdout);
  }
  if (goes_on() && settings_.beginning.about.at("machine") != machine_) {
    std::vector<std::string> differ;
    for (const auto& [key, value] : machine_.items())
      if (settings_.beginning.about.at("machine").value(key, Json()) != value) differ.push_back(key);
    fmt::print(stderr,
               "note: the run goes on with another {}: its results may differ from an unbroken run's by "
               "rounding\n",
               join(differ));
  }
}

}  // namespace lockstep::train
