// SPDX-License-Identifier: BSD-3-Clause
// Nothing is allocated in a training step: every allocation through operator new is counted.
#include <gtest/gtest.h>

#include "../support/counted_new.hpp"
#include "comm/stop_agreement.hpp"
#include "core/json.hpp"
#include "outcome.hpp"

namespace lockstep::algorithms {
namespace {

// Of one epoch with check-ins, the first apart, in which MPI and BLAS make their buffers.
std::size_t allocations_in_an_epoch(const comm::Communicator& ranks, const Settings& settings) {
  Rig rig(ranks, settings);
  const auto algorithm = find_algorithm(settings.algorithm).make();
  Options options;
  algorithm->describe(options);
  for (const auto& [key, value] : settings.options.items()) options.find(key)->set(value);
  comm::StopAgreement stop_agreement(ranks);
  TrainingContext context = rig.context();
  context.on_step = [&](const StepReport&) {
    return stop_agreement.due() && stop_agreement.exchange({}, rig.phases()).any();
  };
  algorithm->start(context);
  rig.phases().restart();
  (void)algorithm->run_epoch(0);
  (void)algorithm->run_epoch(1);
  const std::size_t before = lockstep::allocations();
  (void)algorithm->run_epoch(2);
  return lockstep::allocations() - before;
}

TEST(Allocations, AreCounted) {
  const std::size_t before = lockstep::allocations();
  // Through a volatile pointer, or the compiler leaves both away.
  float* volatile array = new float[100];
  delete[] array;
  EXPECT_EQ(lockstep::allocations() - before, 1U);
}

TEST(Allocations, AreNoneInATrainingStep) {
  for (Settings settings : variants())
    for (const Json& model : {small_mlp(), small_cnn(), small_resnet()})
      for (const char* optimizer : {"sgd", "adamw"}) {
        if (settings.options.contains("overlap")) continue;  // MPI's own allreduce may allocate
        SCOPED_TRACE(settings.algorithm + settings.options.dump() + optimizer + model.dump());
        settings.model = model;
        settings.optimizer = optimizer;
        settings.epochs = 3;
        settings.gemm = "tiled";
        settings.allreduce = "shared_memory";
        EXPECT_EQ(allocations_in_an_epoch(ranks_for(settings), settings), 0U);
      }
}

}  // namespace
}  // namespace lockstep::algorithms
