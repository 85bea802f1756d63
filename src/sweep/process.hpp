// SPDX-License-Identifier: BSD-3-Clause
// Child processes: one that runs while signals are watched, and one whose output is wanted.
#pragma once

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace lockstep::sweep {

using Variables = std::vector<std::pair<std::string, std::string>>;

/// Takes SIGINT, SIGTERM, SIGUSR1 and SIGCHLD out of the way of this process while it lives: they are seen by
/// next() alone. One at a time, before any thread is started.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// Waits for at most `seconds`; returns the number of the signal that came, or 0.
  [[nodiscard]] int next(double seconds);

 private:
  sigset_t watched_, before_;
};

/// A program in a process group of its own, so that a terminal's Ctrl-C reaches us and not it. It ends with
/// us.
class Child {
 public:
  /// Starts words[0] (looked up in PATH) with `added` to our environment; output goes to the end of `log`, or
  /// where ours goes if that is empty; nothing to read. Throws Error if it cannot be started.
  Child(const std::vector<std::string>& words, const Variables& added, const std::filesystem::path& log);
  ~Child();  // kills what still runs
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Its exit status if it has ended: 128 + number when a signal ended it.
  [[nodiscard]] std::optional<int> ended();
  /// Sends a signal to the program (not to its children).
  void signal(int number) const;

 private:
  pid_t pid_;
  std::optional<int> status_;
};

/// What a program that ran to its end has printed.
struct Captured {
  int status = 0;  ///< as of Child::ended
  std::string out, err;
};
/// Runs a program and waits for it. Throws Error if it cannot be started.
[[nodiscard]] Captured capture(const std::vector<std::string>& words);

/// True if PATH holds a program of this name.
[[nodiscard]] bool have_program(const std::string& name);

/// The words as a line of shell that means them.
[[nodiscard]] std::string shell_line(const std::vector<std::string>& words);

}  // namespace lockstep::sweep
