// SPDX-License-Identifier: BSD-3-Clause
// A model with its arrays and a batch, for tests.
#pragma once

#include <numeric>
#include <vector>

#include "core/json.hpp"
#include "nn/model.hpp"

namespace lockstep::nn {

inline const math::Gemm& gemm() {
  static const auto backend = math::make_gemm("cblas");
  return *backend;
}

struct Trained {
  explicit Trained(const Json& name, std::size_t max_batch = 4, std::uint32_t seed = 1,
                   SampleShape input = {1, 28, 28}, const math::Gemm& products = gemm())
      : features(input.size()),
        model(describe_model(name),
              {.input = input, .classes = 10, .seed = seed, .max_batch = max_batch, .gemm = &products}),
        parameters(model.parameter_count()),
        gradients(model.parameter_count()),
        state(model.state_count()),
        in(max_batch * features),
        labels(max_batch, 3),
        ids(max_batch) {
    model.bind(parameters, state);
    model.initialize();
    RandomRows(2, Purpose::synthetic_data).uniform(0, 0, 0, in);
    std::iota(ids.begin(), ids.end(), 0U);
  }
  Examples examples(std::size_t first, std::size_t count) const {
    return {{in.data() + first * features, count, features}, std::span(labels).subspan(first, count)};
  }
  Examples examples() const { return examples(0, ids.size()); }
  double train(float scale = 1.0F) {
    return model.train({.training = true, .epoch = 0, .sample_ids = ids}, examples(), scale,
                       {.first = 0, .values = gradients});
  }
  std::size_t features;
  Model model;
  std::vector<float> parameters, gradients, state, in;
  std::vector<std::int32_t> labels;
  std::vector<std::uint32_t> ids;
};

}  // namespace lockstep::nn
