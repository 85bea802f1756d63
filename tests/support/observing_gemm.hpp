// SPDX-License-Identifier: BSD-3-Clause
// A GEMM backend that remembers what it was asked for.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "math/gemm.hpp"

namespace lockstep {

/// Products by `tiled`, and how their results were to be stored.
class ObservingGemm final : public math::Gemm {
 public:
  struct Asked {
    math::GemmShape shape;
    math::Stores stores;
    bool operator==(const Asked&) const = default;
  };
  /// What was asked for since the last call of this.
  std::vector<Asked> take() const { return std::exchange(asked_, {}); }
  std::size_t rows_added() const { return rows_added_; }

 protected:
  void run(const math::GemmShape& shape, math::Stores stores, float alpha, math::ConstMatrix a,
           math::ConstMatrix b, float beta, math::Matrix c) const override {
    asked_.push_back({shape, stores});
    real_->multiply(alpha, a, shape.op_a, b, shape.op_b, beta, c, stores);
  }
  void run_add_row(const math::GemmShape& /*shape*/, math::ConstMatrix a, math::ConstMatrix b,
                   std::span<const float> row, math::Matrix c) const override {
    ++rows_added_;
    real_->multiply_add_row(a, b, row, c);
  }

 private:
  std::unique_ptr<math::Gemm> real_ = math::make_tiled_gemm();
  mutable std::vector<Asked> asked_;
  mutable std::size_t rows_added_ = 0;
};

}  // namespace lockstep
