// SPDX-License-Identifier: BSD-3-Clause
// Named tables and described options: what is accepted, and what an error says.
#include "core/names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/message_of.hpp"
#include "core/json.hpp"
#include "core/options.hpp"
#include "core/text.hpp"

namespace lockstep {
namespace {

using testing::HasSubstr;

TEST(Names, SuggestTheNearestKnownName) {
  EXPECT_EQ(nearest_name("parm_avg", {"serial", "param_avg"}), "param_avg");
  EXPECT_EQ(nearest_name("zzzzzz", {"serial", "param_avg"}), "");
}

struct Values {
  std::size_t count = 3;
  std::uint32_t seed = 1;
  double rate = 0.5;
  bool flag = false;
  std::string kind = "a";
};

Options describe(Values& chosen) {
  Options options;
  options.add("count", &chosen.count, "").at_least(1).at_most(1000000);
  options.add("seed", &chosen.seed, "");
  options.add("rate", &chosen.rate, "").above(0).at_most(1);
  options.add("flag", &chosen.flag, "");
  options.add("kind", &chosen.kind, "").one_of({"a", "bee"});
  return options;
}

TEST(Options, TakeJsonOfTheirOwnType) {
  Values chosen;
  Options options = describe(chosen);
  options.find("count")->set(12);
  options.find("rate")->set(1);
  options.find("flag")->set(true);
  options.find("kind")->set("bee");
  EXPECT_EQ(chosen.count, 12U);
  EXPECT_EQ(chosen.rate, 1.0);
  EXPECT_TRUE(chosen.flag);
  EXPECT_EQ(chosen.kind, "bee");
  EXPECT_EQ(options.values(), Json::parse(R"({"count":12,"seed":1,"rate":1.0,"flag":true,"kind":"bee"})"));
}

TEST(Options, RefuseOtherTypesAndImpossibleValuesAndNameTheKey) {
  Values chosen;
  Options options = describe(chosen);
  const std::vector<std::pair<std::string, Json>> wrong = {
      {"count", 0},       {"count", -1},        {"count", 1.5}, {"count", "3"},
      {"count", 1000001}, {"seed", 4294967296}, {"rate", 0},    {"rate", 1.01},
      {"rate", "x"},      {"flag", 1},          {"kind", "c"},  {"kind", 3},
      {"rate", true},     {"count", true},      {"seed", -1},   {"kind", Json{}}};
  for (const auto& [key, value] : wrong) {
    const std::string message =
        message_of<ConfigError>([&, &key = key, &value = value] { options.find(key)->set(value); });
    EXPECT_THAT(message, HasSubstr(key)) << value;
  }
  EXPECT_EQ(chosen.count, 3U);
  EXPECT_EQ(chosen.rate, 0.5);
}

TEST(Options, ParseWhatPeopleType) {
  Values chosen;
  Options options = describe(chosen);
  EXPECT_EQ(options.find("count")->parse("1e4"), 10000U);
  EXPECT_EQ(options.find("rate")->parse(".25"), 0.25);
  EXPECT_EQ(options.find("flag")->parse("1"), true);
  EXPECT_EQ(options.find("flag")->parse("off"), false);
  for (const char* text : {"", "sixty", "64x", "0x10", "1,5"})
    EXPECT_THROW((void)options.find("count")->parse(text), ConfigError) << text;
}

TEST(Options, SuggestTheNearestName) {
  Values chosen;
  Options options = describe(chosen);
  EXPECT_THAT(message_of<ConfigError>([&] { options.find("kind")->set("beee"); }),
              HasSubstr("did you mean 'bee'"));
}

TEST(Options, ReadAnObjectAndNameAnUnknownKey) {
  Values chosen;
  std::vector<std::string> words = {"old"};
  Options options = describe(chosen);
  options.add("words", &words, "");
  options.set(Json::parse(R"({"count": 7, "words": ["a", "b"]})"), "key of the test");
  EXPECT_EQ(chosen.count, 7U);
  EXPECT_THAT(words, testing::ElementsAre("a", "b"));
  EXPECT_THAT(message_of<ConfigError>([&] { options.set(Json::parse(R"({"cont": 7})"), "key of the test"); }),
              testing::AllOf(HasSubstr("unknown key of the test 'cont'"), HasSubstr("did you mean 'count'")));
  for (const char* wrong : {R"({"words": "a"})", R"({"words": ["a", 1]})"})
    EXPECT_THAT(message_of<ConfigError>([&] { options.set(Json::parse(wrong), "key"); }),
                HasSubstr("bad value for words"));
}

TEST(Text, IsSplitAndTrimmed) {
  EXPECT_THAT(split("a,,b", ','), testing::ElementsAre("a", "", "b"));
  EXPECT_THAT(split("a,", ','), testing::ElementsAre("a"));
  EXPECT_THAT(split("", ','), testing::IsEmpty());
  EXPECT_EQ(trimmed(" \ta b\n"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(plural(1, "run") + ", " + plural(0, "run"), "1 run, 0 runs");
}

}  // namespace
}  // namespace lockstep
