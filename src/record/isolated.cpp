// SPDX-License-Identifier: BSD-3-Clause
// A forked child sends its result through a pipe: one character, then the text.
#include "record/isolated.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.hpp"
#include "core/error.hpp"

namespace lockstep::record {
namespace {

constexpr char well = '+', badly = '-';

void send(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::write(fd, text.data(), text.size());
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

[[noreturn]] void be_child(int fd, const std::function<std::string()>& work) {
  constexpr rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these reserve terabytes
  constexpr rlim_t most_bytes = rlim_t{4} << 30;                     // sizes in a file may be damaged
  constexpr rlimit memory{.rlim_cur = most_bytes, .rlim_max = most_bytes};
  ::setrlimit(RLIMIT_AS, &memory);
#endif
  std::string message;
  try {
    message = well + work();
  } catch (const std::exception& failure) {
    message = badly + std::string(failure.what());
  }
  send(fd, message);
  ::_exit(0);  // without the library's own end, which may crash
}

// Until the other end is closed; false when the time is over.
bool receive(int fd, double limit_s, std::string& text) {
  const double end_s = now_s() + limit_s;
  std::array<char, 1 << 16> piece;
  while (true) {
    const double left_s = std::max(0.0, end_s - now_s());
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(1e3 * left_s) + 1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t count = ::read(fd, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

IsolatedResult run_isolated(double limit_s, const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw Error({.what = "cannot make a pipe", .got = std::strerror(errno)});
  const pid_t child = ::fork();
  if (child < 0) throw Error({.what = "cannot start a process", .got = std::strerror(errno)});
  if (child == 0) {
    ::close(ends[0]);
    be_child(ends[1], work);
  }
  ::close(ends[1]);
  std::string text;
  const bool in_time = receive(ends[0], limit_s, text);
  ::close(ends[0]);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) return {{}, fmt::format("HDF5 does not end within {:g} s", limit_s)};
  if (WIFSIGNALED(status)) return {{}, fmt::format("HDF5 crashes on it (signal {})", WTERMSIG(status))};
  if (text.empty()) return {{}, "the process that read it ended without a result"};
  if (text.front() == badly) return {{}, text.substr(1)};
  return {text.substr(1), {}};
}

}  // namespace lockstep::record
