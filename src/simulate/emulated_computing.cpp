// SPDX-License-Identifier: BSD-3-Clause
// Sleeping by the clock.
#include "simulate/emulated_computing.hpp"

#include <chrono>
#include <thread>

#include <sys/prctl.h>

#include "core/clock.hpp"
#include "core/error.hpp"

namespace lockstep::simulate {

EmulatedComputing::EmulatedComputing(const KernelTable& table) : table_(table) {
  prctl(PR_SET_TIMERSLACK, 1UL);  // ns; else Linux lets a process sleep 50 us longer
}

bool EmulatedComputing::begin(const Work& work) {
  try {
    owed_s_ += table_.seconds_of(work);
  } catch (const Error& error) {
    throw AgreedError({.what = error.what()});
  }
  return false;
}

void EmulatedComputing::end() {
  constexpr double least_s = 1e-4;
  if (owed_s_ < least_s) return;
  const double start_s = now_s();
  std::this_thread::sleep_for(std::chrono::duration<double>(owed_s_));
  owed_s_ -= now_s() - start_s;
}

}  // namespace lockstep::simulate
