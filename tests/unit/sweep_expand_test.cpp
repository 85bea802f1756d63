// SPDX-License-Identifier: BSD-3-Clause
// What a sweep's file means: which runs, in which order, under which names.
#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/message_of.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/sha256.hpp"
#include "sweep/spec/settings.hpp"
#include "sweep/spec/spec.hpp"
#include "sweep/spec/spec_sections.hpp"
#include "train/run_config.hpp"

namespace lockstep::sweep {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Spec spec_of(const std::string& text, const std::string& scale = "full") {
  return parse_spec(text, "folder/trial.json", scale);
}

std::vector<Point> runs_of(const std::string& text, const std::string& scale = "full") {
  return expand(spec_of(text, scale));
}

// "param_avg n2 b64 s1" for each run.
std::vector<std::string> brief(const std::vector<Point>& points) {
  std::vector<std::string> lines;
  for (const Point& point : points) {
    const auto& settings = point.settings;
    lines.push_back(settings.value("algorithm", "serial") + " n" + std::to_string(point.ranks) + " b" +
                    std::to_string(settings.value("batch_size", std::size_t{64})) + " s" +
                    std::to_string(settings.at("seed").get<std::size_t>()));
  }
  return lines;
}

TEST(SweepExpansion, IsTheProductOfTheMatrixWithTheLastAxisFastest) {
  const auto runs = runs_of(R"({"fixed": {"algorithm": "param_avg"},
                                "matrix": {"ranks": [1, 2], "batch_size": [32, 64, 128]}})");
  EXPECT_THAT(brief(runs), ElementsAre("param_avg n1 b32 s1", "param_avg n1 b64 s1", "param_avg n1 b128 s1",
                                       "param_avg n2 b32 s1", "param_avg n2 b64 s1", "param_avg n2 b128 s1"));
}

TEST(SweepExpansion, AdvancesTheKeysOfAZipGroupTogether) {
  const auto runs = runs_of(R"({"matrix": {"algorithm": ["param_avg"]},
                                "zip": [{"ranks": [1, 2], "batch_size": [64, 32]}, {"epochs": [3, 4]}]})");
  EXPECT_THAT(brief(runs), ElementsAre("param_avg n1 b64 s1", "param_avg n1 b64 s1", "param_avg n2 b32 s1",
                                       "param_avg n2 b32 s1"));
  EXPECT_EQ(runs[1].settings["epochs"], 4);
}

TEST(SweepExpansion, PutsWhatIsIncludedBehindAndLetsItReplaceFixedSettings) {
  const auto runs = runs_of(R"({"fixed": {"batch_size": 64, "epochs": 3},
      "matrix": {"algorithm": ["param_avg"], "ranks": [2]},
      "include": [{"algorithm": "serial", "batch_size": [16, 64]}, {"algorithm": "drift_avg", "ranks": [4, 8]}]})");
  EXPECT_THAT(brief(runs), ElementsAre("param_avg n2 b64 s1", "serial n1 b16 s1", "serial n1 b64 s1",
                                       "drift_avg n4 b64 s1", "drift_avg n8 b64 s1"));
  for (const Point& run : runs) EXPECT_EQ(run.settings["epochs"], 3);
}

TEST(SweepExpansion, OfIncludeAloneHasNoOtherRuns) {
  EXPECT_THAT(brief(runs_of(R"({"fixed": {"batch_size": 8}, "include": [{"epochs": 2}]})")),
              ElementsAre("serial n1 b8 s1"));
  EXPECT_THAT(brief(runs_of(R"({"fixed": {"batch_size": 8}})")), ElementsAre("serial n1 b8 s1"));
}

TEST(SweepExpansion, TakesOutRunsThatMatchAllKeysOfAnExclusion) {
  const auto runs = runs_of(R"({"matrix": {"algorithm": ["serial", "param_avg"], "ranks": [1, 2, 4]},
      "exclude": [{"algorithm": "serial", "ranks": [2, 4]}, {"algorithm": "param_avg", "ranks": 1}]})");
  EXPECT_THAT(brief(runs), ElementsAre("serial n1 b64 s1", "param_avg n2 b64 s1", "param_avg n4 b64 s1"));
}

TEST(SweepExpansion, ExcludesByDefaultsAndWhateverANumberLooksLike) {
  EXPECT_THAT(brief(runs_of(R"({"matrix": {"learning_rate": [1, 2], "batch_size": [8, 64]},
                                "exclude": [{"learning_rate": 1.0, "batch_size": 8}]})")),
              ElementsAre("serial n1 b64 s1", "serial n1 b8 s1", "serial n1 b64 s1"));
  // allreduce is given nowhere: its default is "auto".
  EXPECT_THAT(brief(runs_of(R"({"matrix": {"batch_size": [8, 64]},
                                "exclude": [{"allreduce": "auto", "batch_size": 8}]})")),
              ElementsAre("serial n1 b64 s1"));
}

TEST(SweepExpansion, LeavesIncludedRunsAlone) {
  const auto runs =
      runs_of(R"({"matrix": {"batch_size": [8, 64]}, "include": [{"batch_size": 8, "epochs": 7}],
                                "exclude": [{"batch_size": 8}]})");
  EXPECT_THAT(brief(runs), ElementsAre("serial n1 b64 s1", "serial n1 b8 s1"));
}

TEST(SweepExpansion, MakesAllRunsOfASeedBeforeTheNext) {
  EXPECT_THAT(brief(runs_of(R"({"matrix": {"batch_size": [8, 64]}, "repeats": 2})")),
              ElementsAre("serial n1 b8 s1", "serial n1 b64 s1", "serial n1 b8 s2", "serial n1 b64 s2"));
  const auto runs = runs_of(R"({"fixed": {"batch_size": 8}, "seeds": [7, 3]})");
  EXPECT_THAT(brief(runs), ElementsAre("serial n1 b8 s7", "serial n1 b8 s3"));
  EXPECT_EQ(runs[0].repeat, 0U);
  EXPECT_EQ(runs[1].repeat, 1U);
}

TEST(SweepExpansion, FoldsRunsThatDifferInNothingThatHasAnEffect) {
  // avg_freq has none on parallel_sgd, and 64 is the default.
  const Expansion expansion = expand_with_notes(
      spec_of(R"({"matrix": {"algorithm": ["parallel_sgd", "param_avg"], "avg_freq": [1, 2], "ranks": [2]},
                  "include": [{"algorithm": "parallel_sgd", "ranks": 2, "batch_size": 64}]})"));
  EXPECT_THAT(brief(expansion.points),
              ElementsAre("parallel_sgd n2 b64 s1", "param_avg n2 b64 s1", "param_avg n2 b64 s1"));
  EXPECT_FALSE(expansion.points[0].settings.contains("avg_freq"));
  EXPECT_EQ(expansion.points[2].settings["avg_freq"], 2);
  ASSERT_FALSE(expansion.notes.empty());
  EXPECT_THAT(expansion.notes[0], HasSubstr("2 combinations repeat others"));
}

TEST(SweepExpansion, GivesSettingsThatTrainResolvesToTheSameConfiguration) {
  for (const Point& run :
       runs_of(R"({"matrix": {"algorithm": ["param_avg", "drift_avg"], "learning_rate": [1, 0.5],
                                                 "model": ["lenet5", "mlp:784-8-10"], "ranks": [1, 3]}})")) {
    const auto resolved = train::resolve_config(run.settings);
    EXPECT_THAT(resolved.notes, IsEmpty());
    EXPECT_EQ(resolved.run.experiment, "trial");
    for (const auto& [key, value] : run.settings.items()) EXPECT_EQ(resolved.values[key], value) << key;
  }
}

TEST(SweepExpansion, AcceptsCommentsAndTakesItsNameFromTheFile) {
  const Spec spec = spec_of("// why\n{\"fixed\": {\"epochs\": 2 /* short */}}");
  EXPECT_EQ(spec.name, "trial");
  EXPECT_EQ(spec_of(R"({"name": "other", "fixed": {"epochs": 2}})").name, "other");
}

TEST(SweepExpansion, ReadsTheTimeOfARun) {
  EXPECT_EQ(spec_of(R"({"fixed": {"epochs": 2}, "time": "1:02:03"})").time_s, 3723.0);
  EXPECT_EQ(spec_of(R"({"fixed": {"epochs": 2}})").time_s, 0.0);
}

TEST(WeakScaling, GrowsTheDataAndTheSharedBatchWithTheRanks) {
  const auto runs = runs_of(R"({"scaling": "weak",
      "fixed": {"dataset": "synthetic", "synthetic_train": 100, "gradient": "mean", "learning_rate": 0.5},
      "matrix": {"algorithm": ["parallel_sgd", "param_avg"], "ranks": [1, 4]}})");
  EXPECT_THAT(brief(runs), ElementsAre("parallel_sgd n1 b64 s1", "parallel_sgd n4 b256 s1",
                                       "param_avg n1 b64 s1", "param_avg n4 b64 s1"));
  for (const Point& run : runs) {
    EXPECT_EQ(run.settings["synthetic_train"], 100 * run.ranks);
    EXPECT_EQ(run.settings["learning_rate"], 0.5);
  }
}

TEST(WeakScaling, GrowsTheRateWhereTheBatchGrowsIfAskedTo) {
  const char* text = R"({"scaling": "weak", "learning_rate_scaling": "linear",
      "fixed": {"dataset": "synthetic", "synthetic_train": 100, "learning_rate": 0.5},
      "matrix": {"algorithm": ["parallel_sgd", "param_avg"], "gradient": ["mean", "sum"], "ranks": [4]}})";
  const auto runs = runs_of(text);
  ASSERT_EQ(runs.size(), 4U);
  EXPECT_EQ(runs[0].settings["learning_rate"], 2.0);  // parallel_sgd, mean
  EXPECT_EQ(runs[1].settings["learning_rate"], 0.5);  // a summed gradient grows by itself
  EXPECT_EQ(runs[2].settings["learning_rate"], 0.5);  // param_avg: each rank has its own batches
}

TEST(WeakScaling, LimitsRealDataBySamplesOfARank) {
  const auto runs = runs_of(R"({"scaling": "weak", "fixed": {"algorithm": "param_avg", "dataset": "mnist",
                                "train_samples": 1000, "data_dir": "nowhere"}, "matrix": {"ranks": [2, 3]}})");
  EXPECT_EQ(runs[0].settings["train_samples"], 2000);
  EXPECT_EQ(runs[1].settings["train_samples"], 3000);
}

constexpr const char* with_variants = R"({
  "name": "table", "title": "all of it",
  "fixed": {"epochs": 20, "dataset": "synthetic", "lambda": 2},
  "matrix": {"algorithm": ["w_param_avg"], "ranks": [2, 4, 8]},
  "zip": [{"batch_size": [32, 64], "learning_rate": [0.1, 0.2]}],
  "include": [{"algorithm": "serial", "epochs": 30}],
  "exclude": [{"ranks": 8, "batch_size": 64}],
  "repeats": 3,
  "variants": {
    "smoke": {"fixed": {"epochs": 1, "batch_size": 16, "lambda": null}, "matrix": {"ranks": [2]}, "seeds": [9]},
    "wide": {"matrix": {"epochs": [1, 2], "learning_rate": null}, "include": null, "exclude": [{"ranks": 4}]}
  }
})";

TEST(Variants, ReplaceKeyByKeyInFixedAndMatrix) {
  const Spec spec = spec_of(with_variants, "smoke");
  EXPECT_EQ(spec.name, "table-smoke");
  EXPECT_EQ(spec.title, "all of it");
  const auto runs = expand(spec);
  // batch_size was zipped with learning_rate: what the variant fixes goes from there, the rest stays. epochs
  // goes from include. The exclusion of the file has no run to match, which is no mistake of the variant.
  EXPECT_THAT(brief(runs), ElementsAre("w_param_avg n2 b16 s9", "w_param_avg n2 b16 s9", "serial n1 b16 s9"));
  for (const Point& run : runs) EXPECT_EQ(run.settings["epochs"], 1);
  EXPECT_EQ(runs[0].settings["learning_rate"], 0.1);
  EXPECT_EQ(runs[1].settings["learning_rate"], 0.2);
  EXPECT_FALSE(runs[0].settings.contains("lambda"));
  EXPECT_EQ(runs[0].settings["experiment"], "table-smoke");
}

TEST(Variants, ReplaceOtherSectionsAsAWhole) {
  const auto runs = runs_of(with_variants, "wide");
  ASSERT_EQ(runs.size(), 3U * 2 * 2 * 2);
  for (const Point& run : runs) {
    EXPECT_NE(run.ranks, 4U);
    EXPECT_FALSE(run.settings.contains("learning_rate"));
  }
}

TEST(Variants, LeaveTheFileAsItIsUnderTheNameFull) {
  const Spec spec = spec_of(with_variants);
  EXPECT_EQ(spec.name, "table");
  EXPECT_EQ(expand(spec).size(), (3U * 2 - 1 + 1) * 3);
  EXPECT_THAT(scales_of_file(spec.text), ElementsAre("full", "smoke", "wide"));
}

TEST(RunIds, AreReadableAndDifferentForDifferentRuns) {
  const auto runs =
      runs_of(R"({"matrix": {"algorithm": ["param_avg", "parallel_sgd"], "ranks": [2, 4], "nodes": [0, 1, 2],
                                           "learning_rate": [0.1, 0.2], "dataset": ["mnist", "synthetic"]}, "repeats": 2})");
  std::set<std::string> ids;
  for (const Point& run : runs) ids.insert(run.run_id);
  EXPECT_EQ(ids.size(), 2U * 2 * 3 * 2 * 2 * 2);
  EXPECT_THAT(runs[0].run_id, ::testing::MatchesRegex("param_avg-mnist-n2-b64-s1-[0-9a-f]{12}"));
}

TEST(RunIds, DependOnWhatIsRunAndNotOnHowItIsWritten) {
  const std::string id =
      runs_of(R"({"fixed": {"algorithm": "param_avg", "ranks": 2, "learning_rate": 1}})")[0].run_id;
  for (
      const char* same :
      {R"({"name": "x", "matrix": {"learning_rate": [1.0], "ranks": [2]}, "fixed": {"algorithm": "param_avg"}})",
       R"({"fixed": {"batch_size": 64, "avg_freq": 1, "model": "model_a"},
                               "include": [{"ranks": 2, "algorithm": "param_avg", "learning_rate": 1}]})"})
    EXPECT_EQ(runs_of(same)[0].run_id, id);
}

TEST(RunIds, EndInTheHashOfWhatDiffersFromTheDefaults) {
  Resolver resolver;
  const Resolved& resolved = resolver.resolve(Json::parse(R"({"algorithm": "w_param_avg", "lambda": 10})"));
  const std::string text = identity_text(resolved, 4, 0, 3);
  EXPECT_EQ(text, R"({"algorithm":"w_param_avg","lambda":10.0,"ranks":4,"seed":3})");
  const std::string hash = sha256(std::as_bytes(std::span(text)));
  EXPECT_EQ(make_run_id(resolved, 4, 0, 3), "w_param_avg-mnist-n4-b64-s3-" + hash.substr(0, 12));
  EXPECT_THAT(identity_text(resolved, 4, 2, 3), HasSubstr(R"("nodes":2)"));
}

Simulation small_cluster() {
  return {.site = "sim:small",
          .cluster = "small",
          .file = "/clusters/small.json",
          .cores_per_node = 4,
          .most_ranks = 8,
          .identity = {{"alpha_s", 1e-5}, {"cores_per_node", 4}}};
}

Spec simulated_spec(const std::string& text, const Simulation& simulation) {
  Spec spec = spec_of(text);
  simulate_on(spec, simulation);
  return spec;
}

TEST(SimulatedSweeps, HaveRunIdsAndAFolderOfTheirOwn) {
  const std::string text = R"({"name": "trial", "fixed": {"algorithm": "param_avg", "ranks": 2}})";
  const Point real = runs_of(text)[0];
  Simulation other = small_cluster();
  other.identity["alpha_s"] = 2e-5;
  const Spec spec = simulated_spec(text, small_cluster());
  EXPECT_EQ(spec.name, "trial-sim-small");
  const Point point = expand(spec)[0];
  EXPECT_EQ(point.cluster, "small");
  EXPECT_EQ(point.settings.at("experiment"), "trial-sim-small");
  EXPECT_EQ(real.cluster, "");
  EXPECT_NE(point.run_id, real.run_id);
  EXPECT_NE(point.run_id, expand(simulated_spec(text, other))[0].run_id);
  EXPECT_EQ(with_repeat(spec, point, 0).run_id, point.run_id);
}

TEST(SimulatedSweeps, SayInTheHashedTextWhatSimulatesThem) {
  Resolver resolver;
  const Resolved& resolved = resolver.resolve(Json::parse(R"({"algorithm": "param_avg"})"));
  EXPECT_EQ(
      identity_text(resolved, 2, 0, 1, small_cluster().identity),
      R"({"algorithm":"param_avg","ranks":2,"seed":1,"simulation":{"alpha_s":1e-05,"cores_per_node":4}})");
}

TEST(SimulatedSweeps, FitTheirCluster) {
  const auto complaint = [](const std::string& shape) {
    return message_of<ConfigError>([&] {
      (void)expand(
          simulated_spec(R"({"fixed": {"algorithm": "param_avg", )" + shape + "}}", small_cluster()));
    });
  };
  EXPECT_EQ(complaint(R"("ranks": 8)"), "");
  EXPECT_EQ(complaint(R"("ranks": 8, "nodes": 2)"), "");
  EXPECT_THAT(complaint(R"("ranks": 9)"), HasSubstr("at most 8, most_ranks in /clusters/small.json"));
  EXPECT_THAT(complaint(R"("ranks": 8, "nodes": 4)"), HasSubstr("nodes 2 for 8 ranks: cores_per_node is 4"));
}

TEST(SimulatedSweeps, AreCalledByTheirOptionsToo) {
  Simulation simulation = small_cluster();
  simulation.options = {"--computing", "a/b"};
  EXPECT_EQ(simulation.folder_ending(), "sim-small-computing-a-b");
}

TEST(Work, IsThatOfTheModelsProducts) {
  const auto runs =
      runs_of(R"({"fixed": {"dataset": "synthetic", "epochs": 2}, "matrix": {"eval_acc": [true, false]}})");
  // 784-256-64-10 on 60,000 samples: 54.3 GFLOP an epoch, 26.1 of them forward.
  EXPECT_NEAR(runs[1].flop, 2 * 54.3e9, 0.1e9);
  EXPECT_NEAR(runs[0].flop - runs[1].flop, 2 * 26.1e9 / 6, 0.1e9);
}

}  // namespace
}  // namespace lockstep::sweep
