// SPDX-License-Identifier: BSD-3-Clause
// What every algorithm declares holds with every exchange, allreduce, GEMM backend and ragged size, on any
// number of ranks. The combinations come from the tables: a new row joins by itself.
#include <gtest/gtest.h>

#include "comm/same_bits.hpp"
#include "core/error.hpp"
#include "math/gemm.hpp"
#include "outcome.hpp"

namespace lockstep::algorithms {
namespace {

struct Size {
  std::size_t samples, batch_size;
};
// The last one leaves ranks without samples in some steps, or in all of them.
constexpr std::array sizes = {Size{193, 16}, Size{38, 7}, Size{5, 4}};

bool can_run(const Settings& settings) {
  const auto algorithm = find_algorithm(settings.algorithm).make();
  Options options;
  algorithm->describe(options);
  for (const auto& [key, value] : settings.options.items()) options.find(key)->set(value);
  try {
    algorithm->check({}, settings.allreduce);
  } catch (const ConfigError&) {
    return false;
  }
  return true;
}

// All but those that choose by the clock among the others.
std::vector<Settings> product() {
  const comm::NodeLayout layout = comm::node_layout(world());
  std::vector<Settings> all;
  for (const Settings& variant : variants())
    for (const comm::AllreduceRow& allreduce : comm::allreduce_table())
      for (const math::GemmRow& gemm : math::gemm_table())
        for (const Size& size : sizes) {
          if (allreduce.name == "auto" || gemm.name == "auto" || !allreduce.suits(layout)) continue;
          Settings settings = variant;
          settings.allreduce = allreduce.name;
          settings.gemm = gemm.name;
          settings.samples = size.samples;
          settings.batch_size = size.batch_size;
          if (can_run(settings)) all.push_back(settings);
        }
  return all;
}

// In short, one in `stride` combinations; another choice on every number of ranks.
std::size_t stride() {
  const char* tests = std::getenv("LOCKSTEP_TESTS");
  return tests != nullptr && tests == std::string("all") ? 1 : 17;
}

void expect_what_it_declares(const Settings& settings) {
  const Capabilities holds = capabilities_of(settings);
  const comm::Communicator& ranks = ranks_for(settings);
  Rig rig(ranks, settings);
  const auto algorithm = start(rig, settings);
  std::vector<double> samples(settings.epochs);
  for (std::uint32_t epoch = 0; epoch < settings.epochs; ++epoch) {
    rig.phases().restart();
    samples[epoch] = static_cast<double>(algorithm->run_epoch(epoch).samples);
  }
  ranks.sum(samples);
  for (const double count : samples) EXPECT_EQ(count, static_cast<double>(settings.samples));
  EXPECT_EQ(algorithm->trouble(), nullptr);

  std::vector<float> exported(rig.exported_size());
  algorithm->export_model(exported);
  EXPECT_TRUE(comm::ranks_that_differ(ranks, exported).empty()) << "of what is evaluated";
  if (holds.equals_serial) {
    Settings serial = settings;
    serial.algorithm = "serial";
    serial.options = Json::object();
    EXPECT_LT(relative_distance(exported, train(alone(), serial).parameters), rounding);
  }
  if (holds.deterministic) {
    const Outcome again = train(ranks, settings);
    EXPECT_EQ(comm::fingerprint(again.parameters), comm::fingerprint(exported)) << "of a second run";
  }
}

TEST(Product, OfAlgorithmsExchangesAllreducesBackendsAndSizesHoldsWhatIsDeclared) {
  const std::vector<Settings> all = product();
  std::size_t tried = 0;
  for (std::size_t i = world().size() % stride(); i < all.size(); i += stride()) {
    const Settings& settings = all[i];
    SCOPED_TRACE(settings.algorithm + " " + settings.options.dump() + " " + settings.allreduce + " " +
                 settings.gemm + " " + std::to_string(settings.samples) + " samples");
    expect_what_it_declares(settings);
    ++tried;
  }
  if (world().is_root())
    std::printf("%zu of %zu combinations on %zu ranks\n", tried, all.size(), world().size());
}

}  // namespace
}  // namespace lockstep::algorithms
