// SPDX-License-Identifier: BSD-3-Clause
// What comes from outside: JSON, texts, names, launchers.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "../support/message_of.hpp"
#include "comm/launcher.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "core/options.hpp"
#include "core/text.hpp"

namespace lockstep {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal_of_json(const std::string& text) {
  return message_of<ConfigError>([&] { (void)parse_json(text); });
}

std::string times(std::size_t count, const std::string& text) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

TEST(JsonText, TakesCommentsAndKeepsTheOrderOfKeys) {
  EXPECT_EQ(to_text(parse_json("{\"b\": 1, /* c */ \"a\": {\"b\": [2]}} // end")),
            R"({"b":1,"a":{"b":[2]}})");
}

TEST(JsonText, RefusesWhatTheParserAloneWouldTakeOrDieOf) {
  EXPECT_THAT(refusal_of_json(R"({"a": {"b": 1, "b": 2}})"), HasSubstr("'b' is given twice"));
  EXPECT_THAT(refusal_of_json(R"({"rate": [1, 1e999]})"),
              AllOf(HasSubstr("bad value for rate"), HasSubstr("1e999")));
  EXPECT_THAT(refusal_of_json("-1e999"), HasSubstr("bad number"));
  EXPECT_THAT(refusal_of_json(R"({"rate": NaN})"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal_of_json(""), HasSubstr("not JSON"));
  EXPECT_THAT(refusal_of_json("{\"a\": \"caf\xe9\"}"), HasSubstr("not JSON"));
  for (const char* opening : {"[", "{\"a\":", "[{\"a\":"})
    EXPECT_THAT(refusal_of_json(times(80000, opening)), HasSubstr("nested too deeply")) << opening;
  EXPECT_EQ(refusal_of_json(times(100, "[") + times(100, "]")), "");
}

TEST(JsonText, NamesTheFile) {
  const auto folder = std::filesystem::temp_directory_path();
  EXPECT_THAT(message_of<ConfigError>([&] { (void)read_json_file(folder); }),
              AllOf(HasSubstr(folder.string()), HasSubstr("a folder")));
  const auto path = folder / ("lockstep-json-test-" + std::to_string(getpid()) + ".json");
  EXPECT_THAT(message_of<ConfigError>([&] { (void)read_json_file(path); }), HasSubstr(path.string()));
  std::ofstream(path) << R"({"a": 1, "a": 2})";
  EXPECT_THAT(message_of<ConfigError>([&] { (void)read_json_file(path); }),
              AllOf(HasSubstr(path.string()), HasSubstr("'a' is given twice")));
  std::filesystem::remove(path);
}

TEST(Text, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(visible("a\x1b[2J\r\x7f"), "a\\x1b[2J\\x0d\\x7f");
  EXPECT_EQ(visible("caf\xe9 \xc2\x9b \xed\xa0\x80 \xc0\x80"),
            "caf\\xe9 \\xc2\\x9b \\xed\\xa0\\x80 \\xc0\\x80");
  EXPECT_EQ(visible("caf\xc3\xa9\n\t\xe2\x82\xac \xf0\x9f\x98\x80"),
            "caf\xc3\xa9\n\t\xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(visible("\xe2\x82"), "\\xe2\\x82");
  EXPECT_TRUE(is_plain_text("caf\xc3\xa9 1"));
  for (const char* bad : {"caf\xe9", "a\nb", "\x1b", "\xc2\x85"}) EXPECT_FALSE(is_plain_text(bad)) << bad;
  EXPECT_STREQ(Error({.what = "no \x1b[2Jfile"}).what(), "no \\x1b[2Jfile");
}

TEST(Names, OfFilesAreNoPathsAndHoldNothingStrange) {
  for (const char* good : {"a", "lr=0.1,b=64", "caf\xc3\xa9", "a..b", "_x"})
    EXPECT_EQ(message_of<ConfigError>([&] { check_file_name("run", good); }), "") << good;
  for (const char* bad : {"", ".", "..", "a/b", "/a", ".a", "-a", "a\nb", "a\x1b", "caf\xe9"})
    EXPECT_THAT(message_of<ConfigError>([&] { check_file_name("run", bad); }), HasSubstr("bad run name"))
        << bad;
  EXPECT_NE(message_of<ConfigError>([&] { check_file_name("run", times(201, "a")); }), "");
}

TEST(Options, TakeWholeNumbersInAnyWriting) {
  std::size_t count = 1;
  double rate = 1.0;
  Options options;
  options.add("count", &count, "").at_least(1).at_most(1e6);
  options.add("rate", &rate, "");
  options.set(parse_json(R"({"count": 1e3})"), "key");
  EXPECT_EQ(count, 1000U);
  options.set(parse_json(R"({"count": 12.0, "rate": 2})"), "key");
  EXPECT_EQ(count, 12U);
  for (const char* bad : {"1e7", "1.5", "-1e3", "1e300"})
    EXPECT_THAT(message_of<ConfigError>([&] { options.find("count")->set(parse_json(bad)); }),
                HasSubstr("bad value for count"))
        << bad;
  for (const char* bad : {"nan", "inf", "-inf", "NaN", "Infinity", "1e999", "1e", ""})
    for (Option& option : options.all()) EXPECT_THROW((void)option.parse(bad), ConfigError) << bad;
  EXPECT_THROW(options.find("rate")->set(std::nan("")), ConfigError);
}

TEST(Options, TakeTextThatCanBeRecordedAndPathsOfAnyBytes) {
  std::string name, path = "x";
  Options options;
  options.add("name", &name, "");
  options.add("path", &path, "").any_bytes().not_empty();
  for (const char* bad : {"caf\xe9", "a\x1b"})
    EXPECT_THAT(message_of<ConfigError>([&] { options.find("name")->set(bad); }),
                AllOf(HasSubstr("bad value for name"), HasSubstr("UTF-8")));
  options.find("path")->set("caf\xe9");
  EXPECT_EQ(path, "caf\xe9");
  EXPECT_THAT(message_of<ConfigError>([&] { options.find("path")->set(""); }), HasSubstr("not empty"));
  EXPECT_THROW(options.find("path")->set(std::string(1, '\0')), ConfigError);
}

// Only these variables of launchers.
void set_launcher(const std::map<std::string, std::string>& variables) {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "PMI_SIZE",
                           "PMI_RANK", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_NTASKS"})
    ::unsetenv(name);
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
}

comm::StrangeLauncher found_with(const std::map<std::string, std::string>& variables, std::size_t ranks = 1) {
  set_launcher(variables);
  const auto found = comm::find_strange_launcher(ranks);
  for (const auto& [name, value] : variables) ::unsetenv(name.c_str());
  return found;
}

TEST(Launcher, OfAnotherLibraryIsNoticed) {
  const auto second = found_with({{"PMI_SIZE", "2"}, {"PMI_RANK", "1"}});
  EXPECT_EQ(second.variable, "PMI_SIZE");
  EXPECT_EQ(second.processes, 2U);
  EXPECT_FALSE(second.is_first);
  EXPECT_TRUE(found_with({{"PMI_SIZE", "2"}, {"PMI_RANK", "0"}}).is_first);
  EXPECT_EQ(found_with({{"SLURM_STEP_NUM_TASKS", "3"}, {"SLURM_PROCID", "0"}}).variable,
            "SLURM_STEP_NUM_TASKS");
  EXPECT_EQ(found_with({{"OMPI_COMM_WORLD_SIZE", "4"}}).processes, 4U);
}

TEST(Launcher, WithoutMpiIsNoticedBeforeMpiStarts) {
  const auto found_in = [](std::map<std::string, std::string> variables) {
    for (const char* name : {"PMIX_RANK", "PMI_FD"})
      if (!variables.contains(name)) ::unsetenv(name);
    set_launcher(variables);
    const auto found = comm::find_unconnected_step();
    for (const auto& [name, value] : variables) ::unsetenv(name.c_str());
    return found.processes;
  };
  EXPECT_EQ(found_in({{"SLURM_STEP_NUM_TASKS", "3"}}), 3U);
  EXPECT_EQ(found_in({{"SLURM_STEP_NUM_TASKS", "1"}}), 0U);
  EXPECT_EQ(found_in({{"SLURM_STEP_NUM_TASKS", "3"}, {"PMIX_RANK", "0"}}), 0U);
  EXPECT_EQ(found_in({{"SLURM_STEP_NUM_TASKS", "3"}, {"PMI_RANK", "0"}, {"PMI_SIZE", "3"}}), 0U);
  EXPECT_EQ(found_in({{"SLURM_STEP_NUM_TASKS", "3"}, {"OMPI_COMM_WORLD_SIZE", "2"}}), 0U);
}

TEST(Launcher, OfOneRankIsRightWithinMore) {
  EXPECT_EQ(found_with({}).variable, "");
  EXPECT_EQ(found_with({{"PMI_SIZE", "2"}}, 2).variable, "");
  EXPECT_EQ(found_with({{"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}}).variable, "");  // a batch script
  EXPECT_EQ(found_with({{"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_NTASKS", "8"}}).variable, "");
  // Open MPI's daemons are a step with a task for each node.
  EXPECT_EQ(found_with({{"OMPI_COMM_WORLD_SIZE", "1"}, {"SLURM_STEP_NUM_TASKS", "2"}, {"SLURM_PROCID", "0"}})
                .variable,
            "");
}

}  // namespace
}  // namespace lockstep
