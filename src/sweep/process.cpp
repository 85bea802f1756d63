// SPDX-License-Identifier: BSD-3-Clause
// fork, exec, wait.
#include "sweep/process.hpp"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/text.hpp"
#include "sweep/folder.hpp"

namespace lockstep::sweep {
namespace {

constexpr int cannot_run = 127;

/// A file descriptor that is closed at the end.
class File {
 public:
  File(int number, const std::string& what) : number_(number) {
    if (number < 0) throw Error({.what = what, .got = std::strerror(errno)});
  }
  ~File() { close(number_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] int number() const { return number_; }
  /// All that was written to it.
  [[nodiscard]] std::string text() const {
    std::ifstream file(fmt::format("/proc/self/fd/{}", number_));
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  int number_;
};

pid_t start_with(const std::vector<std::string>& words, const Surroundings& surroundings, int out, int err) {
  if (!have_program(words.at(0)))
    throw Error({.what = "the program " + words[0] + " is not to be found",
                 .hint = "is its module loaded, is it in PATH?"});
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw Error({.what = "cannot start " + words[0], .got = std::strerror(errno)});
  if (pid > 0) return pid;

  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(cannot_run);  // it ended before prctl
  for (const std::string& name : surroundings.removed) unsetenv(name.c_str());
  for (const auto& [name, value] : surroundings.added) setenv(name.c_str(), value.c_str(), 1);
  if (!surroundings.folder.empty() && chdir(surroundings.folder.c_str()) != 0) _exit(cannot_run);
  dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execvp(arguments[0], arguments.data());
  _exit(cannot_run);
}

int status_of(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

int wait_for(pid_t pid) {
  int raw = 0;
  while (waitpid(pid, &raw, 0) < 0 && errno == EINTR) {
  }
  return status_of(raw);
}

}  // namespace

SignalWatch::SignalWatch() {
  sigemptyset(&watched_);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGCHLD}) sigaddset(&watched_, number);
  struct sigaction hangup {};
  if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) sigaddset(&watched_, SIGHUP);
  sigprocmask(SIG_BLOCK, &watched_, &before_);
}

SignalWatch::~SignalWatch() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

int SignalWatch::next(double seconds) {
  timespec limit{};
  limit.tv_sec = static_cast<time_t>(seconds);
  limit.tv_nsec = static_cast<long>((seconds - std::floor(seconds)) * 1e9);
  const int number = sigtimedwait(&watched_, nullptr, &limit);
  return number > 0 ? number : 0;
}

pid_t start(const std::vector<std::string>& words, const Surroundings& surroundings,
            const std::filesystem::path& log) {
  if (log.empty()) return start_with(words, surroundings, STDOUT_FILENO, STDERR_FILENO);
  const File file(open_own(log, O_WRONLY | O_APPEND), "");
  return start_with(words, surroundings, file.number(), file.number());
}

std::optional<int> exit_status(pid_t process) {
  int raw = 0;
  if (waitpid(process, &raw, WNOHANG) != process) return {};
  return status_of(raw);
}

Captured capture(const std::vector<std::string>& words, const Surroundings& surroundings) {
  const std::string no_memory = "cannot keep what " + words.at(0) + " prints";
  const File out(memfd_create("out", MFD_CLOEXEC), no_memory);
  const File err(memfd_create("err", MFD_CLOEXEC), no_memory);
  const int status = wait_for(start_with(words, surroundings, out.number(), err.number()));
  return {.status = status, .out = out.text(), .err = err.text()};
}

bool have_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0;
  const char* path = std::getenv("PATH");
  for (const std::string& folder : split(path != nullptr ? path : "", ':'))
    if (access((folder + "/" + name).c_str(), X_OK) == 0) return true;
  return false;
}

std::string shell_line(const std::vector<std::string>& words) {
  constexpr const char* plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=./:,@%";
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

}  // namespace lockstep::sweep
