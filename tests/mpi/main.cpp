// SPDX-License-Identifier: BSD-3-Clause
// main() of tests that run under mpiexec: one report, failures of every rank, and no hang.
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "comm/communicator.hpp"

namespace lockstep::comm {
namespace {

constexpr unsigned watchdog_s = 120;  // for one test
char watchdog_message[512] = "watchdog: no test ran\n";
// The running test. Not from UnitTest::current_test_info(): it takes a lock that a failure's report holds.
std::string running_test = "no test";

void end_hanging_test(int) {
  // Only what is safe in a signal handler. The launcher ends the other ranks.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, watchdog_message, strlen(watchdog_message));
  _exit(124);
}

// Gives every test its time, and names the one that takes longer.
class Watchdog final : public testing::EmptyTestEventListener {
 public:
  explicit Watchdog(std::size_t rank) : rank_(rank) {}

 private:
  void OnTestStart(const testing::TestInfo& info) override {
    running_test = std::string(info.test_suite_name()) + "." + info.name();
    std::snprintf(watchdog_message, sizeof watchdog_message,
                  "[rank %zu] watchdog: %s still runs after %u s\n", rank_, running_test.c_str(), watchdog_s);
    alarm(watchdog_s);
  }
  void OnTestProgramEnd(const testing::UnitTest&) override { alarm(watchdog_s); }

  std::size_t rank_;
};

// What ranks other than 0 print: failures only.
class FailurePrinter final : public testing::EmptyTestEventListener {
 public:
  explicit FailurePrinter(std::size_t rank) : rank_(rank) {}

 private:
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "[rank %zu] %s, %s:%d: Failure\n%s\n", rank_, running_test.c_str(),
                 result.file_name() ? result.file_name() : "unknown file", result.line_number(),
                 result.message());
  }

  std::size_t rank_;
};

// 0 when all tests passed on all ranks. Collective.
int run_tests(const Communicator& world) {
  signal(SIGALRM, end_hanging_test);
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  listeners.Append(new Watchdog(world.rank()));  // gtest takes it over
  if (!world.is_root()) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailurePrinter(world.rank()));
    delete listeners.Release(listeners.default_xml_generator());  // rank 0 writes the file
  }
  const int mine = RUN_ALL_TESTS();
  const bool failed_somewhere = world.max(static_cast<double>(mine != 0)) > 0.0;
  if (world.is_root() && failed_somewhere && mine == 0)
    std::fprintf(stderr, "[rank 0] all tests passed here, but not on every rank: see above\n");
  return failed_somewhere ? 1 : 0;
}

}  // namespace
}  // namespace lockstep::comm

int main(int argc, char** argv) {
  using namespace lockstep::comm;
  MpiSession session(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  // All ranks must run the same tests in the same order; by default a shuffle takes its seed from the clock.
  if (testing::GTEST_FLAG(shuffle) && testing::GTEST_FLAG(random_seed) == 0)
    testing::GTEST_FLAG(random_seed) = 1;
  // An exception that leaves a test ends the job: the other ranks would wait for this one.
  testing::GTEST_FLAG(catch_exceptions) = false;
  const Communicator world = Communicator::world();
  try {
    return run_tests(world);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "[rank %zu] %s: %s\n", world.rank(), running_test.c_str(), error.what());
    abort_job(1);
  }
}
