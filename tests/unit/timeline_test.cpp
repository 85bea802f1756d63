// SPDX-License-Identifier: BSD-3-Clause
// What a timeline records, where it ends, and its text.
#include "core/timeline.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/json.hpp"
#include "record/trace_file.hpp"

namespace lockstep {
namespace {

using Kind = Timeline::Kind;

// Steps of one second: data, compute, waiting for and making an average, update.
void train(Timeline& timeline, std::size_t steps, double at_s = 0.0) {
  timeline.begin_epoch(1, at_s);
  for (std::size_t step = 1; step <= steps; ++step, at_s += 1.0) {
    timeline.add_phase(Phase::data, at_s, at_s + 0.1);
    timeline.add_phase(Phase::data, at_s + 0.1, at_s + 0.25);
    timeline.add_phase(Phase::compute, at_s + 0.25, at_s + 0.5);
    timeline.add_phase(Phase::wait, at_s + 0.5, at_s + 0.625);
    timeline.note_exchange({.algorithm = "ring", .sent_bytes = 30, .array_bytes = 40});
    timeline.note_average();
    timeline.add_phase(Phase::exchange, at_s + 0.625, at_s + 0.75);
    timeline.add_phase(Phase::update, at_s + 0.75, at_s + 1.0);
    timeline.add_step(step, at_s, at_s + 1.0);
  }
  timeline.end_epoch(at_s);
}

std::size_t count(const Timeline& timeline, Kind kind) {
  std::size_t found = 0;
  for (const Timeline::Event& event : timeline.events()) found += event.kind == kind ? 1 : 0;
  return found;
}

TEST(Timeline, RecordsPhasesStepsAndAverages) {
  Timeline timeline(10);
  train(timeline, 2);
  EXPECT_EQ(count(timeline, Kind::epoch), 1U);
  EXPECT_EQ(count(timeline, Kind::step), 2U);
  EXPECT_EQ(count(timeline, Kind::average), 2U);
  EXPECT_EQ(count(timeline, Kind::phase), 10U);  // data, entered twice, is one event
  EXPECT_EQ(timeline.steps_recorded(), 2U);
  EXPECT_EQ(timeline.steps_left_out(), 0U);
  EXPECT_EQ(timeline.events().front().end_s, 2.0);  // the epoch's
  const Timeline::Event average =
      *std::ranges::find(timeline.events(), Kind::average, &Timeline::Event::kind);
  EXPECT_EQ(average.begin_s, 0.5);
  EXPECT_EQ(average.end_s, 0.75);
}

TEST(Timeline, EndsAfterItsLastStepAndCountsTheOthers) {
  Timeline timeline(3);
  train(timeline, 5);
  timeline.add_phase_outside(Phase::checkpoint, 5.0, 6.0);
  train(timeline, 2, 6.0);
  EXPECT_EQ(count(timeline, Kind::step), 3U);
  EXPECT_EQ(timeline.steps_recorded(), 3U);
  EXPECT_EQ(timeline.steps_left_out(), 4U);
  EXPECT_EQ(timeline.events().front().end_s, 3.0);
  for (const Timeline::Event& event : timeline.events()) EXPECT_LE(event.end_s, 3.0);
  timeline.clear();
  train(timeline, 1);
  EXPECT_EQ(timeline.steps_recorded(), 1U);
}

TEST(Timeline, HasNoRoomForMoreThanItBeganWith) {
  Timeline timeline(1);
  const std::size_t room = timeline.events().capacity();
  timeline.begin_epoch(1, 0.0);
  for (std::size_t i = 0; i < room + 10; ++i) {
    const auto at_s = static_cast<double>(i);
    timeline.add_phase(i % 2 == 0 ? Phase::compute : Phase::update, at_s, at_s + 1.0);
  }
  timeline.add_step(1, 0.0, 1e6);
  EXPECT_EQ(timeline.events().size(), room);
  EXPECT_EQ(timeline.events().capacity(), room);
  EXPECT_EQ(timeline.steps_recorded(), 0U);
  EXPECT_EQ(timeline.steps_left_out(), 1U);
}

TEST(Timeline, EndsAPhaseWhereAStepBegins) {
  PhaseTimer timer;
  Timeline timeline(10);
  timer.record_to(&timeline);
  timer.restart();
  timeline.begin_epoch(1, timer.last_s());
  timer.enter(Phase::data);
  timer.begin_step(1);
  timer.enter(Phase::data);
  timer.end_steps();
  std::vector<Kind> kinds;
  for (const Timeline::Event& event : timeline.events()) kinds.push_back(event.kind);
  EXPECT_EQ(kinds, (std::vector{Kind::epoch, Kind::phase, Kind::phase, Kind::step}));
  EXPECT_EQ(timeline.events()[2].begin_s, timeline.events()[3].begin_s);
  EXPECT_EQ(timer.step_times().count(), 1U);
  EXPECT_EQ(timer.step_times().largest_s(), timeline.events()[3].end_s - timeline.events()[3].begin_s);
}

TEST(Timeline, RecordsNoPhasesBetweenEpochs) {
  Timeline timeline(10);
  timeline.add_phase(Phase::evaluate, 0.0, 1.0);
  train(timeline, 1, 1.0);
  timeline.add_phase(Phase::evaluate, 2.0, 3.0);
  EXPECT_EQ(count(timeline, Kind::phase), 5U);
}

TEST(TraceEvents, BeginWithWhatEnclosesOthers) {
  Timeline timeline(10);
  train(timeline, 1, 100.0);
  const Json events = Json::parse(
      "[" +
      record::trace_events(
          timeline,
          {.process = 4, .names_process = true, .host = "a \"host\"", .rank = 5, .origin_s = 99.0}) +
      "]");
  EXPECT_EQ(events.at(0).at("args").at("name"), "a \"host\"");
  std::vector<std::string> names;
  for (const Json& event : events)
    if (event.at("ph") == "X") names.push_back(event.at("name").get<std::string>());
  EXPECT_EQ(names, (std::vector<std::string>{"epoch 1", "step 1", "data", "compute", "average", "wait",
                                             "exchange", "update"}));
  const Json& step = events.at(5);
  EXPECT_EQ(step.at("name"), "step 1");
  EXPECT_EQ(step.at("ts"), 1e6);
  EXPECT_EQ(step.at("dur"), 1e6);
  EXPECT_EQ(step.at("pid"), 4);
  EXPECT_EQ(step.at("tid"), 5);
  EXPECT_EQ(events.at(10).at("args"), (Json{{"algorithm", "ring"}, {"array_bytes", 40}, {"sent_bytes", 30}}));
}

TEST(TraceFile, LeavesNothingBehindUnlessItIsFinished) {
  const auto folder = std::filesystem::temp_directory_path() / "lockstep-trace-test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  for (const char* name : {"a.json", "b.json.gz"}) {
    record::TraceFile file(folder / name);
    file.add("{}");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace lockstep
