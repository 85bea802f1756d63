// SPDX-License-Identifier: BSD-3-Clause
// The backend that hands each product to the one that is the fastest at its shape.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "core/error.hpp"
#include "core/names.hpp"
#include "math/gemm_cache.hpp"
#include "math/gemm_choice.hpp"
#include "math/gemm_tuning.hpp"

namespace lockstep::math {
namespace {

// How far apart two shapes are, by the ratios of their sizes.
double distance(const GemmShape& a, const GemmShape& b) {
  if (a.op_a != b.op_a || a.op_b != b.op_b) return std::numeric_limits<double>::infinity();
  const auto ratio = [](std::size_t x, std::size_t y) {
    return std::abs(std::log(static_cast<double>(x + 1) / static_cast<double>(y + 1)));
  };
  return ratio(a.m, b.m) + ratio(a.n, b.n) + ratio(a.k, b.k);
}

/// Shapes that were prepared or adopted go to the backend chosen for them; others to that of the nearest one
/// with the same transpositions, or to the first candidate where there is none.
class AutoGemm final : public Gemm {
 public:
  explicit AutoGemm(std::vector<GemmCandidate> candidates) : candidates_(std::move(candidates)) { forget(); }

  void prepare(std::span<const GemmShape> shapes) override {
    std::vector<GemmChoice> kept = read_gemm_cache();
    const std::size_t kept_before = kept.size();
    for (const GemmShape& shape : shapes) {
      if (std::ranges::find(choices_, shape, &GemmChoice::shape) != choices_.end()) continue;
      auto choice = std::ranges::find(kept, shape, &GemmChoice::shape);
      if (choice == kept.end())
        choice = kept.insert(
            kept.end(), {shape, std::string(candidates_[preferred(measure_s(candidates_, shape))].name)});
      adopt(std::span(&*choice, 1));
    }
    if (kept.size() > kept_before) write_gemm_cache(kept);
  }

  [[nodiscard]] std::vector<GemmChoice> choices() const override { return choices_; }

  void adopt(std::span<const GemmChoice> choices) override {
    for (const GemmChoice& choice : choices) {
      const Gemm* const gemm =
          find_row(std::span<const GemmCandidate>(candidates_), "GEMM backend", choice.backend).gemm.get();
      const auto known = std::ranges::find(choices_, choice.shape, &GemmChoice::shape);
      if (known == choices_.end()) {
        choices_.push_back(choice);
        chosen_.push_back(gemm);
      } else {
        chosen_[static_cast<std::size_t>(known - choices_.begin())] = gemm;
        *known = choice;
      }
    }
    forget();
  }

 protected:
  void run(const GemmShape& shape, Stores stores, float alpha, ConstMatrix a, ConstMatrix b, float beta,
           Matrix c) const override {
    found(shape).multiply(alpha, a, shape.op_a, b, shape.op_b, beta, c, stores);
  }
  void run_add_row(const GemmShape& shape, ConstMatrix a, ConstMatrix b, std::span<const float> row,
                   Matrix c) const override {
    found(shape).multiply_add_row(a, b, row, c);
  }

 private:
  struct Found {
    GemmShape shape;
    const Gemm* gemm;
  };

  // A step's few shapes come again and again, so each is searched once and then stands in its slot.
  [[nodiscard]] const Gemm& found(const GemmShape& shape) const {
    const std::uint64_t mixed =
        (shape.m * 0x9e3779b97f4a7c15 ^ shape.n * 0xc2b2ae3d27d4eb4f ^ shape.k * 0x165667b19e3779f9) +
        static_cast<std::uint64_t>(shape.op_a) * 0x27d4eb2f165667c5 +
        static_cast<std::uint64_t>(shape.op_b) * 0x85ebca77c2b2ae63;
    Found& slot = found_[mixed >> (64 - slot_bits)];
    if (slot.shape != shape) slot = {shape, &nearest(shape)};
    return *slot.gemm;
  }

  [[nodiscard]] const Gemm& nearest(const GemmShape& shape) const {
    const Gemm* best = candidates_.front().gemm.get();
    double best_distance = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      const double apart = distance(shape, choices_[i].shape);
      if (apart >= best_distance) continue;
      best_distance = apart;
      best = chosen_[i];
    }
    return *best;
  }

  // Products of no size do not come here, so their shape stands for none.
  void forget() { found_.fill({{Op::none, Op::none, 0, 0, 0}, candidates_.front().gemm.get()}); }

  static constexpr std::size_t slot_bits = 8;
  std::vector<GemmCandidate> candidates_;
  std::vector<GemmChoice> choices_;
  std::vector<const Gemm*> chosen_;                               // for choices_
  mutable std::array<Found, std::size_t{1} << slot_bits> found_;  // a Gemm serves one thread
};

}  // namespace

std::unique_ptr<Gemm> make_gemm_that_chooses(std::vector<GemmCandidate> candidates) {
  return std::make_unique<AutoGemm>(std::move(candidates));
}

std::unique_ptr<Gemm> make_auto_gemm() {
  std::vector<GemmCandidate> candidates;
  for (const GemmRow& row : gemm_table())
    if (row.make != make_auto_gemm) candidates.push_back({row.name, row.make()});
  return make_gemm_that_chooses(std::move(candidates));
}

}  // namespace lockstep::math
