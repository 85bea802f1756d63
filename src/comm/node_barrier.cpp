// SPDX-License-Identifier: BSD-3-Clause
// Waiting for the other ranks of a node.
#include "comm/node_barrier.hpp"

#include <new>

#include <sched.h>

#include "core/error.hpp"
#include "core/platform.hpp"

namespace lockstep::comm {
namespace {

constexpr unsigned patient_spins = 2000;  // some ten microseconds: longer than a scheduled rank is late

void pause_core() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

// How many cores the ranks of `node` may run on, all together. Collective.
std::size_t cores_of(const Communicator& node) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof cores, &cores) != 0)
    return 1;  // more than 1024 cores: never mind, and yield
  check(MPI_Allreduce(MPI_IN_PLACE, &cores, sizeof cores, MPI_BYTE, MPI_BOR, node.handle()), "MPI_Allreduce");
  return static_cast<std::size_t>(CPU_COUNT(&cores));
}

}  // namespace

NodeBarrier::NodeBarrier(const Communicator& node)
    : node_(node),
      window_(node, node.size() * sizeof(Arrival)),
      arrivals_(reinterpret_cast<Arrival*>(window_.bytes().data()), node.size()),
      rank_(node.rank()) {
  new (&arrivals_[rank_]) Arrival{0};
  spins_ = node.size() > cores_of(node) ? 0 : patient_spins;
  window_.fence();
}

void NodeBarrier::wait() {
  ++waits_;
  if (platform().is_simulated) return node_.barrier();
  arrivals_[rank_].waits.store(waits_, std::memory_order_release);
  for (const Arrival& arrival : arrivals_) {
    unsigned spins = 0;
    while (arrival.waits.load(std::memory_order_acquire) < waits_) {
      if (spins < spins_) {
        ++spins;
        pause_core();
      } else {
        sched_yield();
      }
    }
  }
}

}  // namespace lockstep::comm
