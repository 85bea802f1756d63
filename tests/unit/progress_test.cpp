// SPDX-License-Identifier: BSD-3-Clause
// The progress display: what its lines say, how wide they are, how often they are drawn.
#include "record/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/error.hpp"

namespace lockstep::record {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

double test_time_s = 0.0;
double test_clock() { return test_time_s; }

// A stream that writes to memory; no terminal.
class Sink {
 public:
  Sink() : file_(::open_memstream(&buffer_, &size_)) { test_time_s = 100.0; }
  ~Sink() {
    std::fclose(file_);
    std::free(buffer_);
  }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  [[nodiscard]] std::FILE* file() const { return file_; }
  [[nodiscard]] std::string text() const {
    std::fflush(file_);
    return {buffer_, size_};
  }

 private:
  char* buffer_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

EpochSummary epoch(std::size_t number) {
  return {
      .epoch = number, .train_loss = 0.0412, .test_accuracy = 0.9712, .epoch_s = 0.742, .samples = 60287.5};
}

TEST(PlainProgress, IsOneLineAnEpochWithTheTimeLeft) {
  Sink out;
  Progress progress(out.file(), ProgressStyle::plain, 20, 938, test_clock);
  for (std::size_t number = 1; number <= 20; ++number) {
    for (std::size_t step = 1; step <= 938; ++step) progress.step({.epoch = number, .step = step});
    test_time_s += 2.0;
    progress.epoch_done(epoch(number));
  }
  progress.finished();
  EXPECT_THAT(out.text(),
              HasSubstr("epoch  3/20  loss 0.0412  test accuracy 97.12 %  0.742 s  81,250 samples/s  "
                        "0:34 left\n"));
  EXPECT_EQ(std::ranges::count(out.text(), '\n'), 20);
  EXPECT_TRUE(
      out.text().ends_with("epoch 20/20  loss 0.0412  test accuracy 97.12 %  0.742 s  81,250 samples/s\n"));
}

TEST(PlainProgress, IsReadableAtOnceEvenIfTheStreamIsBuffered) {
  std::FILE* file = std::tmpfile();
  Progress progress(file, ProgressStyle::plain, 2, 1, test_clock);
  progress.epoch_done(epoch(1));
  EXPECT_GT(::lseek(::fileno(file), 0, SEEK_END), 0);
  std::fclose(file);
}

TEST(PlainProgress, LeavesOutAnAccuracyThatWasNotMeasured) {
  Sink out;
  Progress progress(out.file(), ProgressStyle::plain, 1, 1, test_clock);
  progress.epoch_done({.epoch = 1, .train_loss = 12.5, .epoch_s = 2.0, .samples = 1000.0});
  EXPECT_EQ(out.text(), "epoch 1/1  loss 12.5000  2.000 s  500 samples/s\n");
}

TEST(PlainProgress, SurvivesADivergedLossAndAnEpochWithoutTime) {
  Sink out;
  Progress progress(out.file(), ProgressStyle::plain, 1, 1, test_clock);
  progress.epoch_done({.epoch = 1, .train_loss = NAN, .epoch_s = 0.0, .samples = 1.0});
  EXPECT_EQ(out.text(), "epoch 1/1  loss nan  0.000 s  - samples/s\n");
}

TEST(PlainProgress, CountsOnlyEpochsOfThisProcessInTheTimeLeftOfAContinuedRun) {
  Sink out;
  Progress progress(out.file(), ProgressStyle::plain, 20, 1, test_clock);
  test_time_s += 3.0;
  progress.epoch_done(epoch(16));
  EXPECT_THAT(out.text(), HasSubstr("  0:12 left\n"));
}

TEST(SilentProgress, SaysNothing) {
  Sink out;
  Progress progress(out.file(), ProgressStyle::off, 1, 1, test_clock);
  progress.step({});
  progress.epoch_done(epoch(1));
  progress.finished();
  EXPECT_EQ(out.text(), "");
}

TEST(LiveProgress, RedrawsAtMostTenTimesASecond) {
  Sink out;
  Progress progress(out.file(), ProgressStyle::live, 1, 100000, test_clock);
  for (std::size_t step = 1; step <= 10000; ++step) {
    test_time_s += 0.0001;
    progress.step({.epoch = 1, .step = step, .samples = 1.0, .loss = 0.5});
  }
  EXPECT_GE(std::ranges::count(out.text(), '\r'), 9);
  EXPECT_LE(std::ranges::count(out.text(), '\r'), 10);
  EXPECT_EQ(std::ranges::count(out.text(), '\n'), 0);
}

TEST(LiveProgress, LeavesALineForEveryEpochAndACleanLineAtTheEnd) {
  Sink out;
  Progress progress(out.file(), ProgressStyle::live, 3, 10, test_clock);
  for (std::size_t number = 1; number <= 3; ++number) {
    test_time_s += 1.0;
    progress.step({.epoch = number, .step = 5, .samples = 320.0, .loss = 0.5});
    progress.epoch_done(epoch(number));
  }
  test_time_s += 1.0;
  progress.step({.epoch = 3, .step = 5});
  progress.finished();
  EXPECT_EQ(std::ranges::count(out.text(), '\n'), 3);
  EXPECT_THAT(out.text(), HasSubstr("\r\x1b[Kepoch 2/3  loss 0.0412  test accuracy 97.12 %  0.742 s"));
  EXPECT_TRUE(out.text().ends_with("\r\x1b[K"));
}

TEST(LiveProgress, EstimatesTheTimeLeftFromTheEpochsSoFarOrElseFromTheSteps) {
  Sink out;
  Progress progress(out.file(), ProgressStyle::live, 4, 10, test_clock);
  test_time_s += 2.0;
  progress.step({.epoch = 1, .step = 2, .samples = 1.0, .loss = 0.5});  // 10 s an epoch
  EXPECT_THAT(out.text(), HasSubstr("0:38 left"));
  test_time_s += 10.0;
  progress.epoch_done(epoch(1));  // 12 s, with the evaluation
  test_time_s += 2.0;
  progress.step({.epoch = 2, .step = 9, .samples = 1.0, .loss = 0.5});
  EXPECT_THAT(out.text(), HasSubstr("0:34 left"));
}

TEST(LiveProgress, FitsTheTerminal) {
  for (const unsigned short columns : std::vector<unsigned short>{40, 80, 133}) {
    int controller = -1, terminal = -1;
    winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ASSERT_EQ(::openpty(&controller, &terminal, nullptr, nullptr, &size), 0);
    std::FILE* out = ::fdopen(terminal, "w");
    Progress progress(out, ProgressStyle::live, 20, 938, test_clock);
    test_time_s += 1.0;
    progress.step({.epoch = 3, .step = 412, .samples = 81250.0, .loss = 0.0412});
    std::vector<char> buffer(1000);
    const ssize_t length = ::read(controller, buffer.data(), buffer.size());
    ASSERT_GT(length, 4);
    const std::string text(buffer.data(), static_cast<std::size_t>(length));
    EXPECT_TRUE(text.starts_with("\repoch  3/20  ") && text.ends_with("\x1b[K")) << text;
    const std::size_t width = text.size() - std::string("\r\x1b[K").size();
    EXPECT_LT(width, columns);
    EXPECT_EQ(width, std::min(columns - 1U, 101U)) << text;
    progress.finished();
    std::fclose(out);
    ::close(controller);
  }
}

TEST(LiveLine, IsCutFromTheRightAndNeverTooWide) {
  const LiveLine line = {.status = {.epoch = 3, .step = 412, .samples = 0.0, .loss = 0.0412},
                         .total_epochs = 20,
                         .steps_per_epoch = 938,
                         .samples_per_s = 81250.0,
                         .left_s = 13.0};
  EXPECT_EQ(live_line(line, 83),
            "epoch  3/20  [#####-------]  step 412/938  loss 0.0412  81,250 samples/s  0:13 left");
  for (std::size_t width = 0; width < 200; ++width) {
    EXPECT_LE(live_line(line, width).size(), width);
    EXPECT_TRUE(live_line(line, width).starts_with(std::string("epoch  3/20").substr(0, width)));
  }
  EXPECT_THAT(live_line(line, 60), Not(HasSubstr("[")));
}

TEST(LiveLine, FillsTheBarWithTheEpoch) {
  LiveLine line = {.status = {.epoch = 1, .step = 10}, .total_epochs = 1, .steps_per_epoch = 10};
  EXPECT_THAT(live_line(line, 80), ::testing::ContainsRegex("\\[#+\\]"));
  line.status.step = 0;
  EXPECT_THAT(live_line(line, 80), ::testing::ContainsRegex("\\[-+\\]"));
}

TEST(ClockText, ShowsMinutesAndHours) {
  EXPECT_EQ(clock_text(0.4), "0:00");
  EXPECT_EQ(clock_text(13.0), "0:13");
  EXPECT_EQ(clock_text(59.7), "1:00");
  EXPECT_EQ(clock_text(725.0), "12:05");
  EXPECT_EQ(clock_text(3723.0), "1:02:03");
  EXPECT_EQ(clock_text(360000.0), "100:00:00");
  EXPECT_EQ(clock_text(NAN), "-");
  EXPECT_EQ(clock_text(-1.0), "-");
}

TEST(ProgressStyle, IsFoundByNameAndMisspellingsAreAnswered) {
  EXPECT_EQ(progress_style("auto"), ProgressStyle::automatic);
  EXPECT_EQ(progress_style("live"), ProgressStyle::live);
  EXPECT_EQ(progress_style("plain"), ProgressStyle::plain);
  EXPECT_EQ(progress_style("off"), ProgressStyle::off);
  EXPECT_THROW((void)progress_style("life"), ConfigError);
}

TEST(Terminal, IsOneOnlyIfItsLinesCanBeRedrawn) {
  int controller = -1, terminal = -1;
  ASSERT_EQ(::openpty(&controller, &terminal, nullptr, nullptr, nullptr), 0);
  std::FILE* tty = ::fdopen(terminal, "w");
  Sink sink;
  ::setenv("TERM", "xterm", 1);
  EXPECT_TRUE(is_terminal(tty));
  EXPECT_FALSE(is_terminal(sink.file()));
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(is_terminal(tty));
  ::unsetenv("TERM");
  EXPECT_FALSE(is_terminal(tty));
  std::fclose(tty);
  ::close(controller);
}

TEST(AutomaticProgress, IsPlainWhereNoTerminalIs) {
  Sink out;
  Progress progress(out.file(), ProgressStyle::automatic, 2, 1, test_clock);
  test_time_s += 1.0;
  progress.step({});
  progress.epoch_done(epoch(1));
  EXPECT_THAT(out.text(), Not(HasSubstr("\r")));
  EXPECT_EQ(std::ranges::count(out.text(), '\n'), 1);
}

}  // namespace
}  // namespace lockstep::record
