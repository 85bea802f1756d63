// SPDX-License-Identifier: BSD-3-Clause
// To be preloaded: one rank of a job gets into an endless loop, or becomes slow, at a reading of the clock.
//   DISTURBED_RANK=R  DISTURBANCE=spin|slow  DISTURBED_FROM=N (reading of its main thread)
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

bool is_this_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"})
    if (const char* rank = std::getenv(name)) {
      const char* const wanted = std::getenv("DISTURBED_RANK");
      return wanted != nullptr && std::strcmp(rank, wanted) == 0;
    }
  return false;
}

long readings = 0;

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  using Function = int(clockid_t, timespec*);
  static Function* const original = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, "clock_gettime"));
  static const bool disturbed = is_this_rank();
  static const bool spins = disturbed && std::strcmp(std::getenv("DISTURBANCE"), "spin") == 0;
  static const long from = disturbed ? std::atol(std::getenv("DISTURBED_FROM")) : 0;
  if (disturbed && clock == CLOCK_MONOTONIC && syscall(SYS_gettid) == getpid() && ++readings > from) {
    volatile bool for_ever = spins;
    while (for_ever) {
    }
    const timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
    nanosleep(&pause, nullptr);
  }
  return original(clock, time);
}
