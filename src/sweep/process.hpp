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

/// While it lives, SIGINT, SIGTERM, SIGUSR1 and SIGCHLD are blocked in this process, and only next() sees
/// them. One at a time, made before any thread is started.
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

/// A program in a process group of its own, so that a terminal's Ctrl-C reaches us and not the program. It
/// ends when we end.
class Child {
 public:
  /// Starts words[0], which is looked up in PATH, with `added` to our environment and nothing to read. Its
  /// output is appended to `log`; without a log it goes where ours goes. Throws Error if it cannot be
  /// started.
  Child(const std::vector<std::string>& words, const Variables& added, const std::filesystem::path& log);
  ~Child();  // kills a program that still runs
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// The exit status if the program has ended: 128 + number if a signal ended it.
  [[nodiscard]] std::optional<int> ended();
  /// Sends a signal to the program, not to its children.
  void signal(int number) const;

 private:
  pid_t pid_;
  std::optional<int> status_;
};

/// What a program printed, and its exit status (as of Child::ended).
struct Captured {
  int status = 0;
  std::string out, err;
};
/// Runs a program and waits for its end. Throws Error if it cannot be started.
[[nodiscard]] Captured capture(const std::vector<std::string>& words);

/// True if PATH holds a program of this name.
[[nodiscard]] bool have_program(const std::string& name);

/// The words as one line of shell.
[[nodiscard]] std::string shell_line(const std::vector<std::string>& words);

}  // namespace lockstep::sweep
