// SPDX-License-Identifier: BSD-3-Clause
// The sum of several values, as at the end of a residual block.
#include <algorithm>

#include "core/error.hpp"
#include "core/json_text.hpp"
#include "nn/layers/layers.hpp"

namespace lockstep::nn {
namespace {

/// out = sum of the inputs; the gradient of each is that of the output (He et al. 2016).
class Add final : public MergeLayer {
 public:
  explicit Add(const LayerSetup& setup) : MergeLayer(setup.in, setup.in) {}

  void merge(const ForwardContext& /*context*/, std::span<const ConstMatrix> in, Matrix out) override {
    std::ranges::copy(in.front().elements(), out.data);
    float* __restrict sum = out.data;
    for (const ConstMatrix& term : in.subspan(1)) {
      const float* __restrict from = term.data;
      for (std::size_t i = 0; i < out.size(); ++i) sum[i] += from[i];
    }
  }

  void split(const ForwardContext& /*context*/, std::span<const ConstMatrix> /*in*/, ConstMatrix d_out,
             std::span<const Matrix> d_in) override {
    for (const Matrix& of_input : d_in)
      if (!of_input.empty()) std::ranges::copy(d_out.elements(), of_input.data);
  }
};

}  // namespace

std::unique_ptr<Layer> make_add(const LayerSetup& setup, const Json& description) {
  Options none;
  read_options(description, none);
  if (setup.inputs.size() < 2)
    throw ConfigError(
        {"an add layer needs what it adds", R"("inputs": ["NAME", "NAME"])", to_text(description)});
  for (const SampleShape& shape : setup.inputs)
    if (shape != setup.in)
      throw ConfigError({"an add layer has inputs of different shapes", to_string(setup.in), to_string(shape),
                         "in " + to_text(description)});
  return std::make_unique<Add>(setup);
}

}  // namespace lockstep::nn
