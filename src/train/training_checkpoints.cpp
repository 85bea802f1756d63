// SPDX-License-Identifier: BSD-3-Clause
// What a training's checkpoint holds, when one is written, and the way back.
#include <cstdio>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "math/gemm_choice.hpp"
#include "record/provenance.hpp"
#include "train/checkpointing.hpp"
#include "train/resume.hpp"
#include "train/training.hpp"

namespace lockstep::train {

algorithms::State Training::state() {
  algorithms::State state;
  config_.algorithm->describe_state(state);
  for (std::size_t phase = 0; phase < phase_count; ++phase)
    state.add("epoch_" + std::string(phase_names[phase]) + "_s", &so_far_[phase]);
  state.add("wall_clock_s", &wall_clock_s_);
  return state;
}

// Complete on rank 0. Collective.
Json Training::about_checkpoint() {
  const double epoch_s = ranks_.max(training_seconds(so_far_));
  const auto gemm_choices = ranks_.gather(math::to_text(gemm_->choices()));
  Json allreduce_choices = Json::array();
  for (const comm::AllreduceChoice& choice : allreduce_->choices())
    allreduce_choices.push_back(Json::array({choice.up_to_bytes, choice.name}));
  return {{"run_id", record_.run_id},
          {"run_started", record_.started},
          {"config_sha256", config_sha256(record_.config)},
          {"ranks", ranks_.size()},
          {"epochs_done", epoch_},
          {"epoch_steps", epoch_steps_},
          {"train_clock_s", log_.train_clock_s() + epoch_s},
          {"written", record::utc_now()},
          {"gemm_choices", gemm_choices},
          {"allreduce_choices", allreduce_choices},
          {"machine", machine_}};
}

void Training::restore() {
  restore_checkpoint(ranks_, state(), settings_.beginning.reader.get());
  settings_.beginning.reader.reset();  // a replaced file takes room as long as it is open
}

// Returns what failed, or "". Collective.
std::string Training::save() {
  so_far_ = epoch_steps_ > 0 ? phases_.stop() : PhaseSeconds{};
  wall_clock_s_ = now_s() - first_step_s_;
  const Json about = about_checkpoint();
  std::string failure =
      save_checkpoint(ranks_, state(), ranks_.is_root() ? file_->path() : std::filesystem::path(), about);
  last_checkpoint_s_ = now_s();
  return failure;
}

// A run that cannot write checkpoints is still worth going on with. Collective.
void Training::save_and_go_on() {
  // The run file first: a checkpoint of epochs that no run file tells of is of no use.
  std::string failure;
  if (file_) {
    try {
      file_->save(record_);
    } catch (const Error& error) {
      failure = error.what();
    }
  }
  ranks_.broadcast(failure);
  if (failure.empty()) failure = save();
  last_checkpoint_s_ = now_s();
  if (!failure.empty() && ranks_.is_root())
    fmt::print(stderr, "warning: no checkpoint could be written, an older one is kept: {}\n", failure);
}

void Training::write_after_epoch() {
  const double before_s = now_s();
  const std::size_t every = settings_.checkpoint_epochs;
  if (every > 0 && epoch_ % every == 0 && epoch_ < config_.run.training.epochs)
    save_and_go_on();
  else
    snapshot();
  checkpoint_s_ = now_s() - before_s;
}

void Training::snapshot() {
  if (!file_) return;
  try {
    file_->snapshot(record_);
  } catch (const Error& error) {
    fmt::print(stderr, "warning: the run file could not be brought up to date: {}\n", error.what());
  }
}

}  // namespace lockstep::train
