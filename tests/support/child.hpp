// SPDX-License-Identifier: BSD-3-Clause
// Another process beside the test.
#pragma once

#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>

#include <sys/wait.h>
#include <unistd.h>

namespace lockstep {

/// A process that does `work` until it is killed, at the end of this object's life at the latest. Work that
/// ends by itself is a failure.
class Child {
 public:
  explicit Child(const std::function<void()>& work) : pid_(::fork()) {
    if (pid_ != 0) return;
    try {
      work();
    } catch (const std::exception& failure) {
      std::fprintf(stderr, "%s\n", failure.what());
    }
    ::_exit(1);
  }
  ~Child() { kill(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// False when there was no such process any more, or it ended by itself.
  bool kill() {
    if (pid_ <= 0) return false;
    ::kill(pid_, SIGKILL);
    int how = 0;
    const bool waited = ::waitpid(pid_, &how, 0) == pid_;
    pid_ = -1;
    return waited && WIFSIGNALED(how);
  }

 private:
  pid_t pid_;
};

}  // namespace lockstep
