// SPDX-License-Identifier: BSD-3-Clause
// The state of a training, and the description that its checkpoint carries.
#include "train/checkpointer.hpp"

#include "core/timeline.hpp"
#include "math/gemm_choice.hpp"
#include "record/checkpoint.hpp"
#include "record/provenance.hpp"
#include "train/checkpointing.hpp"
#include "train/resume.hpp"
#include "train/stop_signal.hpp"

namespace lockstep::train {

Checkpointer::Checkpointer(const CheckpointSubject& subject, const RunSettings& settings)
    : subject_(subject), settings_(settings), stop_agreement_(subject.ranks) {}

// Only rank 0's clock decides when a checkpoint is due.
bool Checkpointer::pauses_here(bool diverged) {
  if (!stop_agreement_.due()) return false;
  const double period_s = 60.0 * settings_.launch.checkpoint_minutes;
  agreed_ = stop_agreement_.exchange(
      {.stop = stop_requested(),
       .checkpoint = subject_.ranks.is_root() && period_s > 0.0 && now_s() - last_s_ >= period_s,
       .diverged = diverged},
      subject_.clock.phases());
  return agreed_.any();
}

algorithms::State Checkpointer::state() {
  algorithms::State state;
  subject_.algorithm.describe_state(state);
  subject_.clock.describe_state(state);
  return state;
}

// Complete on rank 0. Collective.
Json Checkpointer::about() {
  const comm::Communicator& ranks = subject_.ranks;
  const record::RunRecord& record = subject_.recorder.record();
  const double epoch_s = ranks.max(training_seconds(subject_.clock.so_far()));
  const auto gemm_choices = ranks.gather(math::to_text(subject_.parts.gemm().choices()));
  Json allreduce_choices = Json::array();
  for (const comm::AllreduceChoice& choice : subject_.parts.allreduce().choices())
    allreduce_choices.push_back(Json::array({choice.up_to_bytes, choice.name}));
  return {{"run_id", record.run_id},
          {"run_started", record.started},
          {"config_sha256", config_sha256(record.config)},
          {"ranks", ranks.size()},
          {"epochs_done", subject_.position.epoch},
          {"epoch_steps", subject_.position.step},
          {"train_clock_s", record.train_clock_s() + epoch_s},
          {"step_times", subject_.position.step > 0 ? subject_.step_times.to_json() : Json()},
          {"written", record::utc_now()},
          {"gemm_choices", gemm_choices},
          {"allreduce_choices", allreduce_choices},
          {"machine", subject_.machine}};
}

void Checkpointer::restore(const record::CheckpointReader* reader) {
  restore_checkpoint(subject_.ranks, state(), reader);
}

std::string Checkpointer::save() {
  subject_.clock.pause(subject_.position.step > 0);
  subject_.clock.phases().meet_others();
  const Json description = about();
  if (subject_.ranks.is_root()) subject_.clock.phases().enter(Phase::checkpoint);  // it writes
  std::string failure = save_checkpoint(subject_.ranks, state(), subject_.recorder.path(), description,
                                        subject_.recorder.bytes());
  last_s_ = now_s();
  return failure;
}

void Checkpointer::save_and_continue() {
  subject_.recorder.save();
  const std::string failure = save();
  if (!subject_.ranks.is_root()) return;
  const bool is_older = record::has_checkpoint(subject_.recorder.path());
  trouble_.tried(failure,
                 is_older ? "no checkpoint could be written, and the older one is kept"
                          : "no checkpoint could be written, and there is no older one",
                 "checkpoints are written again");
}

void Checkpointer::write_after_epoch(std::size_t epochs) {
  const double before_s = now_s();
  const std::size_t every = settings_.launch.checkpoint_epochs;
  const std::size_t done = subject_.position.epoch;
  if (every > 0 && done % every == 0 && done < epochs)
    save_and_continue();
  else
    subject_.recorder.snapshot();
  written_s_ = now_s() - before_s;
  if (Timeline* const timeline = subject_.clock.phases().timeline())
    timeline->add_phase_outside(Phase::checkpoint, before_s, before_s + written_s_);
}

}  // namespace lockstep::train
