// SPDX-License-Identifier: BSD-3-Clause
// Averages after every step at first, while the model changes fast, and only now and then later.
#include "algorithms/averaging/trigger.hpp"

namespace lockstep::algorithms {
namespace {

class PostLocalTrigger final : public Trigger {
 public:
  void describe(Options& options) override {
    options.add("switch_epochs", &switch_epochs_, "epochs with an average after every step");
    options.add("local_steps", &local_steps_, "steps between averages after that").at_least(1);
  }
  void describe_state(State& state) override {
    state.add("epochs_begun", &epochs_begun_);
    state.add("steps_since_average", &steps_);
  }

  void before_epoch(std::uint32_t epoch) override { epochs_begun_ = epoch + std::size_t{1}; }
  [[nodiscard]] bool due_after_step(const TriggerView& /*view*/) override {
    if (epochs_begun_ > switch_epochs_ && ++steps_ < local_steps_) return false;
    steps_ = 0;
    return true;
  }

 private:
  std::size_t switch_epochs_ = 1;
  std::size_t local_steps_ = 16;
  std::size_t epochs_begun_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace

std::unique_ptr<Trigger> make_post_local_trigger() { return std::make_unique<PostLocalTrigger>(); }

}  // namespace lockstep::algorithms
