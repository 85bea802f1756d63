// SPDX-License-Identifier: BSD-3-Clause
// A file system without locks, to be preloaded: flock fails with the error of the number in FLOCK_ERROR.
#include <cerrno>
#include <cstdlib>

extern "C" int flock(int /*file*/, int /*operation*/) {
  errno = std::atoi(std::getenv("FLOCK_ERROR"));
  return -1;
}
