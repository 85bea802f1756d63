// SPDX-License-Identifier: BSD-3-Clause
// Bad sweeps: each is told with the file, the place, what was expected and, where there is one, the nearest
// name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "sweep/spec/spec.hpp"

namespace lockstep::sweep {
namespace {

using ::testing::HasSubstr;

// What is said of a sweep when it is expanded; "" if nothing is wrong with it.
std::string complaint(const std::string& text, const std::string& scale = "full") {
  try {
    (void)expand(parse_spec(text, "trial.json", scale));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

struct Case {
  const char* name;
  const char* text;
  std::vector<const char*> words;
};

class BadSweep : public ::testing::TestWithParam<Case> {};

TEST_P(BadSweep, IsToldByItsFile) {
  const std::string message = complaint(GetParam().text);
  EXPECT_THAT(message, HasSubstr("trial.json"));
  for (const char* word : GetParam().words) EXPECT_THAT(message, HasSubstr(word));
}

const Case cases[] = {
    {"NoJson", "{\n  \"matrix\": {\"ranks\": [1, 2,]}\n}", {"line 2, column 29", "no comma before"}},
    {"EmptyFile", "", {"not JSON", "line 1"}},
    {"NoObject", "[1]", {"not a sweep", "an object"}},
    {"KeyTwiceInOneObject", R"({"fixed": {"epochs": 1, "epochs": 2}})", {"'epochs'", "twice in one object"}},
    {"UnknownKey", R"({"matrxi": {"ranks": [1]}})", {"'matrxi'", "did you mean 'matrix'"}},
    {"SettingAtTheTop",
     R"({"algorithm": "serial"})",
     {"'algorithm' is given at the top level", "put it in fixed"}},
    {"UnknownSettingInFixed",
     R"({"fixed": {"bach_size": 3}})",
     {"setting in fixed 'bach_size'", "did you mean 'batch_size'"}},
    {"UnknownSettingInMatrix",
     R"({"matrix": {"rank": [3]}})",
     {"setting in matrix 'rank'", "did you mean 'ranks'"}},
    {"UnknownSettingInZip",
     R"({"zip": [{"epoch": [3]}]})",
     {"setting in zip 'epoch'", "did you mean 'epochs'"}},
    {"UnknownSettingInInclude", R"({"include": [{"epoch": 3}]})", {"setting in include 'epoch'"}},
    {"UnknownSettingInExclude",
     R"({"matrix": {"ranks": [1]}, "exclude": [{"epoch": 3}]})",
     {"setting in exclude 'epoch'"}},
    {"UnknownName",
     R"({"matrix": {"algorithm": ["parm_avg"]}})",
     {"matrix", "parm_avg", "did you mean 'param_avg'"}},
    {"UnknownModel", R"({"matrix": {"model": ["model_b"]}})", {"model=model_b", "did you mean 'model_a'"}},
    {"WrongType",
     R"({"matrix": {"batch_size": [64, "128"]}})",
     {"bad value for batch_size", "a whole number", "\"128\""}},
    {"ValueOutside", R"({"fixed": {"learning_rate": 0}})", {"bad value for learning_rate", "above 0"}},
    {"NoRanks", R"({"matrix": {"ranks": [0, 1]}})", {"bad value for ranks", "at least 1", "0"}},
    {"MoreNodesThanRanks",
     R"({"fixed": {"algorithm": "param_avg", "ranks": 2, "nodes": 3}})",
     {"more nodes than ranks", "ranks=2, nodes=3"}},
    {"SerialOnRanks",
     R"({"matrix": {"algorithm": ["serial", "param_avg"], "ranks": [1, 2]}})",
     {"the run algorithm=serial, ranks=2", "runs on one rank", "\"include\"", "\"exclude\""}},
    {"OptionsThatDoNotGoTogether",
     R"({"fixed": {"algorithm": "parallel_sgd", "ranks": 2, "overlap": "on"}})",
     {"overlap=on", "allreduce mpi"}},
    {"OptimizerThatDoesNotWork", R"({"fixed": {"nesterov": true}})", {"nesterov=true", "needs a momentum"}},
    {"ModelThatDoesNotFit",
     R"({"fixed": {"model": "mlp:100-10", "dataset": "synthetic"}})",
     {"mlp:100-10", "does not fit"}},
    {"ListInFixed", R"({"fixed": {"epochs": [1, 2]}})", {"epochs in fixed", "lists of values go in matrix"}},
    {"ValueInMatrix", R"({"matrix": {"epochs": 3}})", {"epochs in matrix", "a list of values", "[3]"}},
    {"EmptyMatrix", R"({"matrix": {}})", {"matrix is empty"}},
    {"EmptyList", R"({"matrix": {"epochs": []}})", {"empty list for epochs in matrix"}},
    {"Nothing", "{}", {"no runs"}},
    {"FixedNoObject", R"({"fixed": []})", {"bad value for fixed", "an object"}},
    {"ZipNoList", R"({"zip": {"epochs": [1]}})", {"bad value for zip", "a list of objects"}},
    {"ZipOfUnequalLengths",
     R"({"zip": [{"epochs": [1, 2], "batch_size": [1, 2, 3]}]})",
     {"different lengths in zip", "2 values for batch_size, as epochs has", "3 values"}},
    {"FixedAndMatrix",
     R"({"fixed": {"epochs": 1}, "matrix": {"epochs": [1, 2]}})",
     {"epochs is given twice", "in fixed and in matrix"}},
    {"MatrixAndZip",
     R"({"matrix": {"epochs": [1, 2]}, "zip": [{"epochs": [1]}]})",
     {"epochs is given twice", "in matrix and in zip"}},
    {"EmptyInclude", R"({"include": [{}]})", {"bad entry in include"}},
    {"ExcludesAll",
     R"({"matrix": {"epochs": [1, 2]}, "exclude": [{"epochs": [1, 2]}]})",
     {"takes out every run"}},
    {"ExcludesNothing",
     R"({"matrix": {"epochs": [1, 2]}, "exclude": [{"epochs": 3}]})",
     {"entry 1 of exclude matches no run", "{\"epochs\":[3]}"}},
    {"ExcludesFromInclude",
     R"({"include": [{"epochs": 1}], "exclude": [{"epochs": 1}]})",
     {"nothing to exclude from"}},
    {"SeedAsSetting", R"({"matrix": {"seed": [1, 2]}})", {"seed is given in matrix", "\"seeds\": [1, 2, 3]"}},
    {"ExperimentAsSetting", R"({"fixed": {"experiment": "x"}})", {"experiment is given in fixed", "name"}},
    {"SeedsAndRepeats", R"({"fixed": {"epochs": 1}, "seeds": [1], "repeats": 2})", {"seeds and repeats"}},
    {"NoSeeds", R"({"fixed": {"epochs": 1}, "seeds": []})", {"seeds is empty"}},
    {"SeedTwice", R"({"fixed": {"epochs": 1}, "seeds": [1, 1]})", {"a seed is given twice"}},
    {"SeedTooLarge", R"({"fixed": {"epochs": 1}, "seeds": [4294967296]})", {"bad value for seeds"}},
    {"NoRepeats", R"({"fixed": {"epochs": 1}, "repeats": 0})", {"bad value for repeats", "at least 1"}},
    {"BadScaling", R"({"fixed": {"epochs": 1}, "scaling": "week"})", {"week", "did you mean 'weak'"}},
    {"LinearRateWithoutWeak",
     R"({"fixed": {"epochs": 1}, "learning_rate_scaling": "linear"})",
     {"without scaling weak"}},
    {"WeakWithoutSamples",
     R"({"fixed": {"algorithm": "param_avg", "ranks": 2}, "scaling": "weak"})",
     {"samples for each rank", "train_samples"}},
    {"UntilWithoutMetric",
     R"({"fixed": {"epochs": 1}, "until": {"ci": 0.1}})",
     {"until without a metric", "epoch_s"}},
    {"UntilUnknownMetric",
     R"({"fixed": {"epochs": 1}, "until": {"metric": "epoch"}})",
     {"epoch", "did you mean 'epoch_s'"}},
    {"UntilUnknownKey",
     R"({"fixed": {"epochs": 1}, "until": {"metric": "epoch_s", "atmost": 7}})",
     {"atmost", "did you mean 'at_most'"}},
    {"UntilTooFew",
     R"({"fixed": {"epochs": 1}, "until": {"metric": "epoch_s", "at_most": 5}})",
     {"at_most", "at least 6"}},
    {"UntilFewerThanRepeats",
     R"({"fixed": {"epochs": 1}, "repeats": 9, "until": {"metric": "epoch_s", "at_most": 8}})",
     {"at_most of at least 9"}},
    {"BadTime", R"({"fixed": {"epochs": 1}, "time": "soon"})", {"bad value for time", "H:MM:SS", "soon"}},
    {"BadName", R"({"name": "a/b", "fixed": {"epochs": 1}})", {"bad sweep name", "'a/b'"}},
    {"HiddenName", R"({"name": ".hidden", "fixed": {"epochs": 1}})", {"bad sweep name"}},
    {"EmptyName", R"({"name": "", "fixed": {"epochs": 1}})", {"bad sweep name"}},
    {"VariantFull", R"({"fixed": {"epochs": 1}, "variants": {"full": {}}})", {"full is the file as it is"}},
    {"VariantName",
     R"({"fixed": {"epochs": 1}, "variants": {"s": {"name": "x"}}})",
     {"cannot change name", "variant s"}},
    {"VariantUnknownKey",
     R"({"fixed": {"epochs": 1}, "variants": {"s": {"fixd": {}}}})",
     {"variant s", "did you mean 'fixed'"}},
    {"VariantThatWasNotAskedFor",
     R"({"fixed": {"epochs": 1}, "variants": {"s": {"fixed": {"epochs": 0}}}})",
     {"variant s", "bad value for epochs"}},
    {"VariantTwice",
     R"({"fixed": {"epochs": 1}, "variants": {"s": {"fixed": {"ranks": 1}, "matrix": {"ranks": [1]}}}})",
     {"variant s", "ranks is given twice"}},
    {"AxisWithoutEffect",
     R"({"matrix": {"avg_freq": [1, 2]}})",
     {"avg_freq has no effect", "param_avg or w_param_avg"}},
    {"TooMany",
     R"({"matrix": {"ranks": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}, "repeats": 10000})",
     {"too many runs", "100000"}},
};

INSTANTIATE_TEST_SUITE_P(Inputs, BadSweep, ::testing::ValuesIn(cases),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(BadSweeps, UnknownScalesAreToldWithThoseThatThereAre) {
  const std::string message = complaint(R"({"fixed": {"epochs": 2}, "variants": {"smoke": {}}})", "smok");
  EXPECT_THAT(message, HasSubstr("one of full, smoke"));
  EXPECT_THAT(message, HasSubstr("did you mean 'smoke'"));
}

TEST(BadSweeps, FilesThatAreNotThereAreNamed) {
  EXPECT_THROW((void)read_spec("/nonexistent/sweep.json", "full"), ConfigError);
  EXPECT_THROW((void)read_spec("/", "full"), ConfigError);
}

}  // namespace
}  // namespace lockstep::sweep
