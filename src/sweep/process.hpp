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

/// While it lives, SIGINT, SIGTERM, SIGUSR1, SIGCHLD, and SIGHUP unless it is ignored (nohup), are blocked in
/// this process, and only next() sees them. One at a time, made before any thread is started.
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

/// What is different for a program that we start: its environment, and the folder that it starts in ("":
/// ours).
struct Surroundings {
  Variables added = {};
  std::vector<std::string> removed = {};  ///< variables' names; before `added`
  std::filesystem::path folder = {};
};

/// Starts words[0], which is looked up in PATH, with nothing to read; returns its process. Output is appended
/// to `log`; without a log it goes where ours goes. The program leads a process group, so that a terminal's
/// Ctrl-C reaches us and not the program. It gets SIGTERM when we end. Throws Error if it cannot be started.
[[nodiscard]] pid_t start(const std::vector<std::string>& words, const Surroundings& surroundings,
                          const std::filesystem::path& log);

/// The exit status of a process that was started, once it has ended: 128 + number if a signal ended it.
[[nodiscard]] std::optional<int> exit_status(pid_t process);

/// What a program printed, and its exit status.
struct Captured {
  int status = 0;
  std::string out, err;
};
/// Runs a program and waits for its end. Throws Error if it cannot be started.
[[nodiscard]] Captured capture(const std::vector<std::string>& words, const Surroundings& surroundings = {});

/// True if PATH holds a program of this name.
[[nodiscard]] bool have_program(const std::string& name);

/// The words as one line of shell.
[[nodiscard]] std::string shell_line(const std::vector<std::string>& words);

}  // namespace lockstep::sweep
