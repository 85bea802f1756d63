// SPDX-License-Identifier: BSD-3-Clause
// Times as Slurm writes and reads them.
#include <utility>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "sweep/spec/duration.hpp"

namespace lockstep::sweep {
namespace {

constexpr double minute_s = 60.0, hour_s = 3600.0, day_s = 24.0 * hour_s;

TEST(Duration, HasTheSixFormatsOfSlurm) {
  const std::pair<const char*, double> cases[] = {
      {"90", 90 * minute_s},
      {"12:30", 12 * minute_s + 30},
      {"1:02:03", hour_s + 2 * minute_s + 3},
      {"2-3", 2 * day_s + 3 * hour_s},
      {"1-12:30", day_s + 12 * hour_s + 30 * minute_s},
      {"0-12:30", 12 * hour_s + 30 * minute_s},
      {"1-2:03:04", day_s + 2 * hour_s + 3 * minute_s + 4},
      {"1-00:00:00", day_s},
  };
  for (const auto& [text, seconds] : cases) EXPECT_EQ(parse_duration("time", text), seconds) << text;
}

TEST(Duration, RefusesAnythingElse) {
  for (const char* text : {"", "0", "0:00", "0-0", "-5", "1-", "1:2:3:4", "1-2:3:4:5", "soon", "1h", "1.5",
                           " 1:00", "1:", ":30"})
    EXPECT_THROW((void)parse_duration("time", text), ConfigError) << text;
}

TEST(Duration, ReadsWhatItWrites) {
  for (const double seconds : {60.0, 3723.0, 100.0 * hour_s})
    EXPECT_EQ(parse_duration("time", duration_text(seconds)), seconds);
}

}  // namespace
}  // namespace lockstep::sweep
