// SPDX-License-Identifier: BSD-3-Clause
// To be preloaded: a file system without locks. flock() fails with LOCK_ERROR (a number of errno; ENOLCK if
// absent), and so do the locks of fcntl().
#include <cerrno>
#include <cstdarg>
#include <cstdlib>

#include <dlfcn.h>
#include <fcntl.h>

namespace {

int refuse() {
  const char* const code = std::getenv("LOCK_ERROR");
  errno = code == nullptr ? ENOLCK : std::atoi(code);
  return -1;
}

template <class Function>
int control(const char* name, int file, int command, void* argument) {
  if (command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW)
    return refuse();
  static Function* const original = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
  return original(file, command, argument);
}

void* third(va_list arguments) { return va_arg(arguments, void*); }

}  // namespace

extern "C" int flock(int /*file*/, int /*operation*/) noexcept { return refuse(); }

extern "C" int fcntl(int file, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = third(arguments);
  va_end(arguments);
  return control<int(int, int, ...)>("fcntl", file, command, argument);
}

extern "C" int fcntl64(int file, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = third(arguments);
  va_end(arguments);
  return control<int(int, int, ...)>("fcntl64", file, command, argument);
}
