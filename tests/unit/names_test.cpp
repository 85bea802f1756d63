// SPDX-License-Identifier: BSD-3-Clause
// Named tables and described options: what is accepted, and what an error says.
#include "core/names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/fields.hpp"
#include "core/json.hpp"

namespace lockstep {
namespace {

using testing::HasSubstr;

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(Names, SuggestTheNearestKnownName) {
  EXPECT_EQ(nearest_name("parm_avg", {"serial", "param_avg"}), "param_avg");
  EXPECT_EQ(nearest_name("zzzzzz", {"serial", "param_avg"}), "");
}

struct Options {
  std::size_t count = 3;
  std::uint32_t seed = 1;
  double rate = 0.5;
  bool flag = false;
  std::string kind = "a";
};

Fields describe(Options& options) {
  Fields fields;
  fields.add("count", &options.count, "").at_least(1).at_most(1000000);
  fields.add("seed", &options.seed, "");
  fields.add("rate", &options.rate, "").above(0).at_most(1);
  fields.add("flag", &options.flag, "");
  fields.add("kind", &options.kind, "").one_of({"a", "bee"});
  return fields;
}

TEST(Fields, TakeJsonOfTheirOwnType) {
  Options options;
  Fields fields = describe(options);
  fields.find("count")->set(12);
  fields.find("rate")->set(1);
  fields.find("flag")->set(true);
  fields.find("kind")->set("bee");
  EXPECT_EQ(options.count, 12U);
  EXPECT_EQ(options.rate, 1.0);
  EXPECT_TRUE(options.flag);
  EXPECT_EQ(options.kind, "bee");
  EXPECT_EQ(fields.values(), Json::parse(R"({"count":12,"seed":1,"rate":1.0,"flag":true,"kind":"bee"})"));
}

TEST(Fields, RefuseOtherTypesAndImpossibleValuesAndNameTheKey) {
  Options options;
  Fields fields = describe(options);
  const std::vector<std::pair<std::string, Json>> wrong = {
      {"count", 0},       {"count", -1},        {"count", 1.5}, {"count", "3"},
      {"count", 1000001}, {"seed", 4294967296}, {"rate", 0},    {"rate", 1.01},
      {"rate", "x"},      {"flag", 1},          {"kind", "c"},  {"kind", 3},
      {"rate", true},     {"count", true},      {"seed", -1},   {"kind", Json{}}};
  for (const auto& [key, value] : wrong) {
    const std::string message = message_of([&, &key = key, &value = value] { fields.find(key)->set(value); });
    EXPECT_THAT(message, HasSubstr(key)) << value;
  }
  EXPECT_EQ(options.count, 3U);
  EXPECT_EQ(options.rate, 0.5);
}

TEST(Fields, ParseWhatPeopleType) {
  Options options;
  Fields fields = describe(options);
  EXPECT_EQ(fields.find("count")->parse("1e4"), 10000U);
  EXPECT_EQ(fields.find("rate")->parse(".25"), 0.25);
  EXPECT_EQ(fields.find("flag")->parse("1"), true);
  EXPECT_EQ(fields.find("flag")->parse("off"), false);
  for (const char* text : {"", "sixty", "64x", "0x10", "1,5"})
    EXPECT_THROW((void)fields.find("count")->parse(text), ConfigError) << text;
}

TEST(Fields, SuggestTheNearestName) {
  Options options;
  Fields fields = describe(options);
  EXPECT_THAT(message_of([&] { fields.find("kind")->set("beee"); }), HasSubstr("did you mean 'bee'"));
}

}  // namespace
}  // namespace lockstep
