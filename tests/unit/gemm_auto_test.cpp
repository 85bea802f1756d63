// SPDX-License-Identifier: BSD-3-Clause
// The GEMM backend that chooses among the others: what it measures, keeps, takes over and calls.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include <gtest/gtest.h>

#include "../support/counted_new.hpp"
#include "../support/observing_gemm.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "math/gemm_cache.hpp"
#include "math/gemm_choice.hpp"
#include "math/gemm_tuning.hpp"

namespace lockstep::math {
namespace {

// So deep and odd that backends sum in different orders, and their results differ in the last bits.
constexpr GemmShape small{Op::none, Op::none, 13, 37, 301};
constexpr GemmShape large{Op::none, Op::none, 64, 48, 1500};
constexpr GemmShape transposed{Op::transpose, Op::none, 37, 13, 301};

std::vector<float> product(const Gemm& gemm, const GemmShape& shape, Stores stores = Stores::cached) {
  const RandomRows random(1, Purpose::synthetic_data);
  std::vector<float> a(shape.m * shape.k), b(shape.k * shape.n), c(shape.m * shape.n);
  random.normal(1, 0, 0, a);
  random.normal(2, 0, 0, b);
  const bool ta = shape.op_a == Op::transpose;
  gemm.multiply(1.0F, {a.data(), ta ? shape.k : shape.m, ta ? shape.m : shape.k}, shape.op_a,
                {b.data(), shape.k, shape.n}, shape.op_b, 0.0F, {c.data(), shape.m, shape.n}, stores);
  return c;
}

std::vector<float> product_of(std::string_view backend, const GemmShape& shape) {
  return product(*make_gemm(backend), shape);
}

class AutoGemm : public testing::Test {
 protected:
  AutoGemm() {
    std::string name = (std::filesystem::temp_directory_path() / "lockstep-gemm-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    use(folder_);
  }
  ~AutoGemm() override {
    unsetenv("LOCKSTEP_CACHE_DIR");
    std::filesystem::remove_all(folder_);
  }
  static void use(const std::filesystem::path& folder) { setenv("LOCKSTEP_CACHE_DIR", folder.c_str(), 1); }
  // Prepares one shape, with a file that also tells of another one: if, and only if, it is believed, both are
  // in it afterwards.
  static void expect_kept(bool kept) {
    const auto gemm = make_gemm("auto");
    gemm->prepare(std::vector{small});
    ASSERT_EQ(gemm->choices().size(), 1U);
    EXPECT_EQ(gemm->choices()[0].shape, small);
    EXPECT_EQ(read_gemm_cache().size(), kept ? 2U : 1U);
  }
  static std::string content() {
    std::ifstream file(gemm_cache_path());
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void replace_content(const std::string& text) { std::ofstream(gemm_cache_path()) << text; }

  std::filesystem::path folder_;
};

TEST_F(AutoGemm, ProductsGoToTheBackendThatWasAdopted) {
  std::size_t distinct = 0;
  for (const GemmRow& row : gemm_table()) {
    if (row.name == "auto") continue;
    const auto gemm = make_gemm("auto");
    gemm->adopt(std::vector<GemmChoice>{{small, "tiled"}, {small, std::string(row.name)}});
    EXPECT_EQ(gemm->choices(), (std::vector<GemmChoice>{{small, std::string(row.name)}}));
    EXPECT_EQ(product(*gemm, small), product_of(row.name, small)) << row.name;
    if (product_of(row.name, small) != product_of("tiled", small)) ++distinct;
  }
  EXPECT_GE(distinct, 1U) << "no backend rounds differently: the comparison tells nothing";
}

// The backend that chooses between two others, which tell what they were asked for.
struct Observed {
  const ObservingGemm* tiled;
  const ObservingGemm* eigen;
  std::unique_ptr<Gemm> gemm;
};
Observed observed_gemm() {
  auto tiled = std::make_unique<ObservingGemm>();
  auto eigen = std::make_unique<ObservingGemm>();
  Observed observed{.tiled = tiled.get(), .eigen = eigen.get(), .gemm = nullptr};
  std::vector<GemmCandidate> candidates;
  candidates.push_back({"tiled", std::move(tiled)});
  candidates.push_back({"eigen", std::move(eigen)});
  observed.gemm = make_gemm_that_chooses(std::move(candidates));
  return observed;
}

TEST_F(AutoGemm, OtherShapesGoToTheBackendOfTheNearestOneWithTheSameTranspositions) {
  const Observed observed = observed_gemm();
  const auto goes_to = [&](const ObservingGemm& expected, const GemmShape& shape) {
    (void)product(*observed.gemm, shape);
    const auto by_tiled = observed.tiled->take();
    const auto by_eigen = observed.eigen->take();
    const std::vector<ObservingGemm::Asked> once = {{shape, Stores::cached}};
    return (&expected == observed.tiled ? by_tiled : by_eigen) == once &&
           by_tiled.size() + by_eigen.size() == 1;
  };
  EXPECT_TRUE(goes_to(*observed.tiled, small)) << "nothing is known yet";
  observed.gemm->adopt(std::vector<GemmChoice>{
      {small, "eigen"}, {large, "tiled"}, {{Op::transpose, Op::none, 500, 500, 3000}, "tiled"}});
  for (int again = 0; again < 2; ++again) {
    EXPECT_TRUE(goes_to(*observed.eigen, {Op::none, Op::none, 12, 40, 290})) << "near small";
    EXPECT_TRUE(goes_to(*observed.tiled, {Op::none, Op::none, 70, 50, 1400})) << "near large";
    EXPECT_TRUE(goes_to(*observed.tiled, {Op::transpose, Op::none, small.m, small.n, small.k}));
  }
}

TEST_F(AutoGemm, ManyShapesAreKeptApart) {
  const Observed observed = observed_gemm();
  observed.gemm->adopt(std::vector<GemmChoice>{{small, "eigen"}, {large, "tiled"}});
  GemmShape like_large{Op::none, Op::none, 8, 48, 1500};
  for (; like_large.k < 3500; ++like_large.k) (void)product(*observed.gemm, like_large);
  EXPECT_EQ(observed.tiled->take().size(), 2000U);
  (void)product(*observed.gemm, small);
  EXPECT_EQ(observed.eigen->take(), (std::vector<ObservingGemm::Asked>{{small, Stores::cached}}));
}

TEST_F(AutoGemm, StreamedProductsGoToTheBackendOfTheirSizesAndAreStreamedThere) {
  const Observed observed = observed_gemm();
  observed.gemm->adopt(std::vector<GemmChoice>{{small, "eigen"}, {large, "tiled"}});
  std::vector<ObservingGemm::Asked> asked;
  for (const Stores stores : {Stores::streamed, Stores::cached, Stores::streamed}) {
    (void)product(*observed.gemm, small, stores);
    asked.push_back({small, stores});
  }
  EXPECT_EQ(observed.eigen->take(), asked);
  EXPECT_TRUE(observed.tiled->take().empty());
}

TEST_F(AutoGemm, ALayersProductStaysOneWithItsBias) {
  auto chosen = std::make_unique<ObservingGemm>();
  const ObservingGemm& only = *chosen;
  std::vector<GemmCandidate> candidates;
  candidates.push_back({"tiled", std::move(chosen)});
  const auto gemm = make_gemm_that_chooses(std::move(candidates));
  const std::vector<float> a(2 * 3, 1.0F), b(3 * 4, 1.0F), row(4, 0.5F);
  std::vector<float> c(2 * 4);
  gemm->multiply_add_row({a.data(), 2, 3}, {b.data(), 3, 4}, row, {c.data(), 2, 4});
  EXPECT_EQ(c, std::vector<float>(2 * 4, 3.5F));
  EXPECT_EQ(only.rows_added(), 1U);
  EXPECT_TRUE(only.take().empty());
}

TEST_F(AutoGemm, AdoptingAnUnknownBackendIsAnError) {
  const auto gemm = make_gemm("auto");
  EXPECT_THROW(gemm->adopt(std::vector<GemmChoice>{{small, "clbas"}}), Error);
  EXPECT_THROW(gemm->adopt(std::vector<GemmChoice>{{small, "auto"}}), Error);
}

TEST_F(AutoGemm, PreparedShapesAreChosenOnceEachAndKept) {
  const auto gemm = make_gemm("auto");
  gemm->prepare(std::vector{small, large, small});
  const auto choices = gemm->choices();
  ASSERT_EQ(choices.size(), 2U);
  EXPECT_EQ(choices[0].shape, small);
  EXPECT_EQ(choices[1].shape, large);
  EXPECT_EQ(read_gemm_cache(), choices);
  EXPECT_EQ(product(*gemm, large), product_of(choices[1].backend, large));
}

TEST_F(AutoGemm, WhatTheCacheTellsIsNotMeasuredAgain) {
  for (const std::string backend : {"tiled", "eigen"}) {
    write_gemm_cache({{small, backend}, {large, "cblas"}});
    const auto gemm = make_gemm("auto");
    gemm->prepare(std::vector{small});
    EXPECT_EQ(gemm->choices(), (std::vector<GemmChoice>{{small, backend}}));
  }
}

TEST_F(AutoGemm, ACacheThatCannotBeBelievedIsReplaced) {
  write_gemm_cache({{small, "eigen"}, {large, "cblas"}});
  const std::string good = content();
  expect_kept(true);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    EXPECT_NE(text.find(from), std::string::npos) << from;
    return text.replace(text.find(from), from.size(), to);
  };
  for (const std::string& bad :
       {std::string(), std::string("[]"), good.substr(0, good.size() / 2),
        with("\"format\": 1", "\"format\": 2"), with("\"host\": \"", "\"host\": \"other-"),
        with("\"build\": \"", "\"build\": \"other "), with("cblas", "clbas"), with("\"cblas\"", "7"),
        with("\"cblas\"", "\"auto\""), with("64x48x1500", "64x48"), with("64x48x1500", "64x48x-1"),
        with("\"choices\": {", "\"choices\": 1, \"x\": {")}) {
    replace_content(bad);
    SCOPED_TRACE(bad);
    EXPECT_TRUE(read_gemm_cache().empty());
    expect_kept(false);
  }
}

TEST_F(AutoGemm, AFolderThatCannotBeWrittenIsNoError) {
  const std::filesystem::path file = folder_ / "file";
  std::ofstream(file) << "not a folder";
  use(file);
  const auto gemm = make_gemm("auto");
  gemm->prepare(std::vector{small});
  EXPECT_EQ(gemm->choices().size(), 1U);
  EXPECT_TRUE(read_gemm_cache().empty());
}

TEST_F(AutoGemm, WritingTheCacheLeavesOneFile) {
  write_gemm_cache({{small, "eigen"}});
  write_gemm_cache({{small, "tiled"}});
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
  EXPECT_EQ(read_gemm_cache(), (std::vector<GemmChoice>{{small, "tiled"}}));
}

TEST_F(AutoGemm, MultiplyingAllocatesNothing) {
  for (const GemmRow& row : gemm_table()) {
    if (row.name != "auto" && row.name != "tiled") continue;
    const auto gemm = row.make();
    const std::vector<float> a(8 * 8), b(8 * 8);
    std::vector<float> c(8 * 8);
    const auto multiply = [&](std::size_t k) {
      gemm->multiply(1.0F, {a.data(), 8, k}, Op::none, {b.data(), k, 8}, Op::none, 0.0F, {c.data(), 8, 8});
    };
    const std::size_t before = allocations();
    for (std::size_t k = 1; k <= 8; ++k) multiply(k);
    EXPECT_EQ(allocations(), before) << row.name;
  }
}

TEST(GemmTuning, PrefersTheEarlierOneUnlessAnotherIsClearlyFaster) {
  EXPECT_EQ(preferred(std::vector{1.00, 0.98, 0.99}), 0U);
  EXPECT_EQ(preferred(std::vector{1.00, 0.90, 0.88}), 1U);
  EXPECT_EQ(preferred(std::vector{1.00, 0.90, 0.80}), 2U);
  EXPECT_EQ(preferred(std::vector{1.00}), 0U);
}

TEST(GemmTuning, ASlowBackendIsToldFromAFastOne) {
  // A stand-in that does the product four times over is measured as slower than the product itself.
  class FourTimes final : public Gemm {
   protected:
    void run(const GemmShape& shape, Stores stores, float alpha, ConstMatrix a, ConstMatrix b, float beta,
             Matrix c) const override {
      for (int i = 0; i < 4; ++i) once_->multiply(alpha, a, shape.op_a, b, shape.op_b, beta, c, stores);
    }
    std::unique_ptr<Gemm> once_ = make_tiled_gemm();
  };
  for (const GemmShape& shape : {small, large, transposed}) {
    std::vector<GemmCandidate> candidates;
    candidates.push_back({"slow", std::make_unique<FourTimes>()});
    candidates.push_back({"fast", make_tiled_gemm()});
    EXPECT_EQ(preferred(measure_s(candidates, shape)), 1U);
  }
}

TEST(GemmChoices, ComeBackFromTheirText) {
  const std::vector<GemmChoice> choices = {{{Op::transpose, Op::none, 784, 256, 64}, "tiled"},
                                           {{Op::none, Op::transpose, 1, 2, 3}, "eigen_avx2"}};
  EXPECT_EQ(to_text(choices), "TN 784x256x64: tiled; NT 1x2x3: eigen_avx2");
  EXPECT_EQ(parse_choices(to_text(choices)), choices);
  EXPECT_TRUE(parse_choices("").empty());
}

TEST(GemmChoices, OtherTextsAreErrors) {
  for (const char* text :
       {"TN 784x256x64", "XN 1x2x3: tiled", "TN 1x2: tiled", "TN 1x2x3x4: tiled", "TN 1x2x: tiled",
        "TN1x2x3: tiled", "TN 1x2x3: tiled; ; ", "TN 99999999999999999999x1x1: tiled"})
    EXPECT_THROW((void)parse_choices(text), Error) << text;
}

}  // namespace
}  // namespace lockstep::math
