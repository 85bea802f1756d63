// SPDX-License-Identifier: BSD-3-Clause
// From the system.
#include "core/memory.hpp"

#include <unistd.h>

namespace lockstep {

std::size_t memory_bytes() {
  return static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace lockstep
